"""The two sides of a decision: the probability that explanations in words call class 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError


def class_one(model: Any, inputs: Array, target: Any, asking: str) -> Floats:
    """Probabilities (sample,) of class 1, between 0 and 1.

    Class 1 is the second of two classes, whichever of them is the target; of more classes it is the target, against all
    the rest; for a contrast it is the first of the pair, against the second.

    Parameters
    ----------
    target : an output, or a pair of outputs (2,).
    """

    def share(index: int) -> Floats:
        asked = np.full(len(inputs), index, dtype=np.int64)
        return np.asarray(model.probabilities(inputs, asked), dtype=float)

    if np.ndim(target) == 1:
        first, second = share(int(target[0])), share(int(target[1]))
        found: Floats = first / np.maximum(first + second, np.finfo(float).tiny)
    else:
        found = share(model.output_count - 1 if model.output_count <= 2 else int(target))
    if found.min() < 0 or found.max() > 1:
        raise InputError(
            f"{asking} is for classifiers; {model.name!r} gives {found.min():.3g} to {found.max():.3g}, which are no "
            "probabilities: wrap it with its predict_proba or score='probability'"
        )
    return found
