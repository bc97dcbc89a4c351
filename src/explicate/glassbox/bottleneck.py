"""Concept bottlenecks: from the case to concepts that people named, and from those alone, linearly, to the label.

Source: Koh, Nguyen, Tang, Mussmann, Pierson, Kim, Liang (2020), "Concept Bottleneck Models", arXiv 2007.04612.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.kinds import Concepts
from explicate.core.provenance import Provenance
from explicate.core.registry import register, unknown
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.kinds import texts
from explicate.glassbox.labels import read_labels
from explicate.glassbox.parameters import check_choice, check_numbers, check_positive, check_weight, check_whole, plain
from explicate.glassbox.sums import weighted_sum
from explicate.models.tiny.training import descend
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import checked_seed, derive_seed, generator

MODES = ("independent", "sequential", "joint")
LINEAR = 10.0  # inverse strength of the penalty on the weights of a linear model that is fitted by itself
TAILS = (5.0, 95.0)  # percentiles of the logits that stand for "absent" and "present" in joint mode


@register("concept-bottleneck", "glassboxes")
class ConceptBottleneckClassifier(ClassifierMixin, GlassBox, BaseEstimator):
    """Named concepts, each the sigmoid of a network's output, and a linear model of the label on them.

    scikit-learn's `check_estimator` does not apply: `fit` needs the concepts' labels beside the label. A case's
    concepts come from a trained network, so the explanation of the whole is replayed on the explanation of cases.

    Parameters
    ----------
    mode : "independent" trains the linear model on the true concepts, "sequential" on the predicted ones, "joint" all
        at once; joint concepts may carry what else helps with the label (measure the leakage).
    weight : of the concepts' loss in joint mode.
    hidden : widths of the network's layers. epochs, learning_rate, batch : of Adam.
    seed : of weights and order.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted. concepts_ : the concepts' names.
    weight_, intercept_ : of the linear model, (concept, class) and (class,).
    """

    reads_cases: ClassVar[bool] = False

    def __init__(
        self,
        mode: str = "joint",
        weight: float = 1.0,
        hidden: tuple[int, ...] = (64, 64),
        epochs: int = 60,
        learning_rate: float = 3e-3,
        batch: int = 64,
        seed: int = 0,
    ) -> None:
        self.mode = mode
        self.weight = weight
        self.hidden = hidden
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch = batch
        self.seed = seed

    def fit(self, X: Any, y: Any, concepts: Any = None) -> Self:
        """Train the concepts and the linear model.

        Parameters
        ----------
        X : (case, ...) numbers; more than one dimension a case is laid out in a row. y : (case,) labels.
        concepts : (case, concept) zeros and ones; a data frame also names them.

        Raises
        ------
        InputError : no concepts, or some that are not 0 or 1; a parameter out of its range; gaps; one class.
        ModelError : the loss became NaN or infinite.
        """
        self._check_parameters()
        if concepts is None:
            raise InputError(
                "a concept bottleneck needs the concepts' labels: fit(X, y, concepts=...); without any, "
                "concept-centric-transformers (see `explicate systems`) finds concepts by itself"
            )
        inputs = _inputs(X)
        labels = read_labels(y, len(inputs))
        if len(labels.classes) < 2:
            raise InputError(f"label column {labels.name!r} has one class only; two are needed")
        truth, names = _truth(concepts, len(inputs))
        self.classes_, self.concepts_ = labels.classes, names
        self._shape = np.shape(X)[1:]
        self._centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        self.n_features_in_ = inputs.shape[1]
        self._train(self._scaled(inputs), truth, labels.codes)
        logits = self._logits(inputs)
        self._absent, self._present = np.percentile(logits, TAILS, axis=0)
        activation = _sigmoid(logits)
        classes = range(len(self.classes_))
        self._class_means = np.stack([activation[labels.codes == place].mean(axis=0) for place in classes])
        return self

    @classmethod
    def for_table(cls, rows: int, classes: int) -> None:
        """Nothing for a table alone: it has no concepts."""

    def concepts(self, X: Any) -> Floats:
        """(case, concept) activations, from 0 to 1."""
        check_is_fitted(self)
        inputs = _inputs(X)
        if np.shape(X)[1:] != self._shape:
            raise InputError(f"cases of shape {np.shape(X)[1:]}; the model was fitted on {self._shape}")
        return _sigmoid(self._logits(inputs))

    def predict(self, X: Any) -> Array:
        """(case,) labels."""
        return self._decided(self._scores(self.concepts(X)))

    def predict_proba(self, X: Any) -> Floats:
        """(case, class)."""
        from scipy.special import softmax

        return np.asarray(softmax(self._scores(self.concepts(X)), axis=1))

    def intervene(self, X: Any, known: Mapping[str, Any]) -> Concepts:
        """The explanation of cases with some concepts set to what a person says; replay it to get the predictions.

        Parameters
        ----------
        known : concept -> (case,) zeros and ones, or one value for all cases. In joint mode they become the 5th and
            95th percentiles of the training activations, because a joint model's concepts need not be near 0 and 1.
        """
        activation = self.concepts(X).copy()
        for name, values in known.items():
            if name not in self.concepts_:
                raise unknown(name, list(self.concepts_), "concept")
            place = self.concepts_.index(name)
            present = np.broadcast_to(np.asarray(values), len(activation)).astype(bool)
            low, high = (self._absent[place], self._present[place]) if self.mode == "joint" else (-np.inf, np.inf)
            activation[:, place] = np.where(present, _sigmoid(high), _sigmoid(low))
        return self._explained(activation, X)

    def explain(self, X: Any = None) -> Concepts:
        """The weights of the concepts, with the mean activation in each class as samples (X is None), or cases."""
        check_is_fitted(self)
        return self._explained(self._class_means if X is None else self.concepts(X), X)

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Labels from activations and weights alone.

        Parameters
        ----------
        X : for the explanation of the whole: the explanation of some cases, which has their activations.
        """
        cases = explanation if X is None else X
        if not isinstance(cases, Concepts):
            raise InputError("a case reaches the concepts through the network; give explain(X) instead of X")
        if cases.data.attrs.get("samples") == "classes":
            raise InputError("the explanation is of the whole model, not of cases; give explain(X) to replay it on")
        data = explanation.data
        scores = weighted_sum(cases["activation"].values, data["weight"].values, data["intercept"].values)
        return np.asarray(data["label"].values[scores.argmax(axis=1)])

    def _explained(self, activation: Floats, X: Any) -> Concepts:
        start = time.perf_counter()
        data = xr.Dataset(
            {
                "activation": (("sample", "concept"), activation),
                "weight": (("concept", "label"), self.weight_),
                "intercept": ("label", self.intercept_),
            },
            {
                "concept": texts(self.concepts_),
                "label": texts(self.classes_) if self.classes_.dtype.kind in "OUST" else self.classes_,
            },
            {"samples": "classes" if X is None else "cases"},
        )
        if X is None:
            data = data.assign_coords(sample=texts(self.classes_))
        provenance = Provenance(
            method=self.name,
            parameters={key: plain(value) for key, value in self.get_params().items()},
            model=type(self).__name__,
            model_fingerprint=digest(self.weight_, self.intercept_, self._class_means),
            inputs_fingerprint="" if X is None else digest(_inputs(X)),
            seed=self.seed,
            evaluations=0 if X is None else len(activation),
            seconds=time.perf_counter() - start,
        )
        return Concepts(data, provenance)

    def _train(self, inputs: Array, truth: Array, codes: Array) -> None:
        import torch
        import torch.nn.functional as F

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "weights"))
            sizes = [inputs.shape[1], *self.hidden]
            layers: list[Any] = []
            for before, after in pairwise(sizes):
                layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
            self.network_ = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], truth.shape[1]))
            last = torch.nn.Linear(truth.shape[1], len(self.classes_))
        x, c, y = torch.as_tensor(inputs).float(), torch.as_tensor(truth).float(), torch.as_tensor(codes)

        def of_concepts(rows: Any) -> Any:
            return F.binary_cross_entropy_with_logits(self.network_(x[rows]), c[rows])

        def together(rows: Any) -> Any:
            logits = self.network_(x[rows])
            own = F.binary_cross_entropy_with_logits(logits, c[rows])
            return F.cross_entropy(last(logits.sigmoid()), y[rows]) + self.weight * own

        if self.mode == "joint":
            self._descend(together, [*self.network_.parameters(), *last.parameters()], len(x))
            self.weight_ = np.asarray(last.weight.detach().double().numpy().T)
            self.intercept_ = np.asarray(last.bias.detach().double().numpy())
            return
        self._descend(of_concepts, list(self.network_.parameters()), len(x))
        with torch.no_grad():
            read = truth if self.mode == "independent" else self.network_(x).sigmoid().double().numpy()
        self.weight_, self.intercept_ = _linear(read, codes)

    def _descend(self, loss: Any, parameters: Sequence[Any], rows: int) -> None:
        import torch

        adam = torch.optim.Adam(parameters, self.learning_rate)
        rng = generator(self.seed, "order", len(parameters))
        descend(adam, loss, rows, epochs=self.epochs, batch=self.batch, rng=rng, name="a concept bottleneck")

    def _logits(self, inputs: Array) -> Floats:
        import torch

        with torch.no_grad():
            found = self.network_(torch.as_tensor(self._scaled(inputs)).float())
        return np.asarray(found.double().numpy())

    def _scores(self, activation: Floats) -> Floats:
        return weighted_sum(activation, self.weight_, self.intercept_)

    def _decided(self, scores: Floats) -> Array:
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def _scaled(self, inputs: Array) -> Array:
        return np.asarray((inputs - self._centre) / self._spread)

    def _check_parameters(self) -> None:
        check_choice("mode", self.mode, MODES)
        check_numbers(hidden=self.hidden)
        check_whole(epochs=self.epochs, batch=self.batch)
        check_positive(learning_rate=self.learning_rate)
        check_weight(weight=self.weight)
        checked_seed(self.seed)


