"""Linear probes: logistic regression and linear support vectors for classes, ridge regression for values.

Sources: Alain, Bengio (2017), "Understanding Intermediate Layers Using Linear Classifier Probes"; Hewitt, Liang (2019),
"Designing and Interpreting Probes with Control Tasks".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.mechanisms.probing.probe import Probe, Problem
from explicate.mechanisms.probing.ridge import ridge_paths
from explicate.mechanisms.probing.solver import Solved, Stack, solve
from explicate.mechanisms.probing.splits import folds

Reader = Literal["logistic", "svm", "ridge"]
READERS = ("logistic", "svm", "ridge")
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""A grid for choosing the penalty by cross-validation."""


@dataclass(frozen=True, eq=False)
class Readout:
    """A fitted linear probe, in units of the raw activations.

    Attributes
    ----------
    weights : (column, width): one column for two classes or values, else one a class.
    intercepts : (column,).
    classes : number of classes; 0 for values.
    penalty : the penalty that was used.
    """

    weights: Floats
    intercepts: Floats
    classes: int
    penalty: float

    def outputs(self, features: Floats) -> Floats:
        """Logits (sample, column), or values (sample,)."""
        found = np.asarray(features) @ self.weights.T + self.intercepts
        return found if self.classes else found[:, 0]

    def predict(self, features: Floats) -> Array:
        """Class numbers, or values, (sample,)."""
        found = self.outputs(features)
        if not self.classes:
            return found
        return (found[:, 0] > 0).astype(np.int64) if self.classes == 2 else found.argmax(axis=1)

    @property
    def direction(self) -> Floats:
        """For two classes or values: the unit vector (width,) along which class 1, or the value, rises."""
        if len(self.weights) != 1:
            raise InputError(f"a probe of {self.classes} classes has one direction each: take a row of its weights")
        found: Floats = self.weights[0] / np.linalg.norm(self.weights[0])
        return found


@dataclass(frozen=True)
class LinearProbe(Probe):
    """A linear classifier, or regression, with a squared penalty; features are standardised on the training rows.

    All problems of one place are solved together in single precision, and agree with scikit-learn's solvers.

    Parameters
    ----------
    reader : "logistic" regression (multinomial for more than two classes), linear "svm" (squared hinge, one against
        the rest), or "ridge" regression for values.
    penalty : factor of half the squared length of the weights, with losses summed over the samples (scikit-learn's
        1/C, and ridge's alpha); several: the best on `folds` parts of the training rows is used, the strongest of
        equals.
    folds : parts for choosing the penalty, made of whole groups.
    standardise : whether features get mean 0 and deviation 1, as they are on the training rows.
    tolerance, most_steps : end of the iterative solvers.
    """

    name: ClassVar[str] = "linear-probe"

    reader: Reader = "logistic"
    penalty: float | tuple[float, ...] = 1.0
    folds: int = 5
    standardise: bool = True
    tolerance: float = 1e-4
    most_steps: int = 2000

    @property
    def reads_values(self) -> bool:
        return self.reader == "ridge"

    @property
    def penalties(self) -> tuple[float, ...]:
        """The penalties to choose among."""
        found = self.penalty if isinstance(self.penalty, tuple | list) else (self.penalty,)
        if not found or not all(np.isfinite(value) and value > 0 for value in found):
            raise InputError(f"penalty {self.penalty!r}: give one number above 0, or several")
        return tuple(float(value) for value in found)

    def fit(self, features: Floats, labels: Array, groups: Array | None = None, seed: int = 0) -> Readout:
        """Fit one probe on all rows of features (sample, width); labels are class numbers from 0, or values."""
        labels = np.asarray(labels)
        classes = 0 if self.reads_values else int(labels.max()) + 1
        problem = Problem(labels, np.ones(len(labels), dtype=bool), groups)
        return self.readouts(np.asarray(features, dtype=np.float32), [problem], classes, seed)[0]

    def outputs(self, features: Floats, problems: Sequence[Problem], classes: int, seed: int = 0) -> Floats:
        features = np.asarray(features, dtype=np.float32)
        found = self.readouts(features, problems, classes, seed)
        weights = np.concatenate([readout.weights for readout in found])
        scores = (features @ weights.T).reshape(len(features), len(found), -1)
        scores = (scores + np.stack([readout.intercepts for readout in found])).transpose(1, 0, 2)
        if not classes:
            return scores[..., 0]
        return np.concatenate([-scores, scores], axis=-1) if classes == 2 else scores

    def readouts(self, features: Floats, problems: Sequence[Problem], classes: int, seed: int = 0) -> list[Readout]:
        """The fitted probes, one a problem."""
        if self.reader not in READERS:
            raise InputError(f"reader {self.reader!r} is unknown; use one of {', '.join(READERS)}")
        if not np.isfinite(features).all():
            raise InputError("activations hold NaN or infinite values; no probe can be fitted to them")
        chosen = [self._chosen(features, problem, classes, seed) for problem in problems]
        return self._solved(features, problems, chosen, classes)

    def _chosen(self, features: Floats, problem: Problem, classes: int, seed: int) -> float:
        """The penalty with the best mean score over the folds."""
        if len(self.penalties) == 1:
            return self.penalties[0]
        own = folds(problem.train, problem.groups, self.folds, seed)
        inner = [replace(problem, train=problem.train & ~held) for held in own for _ in self.penalties]
        found = self._solved(features, inner, list(self.penalties) * len(own), classes)
        scores = np.zeros(len(self.penalties))
        for number, readout in enumerate(found):
            held = own[number // len(self.penalties)]
            guess, truth = readout.predict(features[held]), problem.labels[held]
            scores[number % len(self.penalties)] += (
                np.mean(guess == truth) if classes else -np.mean((guess - truth) ** 2)
            )
        order = np.argsort(self.penalties)[::-1]
        return self.penalties[int(order[np.argmax(scores[order])])]

    def _solved(
        self, features: Floats, problems: Sequence[Problem], penalties: Sequence[float], classes: int
    ) -> list[Readout]:
        if self.reader == "ridge":
            pairs = ridge_paths(features, problems, penalties, self.standardise)
            return [Readout(w[None], np.array([b]), 0, p) for (w, b), p in zip(pairs, penalties, strict=True)]
        stack = Stack(
            features,
            np.stack([problem.labels for problem in problems]),
            np.stack([problem.train for problem in problems]),
            np.asarray(penalties, dtype=np.float64),
            classes,
            self.standardise,
            "logistic" if self.reader == "logistic" else "squared-hinge",
        )
        found: Solved = solve(stack, self.tolerance, self.most_steps)
        if not found.converged.all():
            warnings.warn(
                f"{int((~found.converged).sum())} of {len(problems)} probes stopped before the tolerance "
                f"{self.tolerance:g} after {found.steps} steps; raise the penalty or most_steps",
                stacklevel=2,
            )
        return [
            Readout(weights, intercepts, classes, penalty)
            for weights, intercepts, penalty in zip(found.weights, found.intercepts, penalties, strict=True)
        ]
