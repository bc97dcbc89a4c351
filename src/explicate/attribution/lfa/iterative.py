"""Fits by iteration: Adam over a small grid of schedules for any loss, Newton's method for quadratic ones.

Source of the grid: the public code of Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.lfa.closed_form import Solution, anchored_bias, mean_loss, split
from explicate.attribution.lfa.observations import Observations
from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError

LARGEST_BATCH = 1 << 24  # numbers of one array of predictions


@dataclass(frozen=True)
class AdamGrid:
    """Adam with a learning rate that falls by `decay` at each milestone; the best of all schedules is kept.

    Parameters
    ----------
    epochs, batch : passes over the training points, and points per step.
    learning_rates, decays, milestones : the grid; milestones are epochs.
    """

    epochs: int = 50
    batch: int = 128
    learning_rates: tuple[float, ...] = (1.0, 0.5)
    decays: tuple[float, ...] = (0.5, 0.1)
    milestones: tuple[tuple[int, ...], ...] = ((30, 40), (40, 45))

    def schedules(self) -> list[list[float]]:
        """Learning rates by epoch, one list per cell of the grid."""
        return [
            [rate * decay ** sum(epoch >= stone for stone in stones) for epoch in range(self.epochs)]
            for rate, decay, stones in itertools.product(self.learning_rates, self.decays, self.milestones)
        ]


def solve_adam(
    batch: Sequence[Observations], loss: Any, surrogate: Any, rng: np.random.Generator, grid: AdamGrid | None = None
) -> list[Solution]:
    """Fit one surrogate per input, all inputs and all schedules at once; they do not influence one another.

    Weights start by Xavier's rule. Those with the lowest loss on the held-out 20 % after any epoch are kept, as copies.
    """
    grid = grid or AdamGrid()
    solutions: list[Solution] = []
    width = batch[0].xi.shape[1] if loss.matches == "gradients" else 1
    step = max(1, LARGEST_BATCH // (len(grid.schedules()) * grid.batch * width))
    for count, group in itertools.groupby(batch, key=lambda seen: len(seen.xi)):
        if count < 5:
            raise InputError(f"{count} points are too few to hold some out for validation; raise n to 5 or more")
        members = list(group)
        for start in range(0, len(members), step):
            solutions += _adam(members[start : start + step], loss, surrogate, rng, grid)
    return solutions


def _adam(
    batch: Sequence[Observations], loss: Any, surrogate: Any, rng: np.random.Generator, grid: AdamGrid
) -> list[Solution]:
    import torch

    moved = torch.as_tensor(np.stack([seen.moved for seen in batch]), dtype=torch.float64)
    xi = torch.as_tensor(np.stack([seen.xi for seen in batch])) * moved[:, None]
    matched = torch.as_tensor(np.stack([seen.matched for seen in batch]))
    weights = torch.as_tensor(np.stack([seen.weights for seen in batch]))
    inputs, n, d = xi.shape
    schedules = grid.schedules()
    limit = np.sqrt(6 / (d + 1))
    start = np.stack([rng.uniform(-limit, limit, (inputs, d)) for _ in schedules])
    slopes = torch.as_tensor(start).requires_grad_()
    biases = torch.zeros(len(schedules), inputs, dtype=torch.float64, requires_grad=surrogate.has_bias)
    trained = [slopes, biases] if surrogate.has_bias else [slopes]
    optimiser = torch.optim.Adam(trained, lr=1.0)

    def losses(rows: Array) -> Any:  # (schedule, input)
        form = torch.einsum("bnd,kbd->kbn", xi[:, rows], slopes * moved) + biases[:, :, None]
        if loss.matches == "gradients":
            first, _ = surrogate.slopes(form)
            predicted = first[..., None] * (slopes * moved)[:, :, None, :]
        else:
            predicted = surrogate.link(form)
        share = weights[:, rows]
        return (loss.penalty(predicted, matched[:, rows]) * share).sum(-1) / share.sum(-1).clamp_min(1e-300)

    kept, left = split(n, rng)
    lowest = torch.full((len(schedules), inputs), torch.inf, dtype=torch.float64)
    best_slopes, best_biases = torch.zeros(len(schedules), inputs, d, dtype=torch.float64), torch.zeros_like(lowest)
    for epoch in range(grid.epochs):
        rates = torch.tensor([schedule[epoch] for schedule in schedules], dtype=torch.float64)
        order = rng.permutation(kept)
        for begin in range(0, len(order), grid.batch):
            before = [part.detach().clone() for part in trained]
            optimiser.zero_grad()
            losses(order[begin : begin + grid.batch]).sum().backward()
            optimiser.step()
            with torch.no_grad():  # Adam's step is the rate times what the gradients alone decide: one rate per row
                for part, old in zip(trained, before, strict=True):
                    part.copy_(torch.lerp(old, part, rates.view(-1, *[1] * (part.ndim - 1))))
        with torch.no_grad():
            held_out = losses(left)
            better = held_out < lowest
            lowest = torch.where(better, held_out, lowest)
            best_slopes = torch.where(better[..., None], slopes * moved, best_slopes)
            best_biases = torch.where(better, biases, best_biases)
    winner = lowest.argmin(dim=0)
    across = torch.arange(inputs)
    found, constants = best_slopes[winner, across].numpy(), best_biases[winner, across].numpy()
    return [
        _solution(seen, loss, surrogate, found[i], float(constants[i]), kept, float(lowest[winner[i], i]))
        for i, seen in enumerate(batch)
    ]


def solve_newton(seen: Observations, loss: Any, surrogate: Any, rng: np.random.Generator) -> Solution:
    """Minimise a quadratic loss by a trust-region Newton method with the Gauss-Newton curvature.

    Exact when the model itself is of the surrogate's form. Several starts, because the loss of a curved link is not
    convex; the best end is taken. Source: Nocedal, Wright (2006), "Numerical Optimization", chapters 4 and 10.
    """
    n = len(seen.xi)
    found = _newton(seen, loss, surrogate, np.arange(n))
    if seen.whole or n < 5:
        return _solution(seen, loss, surrogate, *found, np.arange(n), None)
    kept, left = split(n, rng)
    part, constant = _newton(seen, loss, surrogate, kept, start=found)
    beside = _predicted(seen.xi[left], loss, surrogate, part, constant)
    held_out = mean_loss(loss, beside, seen.matched[left], seen.weights[left])
    return _solution(seen, loss, surrogate, *found, np.arange(n), held_out)


def _newton(
    seen: Observations, loss: Any, surrogate: Any, rows: Array, start: tuple[Floats, float] | None = None
) -> tuple[Floats, float]:
    from scipy.optimize import minimize

    used = np.flatnonzero(seen.moved)
    xi, shares = seen.xi[np.ix_(rows, used)], seen.weights[rows] / seen.weights[rows].sum()
    gradients = loss.matches == "gradients"
    matched = seen.matched[np.ix_(rows, used)] if gradients else seen.matched[rows]
    scale = float((shares * ((matched**2).sum(axis=-1) if gradients else matched**2)).sum()) or 1.0

    def normal(point: Floats) -> tuple[float, Floats, Floats]:
        """Half the weighted sum of squares, its gradient and its Gauss-Newton curvature."""
        weights, bias = point[:-1], point[-1]
        form = xi @ weights + bias
        first, second = surrogate.slopes(form)
        wide = np.column_stack([xi, np.ones(len(xi))])
        if not gradients:
            residual = surrogate.link(form) - matched
            jacobian = first[:, None] * wide
            value = (shares * residual**2).sum() / 2
            slope = jacobian.T @ (shares * residual)
            curve = (jacobian * shares[:, None]).T @ jacobian
        else:
            residual = first[:, None] * weights - matched
            along = residual @ weights
            value = (shares * (residual**2).sum(axis=1)).sum() / 2
            slope = wide.T @ (shares * second * along)
            slope[:-1] += residual.T @ (shares * first)
            curve = (wide * (shares * second**2 * (weights @ weights))[:, None]).T @ wide
            cross = np.outer(weights, wide.T @ (shares * first * second))
            curve[:-1] += cross
            curve[:, :-1] += cross.T
            curve[:-1, :-1] += np.eye(len(weights)) * (shares * first**2).sum()
        if not surrogate.has_bias or (gradients and surrogate.linear):  # absent, or without influence
            slope[-1], curve[-1], curve[:, -1] = 0.0, 0.0, 0.0
            curve[-1, -1] = 1.0
        return value / scale, slope / scale, curve / scale

    starts = (
        [np.append(start[0][used], start[1])] if start else _starts(seen, surrogate, xi, matched, shares, gradients)
    )
    ends = [
        minimize(
            lambda point: normal(point)[:2],
            point,
            jac=True,
            hess=lambda point: normal(point)[2],
            method="trust-exact",
            options={"gtol": 1e-12, "maxiter": 200},
        )
        for point in starts
    ]
    best = min(ends, key=lambda end: end.fun)
    weights = np.zeros(len(seen.moved))
    weights[used] = best.x[:-1]
    return weights, float(best.x[-1])


def _starts(
    seen: Observations, surrogate: Any, xi: Array, matched: Array, shares: Array, gradients: bool
) -> list[Floats]:
    """Where to begin: the link undone where that is possible, and the linear fit at several constants."""
    starts = []
    form = np.asarray(surrogate.inverse_link(np.array([seen.start])), dtype=float)
    constants = [*form[np.isfinite(form)], 0.0, 2.0, -2.0] if surrogate.has_bias else [0.0]
    if not gradients:
        undone = np.clip(np.asarray(surrogate.inverse_link(matched), dtype=float), -30.0, 30.0)
        wide = np.column_stack([xi, np.ones(len(xi))]) if surrogate.has_bias else xi
        root = np.sqrt(shares)
        begun = np.linalg.lstsq(wide * root[:, None], undone * root, rcond=None)[0]
        starts.append(begun if surrogate.has_bias else np.append(begun, 0.0))
    for constant in constants:
        first, _ = surrogate.slopes(np.array([constant]))
        slope = max(float(first[0]), 1e-3)
        direction = shares @ matched / slope if gradients else np.zeros(xi.shape[1])
        offset = 0.0 if seen.origin is None else float(direction @ seen.origin[seen.moved])
        starts.append(np.append(direction, constant - offset if surrogate.has_bias else 0.0))
    return starts


def _predicted(xi: Array, loss: Any, surrogate: Any, weights: Floats, bias: float) -> Floats:
    form = xi @ weights + bias
    if loss.matches == "gradients":
        return np.asarray(surrogate.slopes(form)[0])[:, None] * weights
    return np.asarray(surrogate.link(form))


def _solution(
    seen: Observations,
    loss: Any,
    surrogate: Any,
    weights: Floats,
    bias: float,
    kept: Array,
    held_out: float | None,
) -> Solution:
    predicted = _predicted(seen.xi[kept], loss, surrogate, weights, bias)
    training_loss = mean_loss(loss, predicted, seen.matched[kept], seen.weights[kept])
    if loss.matches == "gradients" and surrogate.linear and surrogate.has_bias:
        bias = anchored_bias(seen, weights)  # the loss does not see it
    return Solution(weights, bias, None, training_loss, training_loss if held_out is None else held_out, ~seen.moved)
