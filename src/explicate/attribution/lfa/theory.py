"""What the framework proves: when an explainer is right, why none is right everywhere, and which one to take.

Source: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.lfa.framework import LocalFit
from explicate.attribution.lfa.losses import SquaredError
from explicate.attribution.lfa.neighborhoods import Neighborhood
from explicate.attribution.lfa.surrogates import Linear
from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError, UnknownNameError
from explicate.runtime.seeds import generator

RealFunction = Callable[[Array], Array]
"""Values (n,) at points (n, d)."""

REMOVAL = ("lime", "kernel_shap", "occlusion", "integrated_gradients", "gradient_x_input")
NOISE = ("c_lime", "smooth_grad", "vanilla_gradient")
LARGEST_GRID = 20_000
SAME = 1e-9


# -- which one to take -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recommendation:
    """Explainers for a kind of perturbation, by their names in `FACTORIES`, and why."""

    methods: tuple[str, ...]
    reason: str


def recommend(perturbation: str | Neighborhood) -> Recommendation:
    """Which explainers are faithful under the perturbation that matters to you.

    Parameters
    ----------
    perturbation : "binary" (the data are off or on), "removal" (what happens without a feature), "continuous" (what
        happens when features change a little), or a neighbourhood.
    """
    if isinstance(perturbation, Neighborhood):
        perturbation = "continuous" if perturbation.additive else "removal"
    if perturbation == "continuous":
        return Recommendation(
            NOISE,
            "they fit the model under small additive noise, and recover it whenever it is of the surrogate's form; "
            "removals cannot tell a continuous model from any other that agrees where features are off and on",
        )
    if perturbation in ("binary", "removal"):
        return Recommendation(
            REMOVAL,
            "they fit the model between a feature's value and the baseline, which is the change in question"
            + (
                "; for data that are only ever off or on these are all the points there are"
                if perturbation == "binary"
                else ""
            )
            + ". Their weights carry the factor x0 - baseline, so read them as contributions, not as slopes",
        )
    raise UnknownNameError(
        f"perturbation {perturbation!r} is unknown; use 'binary', 'removal' or 'continuous', or a neighbourhood"
    )


def model_recovery(attribution: Array, weights: Array, inputs: Array, baseline: Any = 0.0) -> tuple[Floats, Floats]:
    """How far attributions are from a model's true weights, and from weights times input.

    The guiding principle: an explainer is faithful if it gives back f whenever f is in the class of surrogates. For
    linear f, additive noise gives the weights, multiplicative noise the weights times x0 - baseline.

    Parameters
    ----------
    attribution, inputs : (sample, feature). weights : (feature,), of a model that is a linear form, or a link of one.

    Returns
    -------
    L1 distances (sample,) to `weights`, and to `weights * (inputs - baseline)`.
    """
    slopes = np.abs(attribution - weights).sum(axis=-1)
    products = np.abs(attribution - weights * (inputs - baseline)).sum(axis=-1)
    return np.asarray(slopes), np.asarray(products)


# -- whether a loss is one ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossValidity:
    """What random pairs of functions say about a loss.

    Attributes
    ----------
    zero_for_equal : loss(f, f) = 0 for all of them.
    positive_for_different : loss(f, g) > 0 for all pairs that differ by more than a constant.
    sees_constants : loss(f, f + c) > 0; gradient matching does not, which is why a fit fixes its bias otherwise.
    """

    zero_for_equal: bool
    positive_for_different: bool
    sees_constants: bool

    @property
    def valid(self) -> bool:
        """Zero exactly for equal functions, up to a constant."""
        return self.zero_for_equal and self.positive_for_different


def validate_loss(loss: Any, pairs: int = 50, features: int = 4, points: int = 64, seed: int = 0) -> LossValidity:
    """Try a loss on random pairs of smooth functions: is it 0 for f = g, and above 0 for f ≠ g?

    Parameters
    ----------
    loss : an object with `matches` and `penalty`. pairs : how many. features, points : size of a neighbourhood.
    """
    rng = generator(seed)
    equal: list[float] = []
    different: list[float] = []
    shifted: list[float] = []
    for _ in range(pairs):
        xi = rng.normal(size=(points, features))
        f, g = _random_function(rng, features), _random_function(rng, features)
        seen_f, seen_g = _seen(loss, *f(xi)), _seen(loss, *g(xi))
        seen_shifted = seen_f if loss.matches == "gradients" else seen_f + 1.0
        for found, other in ((equal, seen_f), (different, seen_g), (shifted, seen_shifted)):
            penalties = np.asarray(loss.penalty(other, seen_f), dtype=float)
            if penalties.shape != (points,):
                raise InputError(
                    f"the loss {type(loss).__name__} gave penalties of shape {penalties.shape} for {points} points; "
                    "it must give one per point"
                )
            found.append(float(penalties.mean()))
    scale = max(np.abs(different).max(), 1e-300)
    return LossValidity(
        zero_for_equal=bool((np.abs(equal) <= SAME * scale).all()),
        positive_for_different=bool((np.array(different) > SAME * scale).all()),
        sees_constants=bool((np.array(shifted) > SAME * scale).all()),
    )


def _random_function(rng: np.random.Generator, features: int) -> Callable[[Array], tuple[Floats, Floats]]:
    """A random sum of sines with its gradient: xi (n, d) -> (n,), (n, d)."""
    waves, phases, heights = rng.normal(size=(3, features)), rng.uniform(0, 6, 3), rng.normal(size=3)

    def function(xi: Array) -> tuple[Floats, Floats]:
        angle = xi @ waves.T + phases
        return np.sin(angle) @ heights, (np.cos(angle) * heights) @ waves

    return function


def _seen(loss: Any, values: Floats, gradients: Floats) -> Floats:
    return gradients if loss.matches == "gradients" else values


# -- no free lunch -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NoFreeLunch:
    """A neighbourhood on which an explanation fails.

    Attributes
    ----------
    witness : the point (d,) of the box where the surrogate is worst; a neighbourhood Z2 around it has that loss.
    witness_loss : loss(f, g, 0, witness).
    distance : d(f, G), the smallest worst loss on the box that any surrogate of the class has (a lower bound from
        finitely many points; `distance_bound` is an upper one, reached by `best`).
    best : slopes (d,) and constant (last) of the surrogate that is best at its worst point.
    holds : witness_loss >= distance, as the theorem says.
    """

    witness: Floats
    witness_loss: float
    distance: float
    distance_bound: float
    best: Floats

    @property
    def holds(self) -> bool:
        """Whether the theorem's inequality is found true."""
        return self.witness_loss >= self.distance * (1 - SAME) - SAME


