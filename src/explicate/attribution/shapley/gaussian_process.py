"""Shapley values from a Gaussian process over coalitions.

The half difference o(S) = (v(S) - v(not S)) / 2 is an odd function of s = 2 z - 1 in {-1, 1}^n. Its prior is the odd
part of the product kernel prod_j (1 + rho_j s_j s'_j), which weighs an interaction of the players T by prod_{j in T}
rho_j, plus a part that is independent for each pair of coalitions: what no smooth function says, such as the jump of a
vote. With a_j = atanh(rho_j) the first is, up to a constant, sinh(sum_j a_j s_j s'_j): one matrix product. The a_j and
the independent part's share come from the marginal likelihood. Shapley values are a linear functional of the game, so
those of the posterior mean, and their posterior variance, follow in closed form: integrals over [-1, 1] (the
multilinear extension, Owen 1972) that Gauss-Legendre nodes give, and Shapley's own weights for the independent part.
Banzhaf values are the multilinear extension's slope in the middle, so they need the one node 0.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize
from scipy.special import gammaln
from threadpoolctl import ThreadpoolController

from explicate.attribution.shapley.estimates import Estimate, Index
from explicate.attribution.shapley.sampling import Pairs
from explicate.core.capabilities import Array, Floats

LARGEST = 2048  # pairs; beyond, the cube of their number costs more than it gains
FITTED = 80  # pairs that the kernel's parameters are fitted to
STARTS = (0.05, 0.2, 0.8)  # common rates tried first, over the root of the number of players
STEPS = 10  # of the optimiser; more change the errors little
SPREAD = 0.5  # prior standard deviation of log a_j around their mean; wider ones take few votes for a dictatorship
NODES = 64  # of the integral; exact up to 127 players, and what is left beyond is under rounding
INDEPENDENT = (1e-9, 1.0)  # range of the independent part's variance over the smooth part's


class Kernel(NamedTuple):
    """Covariance of half differences: the smooth part has variance 1.

    Attributes
    ----------
    rates : (player,), a_j.
    independent : variance of the part that is independent for each pair.
    """

    rates: Floats
    independent: float

    def smooth(self, one: Floats, other: Floats) -> Floats:
        """Covariances of the smooth part, (row of one, row of other), for signs (row, player)."""
        inner, top = (one * self.rates) @ other.T, self.rates.sum()
        return np.asarray((np.exp(inner - top) - np.exp(-inner - top)) / -np.expm1(-2 * top))


class _Posterior(NamedTuple):
    factor: Floats
    weights: Floats
    scale: float


def estimate_by_gaussian_process(pairs: Pairs, odd: Floats, total: float, rng: np.random.Generator) -> Estimate | None:
    """Posterior mean of the values and its standard deviation, or None where the process cannot be fitted.

    Parameters
    ----------
    pairs : the coalitions tried. odd : (pair,), half of v(S) - v(not S). total : v(everybody) - v(nobody).

    Notes
    -----
    The pair of nobody and everybody is an observation like the others, so Shapley values add up to `total`. The
    standard error is the posterior's, scaled so that pairs left out one at a time have standardised errors of mean
    square one, and for the parameters that were fitted to the same pairs, as in a regression.
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
    unit = float(np.abs(observed).max())
    if not unit > 0:
        return Estimate(np.zeros(players), np.zeros(players), 0.0, "gaussian-process")
    observed = observed / unit
    rows = np.arange(len(signs))
    if len(rows) > FITTED:
        rows = np.concatenate([[0], 1 + rng.permutation(len(odd))[: FITTED - 1]])
    kernel = fit_kernel(signs[rows], observed[rows])
    posterior = _condition(kernel.smooth(signs, signs), kernel.independent, observed)
    if posterior is None:
        return None
    reach = functional(signs, kernel, pairs.index)  # (pair, player): covariances of half differences and Shapley values
    values = reach.T @ posterior.weights
    if pairs.index == "shapley":
        values += (total / unit - values.sum()) / players  # what rounding left
    solved = dpotrs(posterior.factor, reach, lower=1)[0]
    variance = (
        np.maximum(prior_variance(kernel, pairs.index) - np.einsum("ij,ij->j", reach, solved), 0.0) * posterior.scale
    )
    diagonal = np.diag(_inverse(posterior.factor))
    left_out = (posterior.weights / diagonal)[1:]
    standardised = left_out * np.sqrt(diagonal[1:] / posterior.scale)
    fitted = len(rows) / max(len(rows) - players - 2, len(rows) / 3)
    variance *= fitted * float((standardised**2).mean())
    held_out = float(np.average(left_out**2, weights=pairs.weight)) * unit**2
    if pairs.exhaustive:
        variance[:] = 0.0
    return Estimate(values * unit, np.sqrt(variance) * unit, held_out, "gaussian-process")


def _inverse(factor: Floats) -> Floats:
    """The inverse from its Cholesky factor, for half of what solving for every unit vector costs."""
    half, _ = dpotri(factor, lower=1)
    found = half + half.T
    found[np.diag_indices_from(found)] /= 2
    return np.asarray(found)


def _condition(smooth: Floats, independent: float, observed: Floats) -> _Posterior | None:
    covariance = smooth.copy()
    diagonal = np.diag_indices_from(covariance)
    for _ in range(4):
        covariance[diagonal] = smooth[diagonal] + independent
        factor, failed = dpotrf(covariance, lower=1, clean=1)
        if not failed:
            weights = dpotrs(factor, observed, lower=1)[0]
            return _Posterior(factor, weights, float(observed @ weights) / len(observed))
        independent *= 100
    return None


