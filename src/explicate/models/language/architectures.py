"""Where the named sites are in each architecture: one table. Adding an architecture is adding an entry.

What the identities are depends on the norms, and each entry says so (`residual`):

- "sum" (Llama, Gemma-3, GPT-2): `resid_mid = resid_pre + attn_out` and `resid_post = resid_mid + mlp_out`, because
  `attn_out` and `mlp_out` are what a block *writes*. In Gemma-3 that is the output of the norm after the projection, so
  the heads add up to the projection's output and `attn_out` is the post-norm of their sum; in Llama they add up to
  `attn_out`.
  GPT-2 adds its learned positions after the embedding, so there the first `resid_pre` is `embed` plus those.
- "parallel" (GPT-NeoX, as in Pythia): attention and MLP read the same stream, so nothing is between them and there is
  no `resid_mid`; `resid_post = resid_pre + attn_out + mlp_out`. Some families have a switch for it.
- "normalised" (BERT): `resid_mid = norm(resid_pre + attn_out)` and `resid_post = norm(resid_mid + mlp_out)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from explicate.core.sites import LAYERED
from explicate.errors import CapabilityError, InputError, SiteError


@dataclass(frozen=True)
class Tap:
    """One place where a block's stream can be read and written.

    Parameters
    ----------
    path : module inside the block; "" is the block itself.
    side : the module's first "input" or its "output" (the first entry of a tuple).
    shared : for an input that the block goes on to use elsewhere too (the residual stream before a norm): a change
        must then reach both, so it is written into the tensor itself.
    """

    path: str
    side: Literal["input", "output"]
    shared: bool = False


@dataclass(frozen=True)
class Architecture:
    """How a family of models is laid out. Paths are relative to the base model (`blocks`) or to a block (the others).

    Parameters
    ----------
    model_types : values of `config.model_type` that have this layout.
    causal : whether a token sees only what is before it.
    blocks : path of the list of blocks.
    attention : path of the module that calls the attention function.
    output_projection : path of the linear map from the heads' outputs to the residual stream.
    resid_mid, attn_out, mlp_act, mlp_out : see `explicate.core.sites`; `resid_mid` is None where blocks are parallel.
    residual : how the stream is put together; see above.
    parallel_if : the switch of the configuration that makes blocks parallel, where a family has both kinds.
    final_norm : path of the norm after the last block; "" where there is none.
    head_sum : what the sum of `head_out` over heads plus the projection's bias is: "attn_out", or "before the norm".
    """

    model_types: tuple[str, ...]
    causal: bool
    blocks: str
    attention: str
    output_projection: str
    resid_mid: Tap | None
    attn_out: Tap
    mlp_act: Tap
    mlp_out: Tap
    residual: Literal["sum", "parallel", "normalised"] = "sum"
    head_sum: Literal["attn_out", "before the norm"] = "attn_out"
    final_norm: str = "norm"
    parallel_if: str = ""

    def __post_init__(self) -> None:
        if (self.resid_mid is None) != (self.residual == "parallel"):
            names = ", ".join(self.model_types)
            raise InputError(f"the entry for {names}: there is no resid_mid if, and only if, blocks are parallel")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of sites in each layer."""
        return tuple(kind for kind in LAYERED if kind != "resid_mid" or self.resid_mid is not None)

    @property
    def mlp_input(self) -> str:
        """The kind of site that the MLP (its norm) reads."""
        return "resid_pre" if self.residual == "parallel" else "resid_mid"

    def of(self, config: Any) -> Architecture:
        """The entry for one model of the family, parallel if its configuration says so."""
        if self.parallel_if and getattr(config, self.parallel_if):
            return replace(self, residual="parallel", resid_mid=None, parallel_if="")
        return self

    def tap(self, kind: str) -> Tap:
        """The tap of a kind that is an input or output of some module."""
        if kind == "resid_pre":
            return Tap("", "input")
        if kind == "resid_post":
            return Tap("", "output")
        if kind == "z":
            return Tap(self.output_projection, "input")
        found: Tap | None = getattr(self, kind)
        if found is None:
            raise SiteError(self.no_middle)
        return found

    @property
    def no_middle(self) -> str:
        """Why a site between attention and MLP is refused."""
        return (
            "no resid_mid: attention and MLP read the same stream side by side, so nothing is between them; use "
            f"resid_pre or resid_post (there are {', '.join(self.kinds)})"
        )


