"""What the columns of a table are: names, kinds, categories, and which of them a person cannot change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.errors import InputError, first_line

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
    categories : the known values of a categorical column as text, in the order of their codes 0, 1, ...
    immutable : whether a person cannot change it (age, sex); counterfactuals and recourse leave it alone.
    values, dtype : the categories as the column itself holds them (numbers, booleans, dates), and the column's type: a
        model must get back what it was fitted on. Without them the column is one of texts.
    """

    name: str
    kind: Kind = "numeric"
    categories: tuple[str, ...] = ()
    immutable: bool = False
    values: tuple[Any, ...] = field(default=(), repr=False)
    dtype: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in ("numeric", "categorical"):
            raise InputError(f"feature {self.name!r}: kind is {self.kind!r}; use 'numeric' or 'categorical'")
        if (self.kind == "categorical") != bool(self.categories):
            raise InputError(f"feature {self.name!r}: categories belong to a categorical feature, and it needs them")
        if self.values and len(self.values) != len(self.categories):
            raise InputError(f"feature {self.name!r}: {len(self.values)} values for {len(self.categories)} categories")

    def codes(self, column: pd.Series) -> np.ndarray:
        """The codes of a categorical column's values, -1 where one is unknown or missing.

        A value counts as a category whose text it has, else as one that it equals: 1.0 is the category 1, and 0 False.
        """
        import pandas as pd

        try:
            places, distinct = pd.factorize(column)
        except TypeError:  # lists and the like, which equal nothing but have a text
            places, distinct = pd.factorize(column.astype(str))
        texts = {text: code for code, text in enumerate(self.categories)}
        equals = {value: code for code, value in enumerate(self.values)}
        known = np.array([*(texts.get(str(value), equals.get(value, -1)) for value in distinct), -1])
        return np.asarray(known[places])

    def column(self, codes: np.ndarray) -> Any:
        """A categorical column of the values that `codes` stand for."""
        import pandas as pd

        if isinstance(self.dtype, pd.CategoricalDtype) or not self.values:
            kind = self.dtype if self.values else pd.CategoricalDtype(list(self.categories))
            return pd.Categorical.from_codes(codes, dtype=kind)
        return pd.Series(list(self.values), dtype=self.dtype).take(codes).reset_index(drop=True)


def features_of(frame: pd.DataFrame, immutable: Sequence[str] = ()) -> tuple[Feature, ...]:
    """Read the features off a data frame: object, string, category and bool columns are categorical."""
    names = [str(name) for name in frame.columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"column {doubled[0]!r} occurs more than once; rename one of them")
    unknown = sorted(set(immutable) - set(names))
    if unknown:
        raise InputError(f"immutable feature {unknown[0]!r} is no column; the columns are {', '.join(names)}")
    return tuple(
        _feature(name, frame[column], name in immutable) for name, column in zip(names, frame.columns, strict=True)
    )


def _feature(name: str, column: pd.Series, immutable: bool) -> Feature:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        values = list(column.cat.categories)
    elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return Feature(name, immutable=immutable)
    else:
        try:
            values = sorted(set(column.dropna()), key=str)
        except TypeError as error:
            raise InputError(f"column {name!r} holds neither numbers nor categories: {first_line(error)}") from error
    texts = tuple(str(value) for value in values)
    if not texts:
        return Feature(name, immutable=immutable)
    doubled = [text for text, count in Counter(texts).items() if count > 1]
    if doubled:
        raise InputError(
            f"column {name!r} holds different values that all read {doubled[0]}, such as the number and the text; "
            "turn them into one type"
        )
    return Feature(name, "categorical", texts, immutable, tuple(values), column.dtype)


def encode_frame(frame: pd.DataFrame, features: Sequence[Feature]) -> np.ndarray:
    """Turn a data frame into numbers of shape (sample, feature), float64: categories become their codes."""
    missing = [feature.name for feature in features if feature.name not in frame.columns]
    if missing:
        raise InputError(f"column {missing[0]!r} is missing; needed are {', '.join(f.name for f in features)}")
    values = np.empty((len(frame), len(features)))
    for j, feature in enumerate(features):
        column = frame[feature.name]
        if feature.kind == "numeric":
            values[:, j] = _numbers(feature.name, column)
        else:
            codes = feature.codes(column)
            if (codes < 0).any():
                row = int(np.flatnonzero(codes < 0)[0])
                if column.isna().iloc[row]:
                    raise InputError(f"column {feature.name!r}, row {row}: no value; fill it in or drop the row")
                raise InputError(
                    f"column {feature.name!r}, row {row}: category {str(column.iloc[row])!r} is unknown; "
                    f"known are {', '.join(feature.categories)}"
                )
            values[:, j] = codes
    return values


def _numbers(name: str, column: pd.Series) -> np.ndarray:
    there = column.notna().to_numpy()
    values = np.full(len(column), np.nan)
    try:
        values[there] = column[there].to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        row = next(int(row) for row in np.flatnonzero(there) if not is_number(column.iloc[row]))
        raise InputError(
            f"column {name!r} is numeric, but row {row} holds {column.iloc[row]!r}; write a number there or "
            "drop the row"
        ) from error
    return values


def is_number(value: Any) -> bool:
    """Whether a cell is a number, or a text that reads as one."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def decode_frame(values: np.ndarray, features: Sequence[Feature]) -> pd.DataFrame:
    """The inverse of `encode_frame`: numbers (sample, feature) back to a data frame with the columns' own values."""
    import pandas as pd

    columns: dict[str, object] = {}
    for j, feature in enumerate(features):
        if feature.kind == "numeric":
            columns[feature.name] = values[:, j]
        else:
            codes = np.clip(np.rint(values[:, j]).astype(int), 0, len(feature.categories) - 1)
            columns[feature.name] = feature.column(codes)
    return pd.DataFrame(columns)
