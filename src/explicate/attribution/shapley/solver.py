"""Spend a budget of coalitions on one game, by the estimator that suits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from explicate.attribution.shapley.estimates import Estimate, Index
from explicate.attribution.shapley.exact import LARGEST, all_coalitions, banzhaf_values, shapley_values
from explicate.attribution.shapley.gaussian_process import estimate_by_gaussian_process
from explicate.attribution.shapley.least_squares import estimate_by_least_squares
from explicate.attribution.shapley.sampling import Pairs, draw_pairs
from explicate.attribution.shapley.tree_proxy import estimate_by_tree_proxy
from explicate.core.capabilities import Floats, Masks
from explicate.errors import InputError

Estimator = Literal["auto", "least-squares", "gaussian-process", "tree-proxy"]
Worth = Callable[[Masks], Floats]
"""(coalition, player) -> (coalition,)"""


def shapley_estimate(
    worth: Worth,
    players: int,
    budget: int,
    rng: np.random.Generator,
    estimator: Estimator = "auto",
    index: Index = "shapley",
) -> tuple[Estimate, float, float]:
    """Shapley or Banzhaf values with their standard errors, and the worth of nobody and of everybody.

    Parameters
    ----------
    worth : the game. players : their number.
    budget : coalitions to try, those of nobody and everybody included; 2 ** players of them give exact values.
    estimator : "auto" fits a Gaussian process (a tree proxy where there are too many coalitions for one) and falls back
        to least squares when that predicts coalitions left out of the fit no worse.
    index : which values.

    Raises
    ------
    InputError : a budget under 4 (2 for one player), or an unknown estimator.
    """
    if estimator not in get_args(Estimator):
        raise InputError(f"estimator {estimator!r} is unknown; use {', '.join(get_args(Estimator))}")
    if players == 1:
        empty, full = (float(value) for value in worth(np.array([[False], [True]])))
        return Estimate(np.array([full - empty]), np.zeros(1), 0.0, "exact"), empty, full
    if budget < 4:
        raise InputError(f"a budget of {budget} coalitions is too small; give at least 4, better {2 * players + 2}")
    if players <= LARGEST and budget >= 2**players:
        found = worth(all_coalitions(players))
        values = shapley_values(found) if index == "shapley" else banzhaf_values(found)
        return Estimate(values, np.zeros(players), 0.0, "exact"), float(found[0]), float(found[-1])
    pairs = draw_pairs(players, (budget - 2) // 2, rng, index)
    ends = np.array([[False] * players, [True] * players])
    found = worth(np.concatenate([ends, pairs.both()]))
    empty, full = float(found[0]), float(found[1])
    odd = (found[2 : 2 + len(pairs)] - found[2 + len(pairs) :]) / 2
    return estimate_from_pairs(pairs, odd, full - empty, rng, estimator), empty, full


def estimate_from_pairs(
    pairs: Pairs, odd: Floats, total: float, rng: np.random.Generator, estimator: Estimator = "auto"
) -> Estimate:
    """Values from coalitions that were tried: `odd` (pair,) is half of v(S) - v(not S), `total` that of the ends."""
    plain = estimate_by_least_squares(pairs, odd, total)
    if estimator == "least-squares":
        return plain
    surrogate = None
    if estimator != "tree-proxy":
        surrogate = estimate_by_gaussian_process(pairs, odd, total, rng)
    if surrogate is None and estimator != "gaussian-process":
        surrogate = estimate_by_tree_proxy(pairs, odd, total, rng)
    if surrogate is None or (estimator == "auto" and not _better(surrogate, plain)):
        return plain
    return surrogate


def _better(surrogate: Estimate, plain: Estimate) -> bool:
    """Whether it predicts held-out coalitions better; trees also need the smaller standard error, for plain least
    squares gains more where most coalitions of a size were tried."""
    if surrogate.estimator == "tree-proxy" and (surrogate.standard_error**2).sum() > (plain.standard_error**2).sum():
        return False
    return not plain.held_out <= surrogate.held_out  # NaN: too few pairs to say, and the process still has a prior
