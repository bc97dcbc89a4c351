"""Many penalised linear classifiers on the same features at once: one matrix product serves all of them.

A probe sweep fits, at each place, the same classifier for several splits, control labels and penalties. Their features
are the same, so their logits come from one product and their gradients from another; each problem has its own rows,
labels, standardisation, penalty, line search and end.

Source of the method: Liu, Nocedal (1989), "On the Limited Memory BFGS Method for Large Scale Optimization".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Floats

Loss = Literal["logistic", "squared-hinge"]
Objective: TypeAlias = Callable[[Floats, Array], tuple[Floats, Floats]]
"""Parameters (problem, number) and the problems' places -> values (problem,) and gradients (problem, number)."""

MEMORY = 10
SUFFICIENT = 1e-4  # Armijo's constant
HALVINGS = 25


@dataclass(frozen=True, eq=False)
class Stack:
    """Problems on shared features.

    Attributes
    ----------
    features : float32 (sample, width).
    labels : int (problem, sample), classes from 0.
    train : bool (problem, sample).
    penalties : (problem,), the factor of half the squared length of the weights; losses are summed over samples.
    classes : number of classes; two have one weight vector, more have one each.
    standardise : whether features have mean 0 and deviation 1 on each problem's training rows.
    """

    features: Floats
    labels: Array
    train: Array
    penalties: Floats
    classes: int
    standardise: bool = True
    loss: Loss = "logistic"

    @property
    def columns(self) -> int:
        """Weight vectors of one problem."""
        return 1 if self.classes == 2 else self.classes

    def scaling(self) -> tuple[Floats, Floats]:
        """Means and deviations (problem, width) of the training rows; 0 and 1 without standardisation."""
        shape = (len(self.train), self.features.shape[1])
        if not self.standardise:
            return np.zeros(shape, dtype=np.float32), np.ones(shape, dtype=np.float32)
        share = self.train / self.train.sum(axis=1, keepdims=True)
        centre = self.features.mean(axis=0, dtype=np.float64)
        centred = (self.features - centre).astype(np.float32)  # or squares of large means would swallow the deviations
        mean = share @ centred
        deviation = np.sqrt(np.maximum(share @ centred**2 - mean**2, 0.0))
        smallest = 1e-6 * np.maximum(np.abs(centre), 1e-12)
        deviation = np.where(deviation > smallest, deviation, 1.0)  # a constant feature tells nothing
        return (centre + mean).astype(np.float32), deviation.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Solved:
    """Weights (problem, column, width) and intercepts (problem, column) of the raw features, and how they were found.

    Attributes
    ----------
    converged : (problem,), whether the gradient of the mean loss is below the tolerance.
    steps : steps of the slowest problem.
    """

    weights: Floats
    intercepts: Floats
    converged: Array
    steps: int


def solve(stack: Stack, tolerance: float = 1e-4, most: int = 2000) -> Solved:
    """Minimise all problems of a stack.

    Parameters
    ----------
    tolerance : largest entry of the gradient of the mean loss at the end (scikit-learn's rule for lbfgs).
    most : most steps.
    """
    mean, scale = stack.scaling()
    shift = stack.features.mean(axis=0) if stack.standardise else np.zeros(stack.features.shape[1], dtype=np.float32)
    features = np.ascontiguousarray(stack.features - shift, dtype=np.float32)
    mean = mean - shift
    count, width, columns = len(stack.labels), features.shape[1], stack.columns
    totals = stack.train.sum(axis=1)
    rows = np.ascontiguousarray((stack.train / totals[:, None]).T, dtype=np.float32)  # (sample, problem)
    signs = _targets(stack)
    ridge = (stack.penalties / totals).astype(np.float32)

    def objective(parameters: Floats, which: Array) -> tuple[Floats, Floats]:
        each = parameters.reshape(len(which), columns, width + 1)
        raw = each[..., :width] / scale[which][:, None]
        offsets = each[..., width] - np.einsum("kcd,kd->kc", raw, mean[which])
        logits = (features @ raw.reshape(-1, width).T).reshape(len(features), len(which), columns) + offsets
        losses, slopes = _loss(stack.loss, logits, signs[:, which])
        weight = rows[:, which]
        values = np.einsum("nk,nk->k", losses, weight, dtype=np.float64)
        slopes *= weight[..., None]
        sums = slopes.sum(axis=0)
        back = (slopes.reshape(len(features), -1).T @ features).reshape(len(which), columns, width)
        back = (back - sums[..., None] * mean[which][:, None]) / scale[which][:, None]
        gradient = np.concatenate([back + ridge[which, None, None] * each[..., :width], sums[..., None]], axis=-1)
        values += 0.5 * ridge[which] * np.square(each[..., :width], dtype=np.float64).sum(axis=(1, 2))
        return values, gradient.reshape(len(which), -1)

    found, converged, steps = minimise(objective, np.zeros((count, columns * (width + 1)), np.float32), tolerance, most)
    each = found.reshape(count, columns, width + 1)
    weights = each[..., :width] / scale[:, None]
    intercepts = each[..., width] - np.einsum("kcd,kd->kc", weights, mean + shift, dtype=np.float64)
    return Solved(weights, intercepts.astype(np.float32), converged, steps)


