"""Logistic regression as a glass box: the log-odds of a class are a sum of terms, one column each.

Source: Cox (1958), "The Regression Analysis of Binary Sequences"; with several classes one sum each and a softmax, and
weights kept small by a ridge penalty, as in scikit-learn.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import xarray as xr
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.features import Feature
from explicate.core.kinds import Attribution, Terms
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.fold.columns import MISSING, Cells, Column, as_frame, column_kinds
from explicate.glassbox.fold.rules import number_text
from explicate.glassbox.labels import read_labels
from explicate.runtime.fingerprint import digest


class Term(NamedTuple):
    """A reading of one column: a "number" less `centre` over `scale`, the "text" `text`, or any "other" text.

    A text or gap among numbers reads 0, as their mean does.
    """

    column: str
    kind: str
    text: str = ""
    centre: float = 0.0
    scale: float = 1.0

    def __str__(self) -> str:
        if self.kind == "number":
            return f"{self.column} (per {number_text(float(f'{self.scale:.3g}'))})"
        value = "any other" if self.kind == "other" else "missing" if self.text == MISSING else self.text
        return f"{self.column} = {value}"


@register("logistic-regression", "glassboxes")
class LogisticRegression(GlassBox, ClassifierMixin, BaseEstimator):
    """A sum of weights decides: for two classes the log-odds of the second, for more one score each, the highest wins.

    Numbers enter per standard deviation from their mean; each text of a column, and a gap, has a weight of its own;
    rare texts share one with those never seen.

    Parameters
    ----------
    penalty : ridge penalty on the weights, above 0; scikit-learn's 1 / C.
    rare : texts in fewer training rows have no weight of their own.
    features : kinds of columns that are known, as in `FoldSEClassifier`.
    """

    def __init__(
        self,
        penalty: float = 1.0,
        rare: int = 10,
        features: Mapping[str, str] | Sequence[Feature] | None = None,
    ) -> None:
        self.penalty = penalty
        self.rare = rare
        self.features = features

    def fit(self, X: Any, y: Any) -> Self:
        """Find the weights.

        Raises
        ------
        InputError : a parameter out of its range, or a table as in `FoldSEClassifier.fit`.
        """
        from sklearn import linear_model

        if not self.penalty > 0:
            raise InputError(f"penalty is {self.penalty}; give a number above 0")
        if self.rare < 1:
            raise InputError(f"rare is {self.rare}; give 1 or more")
        frame = as_frame(X)
        if not frame.shape[0] or not frame.shape[1]:
            what = f"0 feature(s) (shape={frame.shape}) while a minimum of 1" if len(frame) else "0 rows; at least 2"
            raise InputError(f"the table has {what} is required")
        labels = read_labels(y, len(frame))
        if len(labels.classes) < 2:
            only = labels.classes.tolist()[0]
            raise InputError(f"label column {labels.name!r} has one class only, {only!r}; two are needed")
        self.kinds_ = column_kinds(frame, self.features)
        cells = Cells(frame, self.kinds_)
        self.terms_ = [term for name in self.kinds_ for term in _terms(name, cells[name], self.rare)]
        values = np.column_stack([_read(term, cells[term.column], self.terms_) for term in self.terms_])
        solver = linear_model.LogisticRegression(C=1 / self.penalty, max_iter=1000, tol=1e-3)
        found = solver.fit(values, labels.codes)
        self.weights_, self.intercept_ = found.coef_.T.copy(), found.intercept_.copy()
        self.classes_ = labels.classes
        self.n_features_in_ = frame.shape[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array(frame.columns, dtype=object)
        return self

    def decision_function(self, X: Any) -> Floats:
        """(row,) log-odds of the second of two classes, else (row, class) scores."""
        contributions = self._contributions(self._cells(X))
        scores = _total(contributions, self.intercept_)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """(row,) labels."""
        contributions = self._contributions(self._cells(X))
        return np.asarray(self.classes_[_decided(_total(contributions, self.intercept_))])

    def predict_proba(self, X: Any) -> Floats:
        """(row, class) probabilities."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return np.asarray(softmax(scores, axis=1))

    def explain(self, X: Any = None) -> Explanation:
        """All terms (X is None: `Terms`), or what each column adds for each row of X.

        The latter is an `Attribution` of the log-odds of the predicted class: against the other one of two, or its own
        score among several.
        """
        check_is_fitted(self)
        start = time.perf_counter()
        cells = None if X is None else self._cells(X)
        data = self._whole() if cells is None else self._cases(cells)
        features = self.features
        if features is not None and not isinstance(features, Mapping):
            features = {feature.name: feature.kind for feature in features}
        provenance = Provenance(
            method=self.name,
            parameters={"penalty": self.penalty, "rare": self.rare, "features": features},
            model=type(self).__name__,
            model_fingerprint=digest([str(term) for term in self.terms_], self.weights_, self.intercept_),
            inputs_fingerprint="" if cells is None else digest(data["contribution"].values),
            evaluations=0 if cells is None else len(cells),
            seconds=time.perf_counter() - start,
        )
        return Terms(data, provenance) if cells is None else Attribution(data, provenance)

    @classmethod
    def replay(cls, explanation: Any, X: Any = None) -> Array:
        """Labels computed from the explanation alone; equal to `predict`."""
        data = explanation.data
        labels, intercept = data["label"].values, data["intercept"].values
        if X is None and "contribution" not in data:
            raise InputError("the explanation is of the whole model, not of cases; give the cases to replay it on")
        if X is None:
            return np.asarray(labels[_decided(_total(data["contribution"].values, intercept))])
        if "term_column" not in data:
            raise InputError("the explanation is of cases, not of the whole model; replay it without others")
        kinds = dict(zip(map(str, data["column"].values), map(str, data["column_kind"].values), strict=True))
        parts = (data[f"term_{part}"].values.tolist() for part in ("column", "kind", "text", "centre", "scale"))
        terms = [Term(*one) for one in zip(*parts, strict=True)]
        cells = Cells(as_frame(X, list(kinds)), kinds)  # type: ignore[arg-type]
        return np.asarray(labels[_decided(_total(_contributions(terms, data["weight"].values, cells), intercept))])

    def size(self) -> dict[str, int]:
        """Terms, each with a weight to read."""
        check_is_fitted(self)
        return {"terms": len(self.terms_)}

    def _cells(self, X: Any) -> Cells:
        check_is_fitted(self)
        return Cells(as_frame(X, list(self.kinds_), type(self).__name__), self.kinds_)

    def _contributions(self, cells: Cells) -> Floats:
        return _contributions(self.terms_, self.weights_, cells)

    def _whole(self) -> xr.Dataset:
        names = [f"of {label}" for label in (self.classes_[1:] if self.weights_.shape[1] == 1 else self.classes_)]
        parts = {f"term_{part}": ("term", [getattr(term, part) for term in self.terms_]) for part in Term._fields}
        return xr.Dataset(
            {
                "weight": (("term", "output"), self.weights_),
                "intercept": ("output", self.intercept_),
                "column_kind": ("column", [str(kind) for kind in self.kinds_.values()]),
                **parts,
            },
            {
                "term": [str(term) for term in self.terms_],
                "output": names,
                "label": _labels(self.classes_),
                "column": list(self.kinds_),
            },
        )

    def _cases(self, cells: Cells) -> xr.Dataset:
        contributions = self._contributions(cells)
        scores = _total(contributions, self.intercept_)
        decided = _decided(scores)
        rows = np.arange(len(cells))
        binary = scores.shape[1] == 1
        sign, output = (np.where(decided == 1, 1.0, -1.0), 0) if binary else (np.ones(len(cells)), decided)
        names = list(self.kinds_)
        shown = [[cells[name].cell(row) for name in names] for row in range(len(cells))]
        numbers = [[np.nan if isinstance(cell, str) else cell for cell in row] for row in shown]
        texts = [[cell or "missing" if isinstance(cell, str) else number_text(cell) for cell in row] for row in shown]
        return xr.Dataset(
            {
                "attribution": (("sample", "feature"), sign[:, None] * contributions[rows, :, output]),
                "inputs": (("sample", "feature"), np.nan_to_num(np.array(numbers).reshape(len(rows), len(names)))),
                "input_text": (("sample", "feature"), np.array(texts, dtype=object).reshape(len(rows), len(names))),
                "target": ("sample", decided),
                "target_name": ("sample", np.array([str(self.classes_[code]) for code in decided], dtype=object)),
                "score": ("sample", sign * scores[rows, output]),
                "baseline_score": ("sample", sign * np.broadcast_to(self.intercept_, scores.shape)[rows, output]),
                "contribution": (("sample", "feature", "output"), contributions),
                "intercept": ("output", self.intercept_),
            },
            {"feature": names, "label": _labels(self.classes_)},
            {"model_kind": "table"},
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _terms(name: str, column: Column, rare: int) -> list[Term]:
    """The terms of a column; one that never changes has none but its number's, whose weight stays 0."""
    found = []
    if column.numbers is not None and not np.isnan(column.numbers).all():
        scale = float(np.nanstd(column.numbers))
        found.append(Term(name, "number", centre=float(np.nanmean(column.numbers)), scale=scale if scale > 0 else 1.0))
    if column.codes is not None:
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.words))
        found += [Term(name, "text", word) for word, count in zip(column.words, counts, strict=True) if count >= rare]
        found.append(Term(name, "other"))
    return found


