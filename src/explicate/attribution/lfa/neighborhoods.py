"""Neighbourhoods: which points around an input are asked, and with what noise xi they were made.

A perturbed point is x = x0 ⊕ xi, where ⊕ adds or multiplies. The surrogate takes the noise xi as its input, the model
takes x. Any object with `sample(x0, n, rng) -> (x, xi, weights)` can stand in for the classes here.

Source: Han, Srinivas, Lakkaraju (2022), "Which Explanation Should I Choose?", arXiv 2206.01254, table 1.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import gammaln

from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.errors import InputError

WEIGHT_OF_ENDS = 1e6  # of the empty and the full coalition, whose Shapley kernel is infinite
SMALLEST_WEIGHT = 1e-12
LARGEST_ENUMERATION = 1 << 20


class Perturbed(NamedTuple):
    """Points x (n, *feature), the noise xi (n, *feature) that made them, and their weights (n,)."""

    x: Floats
    xi: Floats
    weights: Floats


@dataclass(frozen=True)
class Neighborhood(Parameterised):
    """Base of neighbourhoods in which every x_j is a straight line in its own xi_j.

    Class attributes
    ----------------
    additive : x = x0 + xi; else x = baseline + xi * (x0 - baseline), or with 1 - xi in place of xi.
    binary : xi is 0 or 1, so x holds only values of x0 and of the baseline; works for categories too.
    """

    additive: ClassVar[bool] = False
    binary: ClassVar[bool] = False

    @abstractmethod
    def sample(self, x0: Array, n: int, rng: np.random.Generator) -> Perturbed:
        """Draw `n` points around `x0` (*feature), or all there are when the neighbourhood has no more than `n`."""

    @abstractmethod
    def derivative(self, x0: Array) -> Floats:
        """dx_j / dxi_j, (*feature): carries gradients of the model over to the noise."""

    @abstractmethod
    def origin(self, x0: Array) -> Floats:
        """The noise (*feature) that gives x0 itself."""

    def enumerates(self, x0: Array, n: int) -> bool:
        """Whether `sample` gives the whole neighbourhood, so that nothing is left to chance."""
        return False


@register("gaussian-noise", "parts")
@dataclass(frozen=True)
class GaussianNoise(Neighborhood):
    """x = x0 + xi, xi ~ N(0, scale²): C-LIME and SmoothGrad; the vanilla gradient as the scale goes to 0.

    Parameters
    ----------
    scale : standard deviation, in units of the features (scale these alike first).
    """

    scale: float = 0.1
    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"the scale of the noise is {self.scale}; it must be above 0")

    def sample(self, x0: Array, n: int, rng: np.random.Generator) -> Perturbed:
        xi = rng.normal(0.0, self.scale, (n, *x0.shape))
        return Perturbed(x0 + xi, xi, np.ones(n))

    def derivative(self, x0: Array) -> Floats:
        return np.ones(x0.shape)

    def origin(self, x0: Array) -> Floats:
        return np.zeros(x0.shape)


@dataclass(frozen=True)
class Multiplicative(Neighborhood):
    """Base of noise that scales the difference to a baseline: x = baseline + xi * (x0 - baseline).

    Parameters
    ----------
    baseline : what "off" means, broadcast to one encoded input; the paper's is 0.
    """

    baseline: Any = 0.0

    def off(self, x0: Array) -> Floats:
        """The baseline in the shape of `x0`."""
        try:
            return np.broadcast_to(np.asarray(self.baseline, dtype=float), x0.shape)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"a baseline of shape {np.shape(self.baseline)} does not fit an input of shape {x0.shape}"
            ) from error

    def derivative(self, x0: Array) -> Floats:
        return np.asarray(x0 - self.off(x0), dtype=float)

    def origin(self, x0: Array) -> Floats:
        return np.ones(x0.shape)


@register("uniform-scaling", "parts")
@dataclass(frozen=True)
class UniformScaling(Multiplicative):
    """One scalar xi ~ U(low, 1) for all features: points on the straight line from the baseline to x0.

    Integrated gradients for low = 0; gradient × input as low goes to 1.
    """

    low: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.low < 1:
            raise InputError(f"low is {self.low}; it must be at least 0 and below 1")

    def sample(self, x0: Array, n: int, rng: np.random.Generator) -> Perturbed:
        scalar = rng.uniform(self.low, 1.0, (n, *[1] * x0.ndim))
        off = self.off(x0)
        xi = np.broadcast_to(scalar, (n, *x0.shape))
        return Perturbed(off + scalar * (x0 - off), xi, np.ones(n))


@register("bernoulli-masks", "parts")
@dataclass(frozen=True)
class BernoulliMasks(Multiplicative):
    """Each feature is kept (xi = 1) with probability 1/2, else takes the baseline: LIME and KernelSHAP.

    All 2^d masks are taken when they are no more than the points asked for.

    Parameters
    ----------
    kernel : weights of the points. "exponential": exp(-|x0 - x|² / width²), LIME; "shapley":
        (d - 1) / (C(d, k) k (d - k)) for k features kept, 1e6 for none and all, KernelSHAP; "none": 1.
    width : of the exponential kernel, in units of the features.
    exact : True takes all masks whatever n says, False samples even then, None decides by n.
    """

    kernel: str = "none"
    width: float = 1.0
    exact: bool | None = None
    binary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kernel not in ("none", "exponential", "shapley"):
            raise InputError(f"kernel {self.kernel!r} is unknown; use 'none', 'exponential' or 'shapley'")
        if not self.width > 0:
            raise InputError(f"the kernel's width is {self.width}; it must be above 0")

    def enumerates(self, x0: Array, n: int) -> bool:
        size = x0.size
        if self.exact is None:
            return size < 63 and 1 << size <= n
        if self.exact and 1 << min(size, 63) > LARGEST_ENUMERATION:
            raise InputError(f"all masks of {size} features are too many; leave exact=True to at most 20 features")
        return self.exact

    def sample(self, x0: Array, n: int, rng: np.random.Generator) -> Perturbed:
        if self.enumerates(x0, n):
            masks = np.arange(1 << x0.size)[:, None] >> np.arange(x0.size) & 1
            keep = masks.astype(bool).reshape(-1, *x0.shape)
        else:
            keep = rng.random((n, *x0.shape)) < 0.5
        x = np.where(keep, x0, self.off(x0))  # exact values of either, as trees and categories need
        return Perturbed(x, keep.astype(float), self._weights(x0, x, keep.reshape(len(keep), -1)))

    def _weights(self, x0: Array, x: Array, keep: Array) -> Floats:
        if self.kernel == "exponential":
            squared = ((x - x0) ** 2).reshape(len(x), -1).sum(axis=1)
            exponent = squared / self.width**2
            return np.asarray(np.exp(exponent.min() - exponent))  # a common factor, so that not all underflow
        if self.kernel == "shapley":
            return shapley_kernel(keep.shape[1])[keep.sum(axis=1)]
        return np.ones(len(x))


def shapley_kernel(features: int) -> Floats:
    """Weights by number of features kept, 0 to `features`: (m - 1) / (C(m, k) k (m - k)), 1e6 at both ends.

    Beyond about 40 features, where the inner weights would vanish beside 1e6, they are scaled so that the smallest is 1
    (and cut off at 1e6): the ends are never drawn then, and only proportions among the others count.

    Source: Lundberg, Lee (2017), theorem 2.
    """
    weights = np.full(features + 1, WEIGHT_OF_ENDS)
    if features < 2:
        return weights
    kept = np.arange(1, features)
    ways = gammaln(features + 1) - gammaln(kept + 1) - gammaln(features - kept + 1)
    logs = np.log(features - 1) - ways - np.log(kept) - np.log(features - kept)
    if logs.min() < np.log(SMALLEST_WEIGHT):
        logs = np.minimum(logs - logs.min(), np.log(WEIGHT_OF_ENDS))
    weights[1:features] = np.exp(logs)
    return weights


@register("one-hot-masks", "parts")
@dataclass(frozen=True)
class OneHotMasks(Multiplicative):
    """One feature at a time is switched off: xi is a random one-hot vector, x = x0 with that feature at the baseline.

    Each feature is taken once when they are no more than the points asked for.

    Parameters
    ----------
    exact : True takes each feature once whatever n says, False draws them at random, None decides by n.
    """

    exact: bool | None = None
    binary: ClassVar[bool] = True

    def enumerates(self, x0: Array, n: int) -> bool:
        return x0.size <= n if self.exact is None else self.exact

    def sample(self, x0: Array, n: int, rng: np.random.Generator) -> Perturbed:
        size = x0.size
        which = np.arange(size) if self.enumerates(x0, n) else rng.integers(size, size=n)
        xi = (which[:, None] == np.arange(size)).reshape(-1, *x0.shape)
        return Perturbed(np.where(xi, self.off(x0), x0), xi.astype(float), np.ones(len(xi)))

    def derivative(self, x0: Array) -> Floats:
        return np.asarray(self.off(x0) - x0, dtype=float)

    def origin(self, x0: Array) -> Floats:
        return np.zeros(x0.shape)
