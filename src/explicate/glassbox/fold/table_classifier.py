"""Classifiers that read tables as they are: numbers, texts, both in one column, and gaps, without encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.fold.columns import Cells, as_frame, column_kinds
from explicate.glassbox.labels import Labels, read_labels
from explicate.glassbox.parameters import plain


class TableClassifier(GlassBox, ClassifierMixin, BaseEstimator):
    """What such classifiers share: reading a training table and its labels, and what scikit-learn wants to know.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted.
    n_features_in_, feature_names_in_ : number and names of the columns.
    """

    classes_: Array
    features: Any = None

    def _read_table(self, X: Any, y: Any) -> tuple[Cells, Labels]:
        """A training table as cells and labels; learns from it what scikit-learn wants to be known of columns."""
        if isinstance(y, str) and hasattr(X, "columns"):
            if y not in X.columns:
                raise InputError(f"there is no label column {y!r}; the columns are {', '.join(map(str, X.columns))}")
            X, y = X.drop(columns=[y]), X[y]
        frame = as_frame(X)
        if not frame.shape[0] or not frame.shape[1]:
            what = f"0 feature(s) (shape={frame.shape}) while a minimum of 1" if len(frame) else "0 rows; at least 2"
            raise InputError(f"the table has {what} is required")
        labels = read_labels(y, len(frame))
        self._check_classes(labels.classes, labels.name)
        cells = Cells(frame, column_kinds(frame, self.features))
        self.classes_ = labels.classes
        self.n_features_in_ = frame.shape[1]
        self._name_features(list(frame.columns) if hasattr(X, "columns") else None)
        return cells, labels

    def _check_classes(self, classes: Array, name: str) -> None:
        if len(classes) < 2:
            raise InputError(f"label column {name!r} has one class only, {classes.tolist()[0]!r}; two are needed")

    def _name_features(self, names: list[str] | None) -> None:
        """Set `feature_names_in_`, which scikit-learn wants only where the columns had names."""
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif "feature_names_in_" in self.__dict__:
            del self.feature_names_in_

    def _parameters(self) -> dict[str, Any]:
        """The parameters as provenance keeps them; of known columns their kinds."""
        features = self.features
        if features is not None and not isinstance(features, Mapping):
            features = {feature.name: feature.kind for feature in features}
        return {key: plain(value) for key, value in (self.get_params() | {"features": features}).items()}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
