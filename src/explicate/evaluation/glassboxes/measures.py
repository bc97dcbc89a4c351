"""How good predictions are, with intervals, and how much better or worse than others' of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.runtime.ranking import RankedArea, ranked_area
from explicate.runtime.statistics import Interval, bootstrap_interval, paired_difference

Measure = Literal["accuracy", "balanced-accuracy", "auc"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True, eq=False)
class Scored:
    """One model's predictions of all rows, each made by a fit that had not seen the row.

    Attributes
    ----------
    labels : (row,) class codes.
    right : (row,) the share of the repeats in which the row was predicted rightly.
    area : the area under the ROC curve, the mean over classes, folds and repeats.
    """

    labels: Array
    right: Floats
    area: RankedArea

    def interval(self, measure: Measure) -> Interval:
        """The value with its 95 % interval over the rows."""
        if measure == "auc":
            return self.area.interval()
        return bootstrap_interval(self._values(measure), strata=self._strata(measure), resamples=1000)

    def less(self, other: Scored, measure: Measure, seed: int = 0) -> Interval:
        """This model's value less another's, paired: resamples take the same rows of both."""
        if measure == "auc":
            return self.area.less(other.area)
        mine, theirs = self._values(measure), other._values(measure)
        return paired_difference(mine, theirs, strata=self._strata(measure), resamples=1000, seed=seed)

    def _values(self, measure: Measure) -> Floats:
        """(row,) values whose mean is the measure."""
        if measure == "accuracy":
            return self.right
        counts = np.bincount(self.labels)
        return self.right * (len(self.labels) / (np.count_nonzero(counts) * counts[self.labels]))

    def _strata(self, measure: Measure) -> list[int] | None:
        return None if measure == "accuracy" else self.labels.tolist()


def scored(labels: Array, folds: Sequence[Array], predicted: Sequence[Array], probable: Sequence[Floats]) -> Scored:
    """Predictions of several repeats.

    Parameters
    ----------
    labels : (row,) class codes. folds : per repeat (row,) the fold in which a row was tested.
    predicted : per repeat (row,) class codes. probable : per repeat (row, class).
    """
    right = np.mean([one == labels for one in predicted], axis=0)
    classes = np.unique(labels)
    if len(classes) == 2:
        classes = classes[1:]  # the other has the same area
    value, influence = 0.0, np.zeros(len(labels))
    parts = [(repeat, fold) for repeat, one in enumerate(folds) for fold in np.unique(one)]
    share = 1 / (len(parts) * len(classes))
    for repeat, fold in parts:  # fold by fold: scores of different fits need not be on one scale
        rows = folds[repeat] == fold
        for code in classes:
            found = ranked_area(labels[rows] == code, probable[repeat][rows, code])
            value += share * found.value
            influence[rows] += share * found.influence
    return Scored(labels, right, RankedArea(value, influence))
