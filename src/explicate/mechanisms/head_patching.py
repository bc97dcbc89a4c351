"""Heads changed at positions that differ from prompt to prompt, many sets of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.cost import spend
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms import rows, runs
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.restart import batches, engine_for, fastest_way, finished, require_causal, untouched, work
from explicate.mechanisms.rows import Row, Write
from explicate.mechanisms.runs import Runs
from explicate.models.language import LanguageModel, tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class HeadPatch:
    """One head's output at one column of each prompt.

    Attributes
    ----------
    columns : (prompt,), counted from each prompt's first token. values : (prompt, head width), the new `z`.
    """

    layer: int
    head: int
    columns: Array
    values: Any

    def write(self, sample: int, number: int) -> Write:
        """The change to one prompt; `number` counts all prompts."""
        return Write("z", self.layer, self.head, (int(self.columns[number]),), self.values[number][None])


def head_outputs(model: LanguageModel, ids: Array, columns: Array) -> torch.Tensor:
    """What each head passes on, `z`, at one column of each prompt: (prompt, layer, head, head width)."""
    import torch

    parts, order = [], []
    wanted = [Site("z", layer) for layer in range(model.layer_count)]
    for batch in batches(ids):
        seen = runs.run(model, batch.ids, wanted, cache=False).recorded
        samples, at = np.arange(len(batch.ids)), np.asarray(columns)[batch.numbers]
        parts.append(torch.stack([seen[site][samples, :, at] for site in wanted], dim=1))
        order.append(batch.numbers)
    return torch.cat(parts)[torch.as_tensor(np.argsort(np.concatenate(order)))]


def patched_answers(model: LanguageModel, ids: Array, variants: Sequence[Sequence[HeadPatch]]) -> Array:
    """The likeliest next token (variant, prompt) with each variant's heads patched; no patches: the model's own."""
    import torch

    require_causal(model, "patching heads")
    way = fastest_way(model)
    if way == "one by one":
        raise InputError("heads cannot be patched while other interventions or hooks are in force; leave them first")
    _check(variants, tokens.lengths_of(ids))
    found = np.empty((len(variants), len(ids)), dtype=np.int64)
    with torch.no_grad():
        for batch in batches(ids):
            base = untouched(model, batch, [], way)[0]
            readout = Readout.of(model, "logits", None, base.state)
            planned = [
                Row.of(
                    number * len(batch.ids) + sample,
                    sample,
                    [patch.write(sample, int(prompt)) for patch in variant],
                    base.tokens,
                )
                for number, variant in enumerate(variants)
                for sample, prompt in enumerate(batch.numbers)
            ]
            answers = np.empty(len(planned), dtype=np.int64)
            engine = engine_for(base, way)
            for chunk in rows.chunks(planned, model.head_count):
                states = finished(model, engine.states(chunk)[0])
                answers[[row.number for row in chunk]] = readout.logits(states).argmax(-1).cpu().numpy()
                spent(chunk, base)
            found[:, batch.numbers] = answers.reshape(len(variants), len(batch.ids))
    return found


def spent(chunk: Sequence[Row], base: Runs) -> None:
    """Count the work of some rows."""
    spend(evaluations=ceil(sum(work(row, base) for row in chunk)))


def _check(variants: Sequence[Sequence[HeadPatch]], lengths: Array) -> None:
    for variant in variants:
        for patch in variant:
            if len(patch.columns) != len(lengths) or len(patch.values) != len(lengths):
                raise InputError(
                    f"L{patch.layer}.z.H{patch.head}: {len(patch.columns)} columns and {len(patch.values)} values for "
                    f"{len(lengths)} prompts"
                )
            outside = np.flatnonzero((patch.columns < 0) | (patch.columns >= lengths))
            if len(outside):
                row = int(outside[0])
                raise InputError(f"prompt {row} has no column {int(patch.columns[row])}; it has {int(lengths[row])}")
