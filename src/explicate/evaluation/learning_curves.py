"""Whether two figures rise together while a model learns: regression, correlation, and that of their changes.

Two curves that both rise correlate without having to do with each other, so the changes from one checkpoint to the next
are correlated as well. Source: Jin, Rinard (2023), arXiv 2305.11169, section 4.2 (regression); first differences are a
usual guard against spurious regression, Granger and Newbold (1974).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from explicate.errors import InputError


@dataclass(frozen=True)
class CurveFit:
    """Least squares of one curve on another.

    Attributes
    ----------
    slope, intercept, r_squared : of the line; p_value : two-sided, that the slope is 0.
    correlation : Pearson's.
    changes : Pearson's correlation of the first differences; NaN where one of the curves moves evenly.
    changes_p_value : two-sided, that it is 0.
    checkpoints : points of each curve.
    """

    slope: float
    intercept: float
    r_squared: float
    p_value: float
    correlation: float
    changes: float
    changes_p_value: float
    checkpoints: int


def curve_fit(explaining: ArrayLike, explained: ArrayLike) -> CurveFit:
    """Regress one curve (checkpoint,) on another.

    Raises
    ------
    InputError : curves of different lengths, of fewer than 4 checkpoints, or an explaining curve that is constant.
    """
    from scipy import stats

    x, y = np.asarray(explaining, dtype=float), np.asarray(explained, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(f"two curves of finite numbers and equal length are needed, not {x.shape} and {y.shape}")
    if len(x) < 4 or np.ptp(x) == 0:
        raise InputError(f"a curve of {len(x)} checkpoints says too little, or does not move; give 4 or more that do")
    line = stats.linregress(x, y)
    moves, moved = np.diff(x), np.diff(y)
    if np.ptp(moves) < 1e-9 or np.ptp(moved) < 1e-9:
        changes, changes_p = math.nan, math.nan
    else:
        found = stats.pearsonr(moves, moved)
        changes, changes_p = float(found.statistic), float(found.pvalue)
    return CurveFit(
        float(line.slope),
        float(line.intercept),
        float(line.rvalue) ** 2,
        float(line.pvalue),
        float(line.rvalue),
        changes,
        changes_p,
        len(x),
    )
