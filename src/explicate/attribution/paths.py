"""Averages of gradients over many points of each sample, streamed: along a path, or over noisy copies.

However many points a sample has, only a block of them is in memory at a time, and each block is full whether it holds
one sample's points or many samples'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError

Gradients = Callable[[Floats, Array], Floats]
"""(points (point, *space), sample of each point (point,)) -> gradients (point, *space)."""
Points = Callable[[Array, Array], Floats]
"""(samples (point,), number of each point within its sample (point,)) -> points (point, *space)."""
RuleName = Literal["midpoint", "trapezoid", "left", "right", "gauss-legendre"]

BLOCK_BYTES = 48 << 20
BLOCK_POINTS = 16_384


class Rule(NamedTuple):
    """A quadrature rule on [0, 1]: positions (point,) and weights (point,) that sum to 1."""

    positions: Floats
    weights: Floats


class Average(NamedTuple):
    """Weighted means (sample, *space) and, where asked for, the spread: the points' standard deviations (n - 1)."""

    mean: Floats
    spread: Floats | None


def quadrature(rule: RuleName, steps: int) -> Rule:
    """The rule's positions and weights.

    "midpoint" has an error of order steps^-2 and never evaluates the ends, "trapezoid" evaluates both of them,
    "gauss-legendre" is exact for polynomials of degree up to 2 steps - 1, "left" and "right" are Riemann sums.
    """
    if steps < 1 or (rule == "trapezoid" and steps < 2):
        raise InputError(f"a {rule} rule of {steps} steps: take {2 if rule == 'trapezoid' else 1} or more")
    even = np.full(steps, 1 / steps)
    if rule == "midpoint":
        return Rule((np.arange(steps) + 0.5) / steps, even)
    if rule == "left":
        return Rule(np.arange(steps) / steps, even)
    if rule == "right":
        return Rule((np.arange(steps) + 1) / steps, even)
    if rule == "trapezoid":
        weights = np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
        return Rule(np.linspace(0, 1, steps), weights)
    if rule == "gauss-legendre":
        positions, weights = np.polynomial.legendre.leggauss(steps)
        return Rule((positions + 1) / 2, weights / 2)
    raise InputError(f"rule {rule!r} is unknown; use midpoint, trapezoid, gauss-legendre, left or right")


def straight_path(start: Floats, end: Floats, positions: Floats) -> Floats:
    """Points start + a (end - start), one per entry: start, end (point, *space), positions (point,)."""
    shape = (len(positions), *[1] * (np.ndim(end) - 1))
    along = np.asarray(positions).reshape(shape).astype(end.dtype)
    return np.asarray(start + along * (end - start))


def average_over_path(gradients: Gradients, start: Floats, end: Floats, rule: Rule) -> Floats:
    """The mean gradient (sample, *space) along the straight path from `start` to `end`, both (sample, *space)."""

    def points(samples: Array, numbers: Array) -> Floats:
        return straight_path(start[samples], end[samples], rule.positions[numbers])

    return average(gradients, points, len(end), rule.weights, end[:1].nbytes).mean


def average(
    gradients: Gradients,
    points: Points,
    samples: int,
    weights: Floats,
    point_bytes: int,
    spread: bool = False,
) -> Average:
    """Average gradients, or anything made of them, over points.

    Parameters
    ----------
    gradients, points : see `Gradients` and `Points`; points are asked for in order, each once, so they may be drawn.
        The gradients may have another shape than the points.
    weights : (number,), of each sample's points, summing to 1.
    point_bytes : size of one point in memory.
    spread : also their standard deviations; the weights must be equal then.
    """
    repeats = len(weights)
    size = _block(point_bytes)
    total: Floats | None = None
    squares: Floats | None = None
    for first in range(0, samples * repeats, size):
        items = np.arange(first, min(first + size, samples * repeats))
        rows, numbers = np.divmod(items, repeats)
        values = np.asarray(gradients(points(rows, numbers), rows))
        if total is None:
            total = np.zeros((samples, *values.shape[1:]))
            squares = np.zeros_like(total) if spread else None
        scale = weights[numbers].reshape(-1, *[1] * (values.ndim - 1))
        if len(np.unique(rows)) > 64:  # many samples of few numbers: one pass over all
            starts = np.flatnonzero(np.diff(rows, prepend=-1))
            total[rows[starts]] += np.add.reduceat(values * scale, starts, axis=0)
            if squares is not None:
                squares[rows[starts]] += np.add.reduceat(np.square(values, dtype=float), starts, axis=0)
            continue
        for row in np.unique(rows):  # few samples of many numbers: no copies
            own = rows == row
            total[row] += np.tensordot(weights[numbers[own]], values[own], axes=1)
            if squares is not None:
                squares[row] += np.einsum("i...,i...->...", values[own], values[own], dtype=float)
    assert total is not None  # there is at least one sample and one point
    if squares is None:
        return Average(total, None)
    if repeats < 2:
        return Average(total, None)
    variance = np.maximum(squares - repeats * total**2, 0) / (repeats - 1)
    return Average(total, np.sqrt(variance))


def _block(point_bytes: int) -> int:
    """Points held at once: a power of two, so that models which cut it into chunks get whole ones."""
    fits = max(1, min(BLOCK_POINTS, BLOCK_BYTES // max(1, point_bytes)))
    return 1 << (fits.bit_length() - 1)
