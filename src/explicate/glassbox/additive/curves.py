"""The fitted model: one curve a column, added up. What is drawn is all there is, and the predictions come from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.glassbox.cells import numbers_of
from explicate.glassbox.fold.columns import text_of
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Axis:
    """How the cells of one column are read.

    Attributes
    ----------
    name : of the column.
    points : numeric columns: (point,) increasing numbers between which the curve is straight; beyond them it is flat.
    words : categorical columns: their categories as texts. Empty for a numeric column.
    gaps : whether a missing cell has a contribution of its own; else it is refused.
    """

    name: str
    points: Array
    words: tuple[str, ...] = ()
    gaps: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return not self.words

    def __len__(self) -> int:
        return len(self.words) or len(self.points)

    def read(self, column: pd.Series) -> tuple[Array, Array]:
        """Cells as numbers (row,) and categories (row,): -1 for a number, the axis's length for a gap.

        Raises
        ------
        InputError : a gap or a category that was not there in training, or what is no number; names column and row.
        """
        import pandas as pd

        gone = column.isna().to_numpy()
        if gone.any() and not self.gaps:
            raise InputError(
                f"column {self.name!r}, row {int(np.flatnonzero(gone)[0])}: no value (NaN); fill it in, drop the row, "
                "or fit with missing='bin'"
            )
        numbers, codes = np.zeros(len(column)), np.full(len(column), -1)
        if self.numeric:
            numbers[~gone] = numbers_of(self.name, column, ~gone)
        else:
            places, distinct = pd.factorize(column)
            known = {word: place for place, word in enumerate(self.words)}
            codes = np.array([*(known.get(text_of(value), -1) for value in distinct), -1])[places]
            unknown = np.flatnonzero((codes < 0) & ~gone)
            if len(unknown):
                row = int(unknown[0])
                raise InputError(
                    f"column {self.name!r}, row {row}: category {text_of(column.iloc[row])!r} was not there in "
                    f"training; known are {', '.join(self.words)}"
                )
        return numbers, np.where(gone, len(self), codes)


@dataclass(frozen=True, eq=False)
class Curve:
    """One term: what a column, or a pair of columns, adds to each output.

    Attributes
    ----------
    columns : places of the column, or of both.
    axes : how each is read. Of a pair, the points of a numeric axis lie at equal distances.
    values : (point, output), or of a pair (point, point, output); categories count as points.
    missing : (output,) for gaps; of a pair, what a gap in either adds.
    spread : of the shape of `values`, the standard deviation over the ensemble's members.
    """

    columns: tuple[int, ...]
    axes: tuple[Axis, ...]
    values: Array
    missing: Array
    spread: Array

    @property
    def name(self) -> str:
        """The column's name, or both names."""
        return " × ".join(axis.name for axis in self.axes)

    def at(self, cells: Sequence[tuple[Array, Array]]) -> Array:
        """(row, output) for the cells of each column, as `Axis.read` gives them."""
        gone = np.zeros(len(cells[0][0]), dtype=bool)
        for axis, (_, codes) in zip(self.axes, cells, strict=True):
            gone |= codes >= len(axis)
        found = self._along(cells[0]) if len(self.axes) == 1 else self._across(cells)
        return np.where(gone[:, None], self.missing, found)

    def _along(self, cells: tuple[Array, Array]) -> Array:
        numbers, codes = cells
        (axis,) = self.axes
        if not axis.numeric:
            return np.asarray(self.values[np.minimum(codes, len(axis) - 1)])
        outputs = range(self.values.shape[1])
        return np.stack([np.interp(numbers, axis.points, self.values[:, each]) for each in outputs], axis=1)

    def _across(self, cells: Sequence[tuple[Array, Array]]) -> Array:
        (low, up), (left, right) = (_between(axis, *each) for axis, each in zip(self.axes, cells, strict=True))
        (row, down), (column, across) = (low, up), (left, right)
        below = np.minimum(row + 1, len(self.axes[0]) - 1)
        beside = np.minimum(column + 1, len(self.axes[1]) - 1)
        down, across = down[:, None], across[:, None]
        upper = self.values[row, column] * (1 - across) + self.values[row, beside] * across
        lower = self.values[below, column] * (1 - across) + self.values[below, beside] * across
        return np.asarray(upper * (1 - down) + lower * down)


