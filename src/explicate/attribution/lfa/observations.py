"""What is known of a model around one input: the only place where a fit asks the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.lfa.neighborhoods import Perturbed
from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError, first_line

STRAIGHT = 1e-4  # how far x may stray from a straight line in xi, relative to its spread (images are float32)


@dataclass(frozen=True, eq=False)
class ExplainedScore:
    """The score of one target as a function of encoded inputs.

    Attributes
    ----------
    model : offers `Predictor`, and `Differentiable` for gradients. target : int array, () or (2,).
    """

    model: Any
    target: Array

    def values(self, x: Array) -> Floats:
        """Scores (n,) at x (n, *feature), in one call."""
        return np.asarray(self.model.scores(x, self._targets(len(x))), dtype=float)

    def gradients(self, x: Array) -> Floats:
        """Gradients (n, *feature) at x (n, *feature), in one call."""
        return np.asarray(self.model.gradients(x, self._targets(len(x)), x), dtype=float)

    def _targets(self, n: int) -> Array:
        return np.array(np.broadcast_to(self.target, (n, *np.shape(self.target))))  # writable, as torch asks


@dataclass(frozen=True, eq=False)
class Observations:
    """A neighbourhood's points, and what of the model is to be matched there.

    Attributes
    ----------
    x0 : the explained input (*feature). start : the model's score there.
    xi : noise, flattened to (n, d). weights : (n,).
    matched : values or changes (n,), or gradients with respect to the noise (n, d).
    moved : (d,), False where x never left x0: nothing can be learnt of that feature, and its weight is 0.
    derivative, origin : (d,), dx/dxi and the noise that gives x0; None where a user's neighbourhood does not tell.
    whole : the points are the whole neighbourhood, not a sample of it.
    """

    x0: Array
    start: float
    xi: Floats
    weights: Floats
    matched: Floats
    moved: Array
    derivative: Floats | None
    origin: Floats | None
    whole: bool


def observe(
    score: ExplainedScore, x0: Array, neighborhood: Any, loss: Any, n: int, rng: np.random.Generator
) -> Observations:
    """Draw the neighbourhood of `x0` and ask the model there, once."""
    x, xi, weights = checked_sample(neighborhood, x0, n, rng)
    count = len(x)
    points = x.astype(x0.dtype, copy=False)
    derivative, origin = straight_line(neighborhood, x0, x, xi)
    if loss.matches == "gradients":
        if derivative is None:
            raise InputError(
                f"gradient matching needs dx/dxi, which {type(neighborhood).__name__} does not tell and which cannot "
                "be read off its samples; give it a method derivative(x0)"
            )
        start = float(score.values(x0[None])[0])
        matched: Floats = (score.gradients(points) * derivative).reshape(count, -1)
    else:
        answers = score.values(np.concatenate([x0[None], points]))
        start = float(answers[0])
        matched = start - answers[1:] if loss.matches == "change" else answers[1:]
    enumerates = getattr(neighborhood, "enumerates", None)
    return Observations(
        x0=x0,
        start=start,
        xi=np.asarray(xi, dtype=float).reshape(count, -1),
        weights=weights,
        matched=matched,
        moved=(x != x0).reshape(count, -1).any(axis=0),
        derivative=None if derivative is None else derivative.ravel(),
        origin=None if origin is None else origin.ravel(),
        whole=bool(enumerates(x0, n)) if enumerates else False,
    )


def checked_sample(neighborhood: Any, x0: Array, n: int, rng: np.random.Generator) -> Perturbed:
    """A neighbourhood's sample; an `InputError` says what is wrong with one of a user's own."""
    name = type(getattr(neighborhood, "thing", neighborhood)).__name__  # a user's own comes as `UserBuilt`
    try:
        x, xi, weights = neighborhood.sample(x0, n, rng)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}.sample must give (x, xi, weights): {first_line(error)}") from error
    x, xi, weights = np.asarray(x), np.asarray(xi), np.asarray(weights, dtype=float)
    if x.shape[1:] != x0.shape or xi.shape != x.shape or weights.shape != x.shape[:1] or len(x) == 0:
        raise InputError(
            f"{name}.sample gave x, xi, weights of shapes {x.shape}, {xi.shape}, {weights.shape}; they must be "
            f"(n, *{x0.shape}), the same, and (n,)"
        )
    if not (np.isfinite(x).all() and np.isfinite(xi).all() and np.isfinite(weights).all()):
        raise InputError(f"{name}.sample gave NaN or infinite numbers")
    if (weights < 0).any() or not weights.any():
        raise InputError(f"{name}.sample gave weights that are negative or all 0")
    return Perturbed(x, xi, weights)


def straight_line(neighborhood: Any, x0: Array, x: Array, xi: Array) -> tuple[Floats | None, Floats | None]:
    """dx/dxi and the noise that gives `x0`, both (*feature): told by the neighbourhood, or read off its sample.

    Where the sample is not a straight line in each xi_j, both are None.
    """
    told = getattr(neighborhood, "derivative", None), getattr(neighborhood, "origin", None)
    derivative = np.asarray(told[0](x0), dtype=float) if told[0] else None
    origin = np.asarray(told[1](x0), dtype=float) if told[1] else None
    if derivative is None or origin is None:
        xi_mean, x_mean = xi.mean(axis=0), x.mean(axis=0)
        spread = ((xi - xi_mean) ** 2).sum(axis=0)
        slope = ((xi - xi_mean) * (x - x_mean)).sum(axis=0) / np.where(spread > 0, spread, 1.0)
        stray = np.abs(x - x_mean - slope * (xi - xi_mean)).max()
        if derivative is None:
            derivative = slope if stray <= STRAIGHT * max(float(np.ptp(x)), 1e-300) else None
        if derivative is not None and origin is None:
            safe = np.where(derivative == 0, 1.0, derivative)
            origin = xi_mean + np.where(derivative == 0, 0.0, (x0 - x_mean) / safe)
    return derivative, origin