def _linear(values: Array, codes: Array) -> tuple[Array, Array]:
    """Weights (concept, class) and intercepts (class,) of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=LINEAR, max_iter=1000).fit(values, codes)
    if len(model.classes_) > 2:
        return model.coef_.T, model.intercept_
    return np.concatenate([-model.coef_, model.coef_]).T / 2, np.array([-1.0, 1.0]) * model.intercept_ / 2


def _inputs(X: Any) -> Array:
    """Cases as rows of numbers."""
    try:
        values = np.asarray(X, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"the cases hold something that is no number: {' '.join(str(error).split())}") from error
    if values.ndim < 2 or not values.size:
        raise InputError(f"cases of shape {values.shape}; give (case, feature) or more dimensions, and at least one")
    rows = values.reshape(len(values), -1)
    if not np.isfinite(rows).all():
        raise InputError(f"case {int(np.argwhere(~np.isfinite(rows))[0][0])} holds NaN or infinite values")
    return rows


def _truth(concepts: Any, rows: int) -> tuple[Array, list[str]]:
    """Concept labels (case, concept) and the concepts' names."""
    values = np.asarray(concepts, dtype=float)
    if values.ndim != 2 or len(values) != rows or not values.shape[1]:
        raise InputError(f"concepts of shape {values.shape} for {rows} cases; give (case, concept)")
    wrong = np.argwhere((values != 0) & (values != 1))
    names = [str(name) for name in getattr(concepts, "columns", [f"concept {n}" for n in range(values.shape[1])])]
    if len(wrong):
        row, place = wrong[0]
        raise InputError(f"concept {names[place]!r}, case {row}: {values[row, place]:g} is neither 0 nor 1")
    return values, names


def _sigmoid(logits: Any) -> Any:
    from scipy.special import expit

    return expit(logits)
