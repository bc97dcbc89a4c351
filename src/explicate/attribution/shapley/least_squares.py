"""Shapley and Banzhaf values as weighted regressions on coalitions: KernelSHAP on complement pairs.

With pairs, v(S) and v(not S) enter the regression as their half difference o(S) alone, and with s = 2 z - 1 the model
is o = s . phi / 2: half the rows, and no intercept. Sources: Lundberg, Lee (2017), theorem 2;
Covert, Lee (2021); for Banzhaf values, with equal weights, Hammer, Holzman (1992), "Approximations of Pseudo-Boolean
Functions", section 4.
"""

from __future__ import annotations

import numpy as np

from explicate.attribution.least_squares import fit_linear
from explicate.attribution.shapley.estimates import Estimate
from explicate.attribution.shapley.sampling import Pairs, pair_count
from explicate.core.capabilities import Floats


def estimate_by_least_squares(pairs: Pairs, odd: Floats, total: float) -> Estimate:
    """Weighted least squares.

    Parameters
    ----------
    pairs : the coalitions tried. odd : (pair,), half of v(S) - v(not S).
    total : v(everybody) - v(nobody). Shapley values add up to it; to Banzhaf values it is one more pair.

    Notes
    -----
    The standard error linearises the regression around its solution, with the pairs as a sample without replacement
    from each size: sizes that were enumerated add nothing, so it is 0 when all coalitions were tried. Too few pairs to
    determine the values give the smallest values that fit, and the largest half difference as their standard error.
    """
    players = pairs.masks.shape[1]
    if pairs.index == "banzhaf":
        pairs, odd = _with_ends(pairs), np.append(odd, total / 2)
    design = np.where(pairs.masks, 0.5, -0.5)
    bound = pairs.index == "shapley"
    moves = design - design.mean(axis=1, keepdims=True) if bound else design  # those that keep the total
    if len(pairs) < players - bound:
        start = np.full(players, total / players if bound else 0.0)
        root = np.sqrt(pairs.weight)
        shift = np.linalg.lstsq(moves * root[:, None], (odd - design @ start) * root, rcond=None)[0]
        values = start + shift - (shift.mean() if bound else 0.0)
        return Estimate(values, np.full(players, float(np.abs(odd).max())), float("nan"), "least-squares")
    if bound:
        fit = fit_linear(design, odd, pairs.weight, intercept=False, total=total)
    else:
        fit = fit_linear(design, odd, pairs.weight, intercept=False)
    weighted = moves * pairs.weight[:, None]
    inverse = np.linalg.pinv(weighted.T @ moves, hermitian=True)
    reach = weighted @ inverse
    leverage = (reach * moves).sum(axis=1)
    influence = reach * fit.residuals[:, None]
    spread = np.zeros(players)
    for size in np.unique(pairs.size):
        rows = pairs.size == size
        count, share = int(rows.sum()), float(pairs.share[rows][0])
        if share < 1:
            # dividing by 1 - leverage undoes the part by which a pair bends the fit towards itself
            pulled = influence[rows] / np.maximum(1 - leverage[rows], 1 / count)[:, None]
            spread += (1 - share) * ((pulled - pulled.mean(axis=0)) ** 2).sum(axis=0) * count / max(count - 1, 1)
    loose = leverage < 1 - 1e-9
    left_out = (fit.residuals[loose] / (1 - leverage[loose])) ** 2
    held_out = float(np.average(left_out, weights=pairs.weight[loose])) if loose.any() else float("nan")
    return Estimate(fit.weights, np.sqrt(spread), held_out, "least-squares")


def _with_ends(pairs: Pairs) -> Pairs:
    """The pair of everybody and nobody added, which is the only one of its size."""
    players = pairs.masks.shape[1]
    return Pairs(
        np.concatenate([pairs.masks, np.ones((1, players), dtype=bool)]),
        np.append(pairs.size, players),
        np.append(pairs.share, 1.0),
        np.append(pairs.weight, 1 / pair_count(players)),
        pairs.index,
    )
