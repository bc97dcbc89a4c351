"""Areas under ROC curves with intervals, also of the difference of two that rank the same cases.

Source: DeLong, DeLong, Clarke-Pearson (1988), "Comparing the Areas under Two or More Correlated ROC Curves".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from explicate.errors import InputError
from explicate.runtime.statistics import Floats, Interval


@dataclass(frozen=True, eq=False)
class RankedArea:
    """An area under the ROC curve, and what each case has to do with it.

    Attributes
    ----------
    value : the share of pairs, one case of each group, that are ranked rightly; ties count one half.
    influence : (case,), how far each case moves the value; the squares add up to its variance.
    """

    value: float
    influence: Floats

    def interval(self, level: float = 0.95) -> Interval:
        """The value with its normal interval."""
        return _normal(self.value, self.influence, level)

    def less(self, other: RankedArea, level: float = 0.95) -> Interval:
        """This area less that of another score of the same cases, paired."""
        if len(self.influence) != len(other.influence):
            raise InputError(
                f"a paired difference needs the same cases; there are {len(self.influence)} and {len(other.influence)}"
            )
        return _normal(self.value - other.value, self.influence - other.influence, level)


def ranked_area(positive: ArrayLike, scores: ArrayLike) -> RankedArea:
    """The area of scores that should be higher for the positive cases.

    Parameters
    ----------
    positive : (case,) truth values. scores : (case,) finite.

    Raises
    ------
    InputError : fewer than two cases in a group, or a score that is not finite.
    """
    from scipy.stats import rankdata

    truth, values = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=float)
    if truth.shape != values.shape or truth.ndim != 1 or not np.isfinite(values).all():
        raise InputError("an area under a ROC curve needs one finite score per case")
    above, below = int(truth.sum()), int((~truth).sum())
    if min(above, below) < 2:
        raise InputError(f"an area under a ROC curve needs two cases of each group; there are {above} and {below}")
    everyone = rankdata(values)
    placed = np.empty(len(values))  # of a positive case the share of negatives below it, of a negative one the reverse
    placed[truth] = (everyone[truth] - rankdata(values[truth])) / below
    placed[~truth] = 1 - (everyone[~truth] - rankdata(values[~truth])) / above
    value = float(placed[truth].mean())
    sizes = np.where(truth, above, below)
    return RankedArea(value, (placed - value) / np.sqrt(sizes * (sizes - 1.0)))


def _normal(value: float, influence: Floats, level: float) -> Interval:
    from scipy import stats

    if not 0 < level < 1:
        raise InputError(f"level is {level}: give a coverage between 0 and 1, such as 0.95")
    error = math.sqrt(float((influence**2).sum()))
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    count = len(influence)
    return Interval(value, value - half, value + half, error, count, count, "delong", level)
