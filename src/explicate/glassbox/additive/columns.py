"""From a table to what the networks take, and from trained networks to curves over the table's own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.features import Feature
from explicate.errors import InputError
from explicate.glassbox.additive.compiling import member_outputs, straight_pieces
from explicate.glassbox.additive.curves import Axis, Curve, Curves
from explicate.glassbox.additive.networks import Coded, Term
from explicate.glassbox.fold.columns import text_of

if TYPE_CHECKING:
    import pandas as pd

GRID = 65  # points of a pair's numeric axis


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a training table.

    Attributes
    ----------
    axes : how each is read; numeric ones have their lowest and highest number as points.
    used : for each, which categories there are rows of (category,), and at the end whether there are gaps.
    """

    axes: tuple[Axis, ...]
    used: tuple[Array, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, declared: Mapping[str, str] | Sequence[Feature] | None, gaps: bool) -> Columns:
        """Read a training table.

        Raises
        ------
        InputError : a declared name is no column or its kind none of the two; dates; gaps where `gaps` is False.
        """
        kinds = _declared(frame, declared)
        axes, used = [], []
        for name in frame:
            axis = _axis(str(name), frame[name], kinds.get(str(name)), gaps)
            numbers, codes = axis.read(frame[name])
            if axis.numeric:
                there = numbers[codes < 0]
                low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
                if low == high:
                    low, high = low - 1.0, high + 1.0
                axis = Axis(axis.name, np.array([low, high]), (), gaps)
                used.append(np.array([True, True, bool((codes >= 0).any())]))
            else:
                used.append(np.bincount(codes, minlength=len(axis) + 1) > 0)
            axes.append(axis)
        return cls(tuple(axes), tuple(used))

    def coded(self, cells: Sequence[tuple[Array, Array]]) -> Coded:
        """Cells, as `Axis.read` gives them, as the networks take them."""
        rows = len(cells[0][0])
        numbers = np.zeros((rows, len(self.axes)), dtype=np.float32)
        codes = np.full((rows, len(self.axes)), -1, dtype=np.int64)
        for j, (axis, (values, places)) in enumerate(zip(self.axes, cells, strict=True)):
            if axis.numeric:
                centre, half = _scale(axis)
                gone = places >= 0
                numbers[:, j] = np.where(gone, 0.0, (values - centre) / half)
                codes[:, j] = np.where(gone, 0, -1)
            else:
                codes[:, j] = places
        counts = tuple(int(axis.gaps) if axis.numeric else len(axis) + int(axis.gaps) for axis in self.axes)
        return Coded(numbers, codes, counts, tuple(axis.numeric for axis in self.axes))

    def curves(self, terms: Sequence[Term], intercepts: Array) -> Curves:
        """The mean of an ensemble's members as curves, and their spread.

        Parameters
        ----------
        intercepts : (member, output).
        """
        found = [self._curve(term) if len(term.columns) == 1 else self._grid(term) for term in terms]
        axes = {curve.columns[0]: curve.axes[0] for curve in found if len(curve.columns) == 1}
        return Curves(intercepts.mean(axis=0), tuple(found), tuple(axes[j] for j in range(len(self.axes))))

    def _curve(self, term: Term) -> Curve:
        (column,) = term.columns
        axis, used = self.axes[column], self.used[column]
        members = range(len(term.last))
        if axis.numeric:
            ends = np.unique(np.concatenate([straight_pieces(term, member, -1.0, 1.0) for member in members]))
            cells = ((ends, np.full(len(ends), -1)),)
            centre, half = _scale(axis)
            points = centre + half * ends
            points[[0, -1]] = axis.points
            points, kept = np.unique(points, return_index=True)
            axis = Axis(axis.name, points, (), axis.gaps)
        else:
            cells = ((np.zeros(len(axis)), np.arange(len(axis))),)
            kept = np.arange(len(axis))
        each = np.stack([member_outputs(term, member, cells) for member in members])[:, kept]
        missing = np.zeros(each.shape[2])
        if used[-1]:
            place = 0 if axis.numeric else len(axis)
            gap = ((np.zeros(1), np.array([place])),)
            missing = np.mean([member_outputs(term, member, gap)[0] for member in members], axis=0)
        return Curve(term.columns, (axis,), each.mean(axis=0), missing, each.std(axis=0))

    def _grid(self, term: Term) -> Curve:
        axes, sides = [], []
        for column in term.columns:
            axis = self.axes[column]
            if axis.numeric:
                axes.append(Axis(axis.name, np.linspace(axis.points[0], axis.points[-1], GRID), (), axis.gaps))
                sides.append((np.linspace(-1.0, 1.0, GRID), np.full(GRID, -1)))
            else:
                axes.append(axis)
                sides.append((np.zeros(len(axis)), np.arange(len(axis))))
        (first, second) = (len(side[0]) for side in sides)
        cells = (
            (np.repeat(sides[0][0], second), np.repeat(sides[0][1], second)),
            (np.tile(sides[1][0], first), np.tile(sides[1][1], first)),
        )
        each = np.stack([member_outputs(term, member, cells) for member in range(len(term.last))])
        each = each.reshape(len(each), first, second, -1)
        return Curve(term.columns, tuple(axes), each.mean(axis=0), np.zeros(each.shape[-1]), each.std(axis=0))


def _declared(frame: pd.DataFrame, declared: Mapping[str, str] | Sequence[Feature] | None) -> dict[str, str]:
    if declared is not None and not isinstance(declared, Mapping):
        declared = {feature.name: feature.kind for feature in declared}
    kinds = {str(name): kind for name, kind in (declared or {}).items()}
    for name, kind in kinds.items():
        if name not in frame:
            raise InputError(f"the declared feature {name!r} is no column; there are {', '.join(frame)}")
        if kind not in ("numeric", "categorical"):
            raise InputError(f"column {name!r} is declared {kind!r}; use 'numeric' or 'categorical'")
    return kinds


def _axis(name: str, column: pd.Series, kind: str | None, gaps: bool) -> Axis:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise InputError(f"column {name!r} holds dates or times; turn it into numbers or categories first")
    if kind is None:
        kind = "numeric" if _holds_numbers(column) else "categorical"
    if kind == "numeric":
        return Axis(name, np.empty(0), (), gaps)
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna().unique()
    words = dict.fromkeys(sorted(text_of(value) for value in values))
    return Axis(name, np.empty(0), tuple(words) or ("",), gaps)


def _holds_numbers(column: pd.Series) -> bool:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    kinds = ("integer", "floating", "mixed-integer-float", "decimal", "empty")
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in kinds


def _scale(axis: Axis) -> tuple[float, float]:
    """Centre and half the width of a numeric column."""
    low, high = axis.points[0], axis.points[-1]
    return (low + high) / 2, (high - low) / 2