@dataclass(frozen=True, eq=False)
class Curves:
    """An additive model: `score = intercept + sum of the terms`.

    Attributes
    ----------
    intercept : (output,). terms : the columns in their order, then pairs.
    axes : of all columns, in the order of the table.
    """

    intercept: Array
    terms: tuple[Curve, ...]
    axes: tuple[Axis, ...]

    @property
    def outputs(self) -> int:
        """How many scores there are."""
        return len(self.intercept)

    def cells(self, frame: pd.DataFrame) -> list[tuple[Array, Array]]:
        """The cells of each column, as `Axis.read` gives them."""
        return [axis.read(frame[axis.name]) for axis in self.axes]

    def contributions(self, cells: Sequence[tuple[Array, Array]]) -> Array:
        """(row, term, output)."""
        rows = len(cells[0][0])
        found = np.empty((rows, len(self.terms), self.outputs))
        for place, term in enumerate(self.terms):
            found[:, place] = term.at([cells[column] for column in term.columns])
        return found

    def total(self, contributions: Array) -> Array:
        """(row, output): the scores from the contributions, added in the order of the terms."""
        scores = np.repeat(self.intercept[None], len(contributions), axis=0)
        for place in range(contributions.shape[1]):
            scores = scores + contributions[:, place]
        return scores

    def emptied(self, used: Sequence[Array]) -> Curves:
        """The same model where categories without training rows add what the others add on average.

        Parameters
        ----------
        used : for each column, which of its categories there were rows of; further entries are not read.
        """
        terms = []
        for term in self.terms:
            values = term.values.copy()
            for side, (column, axis) in enumerate(zip(term.columns, term.axes, strict=True)):
                known = used[column][: len(axis)]
                if not axis.numeric and not known.all():
                    moved = np.moveaxis(values, side, 0)
                    moved[~known] = moved[known].mean(axis=0) if known.any() else 0.0
            terms.append(Curve(term.columns, term.axes, values, term.missing, term.spread))
        return Curves(self.intercept, tuple(terms), self.axes)

    def centred(self, cells: Sequence[tuple[Array, Array]]) -> Curves:
        """The same model with each term's mean over some rows moved into the intercept."""
        means = self.contributions(cells).mean(axis=0)
        terms = tuple(
            Curve(term.columns, term.axes, term.values - mean, term.missing - mean, term.spread)
            for term, mean in zip(self.terms, means, strict=True)
        )
        return Curves(self.intercept + means.sum(axis=0), terms, self.axes)

    def scaled(self, factor: float, shift: float) -> Curves:
        """The model of `factor * score + shift`."""
        terms = tuple(
            Curve(term.columns, term.axes, term.values * factor, term.missing * factor, term.spread * abs(factor))
            for term in self.terms
        )
        return Curves(self.intercept * factor + shift, terms, self.axes)

    def fingerprint(self) -> str:
        """A hash of everything that the predictions depend on."""
        return digest(
            self.intercept,
            [[list(term.columns), term.values, term.missing] for term in self.terms],
            [[axis.name, axis.points, list(axis.words), axis.gaps] for axis in self.axes],
        )


def _between(axis: Axis, numbers: Array, codes: Array) -> tuple[Array, Array]:
    """The point at or below each cell and the share of the way to the next, for points at equal distances."""
    if not axis.numeric:
        return np.minimum(codes, len(axis) - 1), np.zeros(len(codes))
    low, high = axis.points[0], axis.points[-1]
    place = (np.clip(numbers, low, high) - low) / (high - low) * (len(axis) - 1)
    below = np.minimum(place.astype(int), len(axis) - 2)
    return below, place - below
