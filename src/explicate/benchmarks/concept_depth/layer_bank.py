"""Activations whose depth is known exactly, to judge depth points by."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.runtime.seeds import generator


def layer_bank(
    labels: Array, layers: int = 24, known_from: int = 9, accuracy: float = 0.95, width: int = 64, seed: int = 0
) -> dict[str, Floats]:
    """Activations whose truth is known: noise, to which a direction for the label is added from a layer on.

    Parameters
    ----------
    known_from : the first layer, counted from 1, that holds the label.
    accuracy : what the best reader reaches from there on.
    """
    if not 1 <= known_from <= layers:
        raise InputError(f"known_from is {known_from}: give a layer from 1 to {layers}")
    found = {}
    for layer in range(layers):
        rng = generator(seed, "bank", layer)
        values = rng.normal(size=(len(labels), width))
        direction = rng.normal(size=width)
        if layer + 1 >= known_from:
            values += np.outer(norm.ppf(accuracy) * (2 * np.asarray(labels) - 1), direction / np.linalg.norm(direction))
        found[f"L{layer}.resid_post"] = values.astype(np.float32)
    return found
