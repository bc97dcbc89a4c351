"""Fits without iteration: weighted least squares, and the mean of the gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from explicate.attribution.least_squares import fit_linear
from explicate.attribution.lfa.observations import Observations
from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import InputError

TRAINING_SHARE = 0.8
LEAST_FREEDOM = 0.05  # of 1 - leverage: below it a point determines its own residual
LARGEST_NULL_SPACE = 2000  # features up to which it is checked which weights the points determine


class Solution(NamedTuple):
    """Fitted parameters of one surrogate.

    Attributes
    ----------
    weights : (d,). bias : 0 where the surrogate has none. standard_error : (d,), 0 where nothing was sampled, or None.
    training_loss, validation_loss : weighted mean penalties; the latter of a fit to 80 % of the points on the other
        20 % (for a whole neighbourhood the training loss, NaN where there are too few points to leave any out).
    undetermined : (d,), True where other weights would fit the points as well.
    """

    weights: Floats
    bias: float
    standard_error: Floats | None
    training_loss: float
    validation_loss: float
    undetermined: Masks


def split(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows to fit to (80 %) and rows to validate on."""
    order = rng.permutation(n)
    cut = max(1, round(TRAINING_SHARE * n))
    return order[:cut], order[cut:]


def mean_loss(loss: Any, predicted: Array, matched: Array, weights: Array) -> float:
    """Weighted mean penalty; NaN without points."""
    total = float(np.abs(weights).sum())
    return float((np.asarray(loss.penalty(predicted, matched)) * weights).sum() / total) if total else float("nan")


def solve_closed(seen: Observations, loss: Any, surrogate: Any, ridge: float, rng: np.random.Generator) -> Solution:
    """The best linear surrogate for a quadratic loss."""
    if loss.matches == "gradients":
        return _mean_gradient(seen, loss, surrogate, ridge, rng)
    n, d = seen.xi.shape
    if n < surrogate.parameters_for(d) and not ridge:
        raise InputError(
            f"{n} points cannot determine the {surrogate.parameters_for(d)} parameters of the surrogate "
            f"{surrogate.name!r}; raise n, or give a ridge"
        )
    used = np.flatnonzero(seen.moved)
    design = seen.xi[:, used]

    def fitted(rows: Any) -> tuple[Floats, float]:
        found = fit_linear(
            design[rows], seen.matched[rows], seen.weights[rows], intercept=surrogate.has_bias, ridge=ridge
        )
        return found.weights, found.intercept

    coefficients, bias = fitted(slice(None))
    predicted = design @ coefficients + bias
    training_loss = mean_loss(loss, predicted, seen.matched, seen.weights)
    validation_loss = training_loss
    if not seen.whole:
        kept, left = split(n, rng)
        if (len(kept) >= surrogate.parameters_for(len(used)) or ridge) and seen.weights[kept].any():
            part, constant = fitted(kept)
            beside = design[left] @ part + constant
            validation_loss = mean_loss(loss, beside, seen.matched[left], seen.weights[left])
        else:
            validation_loss = float("nan")
    weights, error, undetermined = np.zeros(d), np.zeros(d), ~seen.moved
    weights[used] = coefficients
    if not seen.whole:
        error[used] = _sandwich(design, seen.matched - predicted, seen.weights, surrogate.has_bias, ridge)
    if not ridge and len(used) <= LARGEST_NULL_SPACE:
        undetermined[used] = _null_space(design[seen.weights > 0], surrogate.has_bias)
    return Solution(weights, bias, error, training_loss, validation_loss, undetermined)


def _mean_gradient(seen: Observations, loss: Any, surrogate: Any, ridge: float, rng: np.random.Generator) -> Solution:
    n = len(seen.xi)

    def fitted(rows: Any) -> Floats:
        weights = seen.weights[rows]
        return np.asarray(weights @ seen.matched[rows] / (weights.sum() + ridge))

    found = fitted(slice(None))
    training_loss = mean_loss(loss, found, seen.matched, seen.weights)
    validation_loss = training_loss
    error = np.zeros_like(found)
    if not seen.whole:
        kept, left = split(n, rng)
        enough = seen.weights[kept].any()
        validation_loss = (
            mean_loss(loss, fitted(kept), seen.matched[left], seen.weights[left]) if enough else float("nan")
        )
        deviations = (seen.weights[:, None] * (seen.matched - found)) ** 2
        error = np.sqrt(deviations.sum(axis=0) * n / max(n - 1, 1)) / seen.weights.sum()
    bias = anchored_bias(seen, found) if surrogate.has_bias else 0.0
    return Solution(found, bias, error, training_loss, validation_loss, ~seen.moved)


def anchored_bias(seen: Observations, weights: Floats) -> float:
    """The constant for which a linear surrogate equals the model at x0; gradient matching leaves it open."""
    return seen.start - float(weights @ seen.origin) if seen.origin is not None else seen.start


def _sandwich(design: Array, residuals: Array, weights: Array, bias: bool, ridge: float) -> Floats:
    """Standard errors of weighted least squares that allow for any spread of the residuals.

    Each residual is divided by 1 - leverage, because a few heavy points (the Shapley kernel's) pull the fit to
    themselves. Source: MacKinnon, White (1985), "Some Heteroskedasticity-Consistent Covariance Matrix Estimators", HC3.
    """
    share = weights / weights.sum()
    if bias:
        design = design - share @ design
    gram = (design * weights[:, None]).T @ design + ridge * np.eye(design.shape[1])
    inverse = np.linalg.pinv(gram, hermitian=True)
    leverage = weights * ((design @ inverse) * design).sum(axis=1) + (share if bias else 0.0)
    left_out = weights * residuals / np.maximum(1 - leverage, LEAST_FREEDOM)
    scaled = design * left_out[:, None]
    covariance = inverse @ (scaled.T @ scaled) @ inverse
    return np.sqrt(np.clip(np.diag(covariance), 0.0, None))


def _null_space(design: Array, bias: bool) -> Masks:
    """Which columns take part in a direction that the rows say nothing about."""
    if design.shape[1] == 0:
        return np.zeros(0, dtype=bool)
    centred = design - design.mean(axis=0) if bias else design
    scale = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    free = vectors[:, values <= values.max() * 1e-10 + 1e-300]
    return np.asarray((np.abs(free) > 1e-6).any(axis=1))
