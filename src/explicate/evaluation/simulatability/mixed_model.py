"""A logistic model with one random intercept for methods, for thousands of resamples at once.

It is fitted here and not by statsmodels, whose mixed logistic model has priors and takes a second for each data set:
there is no other term in it, so each method counts by its number of right answers, and the likelihood is a product of
one-dimensional integrals, taken by Gauss-Hermite quadrature about the peak of each (adaptive quadrature: with many
answers of a method the peak is narrower than the gaps between nodes that are laid out for the prior).

Source: Hase and Bansal (2020), arXiv 2005.01831, appendix; Bates et al. (2015), "Fitting Linear Mixed-Effects Models
Using lme4", for what a singular fit is.
"""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Floats

NODES = 5  # of the quadrature
PEAK_STEPS = 4  # to the peak of an integrand, about which the nodes are laid; near it is enough
SINGULAR = 1e-3  # a standard deviation of intercepts below this is none
STEPS = 40  # of a fit at most


def method_accuracies(right: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Accuracy of each method from a logistic model with a random intercept for methods, for many data sets at once.

    Parameters
    ----------
    right, total : (data set, method), right answers and answers; resamples may give them as weights.

    Returns
    -------
    (data set, method): the accuracy at each method's most likely intercept, and (data set,) the intercepts' standard
    deviation by maximum likelihood. Where it is 0 all methods have the pooled accuracy.
    """
    right, total = np.asarray(right, dtype=float), np.asarray(total, dtype=float)
    if right.shape[1] < 2:
        return right / total, np.ones(len(right))
    pooled = np.clip(right.sum(axis=1) / total.sum(axis=1), 1e-6, 1 - 1e-6)
    start = np.log(pooled / (1 - pooled))
    mean, spread = _maximum(right, total, start)
    return _modes(right, total, mean, spread), spread


def _maximum(right: Floats, total: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the intercepts that make the data likeliest: a grid of spreads, refined twice."""
    grid = np.concatenate([[0.0], np.geomspace(0.02, 3.0, 14)])
    spread = np.repeat(grid[None], len(start), axis=0)
    for _ in range(3):
        means = np.repeat(start[:, None], spread.shape[1], axis=1)
        value = np.empty(spread.shape)
        for column in range(spread.shape[1]):
            means[:, column], value[:, column] = _best_mean(right, total, start, spread[:, column])
        best = value.argmax(axis=1)
        rows = np.arange(len(start))
        below = spread[rows, np.maximum(best - 1, 0)]
        above = spread[rows, np.minimum(best + 1, spread.shape[1] - 1)]
        chosen = spread[rows, best], means[rows, best]
        spread = below[:, None] + (above - below)[:, None] * np.linspace(0, 1, 7)
    return chosen[1], chosen[0]


def _best_mean(right: Floats, total: Floats, start: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """The likeliest mean for a spread, by Newton's method on the integrated likelihood, and its log-likelihood."""
    nodes, weights = _quadrature()
    mean = start.copy()
    for _ in range(6):
        value, slope, bend = _integrated(right, total, mean, spread, nodes, weights)
        mean = mean + np.clip(slope / np.maximum(bend, 1e-9), -1.0, 1.0)
    value, _, _ = _integrated(right, total, mean, spread, nodes, weights)
    return mean, value


def _integrated(
    right: Floats, total: Floats, mean: Floats, spread: Floats, nodes: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Log-likelihood of the mean, its slope and (approximate, positive) bend: each (data set,)."""
    centre, width = _peaks(right, total, mean, spread)
    deviation = centre[:, :, None] + width[:, :, None] * nodes  # (data set, method, node), in units of the spread
    logit = mean[:, None, None] + spread[:, None, None] * deviation
    log_wrong = -np.logaddexp(0.0, logit)
    each = right[:, :, None] * logit + total[:, :, None] * log_wrong + (nodes**2 - deviation**2) / 2
    top = each.max(axis=2, keepdims=True)
    share = np.exp(each - top) * weights
    mass = share.sum(axis=2)
    value = (np.log(mass * width) + top[:, :, 0]).sum(axis=1)
    wrong = np.exp(log_wrong)
    gap = right[:, :, None] - total[:, :, None] * (1 - wrong)
    share /= mass[:, :, None]
    slope = (share * gap).sum(axis=2)
    bend = (share * (total[:, :, None] * wrong * (1 - wrong) - gap**2)).sum(axis=2) + slope**2
    return value, slope.sum(axis=1), np.maximum(bend.sum(axis=1), 1e-3)


def _peaks(right: Floats, total: Floats, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """About where each method's integrand is largest, and how wide it is there, in units of the spread."""
    centre = np.zeros(right.shape)
    scale = spread[:, None]
    for _ in range(PEAK_STEPS):
        chance = 1 / (1 + np.exp(-mean[:, None] - scale * centre))
        bend = 1 + scale**2 * total * chance * (1 - chance)
        centre += np.clip((scale * (right - total * chance) - centre) / bend, -2.0, 2.0)
    return centre, 1 / np.sqrt(bend)


def _modes(right: Floats, total: Floats, mean: Floats, spread: Floats) -> Floats:
    """Accuracy at each method's most likely intercept, given mean and spread: Newton's method on a concave function."""
    tight = spread < SINGULAR
    precision = 1 / np.maximum(spread, SINGULAR)[:, None] ** 2
    own = np.repeat(mean[:, None], right.shape[1], axis=1)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-own))
        slope = right - total * chance - precision * (own - mean[:, None])
        step = slope / (total * chance * (1 - chance) + precision)
        own += np.clip(step, -1.0, 1.0)
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    own[tight] = mean[tight][:, None]
    return np.asarray(1 / (1 + np.exp(-own)))


def _quadrature() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()
