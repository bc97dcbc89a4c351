"""Rates that a judge with known errors reports, corrected for these errors.

Sources: Rogan, Gladen (1978), "Estimating prevalence from the results of a screening test", for the corrected rate;
Angelopoulos, Bates, Fannjiang, Jordan, Zrnic (2023), "Prediction-powered inference", for the use of human grades.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from explicate.benchmarks.judging.calibration import Calibration
from explicate.errors import InputError
from explicate.runtime.statistics import Interval, proportion_interval

RESAMPLES = 2000
LEAST_SKILL = 0.2  # of sensitivity + specificity - 1; below it a corrected rate says nothing


@dataclass(frozen=True)
class Corrected:
    """A judged rate, as observed and corrected.

    Attributes
    ----------
    observed : the judge's rate, with an interval that knows nothing of its errors.
    value, low, high : the corrected rate with an interval that resamples the test and the calibration; None where the
        judge is too near to chance for any correction.
    """

    observed: Interval
    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.observed} as judged; the judge is too near to chance to correct it"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] corrected ({self.observed} as judged)"


def corrected_rate(
    passed: ArrayLike,
    calibration: Calibration,
    *,
    clusters: Sequence[Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Corrected:
    """The share of passing replies, (observed + specificity - 1) / (sensitivity + specificity - 1), clipped to 0 to 1.

    Parameters
    ----------
    passed : (item,) of 0 and 1, what the judge said; items without a grade are to be left out and counted apart.
    clusters : (item,), those with equal labels are resampled together.
    """
    values = np.asarray(passed, dtype=float)
    observed = proportion_interval(values, clusters=clusters, seed=seed)
    sensitivity, specificity = calibration.sensitivity, calibration.specificity
    if sensitivity.value + specificity.value - 1 < LEAST_SKILL:
        return Corrected(observed, None, None, None)
    rng = np.random.Generator(np.random.PCG64(seed))
    rates = _resampled_means(values, clusters, resamples, rng)
    hits = rng.binomial(sensitivity.n, sensitivity.value, resamples) / sensitivity.n
    rejections = rng.binomial(specificity.n, specificity.value, resamples) / specificity.n
    skill = hits + rejections - 1
    telling = skill >= LEAST_SKILL
    drawn = np.clip((rates[telling] + rejections[telling] - 1) / skill[telling], 0, 1)
    silent = int((~telling).sum())  # calibrations that would say nothing: any rate fits them
    drawn = np.concatenate([drawn, np.zeros(silent // 2), np.ones(silent - silent // 2)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Corrected(observed, _corrected(float(values.mean()), sensitivity.value, specificity.value), low, high)


def prediction_powered(
    judged: ArrayLike, judged_labelled: ArrayLike, human: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean human grade of all items, from judges' grades of all and human grades of some.

    mean(judged) + mean(human - judged_labelled): the judge gives precision, the human grades take its bias away.

    Parameters
    ----------
    judged : (item,) of the items without human grades. judged_labelled, human : (labelled item,), both grades of the
        others.
    """
    all_of_them, own, truth = (np.asarray(values, dtype=float) for values in (judged, judged_labelled, human))
    if own.shape != truth.shape or own.ndim != 1 or len(own) < 2 or len(all_of_them) < 2:
        raise InputError("give judged grades of at least two items, and both grades of at least two others")
    rng = np.random.Generator(np.random.PCG64(seed))
    errors = truth - own
    drawn = _resampled_means(all_of_them, None, resamples, rng) + _resampled_means(errors, None, resamples, rng)
    low, high = (float(end) for end in np.quantile(drawn, [0.025, 0.975]))
    value = float(all_of_them.mean() + errors.mean())
    count = len(all_of_them) + len(own)
    return Interval(value, low, high, float(drawn.std()), count, count, "bootstrap")


def _corrected(rate: float, sensitivity: float, specificity: float) -> float:
    return float(np.clip((rate + specificity - 1) / (sensitivity + specificity - 1), 0, 1))


def _resampled_means(
    values: np.ndarray[Any, Any], clusters: Sequence[Any] | None, resamples: int, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Means of resampled clusters, (resample,)."""
    labels = np.arange(len(values)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums = np.bincount(labels, weights=values)
    sizes = np.bincount(labels)
    chosen = rng.integers(len(sums), size=(resamples, len(sums)))
    means: np.ndarray[Any, Any] = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    return means