def no_free_lunch(
    f: RealFunction | Any,
    g: RealFunction | LocalFit,
    surrogate: Any = Linear(),
    box: Sequence[tuple[float, float]] = ((-1.0, 1.0),),
    loss: Any = SquaredError(),
    target: Any = 0,
    ascents: int = 5,
    rounds: int = 20,
) -> NoFreeLunch:
    """Find where a surrogate is worst on a box, and how good any surrogate of its class can be at its worst.

    Whatever explanation fits one neighbourhood, there is another on which its loss is at least d(f, G) =
    min over g in G of max over x of loss(f, g, 0, x) (Han et al., theorem 1).

    Parameters
    ----------
    f : a function of points (n, d), or a model handle, whose `target` is taken.
    g : the explanation as a function of the same points; of a `LocalFit`, `predict` is taken.
    surrogate : the class G: linear with or without bias, or logistic.
    box : (low, high) of each feature.
    loss : on values; its penalty must grow with the difference.
    ascents : best grid points from which L-BFGS-B climbs on. rounds : of the exchange that finds d(f, G).
    """
    if loss.matches != "values":
        raise InputError("the witness is a point at which values differ; use a loss on values, as 'squared-error'")
    bounds = np.array(box, dtype=float)
    if (
        bounds.ndim != 2
        or bounds.shape[1] != 2
        or not np.isfinite(bounds).all()
        or (bounds[:, 0] >= bounds[:, 1]).any()
    ):
        raise InputError(f"a box needs one (low, high) per feature with low < high; given is {box!r}")
    truth = _function_of(f, target)
    guess = g.predict if isinstance(g, LocalFit) else g
    grid = _grid(bounds)

    def worst(candidate: RealFunction) -> tuple[Floats, float]:
        return _climb(lambda x: np.abs(candidate(x) - truth(x)), grid, bounds, ascents)

    witness, gap = worst(guess)
    best, distance, bound = _minimax(truth, surrogate, grid, worst, rounds)
    losses = np.asarray(loss.penalty(np.array([gap, distance, bound]), np.zeros(3)), dtype=float)
    return NoFreeLunch(witness, float(losses[0]), float(losses[1]), float(losses[2]), best)


def _function_of(f: Any, target: Any) -> RealFunction:
    def checked(x: Array) -> Floats:
        values = np.asarray(f.scores(x, np.full(len(x), int(target))) if hasattr(f, "scores") else f(x), dtype=float)
        if values.shape != (len(x),):
            raise InputError(f"f gave an array of shape {values.shape} for {len(x)} points; it must give (n,)")
        if not np.isfinite(values).all():
            raise InputError(f"f is NaN or infinite at {x[int(np.flatnonzero(~np.isfinite(values))[0])]}")
        return values

    return checked


