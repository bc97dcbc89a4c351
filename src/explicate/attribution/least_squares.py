"""Weighted least squares in closed form: the solver of LIME, KernelSHAP, C-LIME and occlusion.

Source: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254; Lundberg, Lee (2017), theorem 2, for the constrained form.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError


class LinearFit(NamedTuple):
    """Weights (feature,), intercept, and the residuals (row,) of a fit."""

    weights: Floats
    intercept: float
    residuals: Floats


def fit_linear(
    design: Array,
    values: Array,
    weights: Array | None = None,
    *,
    intercept: bool = True,
    ridge: float = 0.0,
    total: float | None = None,
) -> LinearFit:
    """Minimise sum_i w_i (values_i - intercept - design_i . b)^2 + ridge |b|^2.

    Parameters
    ----------
    design : (row, feature). values, weights : (row,).
    intercept : fit a constant, which the ridge leaves alone; False fixes it at 0.
    total : demand sum(b) = total (the efficiency constraint of Shapley values); then the intercept must be False.

    Raises
    ------
    InputError : fewer rows than unknowns without a ridge, negative weights, or shapes that do not match.

    Notes
    -----
    Columns that never vary are not identifiable; they get the smallest weights that fit, which is 0 for a constant 0.
    """
    design = np.asarray(design, dtype=float)
    values = np.asarray(values, dtype=float)
    rows, features = design.shape
    if values.shape != (rows,):
        raise InputError(f"{rows} rows but values of shape {values.shape}")
    root = np.ones(rows) if weights is None else np.sqrt(_nonnegative(weights, rows))
    unknowns = features + intercept - (total is not None)
    if rows < unknowns and ridge == 0:
        raise InputError(f"{rows} samples cannot determine {unknowns} parameters; take more samples or ask for a ridge")
    if total is not None:
        if intercept:
            raise InputError("a fixed total and an intercept exclude each other")
        return _constrained(design, values, root, ridge, total)
    centre_x, centre_y = np.zeros(features), 0.0
    if intercept:  # centring by weighted means gives the same fit and keeps the ridge off the intercept
        share = root**2 / (root**2).sum()
        centre_x, centre_y = share @ design, float(share @ values)
    found = _solve((design - centre_x) * root[:, None], (values - centre_y) * root, ridge)
    constant = float(centre_y - centre_x @ found) if intercept else 0.0
    return LinearFit(found, constant, values - constant - design @ found)


class LinearFits(NamedTuple):
    """Weights (fit, feature), intercepts (fit,), the weights' standard errors (fit, feature) and R squared (fit,)."""

    weights: Floats
    intercepts: Floats
    standard_errors: Floats
    determination: Floats


def fit_linear_each(design: Array, values: Array, weights: Array, *, ridge: float = 0.0) -> LinearFits:
    """Many weighted fits with an intercept at once: `fit_linear` for each first index.

    Parameters
    ----------
    design : (fit, row, feature). values, weights : (fit, row).
    ridge : on the weights; the intercept is left alone.

    Returns
    -------
    LinearFits : the standard errors are White's (1980), which hold also where the function is not linear; R squared is
        weighted, and 0 where the values do not vary.

    Raises
    ------
    InputError : shapes that do not match, negative weights, or a system without a single solution and no ridge.
    """
    if design.ndim != 3 or values.shape != design.shape[:2] or weights.shape != values.shape:
        raise InputError(f"design {design.shape}, values {values.shape} and weights {weights.shape} do not match")
    total = weights.sum(axis=1)
    if not np.isfinite(weights).all() or (weights < 0).any() or not (total > 0).all():
        raise InputError("weights must be finite, none negative, and not all 0 in any fit")
    share = weights / total[:, None]
    centre_x = np.matmul(share[:, None], design)
    centre_y = (share * values).sum(axis=1)
    x, y = design - centre_x, values - centre_y[:, None]
    weighted = (x * weights[:, :, None]).transpose(0, 2, 1)
    gram = np.matmul(weighted, x) + ridge * np.eye(design.shape[2])
    try:
        inverse = np.linalg.inv(gram)
    except np.linalg.LinAlgError as error:
        raise InputError("a column that never varies, or too few samples: the fit needs a ridge") from error
    found = np.matmul(inverse, np.matmul(weighted, y[:, :, None]))[:, :, 0]
    residuals = y - np.matmul(x, found[:, :, None])[:, :, 0]
    bread = np.matmul(inverse, weighted * residuals[:, None])
    spread, left = (weights * y**2).sum(axis=1), (weights * residuals**2).sum(axis=1)
    determination = np.where(spread > 0, 1.0 - left / np.where(spread > 0, spread, 1.0), 0.0)
    intercepts = centre_y - (centre_x[:, 0] * found).sum(axis=1)
    return LinearFits(found, intercepts, np.sqrt((bread**2).sum(axis=2)), determination)


def _constrained(design: Array, values: Array, root: Array, ridge: float, total: float) -> LinearFit:
    """Eliminate the last unknown: b_last = total - sum of the others."""
    reduced = design[:, :-1] - design[:, -1:]
    shifted = values - total * design[:, -1]
    if ridge:
        raise InputError("a fixed total and a ridge exclude each other")
    head = _solve(reduced * root[:, None], shifted * root, 0.0)
    found = np.append(head, total - head.sum())
    return LinearFit(found, 0.0, values - design @ found)


def _solve(design: Array, values: Array, ridge: float) -> Floats:
    if ridge:
        features = design.shape[1]
        return np.asarray(np.linalg.solve(design.T @ design + ridge * np.eye(features), design.T @ values))
    return np.asarray(np.linalg.lstsq(design, values, rcond=None)[0])


def _nonnegative(weights: Array, rows: int) -> Floats:
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (rows,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise InputError(f"weights must be {rows} finite numbers, none negative and not all 0")
    return weights
