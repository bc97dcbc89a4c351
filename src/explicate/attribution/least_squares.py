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
