"""Depth points: at which layer something can first be read, and from which on it is read no better.

Source: Jin et al. (2025), "Exploring Concept Depth: How Large Language Models Acquire Knowledge and Concepts at
Different Layers?", COLING, arXiv 2404.07066. With the accuracy a_i of layer i of L and b_i = a_i / a_(i-1): the jump is
the first i/L with b_i >= 1.1, the paper's convergence the last with |b_i - 1| < 0.03, the peak the layer of the largest
a_i. As a flat end always makes the paper's convergence the last layer, "plateau" takes the first layer after which all
b_j stay within 0.03.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError

Rule = Literal["plateau", "paper"]
JUMP = 1.1
FLAT = 0.03


def jump_point(accuracy: Floats, threshold: float = JUMP) -> float | None:
    """Depth (0, 1] of the first layer whose accuracy is `threshold` times that of the layer before; None: no such one.

    A task that is read well at the first layer never jumps.

    Parameters
    ----------
    accuracy : (layer,), of the first layer on.
    """
    ratios = _ratios(accuracy)
    found = np.flatnonzero(ratios >= threshold)  # NaN is no jump
    return float((found[0] + 2) / len(accuracy)) if len(found) else None


def convergence_point(accuracy: Floats, rule: Rule = "plateau", tolerance: float = FLAT) -> float | None:
    """Depth (0, 1] of the layer from which on the accuracy stays as it is.

    Parameters
    ----------
    accuracy : (layer,), of the first layer on.
    rule : "plateau": the first layer after which each layer's ratio to the one before is within `tolerance` of 1 (the
        last layer always qualifies); "paper": the last layer whose own ratio is, None where there is none.
    """
    ratios = _ratios(accuracy)
    flat = np.isnan(ratios) | (np.abs(ratios - 1) < tolerance)
    if rule == "paper":
        found = np.flatnonzero(np.abs(ratios - 1) < tolerance)
        return float((found[-1] + 2) / len(accuracy)) if len(found) else None
    if rule != "plateau":
        raise InputError(f"rule {rule!r} is unknown; use 'plateau' or 'paper'")
    steep = np.flatnonzero(~flat)
    return float((steep[-1] + 2 if len(steep) else 1) / len(accuracy))


def peak_point(accuracy: Floats) -> float:
    """Depth (0, 1] of the highest accuracy; the shallowest of equals."""
    values = _checked(accuracy)
    return float((np.argmax(values) + 1) / len(values))


def _ratios(accuracy: Floats) -> Array:
    """Each layer's accuracy over that of the one before, from the second on; NaN after an accuracy of 0."""
    values = _checked(accuracy)
    before, after = values[:-1], values[1:]
    if (before == 0).any():
        layers = ", ".join(str(layer + 1) for layer in np.flatnonzero(before == 0))
        warnings.warn(f"the accuracy is 0 at layer {layers}: the next layer's ratio is left out", stacklevel=3)
    return np.divide(after, before, out=np.full(len(after), np.nan), where=before != 0)


def _checked(accuracy: Floats) -> Floats:
    values = np.asarray(accuracy, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all() or (values < 0).any():
        raise InputError("depth points need one finite accuracy a layer, 0 or more")
    return values
