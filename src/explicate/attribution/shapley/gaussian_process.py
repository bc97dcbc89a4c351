"""Shapley values from a Gaussian process over coalitions.

The half difference o(S) = (v(S) - v(not S)) / 2 is an odd function of s = 2 z - 1 in {-1, 1}^n. Its prior is the odd
part of the product kernel prod_j (1 + rho_j s_j s'_j), which weighs an interaction of the players T by prod_{j in T}
rho_j. With a_j = atanh(rho_j) that is, up to a constant, sinh(sum_j a_j s_j s'_j): one matrix product. The a_j come
from the marginal likelihood. Shapley values are a linear functional of the game, so those of the posterior mean, and
their posterior variance, are integrals over [-1, 1] (the multilinear extension, Owen 1972) that Gauss-Legendre nodes
give exactly.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from explicate.attribution.shapley.estimates import Estimate
from explicate.attribution.shapley.sampling import Pairs
from explicate.core.capabilities import Floats

LARGEST = 2048  # pairs; beyond, the cube of their number costs more than it gains
FITTED = 100  # pairs that the kernel's parameters are fitted to
STARTS = (0.05, 0.2, 0.8)  # common rates tried first, over the root of the number of players
STEPS = 15  # of the optimiser; more change the errors little
SPREAD = 1.0  # prior standard deviation of log a_j around their mean
NUGGET = 1e-9  # of the mean variance, for the factorisation alone


class _Posterior(NamedTuple):
    factor: tuple[Floats, bool]
    weights: Floats
    scale: float


def estimate_by_gaussian_process(pairs: Pairs, odd: Floats, total: float, rng: np.random.Generator) -> Estimate | None:
    """Posterior mean of the Shapley values and its standard deviation, or None where the process cannot be fitted.

    Parameters
    ----------
    pairs : the coalitions tried. odd : (pair,), half of v(S) - v(not S). total : v(everybody) - v(nobody).

    Notes
    -----
    The pair of nobody and everybody is an observation like the others, so the values add up to `total`. The standard
    error is the posterior's, scaled so that pairs left out one at a time have standardised errors of mean square one.
    """
    if len(pairs) > LARGEST:
        return None
    with _linear_algebra().limit(limits=1, user_api="blas"):  # threads cost more than they bring on such sizes
        return _estimate(pairs, odd, total, rng)


@functools.cache
def _linear_algebra() -> ThreadpoolController:
    return ThreadpoolController()


def _estimate(pairs: Pairs, odd: Floats, total: float, rng: np.random.Generator) -> Estimate | None:
    players = pairs.masks.shape[1]
    signs = np.concatenate([np.ones((1, players)), np.where(pairs.masks, 1.0, -1.0)])
    observed = np.concatenate([[total / 2], odd])
    if not np.abs(observed).max() > 0:
        return Estimate(np.zeros(players), np.zeros(players), 0.0, "gaussian-process")
    observed = observed / (unit := float(np.abs(observed).max()))
    rows = np.arange(len(signs))
    if len(rows) > FITTED:
        rows = np.concatenate([[0], 1 + rng.permutation(len(odd))[: FITTED - 1]])
    rates = _fit_rates(signs[rows], observed[rows])
    posterior = _condition(_kernel(signs, signs, rates), observed)
    if posterior is None:
        return None
    reach = _functional(signs, rates)  # (pair, player): Shapley values of each kernel function
    values = reach.T @ posterior.weights
    values += (total / unit - values.sum()) / players
    solved = cho_solve(posterior.factor, reach)
    variance = np.maximum(_prior_variance(rates) - np.einsum("ij,ij->j", reach, solved), 0.0) * posterior.scale
    diagonal = np.diag(_inverse(posterior.factor))
    left_out = (posterior.weights / diagonal)[1:]
    standardised = left_out * np.sqrt(diagonal[1:] / posterior.scale)
    variance *= float((standardised**2).mean())
    held_out = float(np.average(left_out**2, weights=pairs.weight)) * unit**2
    if pairs.exhaustive:
        variance[:] = 0.0
    return Estimate(values * unit, np.sqrt(variance) * unit, held_out, "gaussian-process")


def _inverse(factor: tuple[Floats, bool]) -> Floats:
    """The inverse from its Cholesky factor, for half of what solving for every unit vector costs."""
    half, _ = dpotri(factor[0], lower=1)
    return np.asarray(np.tril(half) + np.tril(half, -1).T)


def _kernel(one: Floats, other: Floats, rates: Floats) -> Floats:
    return np.sinh((one * rates) @ other.T)


def _condition(kernel: Floats, observed: Floats) -> _Posterior | None:
    nugget = NUGGET * float(np.trace(kernel)) / len(kernel)
    for _ in range(4):
        try:
            factor = cho_factor(kernel + nugget * np.eye(len(kernel)), lower=True)
        except LinAlgError:
            nugget *= 100
            continue
        weights = cho_solve(factor, observed)
        return _Posterior(factor, weights, float(observed @ weights) / len(observed))
    return None


def _fit_rates(signs: Floats, observed: Floats) -> Floats:
    """The a_j (player,) of highest marginal likelihood, amplitude integrated out, log a_j held together by a prior."""
    players = signs.shape[1]

    def objective(logs: Floats) -> tuple[float, Floats]:
        rates = np.exp(logs)
        inner = (signs * rates) @ signs.T
        kernel = np.sinh(inner)
        posterior = _condition(kernel, observed)
        if posterior is None:
            return 1e10, np.zeros(players)
        count = len(observed)
        logdet = 2 * float(np.log(np.diag(posterior.factor[0])).sum())
        centred = logs - logs.mean()
        value = 0.5 * (count * np.log(posterior.scale) + logdet) + 0.5 * float(centred @ centred) / SPREAD**2
        inverse = _inverse(posterior.factor)
        change = 0.5 * (inverse - np.outer(posterior.weights, posterior.weights) / posterior.scale) * np.cosh(inner)
        gradient = np.einsum("ij,ij->j", signs, change @ signs) * rates + centred / SPREAD**2
        return value, gradient

    bounds = (np.log(1e-4), np.log(3.0 / np.sqrt(players)))
    starts = [np.full(players, np.log(rate / np.sqrt(players))) for rate in STARTS]
    start = min(starts, key=lambda logs: objective(logs)[0])
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=[bounds] * players, options={"maxiter": STEPS}
    )
    return np.exp(found.x)


def _nodes(players: int) -> tuple[Floats, Floats]:
    """Nodes on [-1, 1] and weights adding up to 1; exact for polynomials of degree players - 1."""
    places, weights = np.polynomial.legendre.leggauss(players // 2 + 1)
    return places, weights / 2


def _functional(signs: Floats, rates: Floats) -> Floats:
    """Shapley values of s -> sinh(sum_j a_j s_j s'_j) for each s' (row): (row, player)."""
    places, weights = _nodes(signs.shape[1])
    rho = np.tanh(rates)
    factors = 1 + places[:, None, None] * (signs * rho)[None]  # (node, row, player)
    product = factors.prod(axis=2)
    mean = np.einsum("k,kr,krp->rp", weights, product, 1 / factors)  # the product over the other players
    return np.asarray(2 * signs * rho * mean * np.prod(np.cosh(rates)))


def _prior_variance(rates: Floats) -> Floats:
    """Variance (player,) of the Shapley values under the prior of amplitude 1."""
    places, weights = _nodes(len(rates))
    rho = np.tanh(rates)
    factors = 1 + np.outer(places, places)[:, :, None] * rho  # (node, node, player)
    product = factors.prod(axis=2)
    mean = np.einsum("k,l,kl,klp->p", weights, weights, product, 1 / factors)
    return np.asarray(4 * rho * mean * np.prod(np.cosh(rates)))
