"""Ridge regression for many penalties and targets: one decomposition of the features for all that share rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explicate.core.capabilities import Floats
from explicate.mechanisms.probing.probe import Problem


def ridge_paths(
    features: Floats, problems: Sequence[Problem], penalties: Sequence[float], standardise: bool
) -> list[tuple[Floats, float]]:
    """Weights (width,) of the raw features and intercept of each problem; the intercept is not penalised.

    Minimises sum (y - w.z - b)^2 + penalty |w|^2 over the training rows, where z are the (standardised) features.
    """
    shared: dict[bytes, list[int]] = {}
    for number, problem in enumerate(problems):
        shared.setdefault(np.packbits(problem.train).tobytes(), []).append(number)
    found: list[tuple[Floats, float]] = [(np.empty(0), 0.0)] * len(problems)
    for numbers in shared.values():
        rows = np.asarray(features[problems[numbers[0]].train], dtype=np.float64)
        mean = rows.mean(axis=0)
        scale = rows.std(axis=0) if standardise else np.ones(rows.shape[1])
        scale = np.where(scale > 1e-6 * np.maximum(np.abs(mean), 1e-12), scale, 1.0)
        centred = (rows - mean) / scale
        wide = centred.shape[1] > centred.shape[0]
        values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
        values = np.maximum(values, 0.0)
        for number in numbers:
            target = np.asarray(problems[number].labels, dtype=np.float64)[problems[number].train]
            centre = target.mean()
            right = target - centre if wide else centred.T @ (target - centre)
            inner = vectors @ ((vectors.T @ right) / (values + penalties[number]))
            weights = (centred.T @ inner if wide else inner) / scale
            found[number] = (weights, float(centre - weights @ mean))
    return found
