"""Probes that are scikit-learn's estimators, one fit after the other: for published protocols and other classifiers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError
from explicate.mechanisms.probing.probe import Probe, Problem

ESTIMATORS = ("logistic-regression", "random-forest")


@dataclass(frozen=True)
class EstimatorProbe(Probe):
    """scikit-learn's own logistic regression as it comes (no scaling, 100 iterations), or a random forest.

    Parameters
    ----------
    estimator : "logistic-regression" or "random-forest".
    trees : of the forest.
    """

    name: ClassVar[str] = "estimator-probe"

    estimator: Literal["logistic-regression", "random-forest"] = "logistic-regression"
    trees: int = 100

    def outputs(self, features: Floats, problems: Sequence[Problem], classes: int, seed: int = 0) -> Floats:
        from sklearn.exceptions import ConvergenceWarning

        found = np.zeros((len(problems), len(features), classes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # part of the protocol
            for scores, problem in zip(found, problems, strict=True):
                fitted = self._made(seed).fit(features[problem.train], problem.labels[problem.train])
                scores[:, fitted.classes_] = fitted.predict_proba(features)
        return found

    def _made(self, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression

        if self.estimator not in ESTIMATORS:
            raise InputError(f"estimator {self.estimator!r} is unknown; use one of {', '.join(ESTIMATORS)}")
        if self.estimator == "logistic-regression":
            return LogisticRegression()
        return RandomForestClassifier(self.trees, random_state=seed)