LLAMA = Architecture(
    model_types=("llama", "mistral", "qwen2", "qwen3"),
    causal=True,
    blocks="layers",
    attention="self_attn",
    output_projection="self_attn.o_proj",
    resid_mid=Tap("post_attention_layernorm", "input", shared=True),
    attn_out=Tap("self_attn", "output"),
    mlp_act=Tap("mlp.down_proj", "input"),
    mlp_out=Tap("mlp", "output"),
)

GEMMA_3 = Architecture(
    model_types=("gemma3_text",),
    causal=True,
    blocks="layers",
    attention="self_attn",
    output_projection="self_attn.o_proj",
    resid_mid=Tap("pre_feedforward_layernorm", "input", shared=True),
    attn_out=Tap("post_attention_layernorm", "output"),
    mlp_act=Tap("mlp.down_proj", "input"),
    mlp_out=Tap("post_feedforward_layernorm", "output"),
    head_sum="before the norm",
)

GPT_2 = Architecture(
    model_types=("gpt2",),
    causal=True,
    blocks="h",
    attention="attn",
    output_projection="attn.c_proj",
    resid_mid=Tap("ln_2", "input", shared=True),
    attn_out=Tap("attn", "output"),
    mlp_act=Tap("mlp.c_proj", "input"),
    mlp_out=Tap("mlp", "output"),
    final_norm="ln_f",
)

GPT_NEOX = Architecture(
    model_types=("gpt_neox",),
    causal=True,
    blocks="layers",
    attention="attention",
    output_projection="attention.dense",
    resid_mid=Tap("post_attention_layernorm", "input", shared=True),
    attn_out=Tap("attention", "output"),
    mlp_act=Tap("mlp.dense_4h_to_h", "input"),
    mlp_out=Tap("mlp", "output"),
    final_norm="final_layer_norm",
    parallel_if="use_parallel_residual",
)

BERT = Architecture(
    model_types=("bert",),
    causal=False,
    blocks="encoder.layer",
    attention="attention.self",
    output_projection="attention.output.dense",
    resid_mid=Tap("attention", "output"),
    attn_out=Tap("attention.output.dense", "output"),
    mlp_act=Tap("output.dense", "input"),
    mlp_out=Tap("output.dense", "output"),
    residual="normalised",
    final_norm="",
)

_TABLE: dict[str, Architecture] = {}


def register_architecture(architecture: Architecture) -> Architecture:
    """Make the layout of further model types known; a later entry for a model type replaces an earlier one."""
    for model_type in architecture.model_types:
        _TABLE[model_type] = architecture
    return architecture


for _entry in (LLAMA, GEMMA_3, GPT_2, GPT_NEOX, BERT):
    register_architecture(_entry)


def known(config: Any) -> Architecture | None:
    """The entry for a model's configuration, or None."""
    found = _TABLE.get(getattr(config, "model_type", ""))
    return None if found is None else found.of(config)


def architecture_of(config: Any, name: str) -> Architecture:
    """The entry for a model's configuration; a `CapabilityError` says how to add one."""
    found = known(config)
    if found is None:
        raise CapabilityError(
            f"the sites of {name!r} are not known: its model type {getattr(config, 'model_type', '?')!r} is none of "
            f"{', '.join(sorted(_TABLE))}; describe its layout with "
            "explicate.models.language.register_architecture(Architecture(...)), or name sites by module path"
        )
    return found
