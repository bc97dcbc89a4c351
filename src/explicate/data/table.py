"""A table of rows to predict and explain: features, labels, and where they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from explicate.core.features import Feature, encode_frame
from explicate.errors import InputError, SelectionError
from explicate.runtime.seeds import derive_seed

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["classification", "regression", "unlabelled"]


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Rows of features with their labels.

    Attributes
    ----------
    name : short name.
    frame : the features, one column each in the order of `features`; the index is 0, 1, ...
    labels : (row,) class codes 0, 1, ... (int64) for classification, values (float64) for regression, and of
        length 0 for an unlabelled table.
    task : "classification", "regression" or "unlabelled".
    class_names : what the class codes mean; empty unless the task is classification.
    features : name, kind, categories and immutability of every column.
    sensitive : names of the columns that say to which protected group a person belongs.
    source : who published the data and which file they were read from.
    licence : as published, or "see publisher".
    description : one paragraph: what a row is, what the label means, what to beware of.

    Raises
    ------
    InputError : the parts do not fit together.
    """

    name: str
    frame: pd.DataFrame
    labels: np.ndarray
    task: Task
    class_names: tuple[str, ...]
    features: tuple[Feature, ...]
    sensitive: tuple[str, ...] = ()
    source: str = ""
    licence: str = "see publisher"
    description: str = ""

    def __post_init__(self) -> None:
        columns = [str(column) for column in self.frame.columns]
        if columns != [feature.name for feature in self.features]:
            raise InputError(f"table {self.name!r}: features and columns differ; the columns are {', '.join(columns)}")
        absent = sorted(set(self.sensitive) - set(columns))
        if absent:
            raise InputError(f"table {self.name!r}: sensitive column {absent[0]!r} is no feature; drop it")
        if self.task not in get_args(Task):
            raise InputError(f"table {self.name!r}: task is {self.task!r}; use one of {', '.join(get_args(Task))}")
        expected = 0 if self.task == "unlabelled" else len(self.frame)
        if np.shape(self.labels) != (expected,):
            raise InputError(
                f"table {self.name!r}: {expected} labels are needed, given is an array of shape {np.shape(self.labels)}"
            )
        kind = np.int64 if self.task == "classification" else np.float64
        labels = np.asarray(self.labels).astype(kind)
        if self.task == "classification" and len(labels) and not 0 <= labels.min() <= labels.max() < self.classes:
            raise InputError(
                f"table {self.name!r}: class codes run from {labels.min()} to {labels.max()}, but there are "
                f"{self.classes} class names"
            )
        if self.task == "regression" and not np.isfinite(labels).all():
            row = int(np.flatnonzero(~np.isfinite(labels))[0])
            raise InputError(f"table {self.name!r}, row {row}: the label is {labels[row]}; drop the row or fill it in")
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        categorical = sum(feature.kind == "categorical" for feature in self.features)
        ending = f", {self.classes} classes" if self.task == "classification" else ""
        return (
            f"Table({self.name!r}: {len(self):,} rows, {len(self.features)} features "
            f"of which {categorical} categorical, {self.task}{ending})"
        )

    @property
    def classes(self) -> int:
        """How many classes there are; 0 unless the task is classification."""
        return len(self.class_names)

    @property
    def immutable(self) -> tuple[str, ...]:
        """Names of the features that a person cannot change."""
        return tuple(feature.name for feature in self.features if feature.immutable)

    def values(self) -> np.ndarray:
        """The features as numbers of shape (row, feature), float64; categories are their codes."""
        return encode_frame(self.frame, self.features)

    def columns(self, names: Sequence[str]) -> Table:
        """The same rows with only the features `names`, in that order."""
        known = {feature.name: feature for feature in self.features}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(f"table {self.name!r} has no feature {unknown[0]!r}; there are {', '.join(known)}")
        return self._with(
            frame=self.frame[list(names)],
            features=tuple(known[name] for name in names),
            sensitive=tuple(name for name in self.sensitive if name in names),
        )

    def numeric(self) -> Table:
        """The same rows with only the numeric features; sensitive columns that are categories go too."""
        names = [feature.name for feature in self.features if feature.kind == "numeric"]
        if not names:
            raise InputError(f"table {self.name!r} has no numeric feature; use values() to turn categories into codes")
        return self.columns(names)

    def take(self, rows: Sequence[int] | np.ndarray | slice) -> Table:
        """Some rows, in the order given: indices (negative ones count from the end), a boolean mask, or a slice."""
        chosen = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if chosen.ndim != 1 or (chosen.dtype == bool and len(chosen) != len(self)):
            raise SelectionError(f"table {self.name!r}: rows of shape {chosen.shape} do not fit its {len(self)} rows")
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        if chosen.size == 0:
            chosen = chosen.astype(int)
        if chosen.dtype.kind not in "iu":
            raise SelectionError(f"table {self.name!r}: rows are of type {chosen.dtype}; give whole numbers or a mask")
        if chosen.size and not -len(self) <= chosen.min() <= chosen.max() < len(self):
            worst = int(chosen.max() if chosen.max() >= len(self) else chosen.min())
            raise SelectionError(f"table {self.name!r} has no row {worst}; it has {len(self)} rows")
        return self._with(
            frame=self.frame.iloc[chosen].reset_index(drop=True),
            labels=self.labels if self.task == "unlabelled" else self.labels[chosen],
        )

    def split(self, test: float = 0.2, seed: int = 0) -> tuple[Table, Table]:
        """Divide the rows at random into a training and a test table.

        Parameters
        ----------
        test : share of the rows that go to the test table, between 0 and 1.
        seed : the same seed gives the same division.

        Returns
        -------
        (training table, test table); for classification every class has the same share in both, up to one row.

        Raises
        ------
        InputError : a share outside (0, 1), or too few rows (of one class) to divide.
        """
        from sklearn.model_selection import train_test_split

        if not 0 < test < 1:
            raise InputError(f"the test share is {test}; give a number between 0 and 1, for example 0.2")
        try:
            training_rows, test_rows = train_test_split(
                np.arange(len(self)),
                test_size=test,
                random_state=derive_seed(seed, "split") % 2**32,
                stratify=self.labels if self.task == "classification" else None,
            )
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"table {self.name!r} cannot be divided with a test share of {test}: {reason}") from error
        return self.take(training_rows), self.take(test_rows)

    def _with(self, **changes: Any) -> Table:
        return dataclasses.replace(self, **changes)
