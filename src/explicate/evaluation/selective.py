"""How well a score tells what to keep from what to drop: areas with intervals, false discoveries among the kept.

Shared by detectors of any kind. Scores are high for what is sound; the positive class is what is to be found out, so an
area of 1 means that every unsound case scores below every sound one. Ties count one half.

Sources: DeLong, DeLong, Clarke-Pearson (1988); Agrawal, Suzgun, Mackey, Kalai (2024), arXiv 2305.18248, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from explicate.core.capabilities import Floats
from explicate.errors import InputError
from explicate.runtime.ranking import RankedArea, ranked_area
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import Interval, area_under_curve, bootstrap_interval

DECIMALS = 12  # scores that differ by rounding alone are ties
RESAMPLES, SUBSAMPLES, EXTENDED = 100, 100, 20


@dataclass(frozen=True, eq=False)
class SelectiveCurve:
    """The share of unsound cases among those that are kept, from few kept to all.

    Attributes
    ----------
    kept : (point,), the share of all cases that is kept, rising.
    false : (point,), the share of unsound ones among the kept. low, high : (point,), 95 % of the subsamples where the
        curve is extended, equal to `false` elsewhere.
    threshold : (point,), cases that score above it are kept; NaN where the curve is extended.
    start : the smallest share that a threshold keeps. Below it the curve goes on with random subsamples of the cases
        that share the highest score, which nothing tells apart.
    """

    kept: Floats
    false: Floats
    low: Floats
    high: Floats
    threshold: Floats
    start: float

    @property
    def extended(self) -> np.ndarray:
        """(point,), where the curve comes from subsamples."""
        found: np.ndarray = np.isnan(self.threshold)
        return found

    def at(self, kept: float) -> float:
        """The share of unsound cases when so many are kept, between points on a straight line."""
        if not 0 < kept <= 1:
            raise InputError(f"a share of {kept} cannot be kept; give more than 0 and at most 1")
        return float(np.interp(kept, self.kept, self.false))


@dataclass(frozen=True, eq=False)
class Roc:
    """A ROC curve: shares of sound cases called unsound (`false_positive`) and of unsound ones found (`true_positive`).

    `threshold` is the score up to which a case is called unsound, (point,) as the others.
    """

    false_positive: Floats
    true_positive: Floats
    threshold: Floats


def ranked(unsound: ArrayLike, scores: ArrayLike) -> RankedArea:
    """The area under the ROC curve of `1 - score` for the unsound cases, comparable with that of other scores.

    Parameters
    ----------
    unsound : (case,) truth values. scores : (case,), high for sound cases.
    """
    truth, values = _checked(unsound, scores)
    return ranked_area(truth, -values)


def auc_delong(unsound: ArrayLike, scores: ArrayLike, level: float = 0.95) -> Interval:
    """That area with its DeLong interval, cut at 0 and 1."""
    found = ranked(unsound, scores).interval(level)
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def auc_bootstrap(
    unsound: ArrayLike, scores: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Interval:
    """That area with a bootstrap interval, resampling sound and unsound cases each by themselves."""
    truth, values = _checked(unsound, scores)
    both = np.stack([truth.astype(float), -values], axis=1)

    def area(rows: Floats) -> float:
        return area_under_curve(rows[rows[:, 0] == 0, 1], rows[rows[:, 0] == 1, 1])

    return bootstrap_interval(both, area, strata=truth.tolist(), resamples=resamples, seed=seed, level=level)


def roc(unsound: ArrayLike, scores: ArrayLike) -> Roc:
    """The ROC curve with a point for every distinct score."""
    from sklearn.metrics import roc_curve

    truth, values = _checked(unsound, scores)
    false_positive, true_positive, negated = roc_curve(truth, -values, drop_intermediate=False)
    return Roc(false_positive, true_positive, np.where(np.isfinite(negated), -negated, -np.inf))


def fdr_curve(unsound: ArrayLike, scores: ArrayLike, *, subsamples: int = SUBSAMPLES, seed: int = 0) -> SelectiveCurve:
    """False discoveries among the kept, for every threshold on the score.

    Parameters
    ----------
    unsound : (case,) truth values. scores : (case,), high for sound cases.
    subsamples : of the cases with the highest score, at each share below the smallest that a threshold keeps.

    Raises
    ------
    InputError : no cases, different numbers of labels and scores, or a score that is not finite.
    """
    truth, values = _checked(unsound, scores)
    levels = np.unique(values)[::-1]
    kept = np.array([(values >= level).sum() for level in levels])
    false = np.array([truth[values >= level].sum() for level in levels]) / kept
    below = np.append(levels[1:], -np.inf)  # what is above this, and not equal to it, is at least the level
    top, bad = int(kept[0]), int(truth[values >= levels[0]].sum())
    sizes = np.unique(np.linspace(1, top, EXTENDED + 1).astype(int)[:-1])
    sizes = sizes[sizes < top]
    rng = generator(seed, "subsamples of the top")
    drawn = np.array([rng.hypergeometric(bad, top - bad, int(size), subsamples) / size for size in sizes])
    drawn = drawn.reshape(len(sizes), subsamples)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1) if len(sizes) else (np.empty(0), np.empty(0))
    return SelectiveCurve(
        kept=np.concatenate([sizes, kept]) / len(values),
        false=np.concatenate([drawn.mean(axis=1), false]),
        low=np.concatenate([low, false]),
        high=np.concatenate([high, false]),
        threshold=np.concatenate([np.full(len(sizes), np.nan), below]),
        start=top / len(values),
    )


def _checked(unsound: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, Floats]:
    truth, values = np.asarray(unsound, dtype=bool), np.asarray(scores, dtype=float)
    if truth.ndim != 1 or truth.shape != values.shape or not len(truth):
        raise InputError(f"give one score per case; there are {truth.size} labels and {values.size} scores")
    if not np.isfinite(values).all():
        raise InputError(
            f"{int((~np.isfinite(values)).sum())} of {len(values)} scores are undefined; leave those cases out and say "
            "how many there are"
        )
    return truth, np.round(values, DECIMALS)
