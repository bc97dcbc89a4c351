"""Reading the numbers of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import CellTypeError, InputError

if TYPE_CHECKING:
    import pandas as pd


def numbers_of(name: str, column: pd.Series, there: Array) -> Array:
    """The cells that are there, as finite numbers.

    Raises
    ------
    InputError : a cell that is no number or infinite; names column and row.
    """
    try:
        found = column[there].to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        row = next(int(row) for row in np.flatnonzero(there) if not _is_number(column.iloc[row]))
        value = column.iloc[row]
        kind = InputError if isinstance(value, str) else CellTypeError
        raise kind(
            f"column {name!r}, row {row}: the argument must be a string or a number, not {type(value).__name__!r}; "
            f"the column is numeric, but holds {value!r}"
        ) from error
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(there)[np.flatnonzero(~np.isfinite(found))[0]])
        raise InputError(f"column {name!r}, row {row}: the number is infinite (inf); replace it")
    return np.asarray(found)


def numeric_columns(frame: pd.DataFrame) -> Array:
    """A table as numbers (row, column), float64.

    Raises
    ------
    InputError : no rows or columns, or a cell that is a gap, infinite or no number; names column and row.
    """
    if not frame.shape[0] or not frame.shape[1]:
        what = f"0 feature(s) (shape={frame.shape}) while a minimum of 1" if len(frame) else "0 rows; at least 1"
        raise InputError(f"the table has {what} is required")
    found = np.empty(frame.shape)
    for place, name in enumerate(frame):
        gone = np.flatnonzero(frame[name].isna().to_numpy())
        if len(gone):
            raise InputError(f"column {str(name)!r}, row {gone[0]}: no value (NaN); fill it in or drop the row")
        found[:, place] = numbers_of(str(name), frame[name], np.ones(len(frame), dtype=bool))
    return found


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
