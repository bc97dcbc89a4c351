"""Numbers cut into ranges, so that every column of a table is a category that people can read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.features import features_of
from explicate.data.table import Table

if TYPE_CHECKING:
    import pandas as pd


def quartiles(column: pd.Series) -> tuple[float, ...]:
    """Where a column of numbers is cut into quarters; equal places are one, and the largest value is none."""
    cuts = {float(cut) for cut in np.quantile(column.to_numpy(dtype=float), (0.25, 0.5, 0.75))}
    return tuple(sorted(cut for cut in cuts if cut < column.max())) or (float(column.max()),)


def in_ranges(column: pd.Series, cuts: Sequence[float]) -> pd.Categorical:
    """A column of numbers as ranges, named by their ends; a cut belongs to the range below it."""
    import pandas as pd

    whole = bool((column == column.round()).all()) and all(cut == round(cut) for cut in cuts)
    names = [f"up to {cuts[0]:.4g}"]
    for low, high in pairwise(cuts):
        if not whole:
            names.append(f"above {low:.4g}, up to {high:.4g}")
        else:
            names.append(f"{low + 1:.0f} to {high:.0f}" if high > low + 1 else f"{high:.0f}")
    names.append(f"above {cuts[-1]:.4g}")
    return pd.Categorical.from_codes(np.searchsorted(cuts, column.to_numpy(), side="left"), categories=names)


def table_in_ranges(table: Table) -> Table:
    """The table with every column of numbers cut at its quartiles; categories stay."""
    frame = table.frame.copy()
    for feature in table.features:
        if feature.kind == "numeric":
            frame[feature.name] = in_ranges(frame[feature.name], quartiles(frame[feature.name]))
    return dataclasses.replace(table, frame=frame, features=features_of(frame, table.immutable))