def minimise(objective: Objective, start: Floats, tolerance: float, most: int) -> tuple[Floats, Array, int]:
    """L-BFGS on many problems side by side; those that have converged drop out.

    Returns
    -------
    parameters (problem, number), which have converged, and the number of steps.
    """
    points = start.copy()
    active = np.arange(len(start))
    values, gradients = objective(points, active)
    done = np.abs(gradients).max(axis=1) <= tolerance
    active = np.flatnonzero(~done)
    history: list[tuple[Floats, Floats, Floats]] = []  # differences of points and gradients, and 1 / their product
    values, gradients = values[active], gradients[active]
    steps = 0
    while len(active) and steps < most:
        steps += 1
        direction = _direction(gradients, history)
        slope = np.einsum("kp,kp->k", direction, gradients, dtype=np.float64)
        if not history:
            direction /= np.maximum(1.0, np.linalg.norm(gradients, axis=1))[:, None]
            slope = np.einsum("kp,kp->k", direction, gradients, dtype=np.float64)
        here = points[active]
        there, new_values, new_gradients, moved = _search(objective, active, here, values, direction, slope)
        difference, change = there - here, new_gradients - gradients
        product = np.einsum("kp,kp->k", difference, change, dtype=np.float64)
        square = np.einsum("kp,kp->k", change, change, dtype=np.float64)
        inverse = np.where(product > 1e-10 * square, 1.0 / np.where(product == 0, 1.0, product), 0.0)
        history = [*history[-MEMORY + 1 :], (difference, change, inverse.astype(np.float32))]
        points[active], values, gradients = there, new_values, new_gradients
        small = np.abs(gradients).max(axis=1) <= tolerance
        done[active[small]] = True
        keep = ~small & moved
        if not keep.all():
            active, values, gradients = active[keep], values[keep], gradients[keep]
            history = [(a[keep], b[keep], c[keep]) for a, b, c in history]
    return points, done, steps


def _direction(gradients: Floats, history: list[tuple[Floats, Floats, Floats]]) -> Floats:
    """The two loops of L-BFGS, for each problem by itself."""
    left = -gradients
    factors = []
    for difference, change, inverse in reversed(history):
        factor = inverse * np.einsum("kp,kp->k", difference, left)
        left = left - factor[:, None] * change
        factors.append(factor)
    if history:
        difference, change, inverse = history[-1]
        square = np.einsum("kp,kp->k", change, change)
        known = inverse > 0
        left = left * np.where(known, 1 / np.where(known, inverse * square, 1.0), 1.0).astype(np.float32)[:, None]
    for (difference, change, inverse), factor in zip(history, reversed(factors), strict=True):
        back = inverse * np.einsum("kp,kp->k", change, left)
        left = left + (factor - back)[:, None] * difference
    return left


def _search(
    objective: Objective, active: Array, here: Floats, values: Floats, direction: Floats, slope: Floats
) -> tuple[Floats, Floats, Floats, Array]:
    """Halve each problem's step until its value has fallen enough; those that cannot fall stay where they are."""
    step = np.ones(len(active), dtype=np.float32)
    there = here + direction
    new_values, new_gradients = objective(there, active)
    rounding = 1e-6 * np.abs(values)  # single precision: near the end a fall can be below what is seen
    for _ in range(HALVINGS):
        open_ = np.flatnonzero(~(new_values <= values + SUFFICIENT * step * slope + rounding))
        if not len(open_):
            break
        step[open_] *= 0.5
        there[open_] = here[open_] + step[open_, None] * direction[open_]
        new_values[open_], new_gradients[open_] = objective(there[open_], active[open_])
    failed = ~(new_values <= values + rounding)
    if failed.any():
        there[failed] = here[failed]
        new_values[failed], new_gradients[failed] = objective(here[failed], active[failed])
    return there, new_values, new_gradients, ~failed


def _targets(stack: Stack) -> Floats:
    """What the losses compare with (sample, problem, column): 0 and 1, or -1 and 1 for the hinge."""
    if stack.columns == 1:
        found = (stack.labels == 1).T[..., None].astype(np.float32)
    else:
        found = (stack.labels.T[..., None] == np.arange(stack.classes)).astype(np.float32)
    return 2 * found - 1 if stack.loss == "squared-hinge" else found


def _loss(loss: Loss, logits: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Losses (sample, problem) and their slopes in the logits (sample, problem, column)."""
    if loss == "squared-hinge":
        margin = np.maximum(1 - targets * logits, 0)
        return (margin**2).sum(axis=-1), -2 * targets * margin
    if logits.shape[-1] == 1:
        small = np.exp(-np.abs(logits))
        losses = np.maximum(logits, 0) - targets * logits + np.log1p(small)
        positive = np.where(logits >= 0, 1.0, small) / (1 + small)
        return losses[..., 0], positive - targets
    largest = logits.max(axis=-1, keepdims=True)
    powers = np.exp(logits - largest)
    total = powers.sum(axis=-1, keepdims=True)
    losses = (np.log(total) + largest)[..., 0] - (targets * logits).sum(axis=-1)
    return losses, powers / total - targets
