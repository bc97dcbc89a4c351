"""A training table as whole numbers, computed once per fit, so that every later search only counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.glassbox.fold.columns import AnyCells, Value


@dataclass(frozen=True, eq=False)
class Encoding:
    """Cells as codes: numbers have their ranks 0, 1, ... among the column's distinct numbers, texts follow them.

    Texts come after all numbers, so `code <= rank` is false and `code > rank` is true of them, as FOLD-SE wants.

    Attributes
    ----------
    names : the columns' names.
    codes : (column, row) whole numbers.
    thresholds : per column, its distinct numbers in rising order.
    words : per column, its distinct texts in sorted order.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    thresholds: tuple[np.ndarray, ...]
    words: tuple[tuple[str, ...], ...]

    def distinct(self, column: int) -> int:
        """How many different cells a column has."""
        return len(self.thresholds[column]) + len(self.words[column])

    def value(self, column: int, code: int) -> Value:
        """The cell that a code stands for."""
        numbers = len(self.thresholds[column])
        return float(self.thresholds[column][code]) if code < numbers else self.words[column][code - numbers]


def encode(cells: AnyCells, names: Sequence[str]) -> Encoding:
    """Turn a table into codes: n log n once per numeric column."""
    import pandas as pd

    codes = np.empty((len(names), len(cells)), dtype=np.intp)  # the type that bincount takes without a copy
    thresholds: list[np.ndarray] = []
    words: list[tuple[str, ...]] = []
    for place, name in enumerate(names):
        column = cells[name]
        if column.numbers is None:
            distinct = np.empty(0)
            codes[place] = -1
        else:
            codes[place], distinct = pd.factorize(column.numbers, sort=True)
        if column.codes is not None:
            texts = column.codes >= 0
            codes[place, texts] = column.codes[texts] + len(distinct)
        thresholds.append(distinct)
        words.append(column.words)
    return Encoding(tuple(names), codes, tuple(thresholds), tuple(words))