def _grid(bounds: Floats) -> Floats:
    """A full grid where that is small, else as many points of a low-discrepancy sequence, and the corners if few."""
    features = len(bounds)
    side = int(LARGEST_GRID ** (1 / features))
    if side >= 5:
        axes = [np.linspace(low, high, min(side, 2001)) for low, high in bounds]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, features)
    from scipy.stats import qmc

    points = qmc.Halton(features, scramble=False).random(LARGEST_GRID)
    return np.asarray(bounds[:, 0] + points * (bounds[:, 1] - bounds[:, 0]))


def _climb(height: RealFunction, grid: Floats, bounds: Floats, ascents: int) -> tuple[Floats, float]:
    """The highest point found: from the best grid points uphill, staying in the box."""
    from scipy.optimize import minimize

    heights = height(grid)
    place, top = grid[int(heights.argmax())], float(heights.max())
    for start in grid[np.argsort(heights)[::-1][:ascents]]:
        end = minimize(lambda x: -float(height(x[None])[0]), start, method="L-BFGS-B", bounds=bounds)
        reached = np.clip(end.x, bounds[:, 0], bounds[:, 1])
        value = float(height(reached[None])[0])
        if value > top:
            place, top = reached, value
    return place, top


def _minimax(
    truth: RealFunction,
    surrogate: Any,
    grid: Floats,
    worst: Callable[[RealFunction], tuple[Floats, float]],
    rounds: int,
) -> tuple[Floats, float, float]:
    """The surrogate with the smallest largest difference from `truth`; with a lower and an upper bound of it.

    Exchange: solve on finitely many points (a lower bound), find where that solution is worst (an upper bound), add
    the point, and go on until they meet. Source: Remez (1934); for several dimensions Blankenship, Falk (1976).
    """
    points = grid[:: max(1, len(grid) // 200)]
    enough = 1e-6 * float(np.ptp(truth(points)))
    best, lower, upper, chosen = np.zeros(grid.shape[1] + 1), 0.0, np.inf, np.zeros(grid.shape[1] + 1)
    for _ in range(rounds):
        best, lower = _minimax_on(points, truth(points), surrogate)
        place, gap = worst(lambda x, best=best: np.asarray(surrogate.link(x @ best[:-1] + best[-1])))  # type: ignore[misc]
        if gap < upper:
            upper, chosen = gap, best
        if upper - lower <= enough:
            break
        points = np.vstack([points, place])
    return chosen, lower, upper


def _minimax_on(points: Floats, values: Floats, surrogate: Any) -> tuple[Floats, float]:
    if surrogate.linear:
        return _linear_minimax(points, values, surrogate.has_bias)
    low, high, best = 0.0, float(np.ptp(values)) / 2 + SAME, None
    while high - low > 1e-9 * max(high, SAME):  # a growing link: differences up to t bound the linear form
        middle = (low + high) / 2
        found = _feasible(points, surrogate.inverse_link(values - middle), surrogate.inverse_link(values + middle))
        low, high, best = (low, middle, found) if found is not None else (middle, high, best)
    return (np.zeros(points.shape[1] + 1) if best is None else best), low


def _linear_minimax(points: Floats, values: Floats, bias: bool) -> tuple[Floats, float]:
    """min t subject to |w · x + b - value| <= t, by linear programming."""
    from scipy.optimize import linprog

    n, d = points.shape
    wide = np.column_stack([points, np.ones(n) if bias else np.zeros(n)])
    rows = np.block([[wide, -np.ones((n, 1))], [-wide, -np.ones((n, 1))]])
    solved = linprog(
        np.append(np.zeros(d + 1), 1.0), A_ub=rows, b_ub=np.concatenate([values, -values]), bounds=(None, None)
    )
    if solved.x is None:
        raise InputError(f"the best surrogate could not be found: {solved.message}")
    return np.append(solved.x[:d], solved.x[d] if bias else 0.0), max(float(solved.fun), 0.0)


def _feasible(points: Floats, low: Floats, high: Floats) -> Floats | None:
    """A linear form with low <= w · x + b <= high at all points, or None."""
    from scipy.optimize import linprog

    wide = np.column_stack([points, np.ones(len(points))])
    above, below = np.isfinite(high), np.isfinite(low)
    solved = linprog(
        np.zeros(wide.shape[1]),
        A_ub=np.vstack([wide[above], -wide[below]]),
        b_ub=np.concatenate([high[above], -low[below]]),
        bounds=(None, None),
    )
    return np.asarray(solved.x) if solved.status == 0 else None
