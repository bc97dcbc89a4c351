"""What the columns of a table are: names, kinds, categories, and which of them a person cannot change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from explicate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Feature:
    """One column of a table.

    Parameters
    ----------
    name : the column's name.
    kind : "numeric", or "categorical" when its values are names without an order.
    categories : the known values of a categorical column, in the order of their codes 0, 1, ...
    immutable : whether a person cannot change it (age, sex); counterfactuals and recourse leave it alone.
    """

    name: str
    kind: Kind = "numeric"
    categories: tuple[str, ...] = ()
    immutable: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("numeric", "categorical"):
            raise InputError(f"feature {self.name!r}: kind is {self.kind!r}; use 'numeric' or 'categorical'")
        if (self.kind == "categorical") != bool(self.categories):
            raise InputError(f"feature {self.name!r}: categories belong to a categorical feature, and it needs them")


def features_of(frame: pd.DataFrame, immutable: Sequence[str] = ()) -> tuple[Feature, ...]:
    """Read the features off a data frame: object, string, category and bool columns are categorical."""
    import pandas as pd

    names = [str(name) for name in frame.columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"column {doubled[0]!r} occurs more than once; rename one of them")
    unknown = sorted(set(immutable) - set(names))
    if unknown:
        raise InputError(f"immutable feature {unknown[0]!r} is no column; the columns are {', '.join(names)}")
    features = []
    for name, column in zip(names, (frame[c] for c in frame.columns), strict=True):
        if isinstance(column.dtype, pd.CategoricalDtype):
            categories = tuple(str(value) for value in column.cat.categories)
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            categories = ()
        else:
            categories = tuple(sorted({str(value) for value in column.dropna()}))
        features.append(Feature(name, "categorical" if categories else "numeric", categories, name in immutable))
    return tuple(features)


def encode_frame(frame: pd.DataFrame, features: Sequence[Feature]) -> np.ndarray:
    """Turn a data frame into numbers of shape (sample, feature), float64: categories become their codes."""
    missing = [feature.name for feature in features if feature.name not in frame.columns]
    if missing:
        raise InputError(f"column {missing[0]!r} is missing; needed are {', '.join(f.name for f in features)}")
    values = np.empty((len(frame), len(features)))
    for j, feature in enumerate(features):
        column = frame[feature.name]
        if feature.kind == "numeric":
            try:
                values[:, j] = column.to_numpy(dtype=float)
            except (TypeError, ValueError) as error:
                raise InputError(f"column {feature.name!r} is numeric but holds something else: {error}") from error
        else:
            codes = {category: code for code, category in enumerate(feature.categories)}
            texts = column.astype(str).to_numpy()
            unseen = sorted(set(texts) - set(codes))
            if unseen:
                row = int(np.flatnonzero(texts == unseen[0])[0])
                raise InputError(
                    f"column {feature.name!r}, row {row}: category {unseen[0]!r} is unknown; "
                    f"known are {', '.join(feature.categories)}"
                )
            values[:, j] = [codes[text] for text in texts]
    return values


def decode_frame(values: np.ndarray, features: Sequence[Feature]) -> pd.DataFrame:
    """The inverse of `encode_frame`: numbers (sample, feature) back to a data frame with categorical columns."""
    import pandas as pd

    columns: dict[str, object] = {}
    for j, feature in enumerate(features):
        if feature.kind == "numeric":
            columns[feature.name] = values[:, j]
        else:
            codes = np.clip(np.rint(values[:, j]).astype(int), 0, len(feature.categories) - 1)
            columns[feature.name] = pd.Categorical.from_codes(codes, categories=list(feature.categories))
    return pd.DataFrame(columns)
