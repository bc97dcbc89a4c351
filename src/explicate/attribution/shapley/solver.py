"""Spend a budget of coalitions on one game, by the estimator that suits it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from explicate.attribution.shapley.estimates import Estimate
from explicate.attribution.shapley.exact import LARGEST, all_coalitions, shapley_values
from explicate.attribution.shapley.gaussian_process import estimate_by_gaussian_process
from explicate.attribution.shapley.least_squares import estimate_by_least_squares
from explicate.attribution.shapley.sampling import draw_pairs
from explicate.core.capabilities import Floats, Masks
from explicate.errors import InputError

Estimator = Literal["auto", "least-squares", "gaussian-process"]
Worth = Callable[[Masks], Floats]
"""(coalition, player) -> (coalition,)"""


def shapley_estimate(
    worth: Worth, players: int, budget: int, rng: np.random.Generator, estimator: Estimator = "auto"
) -> tuple[Estimate, float, float]:
    """Shapley values with their standard errors, and the worth of nobody and of everybody.

    Parameters
    ----------
    worth : the game. players : their number.
    budget : coalitions to try, those of nobody and everybody included; 2 ** players of them give exact values.
    estimator : "auto" fits a Gaussian process and falls back to least squares when that predicts coalitions left out
        one pair at a time no worse.

    Raises
    ------
    InputError : a budget under 4 (2 for one player), or an unknown estimator.
    """
    if estimator not in ("auto", "least-squares", "gaussian-process"):
        raise InputError(f"estimator {estimator!r} is unknown; use auto, least-squares or gaussian-process")
    if players == 1:
        empty, full = (float(value) for value in worth(np.array([[False], [True]])))
        return Estimate(np.array([full - empty]), np.zeros(1), 0.0, "exact"), empty, full
    if budget < 4:
        raise InputError(f"a budget of {budget} coalitions is too small; give at least 4, better {2 * players + 2}")
    if players <= LARGEST and budget >= 2**players:
        found = worth(all_coalitions(players))
        exact = Estimate(shapley_values(found), np.zeros(players), 0.0, "exact")
        return exact, float(found[0]), float(found[-1])
    pairs = draw_pairs(players, min((budget - 2) // 2, math.comb(players, players // 2) * players), rng)
    ends = np.array([[False] * players, [True] * players])
    found = worth(np.concatenate([ends, pairs.both()]))
    empty, full = float(found[0]), float(found[1])
    odd = (found[2 : 2 + len(pairs)] - found[2 + len(pairs) :]) / 2
    plain = estimate_by_least_squares(pairs, odd, full - empty)
    if estimator == "least-squares":
        return plain, empty, full
    process = estimate_by_gaussian_process(pairs, odd, full - empty, rng)
    if process is None or (estimator == "auto" and plain.held_out <= process.held_out):
        return plain, empty, full
    return process, empty, full
