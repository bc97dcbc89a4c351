"""Scores that are weighted sums, computed alike for any number of cases."""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Array, Floats


def weighted_sum(values: Array, weights: Array, intercept: Array | float = 0.0) -> Floats:
    """(case, label) scores: the intercept plus each value times its weight, added one after the other.

    A matrix product would add in an order that depends on the number of cases, and replays must not.

    Parameters
    ----------
    values : (case, part). weights : (part, label). intercept : (label,).
    """
    scores = np.zeros((len(values), weights.shape[1])) + intercept
    for place, weight in enumerate(weights):
        scores = scores + values[:, place, None] * weight
    return np.asarray(scores)
