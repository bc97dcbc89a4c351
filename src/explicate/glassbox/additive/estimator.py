"""Neural additive models as scikit-learn estimators for tables of numbers, categories and both.

Source: Agarwal, Melnick, Frosst, Zhang, Lengerich, Caruana, Hinton (2021), "Neural Additive Models: Interpretable
Machine Learning with Neural Nets", NeurIPS, arXiv 2004.13912.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.features import Feature
from explicate.core.kinds import Attribution
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.additive.columns import Columns
from explicate.glassbox.additive.explanations import curves_dataset, curves_of
from explicate.glassbox.additive.networks import Training, trained
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.fold.columns import as_frame
from explicate.glassbox.kinds import ShapeCurves, texts
from explicate.glassbox.labels import read_labels, read_values
from explicate.glassbox.parameters import (
    check_choice,
    check_numbers,
    check_positive,
    check_share,
    check_weight,
    check_whole,
    plain,
)
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import checked_seed, generator

FEWEST_HELD_OUT = 5  # a smaller validation set says nothing; the training rows then take its place


class NeuralAdditive(GlassBox, BaseEstimator):
    """What the two estimators share: an ensemble of small networks, each of one column, that becomes curves.

    The score is `intercept + sum of f_i(x_i)`. After training the networks are turned into curves made of straight
    pieces, exactly, and the predictions are computed from the curves: what is drawn is the model. A curve ends where
    the training data end; beyond, it keeps its last value.

    Parameters
    ----------
    hidden : widths of the layers of each column's network.
    units : "relu", or "exu" for a first layer of `relu_1(exp(w) (x - b))`, which can jump.
    members : networks in the ensemble; the curves are their mean.
    pairs : pairs of columns, by name, that get a network of both: by default none, and the model cannot show any
        effect of two columns that is not a sum.
    missing : "error" refuses gaps; "bin" gives them a contribution of their own in each column that has some.
    learning_rate, decay : of Adam, and what it is multiplied with after each epoch.
    output_penalty : weight of the mean square of all terms in the loss. weight_decay : of Adam.
    dropout, feature_dropout : shares of units, and of whole terms, that are left out in training.
    batch : rows a step. epochs : at most. patience : epochs without a better validation loss after which it ends.
    validation : share of the rows that is held out to choose each member's epoch.
    features : kinds of columns that are known: `Feature` objects, or name -> "numeric" or "categorical".
    seed : of weights, order, dropout and validation rows.

    Attributes
    ----------
    curves_ : the model. epochs_ : (member,) the epoch that each member was taken from.
    n_features_in_, feature_names_in_ : number and names of the columns.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (64, 64, 32),
        units: str = "relu",
        members: int = 5,
        pairs: Sequence[tuple[str, str]] = (),
        missing: str = "error",
        learning_rate: float = 1e-2,
        decay: float = 0.995,
        output_penalty: float = 0.1,
        weight_decay: float = 1e-5,
        dropout: float = 0.1,
        feature_dropout: float = 0.05,
        batch: int = 1024,
        epochs: int = 500,
        patience: int = 50,
        validation: float = 0.15,
        features: Mapping[str, str] | Sequence[Feature] | None = None,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.units = units
        self.members = members
        self.pairs = pairs
        self.missing = missing
        self.learning_rate = learning_rate
        self.decay = decay
        self.output_penalty = output_penalty
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.feature_dropout = feature_dropout
        self.batch = batch
        self.epochs = epochs
        self.patience = patience
        self.validation = validation
        self.features = features
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the curves.

        Parameters
        ----------
        X : (row, column) data frame or array: numbers, texts, categories and truth values.
        y : (row,) labels or values.

        Raises
        ------
        InputError : a parameter out of its range; no rows or columns; a gap (unless `missing="bin"`) or an infinite
            number, named by column and row; labels that are missing or of one class.
        ModelError : the loss became NaN or infinite.
        """
        self._check_parameters()
        frame = as_frame(X)
        if not frame.shape[0] or not frame.shape[1]:
            what = f"0 feature(s) (shape={frame.shape}) while a minimum of 1" if len(frame) else "0 rows; at least 2"
            raise InputError(f"the table has {what} is required")
        targets, outputs, factor, shift = self._targets(y, len(frame))
        columns = Columns.of(frame, self.features, self.missing == "bin")
        names = [axis.name for axis in columns.axes]
        cells = [axis.read(frame[axis.name]) for axis in columns.axes]
        terms, intercepts, self.epochs_ = trained(
            columns.coded(cells),
            targets,
            self._held_out(targets),
            self._pairs(names),
            self._training(),
            outputs,
            isinstance(self, ClassifierMixin),
        )
        curves = columns.curves(terms, intercepts)
        self.curves_ = curves.emptied(columns.used).centred(cells).scaled(factor, shift)
        self._density = cells
        self.n_features_in_ = frame.shape[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array(names, dtype=object)
        elif "feature_names_in_" in self.__dict__:
            del self.feature_names_in_
        return self

    def explain(self, X: Any = None) -> Explanation:
        """The curves (X is None, a `ShapeCurves`), or what each column adds to the score of each row of X.

        The latter is an `Attribution` for the predicted class (the predicted value, in regression), with the curves.
        """
        check_is_fitted(self)
        start = time.perf_counter()
        data = curves_dataset(self.curves_, self._output_names(), self._density)
        data = data.assign_coords(self._labels()).assign_attrs(task=self._task)
        inputs = ""
        if X is not None:
            data = data.assign(self._cases(X)).assign_coords(feature=texts(term.name for term in self.curves_.terms))
            data = data.assign_attrs(model_kind="table", signed=1, complete=1)
            inputs = digest(data["inputs"].values)
        provenance = Provenance(
            method=self.name,
            parameters={key: plain(value) for key, value in self.get_params().items()},
            model=type(self).__name__,
            model_fingerprint=self.curves_.fingerprint(),
            inputs_fingerprint=inputs,
            seed=self.seed,
            evaluations=0 if X is None else data.sizes["sample"],
            seconds=time.perf_counter() - start,
        )
        return ShapeCurves(data, provenance) if X is None else Attribution(data, provenance)

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Predictions computed from the explanation alone; equal to `predict`."""
        curves = curves_of(explanation)
        if X is not None:
            frame = as_frame(X, [axis.name for axis in curves.axes], "the explanation")
            contributions = curves.contributions(curves.cells(frame))
        elif "contribution" in explanation.data:
            contributions = explanation["contribution"].values
        else:
            raise InputError("the explanation is of the whole model, not of cases; give the cases to replay it on")
        return cls._decided(curves.total(contributions), explanation)

    def size(self) -> dict[str, int]:
        """How many curves there are to read, and of how many straight pieces and categories they are made."""
        check_is_fitted(self)
        return {
            "curves": len(self.curves_.terms),
            "points": sum(term.values[..., 0].size for term in self.curves_.terms),
        }

    def _scores(self, X: Any) -> Array:
        """(row, output)."""
        check_is_fitted(self)
        return self.curves_.total(self.curves_.contributions(self._cells(X)))

    def _cells(self, X: Any) -> list[tuple[Array, Array]]:
        return self.curves_.cells(as_frame(X, [axis.name for axis in self.curves_.axes], type(self).__name__))

    def _cases(self, X: Any) -> dict[str, Any]:
        cells = self._cells(X)
        found = self.curves_.contributions(cells)
        scores = self.curves_.total(found)
        output, sign = self._explained(scores)
        rows = np.arange(len(scores))
        names = np.array(self._target_names(), dtype=object)
        target = np.where(sign > 0, output + (self.curves_.outputs == 1 and self._task == "classification"), output)
        read = [_shown(axis, *each) for axis, each in zip(self.curves_.axes, cells, strict=True)]
        inputs = np.zeros((len(rows), len(self.curves_.terms)))
        words = np.full(inputs.shape, "", dtype=object)
        for place, term in enumerate(self.curves_.terms):
            if len(term.columns) == 1:
                inputs[:, place] = read[term.columns[0]][0]
            words[:, place] = [" and ".join(each) for each in zip(*(read[j][1] for j in term.columns), strict=True)]
        return {
            "attribution": (("sample", "feature"), found[rows, :, output] * sign[:, None]),
            "contribution": (("sample", "term", "output"), found),
            "inputs": (("sample", "feature"), inputs),
            "input_text": (("sample", "feature"), words),
            "target": ("sample", target),
            "target_name": ("sample", names[target]),
            "score": ("sample", scores[rows, output] * sign),
            "baseline_score": ("sample", self.curves_.intercept[output] * sign),
        }

    def _held_out(self, targets: Array) -> Array:
        """Which rows choose the epoch; of each class the same share."""
        held = np.zeros(len(targets), dtype=bool)
        rng = generator(self.seed, "validation")
        groups = np.unique(targets) if isinstance(self, ClassifierMixin) else [None]
        for group in groups:
            own = np.arange(len(targets)) if group is None else np.flatnonzero(targets == group)
            held[rng.permutation(own)[: round(self.validation * len(own))]] = True
        return held if held.sum() >= FEWEST_HELD_OUT else np.zeros_like(held)

    def _pairs(self, names: list[str]) -> tuple[tuple[int, int], ...]:
        found = []
        for pair in self.pairs:
            if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(names):
                raise InputError(f"pair {pair!r}: give two different columns of {', '.join(names)}")
            found.append((names.index(pair[0]), names.index(pair[1])))
        return tuple(found)

    def _training(self) -> Training:
        return Training(
            tuple(self.hidden),
            self.units == "exu",
            self.members,
            self.learning_rate,
            self.decay,
            self.weight_decay,
            self.output_penalty,
            self.dropout,
            self.feature_dropout,
            self.batch,
            self.epochs,
            self.patience,
            self.seed,
        )

    def _check_parameters(self) -> None:
        check_choice("units", self.units, ("relu", "exu"))
        check_choice("missing", self.missing, ("error", "bin"))
        check_numbers(hidden=self.hidden)
        check_whole(members=self.members, batch=self.batch, epochs=self.epochs, patience=self.patience)
        check_share(dropout=self.dropout, feature_dropout=self.feature_dropout, validation=self.validation)
        check_positive(learning_rate=self.learning_rate, decay=self.decay)
        check_weight(output_penalty=self.output_penalty, weight_decay=self.weight_decay)
        checked_seed(self.seed)

    @property
    @abstractmethod
    def _task(self) -> str:
        """ "classification" or "regression"."""

    @abstractmethod
    def _targets(self, y: Any, rows: int) -> tuple[Array, int, float, float]:
        """What to learn (row,), the number of outputs, and factor and shift from the networks' scores to ours."""

    @abstractmethod
    def _labels(self) -> dict[str, Any]:
        """The coordinate `label` of a classifier."""

    @abstractmethod
    def _output_names(self) -> list[str]: ...

    @abstractmethod
    def _target_names(self) -> list[str]: ...

    @abstractmethod
    def _explained(self, scores: Array) -> tuple[Array, Array]:
        """Which output is explained for each row, and with which sign."""

    @classmethod
    @abstractmethod
    def _decided(cls, scores: Array, explanation: Explanation) -> Array:
        """Predictions from the scores (row, output)."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "bin"
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


@register("neural-additive-classifier", "glassboxes")
class NeuralAdditiveClassifier(ClassifierMixin, NeuralAdditive):
    """A neural additive model for two or more classes: the curves add up to log-odds.

    Of two classes there is one score, the log-odds of the second; of more, one score a class. `NeuralAdditive` has the
    parameters.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted.
    """

    def predict(self, X: Any) -> Array:
        """(row,) labels."""
        chosen = _chosen(self._scores(X))
        return np.asarray(self.classes_[chosen])

    def decision_function(self, X: Any) -> Floats:
        """The scores: (row,) log-odds of the second of two classes, or (row, class)."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict_proba(self, X: Any) -> Floats:
        """(row, class)."""
        from scipy.special import expit, softmax

        scores = self._scores(X)
        if scores.shape[1] == 1:
            return np.concatenate([expit(-scores), expit(scores)], axis=1)
        return np.asarray(softmax(scores, axis=1))

    @property
    def _task(self) -> str:
        return "classification"

    @classmethod
    def for_table(cls, rows: int, classes: int) -> Self | None:
        """Small networks, gaps allowed, and fewer epochs the more rows there are: a minute on tens of thousands."""
        epochs = min(200, max(20, 600_000 // max(1, rows)))
        return cls(hidden=(32, 16), members=3, missing="bin", epochs=epochs, patience=max(5, epochs // 8))

    def _targets(self, y: Any, rows: int) -> tuple[Array, int, float, float]:
        labels = read_labels(y, rows)
        if len(labels.classes) < 2:
            raise InputError(
                f"label column {labels.name!r} has one class only, {labels.classes.tolist()[0]!r}; two are needed"
            )
        self.classes_ = labels.classes
        return labels.codes, 1 if len(labels.classes) == 2 else len(labels.classes), 1.0, 0.0

    def _labels(self) -> dict[str, Any]:
        return {"label": texts(self.classes_) if self.classes_.dtype.kind in "OUST" else self.classes_}

    def _output_names(self) -> list[str]:
        names = self._target_names()
        return names[1:] if len(names) == 2 else names

    def _target_names(self) -> list[str]:
        return [str(label) for label in self.classes_]

    def _explained(self, scores: Array) -> tuple[Array, Array]:
        chosen = _chosen(scores)
        if scores.shape[1] == 1:
            return np.zeros(len(scores), dtype=np.int64), np.where(chosen == 1, 1.0, -1.0)
        return chosen, np.ones(len(scores))

    @classmethod
    def _decided(cls, scores: Array, explanation: Explanation) -> Array:
        return np.asarray(explanation.data["label"].values[_chosen(scores)])


@register("neural-additive-regressor", "glassboxes")
class NeuralAdditiveRegressor(RegressorMixin, NeuralAdditive):
    """A neural additive model for values: the curves are in the values' units. `NeuralAdditive` has the parameters."""

    def predict(self, X: Any) -> Floats:
        """(row,) values."""
        return self._scores(X)[:, 0]

    @property
    def _task(self) -> str:
        return "regression"

    def _targets(self, y: Any, rows: int) -> tuple[Array, int, float, float]:
        values = read_values(y, rows)
        shift, factor = float(values.mean()), float(values.std()) or 1.0
        return ((values - shift) / factor).astype(np.float32), 1, factor, shift

    def _labels(self) -> dict[str, Any]:
        return {}

    def _output_names(self) -> list[str]:
        return ["value"]

    def _target_names(self) -> list[str]:
        return ["value"]

    def _explained(self, scores: Array) -> tuple[Array, Array]:
        return np.zeros(len(scores), dtype=np.int64), np.ones(len(scores))

    @classmethod
    def _decided(cls, scores: Array, explanation: Explanation) -> Array:
        return scores[:, 0]


def _chosen(scores: Array) -> Array:
    """The place of the class of the highest score (row,)."""
    return (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)


def _shown(axis: Any, numbers: Array, codes: Array) -> tuple[Array, list[str]]:
    """Cells as numbers (categories by their place) and as texts."""
    if axis.numeric:
        words = ["missing" if code >= 0 else f"{number:.6g}" for number, code in zip(numbers, codes, strict=True)]
        return numbers, words
    known = [*axis.words, "missing"]
    return codes.astype(float), [known[code] for code in codes]
