"""Prototype networks: the prediction is a weighted sum of similarities to training cases, or to parts of them."""

from __future__ import annotations

from explicate.glassbox.prototypes.estimator import PrototypeClassifier, PrototypePartsClassifier

__all__ = ["PrototypeClassifier", "PrototypePartsClassifier"]
