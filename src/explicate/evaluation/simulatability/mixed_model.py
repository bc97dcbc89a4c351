"""A logistic model with one random intercept for methods, for thousands of resamples at once.

It is fitted here and not by statsmodels, whose mixed logistic model has priors and takes a second for each data set:
there is no other term in it, so each method counts by its number of right answers, and the likelihood is a product of
one-dimensional integrals, taken by Gauss-Hermite quadrature around its peak.

Source: Hase and Bansal (2020), arXiv 2005.01831, appendix; Bates et al. (2015), "Fitting Linear Mixed-Effects Models
Using lme4", for what a singular fit is.
"""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Floats

NODES = 7  # of the quadrature
SINGULAR = 1e-3  # a standard deviation of intercepts below this is none
STEPS = 30  # of Newton's method at most
SPREADS = (0.0, *np.geomspace(0.03, 2.5, 8))  # standard deviations tried first
REFINED, ROUNDS = 5, 6  # so many between the best one's neighbours, so many times in all


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
    """Mean and standard deviation of the intercepts that make the data likeliest: a grid of spreads, refined."""
    spread = np.repeat(np.array(SPREADS)[None], len(start), axis=0)
    rows = np.arange(len(start))
    for _ in range(ROUNDS):
        found = [_best_mean(right, total, start, spread[:, column]) for column in range(spread.shape[1])]
        means, values = (np.stack(part, axis=1) for part in zip(*found, strict=True))
        best = values.argmax(axis=1)
        chosen = means[rows, best], spread[rows, best]
        below, above = (np.clip(best + step, 0, spread.shape[1] - 1) for step in (-1, 1))
        low, high = spread[rows, below], spread[rows, above]
        spread = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, REFINED)
    return chosen


def _best_mean(right: Floats, total: Floats, start: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """The likeliest mean for a spread, and its log-likelihood: (data set,) each."""
    mean = start.copy()
    for _ in range(3):
        _, slope, bend = _integrated(right, total, mean, spread)
        mean = mean + np.clip(slope / bend, -1.0, 1.0)
    return mean, _integrated(right, total, mean, spread)[0]


def _integrated(right: Floats, total: Floats, mean: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
    """Log-likelihood of the mean, its slope and about its bend: each (data set,)."""
    own = _intercepts(right, total, mean, spread)
    chance = 1 / (1 + np.exp(-own))
    information = total * chance * (1 - chance)
    none = spread < SINGULAR
    variance = np.maximum(spread, SINGULAR)[:, None] ** 2
    width = 1 / np.sqrt(information + 1 / variance)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    logit = own[:, :, None] + width[:, :, None] * nodes
    likely = right[:, :, None] * logit - total[:, :, None] * np.logaddexp(0.0, logit)
    prior = -0.5 * (logit - mean[:, None, None]) ** 2 / variance[:, :, None]
    each = likely + prior + 0.5 * nodes**2
    top = each.max(axis=2, keepdims=True)
    share = np.exp(each - top) * weights
    mass = share.sum(axis=2)
    norm = 0.5 * np.log(2 * np.pi * variance)
    value = (np.log(mass) + top[:, :, 0] + np.log(width) - norm).sum(axis=1)
    expected = (share * logit).sum(axis=2) / mass
    slope = ((expected - mean[:, None]) / variance).sum(axis=1)
    alone = (right * mean[:, None] - total * np.logaddexp(0.0, mean)[:, None]).sum(axis=1)
    at_mean = 1 / (1 + np.exp(-mean))[:, None]
    slope = np.where(none, (right - total * at_mean).sum(axis=1), slope)
    bend = np.where(none, (total * at_mean * (1 - at_mean)).sum(axis=1), (1 / (variance + 1 / information)).sum(axis=1))
    return np.where(none, alone, value), slope, np.maximum(bend, 1e-9)


def _modes(right: Floats, total: Floats, mean: Floats, spread: Floats) -> Floats:
    """Accuracy at each method's most likely intercept, given mean and spread."""
    own = np.where((spread < SINGULAR)[:, None], mean[:, None], _intercepts(right, total, mean, spread))
    return np.asarray(1 / (1 + np.exp(-own)))


def _intercepts(right: Floats, total: Floats, mean: Floats, spread: Floats) -> Floats:
    """Each method's most likely intercept (data set, method), by Newton's method on a concave function."""
    precision = 1 / np.maximum(spread, SINGULAR)[:, None] ** 2
    own = np.repeat(mean[:, None], right.shape[1], axis=1)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-own))
        slope = right - total * chance - precision * (own - mean[:, None])
        step = slope / (total * chance * (1 - chance) + precision)
        own = own + np.clip(step, -1.0, 1.0)
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    return own
