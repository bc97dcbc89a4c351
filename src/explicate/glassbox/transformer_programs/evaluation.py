"""A program on many sequences at once, in numpy: what each step computes, where it looks, what the classifier adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.glassbox.transformer_programs.steps import ONES, POSITIONS, TOKENS, Head, Lookup

if TYPE_CHECKING:
    from explicate.glassbox.transformer_programs.program import Program

CELLS = 1 << 22  # pairs of positions looked at together


@dataclass(frozen=True, eq=False)
class Trace:
    """What a program computed.

    Attributes
    ----------
    codes : (sample, position) of the tokens, -1 after the end.
    values : variable -> (sample, position) codes or numbers; what stands after the end means nothing.
    attended : head that copies -> (sample, position) where each position looked; head that counts -> (sample, query,
        key) which keys it counted.
    """

    program: Program
    codes: Array
    values: dict[str, Array]
    attended: dict[str, Array]

    def contributions(self) -> dict[str, Floats]:
        """Variable -> (sample, position, tag) what it adds to the logits; pooled programs: the mean, at position 0."""
        found = {name: self._rows(name) for name in self.program.weights}
        return {name: self._pooled(rows) for name, rows in found.items()} if self.program.pooled else found

    def logits(self) -> Floats:
        """(sample, position, tag), summed in the order of the weights."""
        total = np.zeros((*self.codes.shape, len(self.program.tags)))
        for name in self.program.weights:
            total += self._rows(name)
        return self._pooled(total) if self.program.pooled else total

    def predictions(self) -> Array:
        """(sample, position) the code of the first tag with the highest logit."""
        found: Array = self.logits().argmax(-1)
        return found

    def names(self, variable: str, sample: int = 0) -> list[str | int]:
        """The values of a variable along one sequence, by name."""
        own = self.program.variables[variable]
        length = int((self.codes[sample] >= 0).sum())
        codes = self.values[variable][sample, :length].tolist()
        return codes if own.numeric else [own.values[code] for code in codes]

    def _rows(self, name: str) -> Floats:
        rows, values = self.program.weights[name], self.values[name]
        if self.program.variables[name].numeric:
            return np.asarray(values[..., None] * rows[0])
        return np.asarray(rows[values])

    def _pooled(self, rows: Floats) -> Floats:
        """Means over the tokens, added one after the other as the program in Python does."""
        there = self.codes >= 0
        found = np.zeros_like(rows)
        for place in range(rows.shape[1]):
            found[:, 0] += np.where(there[:, place, None], rows[:, place], 0.0)
        found[:, 0] /= there.sum(1)[:, None]
        return found


def traced(program: Program, codes: Array, given: Mapping[str, Array] | None = None) -> Trace:
    """Run a program on token codes (sample, position), -1 after the end of a sequence.

    Parameters
    ----------
    given : variable -> (sample, position) values that it has instead of those that its step computes.
    """
    positions = codes.shape[1]
    known = np.maximum(codes, 0)
    fixed = given or {}
    values: dict[str, Array] = {}
    if program.embeddings is None:
        values[TOKENS] = known
    else:
        values |= {f"embedding_{place}": column[known] for place, column in enumerate(program.embeddings.T)}
    values[POSITIONS] = np.broadcast_to(np.arange(positions), codes.shape)
    values[ONES] = np.ones_like(codes)
    mask = keys_seen(codes, program.causal)
    attended: dict[str, Array] = {}
    for step in program.steps:
        if isinstance(step, Lookup):
            written = step.table[tuple(values[name] for name in step.inputs)]
            values[step.name] = fixed.get(step.name, written)
            continue
        query, key, value = (values[name] for name in (step.query, step.key, step.value))
        if step.counts:
            matches = (step.predicate[query][:, :, None] == key[:, None, :]) & mask
            attended[step.name] = matches
            values[step.name] = (matches * value[:, None, :]).sum(-1)
        else:
            places = attended[step.name] = places_of(step, query, key, mask, program.context)
            values[step.name] = np.take_along_axis(value, places, 1)
        values[step.name] = fixed.get(step.name, values[step.name])
    return Trace(program, codes, values, attended)


def keys_seen(codes: Array, causal: bool) -> Masks:
    """(sample, query, key): which keys each query may attend to."""
    there = codes >= 0
    seen = there[:, None, :] & np.ones((1, codes.shape[1], 1), dtype=bool)
    if causal:
        seen = seen & np.tri(codes.shape[1], dtype=bool)
    return np.asarray(seen)


def places_of(head: Head, query: Array, key: Array, mask: Masks, context: int) -> Array:
    """(sample, position) where a head that copies attends to."""
    positions = query.shape[1]
    liked = preferences(head, positions, context)
    if head.scores is not None:
        scores = head.scores[query[:, :, None], key[:, None, :]] + liked
        return np.asarray(np.where(mask, scores, -np.inf).argmax(-1))
    matches = (head.predicate[query][:, :, None] == key[:, None, :]) & mask
    return np.asarray(np.where(matches, liked, -np.inf).argmax(-1))  # without a match, the first: all are alike


def preferences(head: Head, positions: int, context: int) -> Floats:
    """(query, key) how much a match there is liked; of equals, the first is taken."""
    places = np.arange(positions)
    offsets = places[None, :] - places[:, None]
    if head.preference == "offsets":
        assert head.offsets is not None
        return np.asarray(head.offsets[offsets + context - 1])
    if head.preference == "first":
        return np.zeros((positions, positions))
    return np.where(offsets == 0, -float(context), -np.abs(offsets).astype(float))
