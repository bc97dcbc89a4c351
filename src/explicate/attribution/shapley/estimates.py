"""What estimators of Shapley and Banzhaf values give, and how well they predict coalitions that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from explicate.core.capabilities import Floats

Index = Literal["shapley", "banzhaf"]
"""Shapley values average a player's gain over all sizes alike, Banzhaf values over all coalitions alike."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimated values of the players.

    Attributes
    ----------
    values : (player,); Shapley values add up to the worth of everybody minus that of nobody.
    standard_error : (player,), 0 where nothing was left to chance.
    held_out : mean squared error in predicting coalitions left out one pair at a time; NaN where that is undefined.
    estimator : "exact", "least-squares", "gaussian-process" or "tree-proxy".
    """

    values: Floats
    standard_error: Floats
    held_out: float
    estimator: str
