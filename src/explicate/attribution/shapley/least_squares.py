"""Shapley values as a weighted regression on coalitions: KernelSHAP on complement pairs.

With pairs, v(S) and v(not S) enter the regression as their half difference o(S) alone, and with s = 2 z - 1 the model
is o = s . phi / 2: half the rows, and no intercept. Source: Lundberg, Lee (2017), theorem 2; Covert, Lee (2021).
"""

from __future__ import annotations

import numpy as np

from explicate.attribution.least_squares import fit_linear
from explicate.attribution.shapley.estimates import Estimate
from explicate.attribution.shapley.sampling import Pairs
from explicate.core.capabilities import Floats


def estimate_by_least_squares(pairs: Pairs, odd: Floats, total: float) -> Estimate:
    """Constrained weighted least squares.

    Parameters
    ----------
    pairs : the coalitions tried. odd : (pair,), half of v(S) - v(not S). total : v(everybody) - v(nobody).

    Notes
    -----
    The standard error linearises the regression around its solution, with the pairs as a sample without replacement
    from each size: sizes that were enumerated add nothing, so it is 0 when all coalitions were tried.
    """
    players = pairs.masks.shape[1]
    if len(pairs) < players - 1:  # the constraint gives one equation; ask for the smallest values that fit
        design = _signs(pairs) / 2
        start = np.full(players, total / players)
        root = np.sqrt(pairs.weight)
        shift = np.linalg.lstsq((design - design.mean(axis=1, keepdims=True)) * root[:, None],
                                (odd - design @ start) * root, rcond=None)[0]  # fmt: skip
        values = start + shift - shift.mean()
        return Estimate(values, np.full(players, float(np.abs(odd).max())), float("nan"), "least-squares")
    design = _signs(pairs) / 2
    fit = fit_linear(design, odd, pairs.weight, intercept=False, total=total)
    centred = design - design.mean(axis=1, keepdims=True)  # moves that keep the total
    inverse = np.linalg.pinv((centred * pairs.weight[:, None]).T @ centred)
    influence = (centred * (pairs.weight * fit.residuals)[:, None]) @ inverse
    leverage = np.einsum("ij,jk,ik->i", centred, inverse, centred) * pairs.weight
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


def _signs(pairs: Pairs) -> Floats:
    return np.where(pairs.masks, 1.0, -1.0)
