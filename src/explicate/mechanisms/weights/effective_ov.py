"""The effective OV circuit: what a head makes of a token by itself, from its embedding to the logits.

logits(t) = W_U norm(norm(state of t) W_OV), no prompt and no attention pattern. What the state of a token is where a
head reads it needs a choice, which is named and reported. Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads:
Recurring, Interpretable Attention Heads In The Wild", section 3 ("mlp0").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Ablate, Patch
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError, SelectionError
from explicate.mechanisms.weights.layouts import block_maps, weight_layout_of
from explicate.models.language import LanguageModel

if TYPE_CHECKING:
    import torch

TokenState = Literal["mlp0", "embed+mlp0", "embed+attn0+mlp0", "in_context"]
STATES: tuple[TokenState, ...] = ("mlp0", "embed+mlp0", "embed+attn0+mlp0", "in_context")


def token_states(model: LanguageModel, tokens: Sequence[int] | Array, state: TokenState = "mlp0") -> Floats:
    """What stands in the stream for a token by itself, (layer, token, width); but for "in_context" the same everywhere.

    Parameters
    ----------
    tokens : token ids.
    state : "mlp0", what the first MLP makes of the embedding (behind its own norm); "embed+mlp0", with the embedding
        itself; "embed+attn0+mlp0", the first block of the token alone, attending to itself; "in_context", what enters
        each block at the token behind the token that begins texts.

    Raises
    ------
    CapabilityError : the first block has no MLP and the state is made of its output.
    """
    if state not in STATES:
        raise InputError(f"state {state!r} is unknown; use one of {', '.join(STATES)}")
    ids = np.asarray(tokens, dtype=np.int64)
    if ids.ndim != 1 or not len(ids):
        raise InputError("give token ids as one list that is not empty")
    if state == "in_context":
        pairs = np.stack([np.full_like(ids, model.stand_in_token), ids], axis=1)
        sites = [Site("resid_pre", layer, None, (1,)) for layer in range(model.layer_count)]
        seen = model.capture(pairs, sites)
        return np.stack([seen[site][:, 0] for site in sites])
    if not _has_mlp(model, 0):
        raise CapabilityError(
            f"the first block of {model.name!r} has no MLP, so {state!r} says nothing; use state='in_context'"
        )
    alone = ids[:, None]
    # learned positions are no part of the token
    embedded = [Patch("L0.resid_pre", model.capture(alone, [Site("embed")])[Site("embed")])]
    silent = [] if state == "embed+attn0+mlp0" else [Ablate("L0.attn_out")]
    site = Site("mlp_out" if state == "mlp0" else "resid_post", 0)
    with model.intervene(*embedded, *silent):
        found = model.capture(alone, [site])[site][:, 0]
    return np.broadcast_to(found, (model.layer_count, *found.shape))


def effective_ov(
    model: LanguageModel,
    tokens: Sequence[int] | Array,
    outputs: Sequence[int] | Array | None = None,
    *,
    state: TokenState = "mlp0",
    layers: Sequence[int] | None = None,
) -> Floats:
    """Logits (layer, head, token, output) of every head's OV circuit for some tokens.

    Parameters
    ----------
    tokens : token ids that go in. outputs : those whose logits are wanted; default: the same.
    state : see `token_states`. layers : whose heads; default: all.

    Returns
    -------
    The final norm is applied to what the head writes, so sizes of different tokens compare; a norm behind the heads'
    projection gives its gain only.
    """
    import torch

    own = np.asarray(tokens, dtype=np.int64)
    wanted = own if outputs is None else np.asarray(outputs, dtype=np.int64)
    for ids in (own, wanted):
        if len(ids) and not 0 <= ids.min() <= ids.max() < model.output_count:
            raise SelectionError(f"{model.name!r} has tokens 0 to {model.output_count - 1}; {ids.max()} is none")
    chosen = range(model.layer_count) if layers is None else list(layers)
    states = token_states(model, own, state)
    unembedding = model.module.get_output_embeddings()
    rows = unembedding.weight[torch.as_tensor(wanted, device=model.device)]
    final = model.architecture.final_norm
    found = np.empty((len(chosen), model.head_count, len(own), len(wanted)), dtype=np.float32)
    with torch.no_grad():
        for place, layer in enumerate(chosen):
            stream = torch.as_tensor(states[layer].copy(), device=model.device, dtype=rows.dtype)
            written = head_outputs(model, layer, stream)
            normed = model.module.base_model.get_submodule(final)(written) if final else written
            logits = normed @ rows.T
            if unembedding.bias is not None:
                logits = logits + unembedding.bias[torch.as_tensor(wanted, device=model.device)]
            found[place] = logits.float().cpu().numpy()
    return found


def head_outputs(model: LanguageModel, layer: int, stream: torch.Tensor) -> torch.Tensor:
    """What each head of a layer writes where it attends to one row of the stream: (head, row, width)."""
    import torch

    layout, block, maps = weight_layout_of(model), model.blocks[layer], block_maps(model, layer)
    normed = block.get_submodule(layout.norm_attention)(stream)
    values = normed @ maps.value + maps.value_bias[:, None]
    shared = model.head_count // len(values)
    written = torch.matmul(values.repeat_interleave(shared, dim=0), maps.output)
    return written * layout.gain(block.get_submodule(layout.post_norm)) if layout.post_norm else written


def _has_mlp(model: LanguageModel, layer: int) -> bool:
    parts: dict[str, Any] = dict(model.blocks[layer].named_modules())
    return all(path in parts for path in weight_layout_of(model).mlp_inputs)
