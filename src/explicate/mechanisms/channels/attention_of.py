"""What one head attends to from the last token, under many changes upstream of it, run together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Intervention, Together
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms import rows, runs
from explicate.mechanisms.restart import batches, engine_for, fastest_way, parts_of, untouched, writes_of
from explicate.mechanisms.rows import Row
from explicate.mechanisms.weights.layouts import block_maps, weight_layout_of
from explicate.models.language import LanguageModel, tokens

if TYPE_CHECKING:
    import torch


def attention_under(
    model: LanguageModel, ids: Array, destination: tuple[int, int], variants: Sequence[Intervention | Together]
) -> Floats:
    """The destination's pattern at the last token, all else recomputed: (variant, sample, key).

    Parameters
    ----------
    ids : encoded prompts of equal length. variants : changes in layers before the destination's.
    """
    import torch

    layer, head = destination
    equally_long(ids)
    way = fastest_way(model)
    if way == "one by one":
        raise InputError("attention under changes cannot run while other interventions or hooks are in force")
    parted = [parts_of(variant) for variant in variants]
    found = np.empty((len(parted), len(ids), ids.shape[1]))
    scaling = scaling_of(model, layer, ids.shape[1])
    for batch in batches(ids):
        with torch.no_grad():
            base, _ = untouched(model, batch, (), way)
            columns = range(base.tokens)
            record = [
                Site("q", layer, head, (base.tokens - 1,)),
                *(Site("k", layer, head, (column,)) for column in columns),
            ]
            count = len(batch.ids)
            planned = [
                Row.of(number * count + sample, sample, writes_of(variant, sample, base), base.tokens)
                for number, variant in enumerate(parted)
                for sample in range(count)
            ]
            whole = [Row(row.number, row.sample, row.writes, row.layer, 0, row.stop) for row in planned]
            engine = engine_for(base, way)
            for chunk in rows.chunks(whole, model.head_count):
                _, seen = engine.states(chunk, record, layer + 1)
                for row in chunk:
                    query = seen[record[0]][row.number]
                    keys = torch.stack([seen[site][row.number] for site in record[1:]])
                    number, sample = divmod(row.number, count)
                    pattern = (keys @ query * scaling).softmax(-1)
                    found[number, batch.numbers[sample]] = pattern.double().cpu().numpy()
    return found


class Asking:
    """One head's attention from the last token of prompts of equal length, for other streams that enter its query.

    Attributes
    ----------
    stream : what enters the head's block at the last token, (sample, width). pattern : (sample, key).
    """

    def __init__(self, model: LanguageModel, ids: Array, destination: tuple[int, int]) -> None:
        layer, head = destination
        equally_long(ids)
        maps = block_maps(model, layer)
        layout, block = weight_layout_of(model), model.blocks[layer]
        self.norm = block.get_submodule(layout.norm_attention)
        self.query_norm: Any = block.get_submodule(layout.query_norm) if layout.query_norm else None
        self.map, self.bias = maps.query[head], maps.query_bias[head]
        self.scaling = scaling_of(model, layer, ids.shape[1])
        kept = [Site("resid_pre", layer, None, (-1,)), Site("k", layer, head), Site("pattern", layer, head, (-1,))]
        seen = runs.run(model, ids, kept, cache=False)
        self.stream: torch.Tensor = seen.recorded[kept[0]][:, 0]
        self.keys: torch.Tensor = seen.recorded[kept[1]]
        self.pattern: torch.Tensor = seen.recorded[kept[2]][:, 0]
        rotation = seen.arguments[layer].get("position_embeddings")
        self.rotation = None if rotation is None else tuple(part[0, -1] for part in rotation)

    def attention(self, stream: torch.Tensor) -> torch.Tensor:
        """The pattern (sample, variant, key) for streams (sample, variant, width) in the place of its own."""
        import torch

        query = self.norm(stream) @ self.map + self.bias
        if self.query_norm is not None:
            query = self.query_norm(query)
        if self.rotation is not None:
            cosine, sine = self.rotation
            half = cosine.shape[-1] // 2
            turned, rest = query[..., : 2 * half], query[..., 2 * half :]
            other = torch.cat([-turned[..., half:], turned[..., :half]], dim=-1)
            query = torch.cat([turned * cosine + other * sine, rest], dim=-1)
        return (query @ self.keys.transpose(1, 2) * self.scaling).softmax(-1)


def scaling_of(model: LanguageModel, layer: int, tokens: int) -> float:
    """What a layer's scores are multiplied by before their softmax over all tokens of a prompt.

    Raises
    ------
    CapabilityError : the layer sees only a window that is shorter than the prompt, or caps its scores.
    """
    part: Any = model.blocks[layer].get_submodule(model.architecture.attention)
    window = getattr(part, "sliding_window", None)
    if model.config.model_type == "mistral":
        window = model.config.sliding_window
    if (window is not None and window < tokens) or getattr(part, "attn_logit_softcapping", None):
        what = f"sees only the last {window} of {tokens} tokens" if window is not None else "caps its scores"
        raise CapabilityError(
            f"layer {layer} of {model.name!r} {what}, so queries and keys alone do not give its attention; "
            "give shorter prompts or another layer"
        )
    return float(part.scaling)


def equally_long(ids: Array) -> None:
    """Refuse prompts of different lengths."""
    lengths = tokens.lengths_of(ids)
    if lengths.min() != ids.shape[1]:
        raise InputError(
            f"the prompts have {lengths.min()} to {lengths.max()} tokens; give prompts of equal length here"
        )
