"""How far apart two groups of numbers are: the share of pairs in the right order, and the distance in deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from explicate.errors import InputError
from explicate.runtime.statistics import area_under_curve


@dataclass(frozen=True)
class Separation:
    """Two groups of values on one line.

    Attributes
    ----------
    auroc : share of pairs, one value of each group, in which the second group's is the larger; ties count one half.
    distance : difference of the means, in pooled standard deviations; infinite where neither group varies.
    """

    auroc: float
    distance: float

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike) -> Separation:
        """Of values (sample,) of two groups, each of at least two."""
        one, two = (np.asarray(group, dtype=float).ravel() for group in (first, second))
        if min(len(one), len(two)) < 2 or not (np.isfinite(one).all() and np.isfinite(two).all()):
            raise InputError("a separation needs two groups of at least two finite values each")
        spread = ((len(one) - 1) * one.var(ddof=1) + (len(two) - 1) * two.var(ddof=1)) / (len(one) + len(two) - 2)
        apart = abs(float(two.mean() - one.mean()))
        distance = apart / float(np.sqrt(spread)) if spread > 0 else (np.inf if apart else 0.0)
        return cls(area_under_curve(one, two), distance)
