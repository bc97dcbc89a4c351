"""Losses: what of the model the surrogate must match on the neighbourhood, and how a mismatch counts.

A loss is any object with `matches` ("values", "change" or "gradients") and `penalty(predicted, observed)`, which must
work on numpy arrays and on torch tensors alike (arithmetic, comparisons and `.sum(-1)` do). Set `quadratic = True` when
the penalty is a multiple of the squared difference: then a linear surrogate has a closed form.

Source: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254, table 1 and section 3.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from explicate.core.method import Parameterised
from explicate.core.registry import register

Matches = Literal["values", "change", "gradients"]
"""Of the model, at the points x = x0 ⊕ xi: f(x); f(x0) - f(x); or the gradient of f(x0 ⊕ xi) with respect to xi."""

WITHOUT_GRADIENTS = "use the loss 'squared-error' or 'change-squared-error' instead"


@dataclass(frozen=True)
class Loss(Parameterised):
    """Base of losses.

    Class attributes
    ----------------
    matches : what of the model is matched by the same of the surrogate; for "change" by the surrogate's value.
    quadratic : whether the penalty is a multiple of the squared difference.
    """

    matches: ClassVar[Matches] = "values"
    quadratic: ClassVar[bool] = False

    @abstractmethod
    def penalty(self, predicted: Any, observed: Any) -> Any:
        """One penalty (..., n) per point; values are (..., n), gradients (..., n, feature)."""


@register("squared-error", "parts")
@dataclass(frozen=True)
class SquaredError(Loss):
    """(g(xi) - f(x))² / 2: LIME, C-LIME and KernelSHAP, with the neighbourhood's weights."""

    quadratic: ClassVar[bool] = True

    def penalty(self, predicted: Any, observed: Any) -> Any:
        return (predicted - observed) ** 2 / 2


@register("change-squared-error", "parts")
@dataclass(frozen=True)
class ChangeSquaredError(SquaredError):
    """(g(xi) - (f(x0) - f(x)))² / 2: occlusion."""

    matches: ClassVar[Matches] = "change"


@register("gradient-matching", "parts")
@dataclass(frozen=True)
class GradientMatching(Loss):
    """|∇_xi g(xi) - ∇_xi f(x0 ⊕ xi)|²: SmoothGrad, gradients and integrated gradients.

    Blind to a constant between f and g; a fit fixes it by g = f at x0. For multiplicative noise ∇_xi f carries the
    factor x0 - baseline, which is where the input factor of integrated gradients and gradient × input comes from.
    """

    matches: ClassVar[Matches] = "gradients"
    quadratic: ClassVar[bool] = True

    def penalty(self, predicted: Any, observed: Any) -> Any:
        return ((predicted - observed) ** 2).sum(-1)
