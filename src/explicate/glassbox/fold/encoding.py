"""A training table as whole numbers, computed once per fit, so that every later search only counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.glassbox.fold.columns import AnyCells, Value

SAMPLE = 1000  # numbers looked at to choose how to rank them


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
    codes = np.empty((len(names), len(cells)), dtype=np.intp)  # the type that bincount takes without a copy
    thresholds: list[np.ndarray] = []
    words: list[tuple[str, ...]] = []
    for place, name in enumerate(names):
        column = cells[name]
        if column.numbers is None:
            distinct = np.empty(0)
            codes[place] = -1
        else:
            codes[place], distinct = _ranks(column.numbers)
        if column.codes is not None:
            texts = column.codes >= 0
            codes[place, texts] = column.codes[texts] + len(distinct)
        thresholds.append(distinct)
        words.append(column.words)
    return Encoding(tuple(names), codes, tuple(thresholds), tuple(words))


def _ranks(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row,) the place of each number among the distinct ones, -1 for NaN; and the distinct ones in rising order."""
    import pandas as pd

    sample = numbers[:: max(1, len(numbers) // SAMPLE)]
    if len(np.unique(sample)) < len(sample) / 2:  # few different numbers: hashing needs no order of the rows
        codes, distinct = pd.factorize(numbers, sort=True)
        return codes, np.asarray(distinct)
    distinct, codes = np.unique(numbers, return_inverse=True)
    known = len(distinct) - int(np.isnan(distinct[-1]))  # numpy puts NaN last, once
    return np.where(codes < known, codes, -1) if known < len(distinct) else codes, distinct[:known]
