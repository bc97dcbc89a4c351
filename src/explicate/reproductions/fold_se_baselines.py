"""The learners that FOLD-SE is compared with: each takes a table and labels and gives a function that predicts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.features import features_of
from explicate.errors import MissingDependencyError
from explicate.models import black_boxes

if TYPE_CHECKING:
    import pandas as pd

Predict = Callable[[Any], np.ndarray]


def require_ripper() -> None:
    """Raise unless the package that has RIPPER is there."""
    if importlib.util.find_spec("wittgenstein") is None:
        raise MissingDependencyError(
            "FOLD-SE at full scale is compared with RIPPER; run: pip install 'explicate[peers-glassbox]'"
        )


def ripper(frame: pd.DataFrame, labels: np.ndarray) -> Predict:
    """RIPPER of the package wittgenstein, with rules for the rarer label, as is usual."""
    import wittgenstein

    values, counts = np.unique(labels, return_counts=True)
    rarer, other = values[counts.argmin()], values[counts.argmax()]
    model = wittgenstein.RIPPER(random_state=0)
    model.fit(_plain(frame), y=labels == rarer, pos_class=True)
    return lambda rows: np.where(model.predict(_plain(rows)), rarer, other)


def gradient_boosting(frame: pd.DataFrame, labels: np.ndarray) -> Predict:
    """scikit-learn's histogram gradient boosting, which takes categories as they are."""
    predict: Predict = black_boxes.gradient_boosting(features_of(frame)).fit(frame, labels).predict
    return predict


def perceptron(frame: pd.DataFrame, labels: np.ndarray) -> Predict:
    """scikit-learn's MLP with early stopping, on one-hot categories and standardised numbers."""
    predict: Predict = black_boxes.perceptron(features_of(frame)).fit(frame, labels).predict
    return predict


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as texts: the package compares them with `==` only."""
    return frame.astype({name: object for name in frame.columns if frame[name].dtype == "category"})


BASELINES: dict[str, Callable[[Any, np.ndarray], Predict]] = {
    "RIPPER": ripper,
    "gradient boosting": gradient_boosting,
    "multi-layer perceptron": perceptron,
}