def fit_kernel(signs: Floats, observed: Floats) -> Kernel:
    """The kernel of highest marginal likelihood, amplitude integrated out, log a_j held together by a prior.

    Parameters
    ----------
    signs : (pair, player), 1 and -1. observed : (pair,), half differences.
    """
    count, players = signs.shape

    def cost(logs: Floats, slope: bool = True) -> tuple[float, Floats]:
        rates, independent = np.exp(logs[:-1]), float(np.exp(logs[-1]))
        top = rates.sum()
        rising = np.exp((signs * rates) @ signs.T - top)
        falling = np.exp(-2 * top) / rising
        below = -np.expm1(-2 * top)
        smooth = (rising - falling) / below  # sinh(inner) / sinh(top), without overflow
        posterior = _condition(smooth, independent, observed)
        if posterior is None or not posterior.scale > 0:
            return 1e10, np.zeros(players + 1)
        logdet = 2 * float(np.log(np.diag(posterior.factor)).sum())
        centred = logs[:-1] - logs[:-1].mean()
        value = 0.5 * (count * np.log(posterior.scale) + logdet) + 0.5 * float(centred @ centred) / SPREAD**2
        if not slope:
            return value, centred
        fitted = posterior.weights / np.sqrt(posterior.scale)
        change = 0.5 * (_inverse(posterior.factor) - np.outer(fitted, fitted))
        level = float(np.vdot(change, smooth)) / np.tanh(top)
        rise = change * ((rising + falling) / below)
        by_rates = ((signs * (rise @ signs)).sum(axis=0) - level) * rates + centred / SPREAD**2
        return value, np.append(by_rates, np.trace(change) * independent)

    bounds = [(np.log(1e-4), np.log(3.0 / np.sqrt(players)))] * players + [tuple(np.log(INDEPENDENT))]
    starts = [
        np.append(np.full(players, np.log(rate / np.sqrt(players))), np.log(share))
        for rate in STARTS
        for share in (1e-6, 1e-2)
    ]
    start = min(starts, key=lambda logs: cost(logs, slope=False)[0])
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS})
    return Kernel(np.exp(found.x[:-1]), float(np.exp(found.x[-1])))


def _nodes(players: int, index: Index) -> tuple[Floats, Floats]:
    """Nodes on [-1, 1] and weights adding up to 1; exact for polynomials of degree players - 1 up to `NODES`."""
    if index == "banzhaf":
        return np.zeros(1), np.ones(1)
    places, weights = np.polynomial.legendre.leggauss(min(players // 2 + 1, NODES))
    return places, weights / 2


def functional(signs: Floats, kernel: Kernel, index: Index = "shapley") -> Floats:
    """Covariances (row, player) of the half differences at `signs` (row, player) with the values.

    Of the smooth part: the values of s -> k(s, s'). Of the independent part: phi_i is the sum over the pairs of
    c_i(S) o(S), for Shapley values c_i(S) = 2 / (n binomial(n - 1, |S| - 1)) for the coalition S of the pair with
    player i, for Banzhaf values 2 ** (2 - n).
    """
    rho = np.tanh(kernel.rates)
    steps = signs * rho
    mean = np.zeros_like(steps)
    for place, weight in zip(*_nodes(signs.shape[1], index), strict=True):
        factors = 1 + place * steps
        mean += (weight * factors.prod(axis=1))[:, None] / factors  # the product over the other players
    size = _cosh_over_sinh(kernel.rates)
    return np.asarray(2 * steps * mean * size + kernel.independent * _own_weights(signs, index))


def _cosh_over_sinh(rates: Floats) -> float:
    """prod_j cosh(a_j) / sinh(sum_j a_j), without overflow."""
    return float(2 * np.prod((1 + np.exp(-2 * rates)) / 2) / -np.expm1(-2 * rates.sum()))


def _own_weights(signs: Floats, index: Index) -> Floats:
    players = signs.shape[1]
    if index == "banzhaf":
        return signs * 2.0 ** (2 - players)
    present = (signs > 0).sum(axis=1)[:, None]
    with_player = np.where(signs > 0, present, players - present) - 1  # others in the pair's coalition with the player
    return np.asarray(signs * 2 / players * np.exp(-_log_binomial(players - 1, with_player)))


def _log_binomial(players: int, size: Array) -> Floats:
    return np.asarray(gammaln(players + 1) - gammaln(size + 1) - gammaln(players - size + 1))


def prior_variance(kernel: Kernel, index: Index = "shapley") -> Floats:
    """Variance (player,) of the values before anything is observed."""
    players = len(kernel.rates)
    places, weights = _nodes(players, index)
    rho = np.tanh(kernel.rates)
    factors = 1 + np.outer(places, places)[:, :, None] * rho  # (node, node, player)
    mean = np.einsum("k,l,kl,klp->p", weights, weights, factors.prod(axis=2), 1 / factors)
    size = _cosh_over_sinh(kernel.rates)
    own = 2.0 ** (3 - players)
    if index == "shapley":
        own = 4 / players**2 * float(np.exp(-_log_binomial(players - 1, np.arange(players))).sum())
    return np.asarray(4 * rho * mean * size + kernel.independent * own)
