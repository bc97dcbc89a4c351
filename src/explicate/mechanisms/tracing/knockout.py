"""Attention knockout: what is lost when a token may no longer attend to some others, in a window of layers.

Scores from the asking token to the cut ones are set to minus infinity in all heads of the window's layers; the rest of
the row is normalised anew. Source: Geva, Bastings, Filippova, Globerson (2023), "Dissecting Recall of Factual
Associations in Auto-Regressive Language Models", section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, TypeAlias

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.cost import measure, spend
from explicate.core.interventions import Intervention, like
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target
from explicate.errors import InputError, SelectionError
from explicate.mechanisms import rows
from explicate.mechanisms.effects import Metric, Readout
from explicate.mechanisms.places import Places
from explicate.mechanisms.restart import (
    Batch,
    Measured,
    Way,
    batches,
    engine_for,
    fastest_way,
    finished,
    joined,
    require_causal,
    untouched,
    work,
)
from explicate.mechanisms.results import effects, prompts, resolved
from explicate.mechanisms.rows import Row, Write, columns_of
from explicate.models.language import LanguageModel, tokens

Keys: TypeAlias = int | Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class Cut(Intervention):
    """Hide some keys from a query: set its scores for them to minus infinity.

    Parameters
    ----------
    site : scores of a layer at the query's position ("L3.scores@-1"), of one head or of all.
    keys : token columns, counted from the first token, negative ones from the last that is there.
    """

    keys: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.address.kind != "scores":
            raise InputError(f"{self.site}: attention is cut at scores, such as L3.scores@-1")
        if not self.keys:
            raise InputError(f"{self.site}: name at least one token that is no longer to be read")

    def apply(self, activation: Any) -> Any:
        count = int(activation.shape[-1])
        outside = [key for key in self.keys if not -count <= key < count]
        if outside:
            raise SelectionError(f"{self.site}: there is no key {outside[0]} among {count} tokens")
        hidden = np.zeros(count)
        hidden[list(self.keys)] = -np.inf
        return activation + like(hidden, activation)


def cuts(
    layers: Iterable[int], queries: Sequence[int], keys: Sequence[int], heads: Sequence[int] | None = None
) -> tuple[Cut, ...]:
    """Hide keys from some tokens in a set of layers, in all heads or some: one intervention a site.

    Raises
    ------
    InputError : when applied, a token that has no key left to read.
    """
    return tuple(
        Cut(Site("scores", layer, head, tuple(queries)), tuple(keys))
        for layer in layers
        for head in (heads if heads is not None else (None,))
    )


@dataclass(frozen=True)
class AttentionKnockout(Parameterised):
    """Cut one token off from some others, in one window of layers after another.

    Parameters
    ----------
    query : the position that may no longer attend; negative from the end, one for all prompts or one each.
    window : how many layers are cut at once, from each first layer on; None: all from the first layer to the end.
    first_layers : where windows begin; None: at every layer.
    metric : see `Sweep`; "rank" tells whether the target is still the likeliest.
    """

    name: ClassVar[str] = "attention-knockout"

    query: int | tuple[int, ...] = -1
    window: int | None = None
    first_layers: tuple[int, ...] | None = None
    metric: Metric | None = None

    def run(self, model: LanguageModel, inputs: Any, keys: Keys, target: Target = None) -> Effects:
        """The effect of each window (sample, layer), by the window's first layer.

        Parameters
        ----------
        keys : the positions that are hidden: one, the same ones for all prompts, or some for each prompt.
        inputs, target : see `Sweep.run`.

        Raises
        ------
        InputError : keys that the query does not see anyway, or all keys that it sees.
        """
        require_causal(model, self.name)
        ids = prompts(model, inputs)
        lengths = tokens.lengths_of(ids)
        starts = tuple(range(model.layer_count)) if self.first_layers is None else self.first_layers
        if self.window is not None and self.window < 1:
            raise InputError(f"the window is {self.window} layers; give 1 or more, or None for all to the end")
        places = Places.of(model, "scores", starts, "all", "all", lengths)
        asking, hidden = self._columns(lengths), _hidden(keys, lengths)
        for row, (column, gone) in enumerate(zip(asking, hidden, strict=True)):
            _check(row, column, gone)
        way = fastest_way(model)
        if way == "one by one":
            raise InputError(
                f"{self.name} cannot run while other interventions or hooks are in force; leave them first"
            )
        targets = resolved(model, ids, target)
        with measure() as cost:
            parts = []
            for batch in batches(ids):
                own = None if targets is None else targets[batch.numbers]
                cuts = [(asking[i], hidden[i]) for i in batch.numbers]
                parts.append((batch.numbers, self._measured(model, batch, cuts, starts, own, way)))
            found = joined(parts)
        result = effects(self, model, ids, found, places, cost)
        data = result.data.assign(
            query=xr.DataArray(asking, dims="sample"),
            hidden=xr.DataArray([" ".join(map(str, gone)) for gone in hidden], dims="sample"),
        )
        return Effects(data, result.provenance)

    def _columns(self, lengths: Array) -> list[int]:
        asked = self.query if isinstance(self.query, tuple) else (self.query,) * len(lengths)
        if len(asked) != len(lengths):
            raise InputError(f"{len(asked)} queries for {len(lengths)} prompts; give one for each, or one for all")
        return [columns_of(Site("z", 0, None, (p,)), int(n))[0] for p, n in zip(asked, lengths, strict=True)]

    def _measured(
        self,
        model: LanguageModel,
        batch: Batch,
        cuts: Sequence[tuple[int, tuple[int, ...]]],
        starts: Sequence[int],
        targets: Any,
        way: Way,
    ) -> Measured:
        import torch

        count = len(batch.ids)
        with torch.no_grad():
            base = untouched(model, batch, [], way)[0]
            readout = Readout.of(model, self.metric, targets, base.state)
            own = readout.untouched()
            values = np.empty((len(starts), count))
            planned = []
            for number, start in enumerate(starts):
                stop = base.layers if self.window is None else min(base.layers, start + self.window)
                for sample, (column, gone) in enumerate(cuts):
                    writes = [
                        Write("scores", layer, None, (column,), Cut(Site("scores", layer), gone))
                        for layer in range(start, stop)
                    ]
                    planned.append(Row.of(number * count + sample, sample, writes, base.tokens))
            engine = engine_for(base, way)
            forwards = float(count)
            for chunk in rows.chunks(planned, model.head_count):
                states = finished(model, engine.states(chunk)[0])
                samples = np.array([row.sample for row in chunk])
                values.reshape(-1)[[row.number for row in chunk]] = readout.from_states(states, samples)
                done = sum(work(row, base) for row in chunk)
                spend(evaluations=ceil(done))
                forwards += done
        return Measured(values, own, None, readout.metric, readout.targets, way, forwards=forwards)


def knock_out_attention(
    model: LanguageModel,
    inputs: Any,
    keys: Keys,
    *,
    query: int | Sequence[int] = -1,
    window: int | None = None,
    first_layers: Sequence[int] | None = None,
    target: Target = None,
    metric: Metric | None = None,
) -> Effects:
    """What is lost when a token may no longer attend to others, by layer; see `AttentionKnockout`."""
    return AttentionKnockout(
        query if isinstance(query, int) else tuple(int(q) for q in query),
        window,
        None if first_layers is None else tuple(int(layer) for layer in first_layers),
        metric,
    ).run(model, inputs, keys, target)


def _hidden(keys: Keys, lengths: Array) -> list[tuple[int, ...]]:
    """The hidden columns of each prompt."""
    if isinstance(keys, int | np.integer):
        keys = [int(keys)]
    each: list[Any] = list(keys)
    if not each or isinstance(each[0], int | np.integer):
        each = [each] * len(lengths)
    if len(each) != len(lengths):
        raise InputError(f"hidden positions for {len(each)} of {len(lengths)} prompts; give some for each")
    found = []
    for positions, length in zip(each, lengths, strict=True):
        asked = tuple(int(p) for p in positions)
        if not asked:
            raise InputError("no positions to hide; give at least one for each prompt")
        found.append(tuple(dict.fromkeys(columns_of(Site("z", 0, None, asked), int(length)))))
    return found


def _check(row: int, column: int, gone: tuple[int, ...]) -> None:
    later = [key for key in gone if key > column]
    if later:
        raise InputError(f"prompt {row}: the token at {column} never sees the one at {later[0]}, which comes later")
    if len(gone) > column:
        raise InputError(f"prompt {row}: the token at {column} has no key left to attend to; keep at least one")
