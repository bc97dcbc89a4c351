"""What estimators of Shapley values give, and how well they predict coalitions that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass

from explicate.core.capabilities import Floats


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimated Shapley values.

    Attributes
    ----------
    values : (player,), adding up to the worth of everybody minus that of nobody.
    standard_error : (player,), 0 where nothing was left to chance.
    held_out : mean squared error in predicting coalitions left out one pair at a time; NaN where that is undefined.
    estimator : "exact", "least-squares" or "gaussian-process".
    """

    values: Floats
    standard_error: Floats
    held_out: float
    estimator: str
