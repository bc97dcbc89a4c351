"""What every model has whose learned form is a rule base: predictions, explanations, proofs, logic programs, files."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Rules
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.fold.columns import Cells, as_frame, column_kinds
from explicate.glassbox.fold.explanations import cases_dataset, program_dataset, replayed
from explicate.glassbox.fold.logic_text import Dialect, program_code
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.proofs import Proof, prove
from explicate.glassbox.fold.rules import Rule
from explicate.glassbox.labels import Labels, read_labels
from explicate.runtime.fingerprint import digest


class RuleModel(GlassBox, ClassifierMixin, BaseEstimator):
    """A classifier that is a rule base, however its rules were learned: a subclass adds `fit`.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted.
    rules_ : the rules as they were learned.
    program_ : the rules that make the predictions, with their counts on the training rows.
    n_features_in_, feature_names_in_ : number and names of the columns.
    """

    classes_: Array
    rules_: tuple[Rule, ...]
    program_: Program
    features: Any = None

    def predict(self, X: Any) -> Array:
        """(row,) labels; undecided rows are None, which makes the array one of objects.

        Raises
        ------
        MissingColumnError : (a KeyError) a column is not there. InputError : another number of columns.
        """
        cells = self._cells(X)
        self._warn_if_empty()
        return self.program_.labels(self.program_.predict(cells), self.classes_)

    def predict_proba(self, X: Any) -> Floats:
        """(row, class) shares of the classes among the training rows that the same rule decided, see `Program`."""
        cells = self._cells(X)
        return self.program_.probabilities(cells)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of rows whose prediction is the label; undecided rows are wrong."""
        right = np.array([one == other for one, other in zip(self.predict(X), np.asarray(y), strict=True)], dtype=float)
        return float(np.average(right, weights=sample_weight))

    def explain(self, X: Any = None) -> Rules:
        """The rules (X is None), or the rules and, for each row of X (also a single one), how they decide it."""
        check_is_fitted(self)
        start = time.perf_counter()
        if X is None:
            data, inputs = program_dataset(self.program_, self.classes_), ""
        else:
            data = cases_dataset(self.program_, self.classes_, self._cells(X))
            inputs = digest(data["input_number"].values, data["input_text"].values)
        features = self.features
        if features is not None and not isinstance(features, Mapping):
            features = {feature.name: feature.kind for feature in features}
        parameters = {key: _plain(value) for key, value in (self.get_params() | {"features": features}).items()}
        provenance = Provenance(
            method=self.name,
            parameters=parameters,
            model=type(self).__name__,
            model_fingerprint=self.program_.fingerprint(),
            inputs_fingerprint=inputs,
            evaluations=0 if X is None else data.sizes["sample"],
            seconds=time.perf_counter() - start,
        )
        return Rules(data, provenance)

    @classmethod
    def replay(cls, explanation: Rules, X: Any = None) -> Array:
        """Labels computed from the explanation alone; equal to `predict`."""
        return replayed(explanation, X)

    def justify(self, row: Any) -> Proof:
        """The proof of one row (a mapping, a series, a frame or array of one row): print it to read it."""
        cells = self._cells(row)
        if len(cells) != 1:
            raise InputError(f"a proof is of one row, given are {len(cells)}; use explain for several")
        return prove(self.program_, cells)

    def to_asp(self, dialect: Dialect = "s(CASP)") -> str:
        """The rules as a logic program, see `program_code`."""
        check_is_fitted(self)
        return program_code(self.program_, dialect)

    def to_json(self) -> str:
        """The rules as JSON, to be read back with `from_json`, also after an edit by hand."""
        check_is_fitted(self)
        return self.program_.to_json()

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

    def _cells(self, X: Any) -> Cells:
        check_is_fitted(self)
        kinds = self.program_.kinds
        return Cells(as_frame(X, list(kinds), type(self).__name__), kinds)

    def _warn_if_empty(self) -> None:
        if not self.program_.rules:
            outcome = "undecided" if self.program_.otherwise is None else repr(self.program_.otherwise)
            warnings.warn(
                f"no rule covers enough rows: every prediction is {outcome}; is the label noise?", stacklevel=3
            )

    def _html_repr(self) -> str:
        return self.program_._repr_html_() if hasattr(self, "program_") else str(super()._html_repr())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value.item() if isinstance(value, np.generic) else value
