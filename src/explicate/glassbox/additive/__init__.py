"""Neural additive models: a curve for each column, and the prediction is their sum."""

from __future__ import annotations

from explicate.glassbox.additive.curves import Axis, Curve, Curves
from explicate.glassbox.additive.estimator import NeuralAdditiveClassifier, NeuralAdditiveRegressor

__all__ = ["Axis", "Curve", "Curves", "NeuralAdditiveClassifier", "NeuralAdditiveRegressor"]