def _read(term: Term, column: Column, terms: Sequence[Term]) -> Floats:
    """(row,) what a term reads."""
    if term.kind == "number":
        if column.numbers is None:
            return np.zeros(len(column))
        return np.nan_to_num((column.numbers - term.centre) / term.scale)
    if term.kind == "text":
        return column.equals(term.text).astype(float)
    if column.codes is None:
        return np.zeros(len(column))
    known = {other.text for other in terms if other.column == term.column and other.kind == "text"}
    unknown = np.array([word not in known for word in column.words] + [False])
    return unknown[column.codes].astype(float)  # a number has the code -1, the last place


def _contributions(terms: Sequence[Term], weights: Floats, cells: Cells) -> Floats:
    """(row, column, output) what each column adds to each score."""
    names = list(cells.kinds)
    found = np.zeros((len(cells), len(names), weights.shape[1]))
    for term, weight in zip(terms, weights, strict=True):
        found[:, names.index(term.column)] += _read(term, cells[term.column], terms)[:, None] * weight
    return found


def _total(contributions: Floats, intercept: Floats) -> Floats:
    """(row, output), summed column by column: the same digits however many rows there are."""
    total = np.repeat(intercept[None].astype(float), len(contributions), axis=0)
    for column in range(contributions.shape[1]):
        total += contributions[:, column]
    return total


def _decided(scores: Floats) -> Array:
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else np.argmax(scores, axis=1)


def _labels(classes: Array) -> Any:
    return [str(label) for label in classes] if classes.dtype.kind in "OUST" else classes
