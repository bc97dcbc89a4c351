"""Where the weights of attention and of the norms are in each architecture: one table, as for the sites.

Adding an architecture is adding an entry to both tables (`explicate.models.language.architectures` has the sites).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from explicate.errors import CapabilityError
from explicate.models.language import LanguageModel
from explicate.models.language.sites import linear_weight

if TYPE_CHECKING:
    import torch

NormKind = Literal["none", "rms", "layer"]


@dataclass(frozen=True)
class WeightLayout:
    """How a family keeps its weights. Paths are relative to a block, but `positions`, which is to the base model.

    Parameters
    ----------
    model_types : values of `config.model_type` that have this layout.
    norm_attention, norm_mlp : the norms before attention and before the MLP; a block may have `Identity` there.
    maps : the maps to queries, keys and values: three, or one whose output is all three.
    joined : how the one map's output is ordered: all queries, keys and values after each other, or head by head.
    mlp_inputs : the maps that read the stream in the MLP; a block may lack them. mlp_output : the one that writes.
    post_norm : the norm between the heads' projection and the stream; "" where there is none.
    query_norm : the norm of the queries (keys have one too); "" where there is none.
    gain_from_one : whether norms keep their gain less one, as Gemma's do.
    positions : the learned positions; "" where there are none.
    """

    model_types: tuple[str, ...]
    norm_attention: str = "input_layernorm"
    norm_mlp: str = "post_attention_layernorm"
    maps: tuple[str, ...] = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    joined: Literal["by kind", "by head"] = "by kind"
    mlp_inputs: tuple[str, ...] = ("mlp.gate_proj", "mlp.up_proj")
    mlp_output: str = "mlp.down_proj"
    post_norm: str = ""
    query_norm: str = ""
    gain_from_one: bool = False
    positions: str = ""

    def gain(self, norm: torch.nn.Module) -> torch.Tensor:
        """What a norm multiplies by, (width,)."""
        weight: torch.Tensor = norm.weight  # type: ignore[assignment]
        return 1.0 + weight if self.gain_from_one else weight


_TABLE: dict[str, WeightLayout] = {}


def register_weight_layout(layout: WeightLayout) -> WeightLayout:
    """Make the weights of further model types known; a later entry for a model type replaces an earlier one."""
    for model_type in layout.model_types:
        _TABLE[model_type] = layout
    return layout


for _entry in (
    WeightLayout(("llama", "mistral", "qwen2", "explicate_decoder")),
    WeightLayout(("qwen3",), query_norm="self_attn.q_norm"),
    WeightLayout(
        ("gemma3_text",),
        norm_mlp="pre_feedforward_layernorm",
        post_norm="post_attention_layernorm",
        query_norm="self_attn.q_norm",
        gain_from_one=True,
    ),
    WeightLayout(
        ("gpt2",),
        norm_attention="ln_1",
        norm_mlp="ln_2",
        maps=("attn.c_attn",),
        mlp_inputs=("mlp.c_fc",),
        mlp_output="mlp.c_proj",
        positions="wpe",
    ),
    WeightLayout(
        ("gpt_neox",),
        maps=("attention.query_key_value",),
        joined="by head",
        mlp_inputs=("mlp.dense_h_to_4h",),
        mlp_output="mlp.dense_4h_to_h",
    ),
):
    register_weight_layout(_entry)


def weight_layout_of(model: LanguageModel) -> WeightLayout:
    """The entry for a model; a `CapabilityError` lists the families whose heads' weights can be told apart."""
    model_type = getattr(model.config, "model_type", "?")
    found = _TABLE.get(model_type)
    if found is None:
        raise CapabilityError(
            f"the heads' weights of {model.name!r} cannot be told apart: its model type {model_type!r} is none of "
            f"{', '.join(sorted(_TABLE))}; describe it with explicate.mechanisms.weights.register_weight_layout"
        )
    return found


def norm_kind(norm: Any) -> NormKind:
    """What a norm does to the stream before its gain."""
    import torch

    if isinstance(norm, torch.nn.Identity):
        return "none"
    return "layer" if isinstance(norm, torch.nn.LayerNorm) else "rms"


@dataclass(frozen=True, eq=False)
class BlockMaps:
    """The weights of one block's attention, cut by heads, as rows times matrix.

    Attributes
    ----------
    query (head, width, head width), key and value (key/value head, width, head width), output (head, head width,
    width) : the maps. query_bias, key_bias, value_bias : (head or key/value head, head width), zeros where there are
        none. output_bias : (width,).
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    output: torch.Tensor
    query_bias: torch.Tensor
    key_bias: torch.Tensor
    value_bias: torch.Tensor
    output_bias: torch.Tensor


def block_maps(model: LanguageModel, layer: int) -> BlockMaps:
    """The weights of one block's attention as they are, norms not folded."""
    import torch

    layout, block, heads = weight_layout_of(model), model.blocks[layer], model.head_count
    projection = block.get_submodule(model.architecture.output_projection)
    output = linear_weight(projection).T.unflatten(0, (heads, -1))
    width = output.shape[1]
    parts = [block.get_submodule(path) for path in layout.maps]
    weights = [linear_weight(part) for part in parts]
    biases = [_bias(part, weight) for part, weight in zip(parts, weights, strict=True)]
    if len(parts) == 1:
        weights, biases = (_apart(each[0], heads, layout.joined) for each in (weights, biases))
    cut = [weight.T.unflatten(1, (-1, width)).transpose(0, 1) for weight in weights]
    flat = [bias.unflatten(0, (-1, width)) for bias in biases]
    with torch.no_grad():
        bias = _bias(projection, linear_weight(projection))
    return BlockMaps(cut[0], cut[1], cut[2], output, flat[0], flat[1], flat[2], bias)


def _apart(joint: torch.Tensor, heads: int, joined: str) -> list[torch.Tensor]:
    """The queries', keys' and values' parts of one map's rows, each head after head."""
    if joined == "by kind":
        return list(joint.chunk(3))
    return [part.flatten(0, 1) for part in joint.unflatten(0, (heads, 3, -1)).unbind(1)]


def _bias(part: torch.nn.Module, weight: torch.Tensor) -> torch.Tensor:
    bias: torch.Tensor | None = part.bias  # type: ignore[assignment]
    return weight.new_zeros(weight.shape[0]) if bias is None else bias
