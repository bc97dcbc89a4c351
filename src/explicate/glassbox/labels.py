"""Reading the label column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError


@dataclass(frozen=True, eq=False)
class Labels:
    """A label column: its name, its (class,) sorted classes with their type, and the (row,) places in them."""

    name: str
    classes: Array
    codes: Array


def read_labels(y: Any, rows: int) -> Labels:
    """Labels as codes.

    Raises
    ------
    InputError : no labels, a missing one, another number of them than rows, several types, or numbers that name no
        classes.
    """
    import pandas as pd
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import column_or_1d

    name = str(getattr(y, "name", None) or "label")
    if y is None:
        raise InputError("the classifier requires y to be passed, but the target y is None; give one label per row")
    values = y.to_numpy() if isinstance(y, pd.Series) else np.asarray(y)
    try:
        values = column_or_1d(values, warn=True)
    except ValueError as error:
        raise InputError(" ".join(str(error).split())) from error
    if len(values) != rows:
        raise InputError(f"label column {name!r} has {len(values)} labels for {rows} rows; give one per row")
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"label column {name!r} has no label in row {missing[0]}{more}; drop the row or fill it in")
    try:
        codes, distinct = pd.factorize(values, sort=True)
    except TypeError as error:
        raise InputError(f"label column {name!r} has labels of several types; make all texts or all numbers") from error
    classes = np.asarray(distinct)
    if len({isinstance(label, str) for label in classes.tolist()}) > 1:
        raise InputError(f"label column {name!r} has labels of several types; make all texts or all numbers")
    try:
        check_classification_targets(classes)
    except ValueError as error:
        raise InputError(f"label column {name!r}: {' '.join(str(error).split())}") from error
    return Labels(name, classes, codes)


def read_values(y: Any, rows: int) -> Array:
    """Values of a regression, (row,) float64.

    Raises
    ------
    InputError : no values, one that is missing, infinite or no number, or another number of them than rows.
    """
    from sklearn.utils.validation import column_or_1d

    if y is None:
        raise InputError("the regressor requires y to be passed, but the target y is None; give one value per row")
    try:
        values = column_or_1d(np.asarray(y), warn=True).astype(float)
    except (TypeError, ValueError) as error:
        raise InputError(f"the values to learn: {' '.join(str(error).split())}") from error
    if len(values) != rows:
        raise InputError(f"{len(values)} values for {rows} rows; give one per row")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(f"the value to learn of row {row} is {values[row]} (NaN or inf); drop the row or fill it in")
    return np.asarray(values)
