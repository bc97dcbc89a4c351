"""Surrogates: the simple models that are fitted, and whose weights are the explanation.

All are generalised linear forms g(xi) = link(weights · xi + bias). They take the noise xi, not the input x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit

from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.errors import InputError


@dataclass(frozen=True)
class Surrogate(Parameterised):
    """Base of surrogates; here the link is the identity.

    Class attributes
    ----------------
    linear : the link is the identity, so quadratic losses have a closed form.
    has_bias : whether a constant is fitted.
    image_only : whether the surrogate is for images.
    """

    linear: ClassVar[bool] = True
    has_bias: ClassVar[bool] = True
    image_only: ClassVar[bool] = False

    def parameters_for(self, features: int) -> int:
        """Number of fitted parameters."""
        return features + self.has_bias

    def link(self, z: Any) -> Any:
        """The value of g for the linear form z; numpy or torch."""
        return z

    def slopes(self, z: Any) -> tuple[Any, Any]:
        """First and second derivative of the link; numpy or torch."""
        return z * 0 + 1, z * 0

    def inverse_link(self, values: Array) -> Floats:
        """The linear form that gives `values`; infinite beyond the link's range."""
        return values


@register("linear", "parts")
@dataclass(frozen=True)
class Linear(Surrogate):
    """g(xi) = weights · xi + bias."""


@register("linear-without-bias", "parts")
@dataclass(frozen=True)
class LinearWithoutBias(Surrogate):
    """g(xi) = weights · xi: occlusion."""

    has_bias: ClassVar[bool] = False


@register("logistic", "parts")
@dataclass(frozen=True)
class Logistic(Surrogate):
    """g(xi) = 1 / (1 + exp(-(weights · xi + bias))): for models that answer with one probability."""

    linear: ClassVar[bool] = False

    def link(self, z: Any) -> Any:
        return expit(z) if isinstance(z, np.ndarray) else z.sigmoid()

    def slopes(self, z: Any) -> tuple[Any, Any]:
        value = self.link(z)
        first = value * (1 - value)
        return first, first * (1 - 2 * value)

    def inverse_link(self, values: Array) -> Floats:
        return np.asarray(logit(np.clip(values, 0.0, 1.0)))


@register("convolution", "parts")
@dataclass(frozen=True)
class Convolution(Surrogate):
    """One convolution whose kernel has the size of the image: one weight per channel, row and column, and a bias."""

    image_only: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class FittedSurrogate:
    """A surrogate with its weights: call it on noise xi (n, *feature) to get g(xi), (n,).

    Attributes
    ----------
    form : the class of functions it was chosen from.
    weights : (*feature). bias : the constant, 0 where the form has none.
    """

    form: Surrogate
    weights: Floats
    bias: float

    def __call__(self, xi: Array) -> Floats:
        return np.asarray(self.form.link(self._form_of(xi)))

    def gradients(self, xi: Array) -> Floats:
        """Gradients (n, *feature) with respect to the noise."""
        first, _ = self.form.slopes(self._form_of(xi))
        return np.asarray(first)[(slice(None), *[None] * self.weights.ndim)] * self.weights

    def _form_of(self, xi: Array) -> Floats:
        xi = np.asarray(xi, dtype=float)
        if xi.shape[1:] != self.weights.shape:
            raise InputError(f"the surrogate takes noise of shape (n, *{self.weights.shape}), not {xi.shape}")
        return xi.reshape(len(xi), -1) @ self.weights.ravel() + self.bias
