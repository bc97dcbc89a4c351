"""The best literal, found with prefix sums: every threshold of a column is scored from two cumulative counts.

Source: Wang and Gupta (2022), "FOLD-SE", arXiv 2208.07912, section on literal selection; the Gini form is the weighted
one. `information_gain` is that of FOLD-R++ (arXiv 2110.07843).
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import xlogy

from explicate.core.capabilities import Array, Floats
from explicate.glassbox.fold.encoding import Encoding
from explicate.glassbox.fold.rules import OPERATORS, Comparison

Criterion = Literal["gini", "information_gain"]
AT_MOST, ABOVE, EQUAL, UNEQUAL = range(4)  # places in OPERATORS, and the order in which ties are broken
SPARSE = 4  # count by sorting when a column has this many times more distinct cells than there are rows left
BLOCK = 16_384  # literals scored at a time: their counts stay in the processor's cache


class Test(NamedTuple):
    """A literal on codes: column, place in `OPERATORS`, code."""

    column: int
    operator: int
    code: int

    def holds(self, encoding: Encoding, rows: Array, comparison: Comparison) -> Array:
        """Which of `rows` satisfy it."""
        codes = encoding.codes[self.column][rows]
        if self.operator == AT_MOST:
            return np.asarray(codes <= self.code)
        if self.operator == ABOVE:
            above = codes > self.code
            return above & (codes < len(encoding.thresholds[self.column])) if comparison == "strict" else above
        return np.asarray((codes == self.code) if self.operator == EQUAL else (codes != self.code))

    def __str__(self) -> str:
        return f"column {self.column} {OPERATORS[self.operator]} code {self.code}"


def gini(tp: Floats, fn: Floats, tn: Floats, fp: Floats) -> Floats:
    """-[tp fp / (tp + fp) + tn fn / (tn + fn)] / (tp + fn + tn + fp); empty branches count 0; larger is better."""
    inside, outside = tp + fp, tn + fn
    impurity = tp * fp / np.maximum(inside, 1) + tn * fn / np.maximum(outside, 1)
    return -impurity / (inside + outside)


def information_gain(tp: Floats, fn: Floats, tn: Floats, fp: Floats) -> Floats:
    """(sum of x log(x / its branch's total) over the four counts) / their total; larger is better."""
    inside, outside = np.maximum(tp + fp, 1), np.maximum(tn + fn, 1)
    summed = xlogy(tp, tp / inside) + xlogy(fp, fp / inside) + xlogy(tn, tn / outside) + xlogy(fn, fn / outside)
    return np.asarray(summed / (tp + fn + tn + fp))


CRITERIA: dict[str, Callable[[Floats, Floats, Floats, Floats], Floats]] = {
    "gini": gini,
    "information_gain": information_gain,
}


@dataclass(frozen=True, eq=False)
class Search:
    """Finds the literal that tells two sets of rows apart best.

    Parameters
    ----------
    encoding : the training table as codes.
    criterion : "gini" or "information_gain".
    comparison : see `Comparison`.
    """

    encoding: Encoding
    criterion: Criterion = "gini"
    comparison: Comparison = "complementary"

    def best(self, positives: Array, negatives: Array, used: Set[tuple[int, int]]) -> Test | None:
        """The literal with the highest score that points towards the positives and splits the rows.

        A literal is admissible if tp + tn >= fp + fn. Ties go to the first column, then to the first of `<=`, `>`,
        `==`, `!=`, then to the smallest value. Literals that hold for all rows or for none are left out: they change
        neither set.

        Parameters
        ----------
        positives, negatives : indices of rows.
        used : (column, code) of literals that may not be taken again, nor their complements.

        Returns
        -------
        None if no literal is left.
        """
        best, best_score = None, -np.inf
        if len(positives) + len(negatives) < 2:
            return best
        for column in range(len(self.encoding.names)):
            if self.encoding.distinct(column) < 2:
                continue
            codes, pos, neg = self._counts(column, positives, negatives)
            taken = [code for place, code in used if place == column]
            free = ~np.isin(codes, taken) if taken else None
            for operator, at, tp, fp in self._branches(column, codes, pos, neg, len(positives), len(negatives)):
                chosen = free[at] if free is not None else None
                place, score = self._highest(tp, fp, len(positives), len(negatives), chosen)
                if score > best_score:
                    best, best_score = Test(column, operator, int(codes[at][place])), score
        return best

    def _counts(self, column: int, positives: Array, negatives: Array) -> tuple[Array, Array, Array]:
        """The codes that occur in the rows, in rising order, and how many positives and negatives have each."""
        codes, size = self.encoding.codes[column], self.encoding.distinct(column)
        if size <= SPARSE * (len(positives) + len(negatives)):
            pos = np.bincount(codes[positives], minlength=size)
            neg = np.bincount(codes[negatives], minlength=size)
            present = np.flatnonzero(pos + neg)
            return (present, pos, neg) if len(present) == size else (present, pos[present], neg[present])
        keys = np.sort(np.concatenate([codes[positives] * 2 + 1, codes[negatives] * 2]))
        ends = np.flatnonzero(np.append(keys[1:] >> 1 != keys[:-1] >> 1, True))
        pos = np.diff(np.cumsum(keys & 1)[ends], prepend=0)
        return keys[ends] >> 1, pos, np.diff(ends, prepend=-1) - pos

    def _branches(
        self, column: int, codes: Array, pos: Array, neg: Array, positives: int, negatives: int
    ) -> list[tuple[int, slice, Floats, Floats]]:
        """Per operator, in the order of ties: where its codes are, and their true and false positives."""
        numbers = int(np.searchsorted(codes, len(self.encoding.thresholds[column])))
        found: list[tuple[int, slice, Floats, Floats]] = []
        if numbers:
            tp, fp = np.cumsum(pos[:numbers]).astype(float), np.cumsum(neg[:numbers]).astype(float)
            rest = (tp[-1], fp[-1]) if self.comparison == "strict" else (positives, negatives)
            found.append((AT_MOST, slice(numbers), tp, fp))
            found.append((ABOVE, slice(numbers), rest[0] - tp, rest[1] - fp))
        if numbers < len(codes):
            tp, fp = pos[numbers:].astype(float), neg[numbers:].astype(float)
            found.append((EQUAL, slice(numbers, None), tp, fp))
            found.append((UNEQUAL, slice(numbers, None), positives - tp, negatives - fp))
        return found

    def _highest(self, tp: Floats, fp: Floats, positives: int, negatives: int, free: Array | None) -> tuple[int, float]:
        """Where the highest admissible score is (the first place, that is the smallest value), and that score."""
        best, best_score = 0, -np.inf
        for start in range(0, len(tp), BLOCK):
            block = slice(start, start + BLOCK)
            true, false = tp[block], fp[block]
            inside = true + false
            fine = (2 * (true - false) >= positives - negatives) & (inside > 0) & (inside < positives + negatives)
            if free is not None:
                fine &= free[block]
            places = np.flatnonzero(fine)  # of a literal and its complement one is admissible, so about half
            if not len(places):
                continue
            true, false = true[places], false[places]
            scores = CRITERIA[self.criterion](true, positives - true, negatives - false, false)
            highest = int(np.argmax(scores))
            if scores[highest] > best_score:
                best, best_score = start + int(places[highest]), float(scores[highest])
        return best, best_score
