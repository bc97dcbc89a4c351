"""Eight explainers as instances of local function approximation: only the neighbourhood, loss and surrogate differ.

Each function gives a `LocalFunctionApproximation`, and each is known to the registry under its name as well
("lfa-lime", ...), with the function's parameters.

Source: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254, table 1.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.lfa.framework import LocalFit, LocalFunctionApproximation
from explicate.attribution.lfa.losses import WITHOUT_GRADIENTS, ChangeSquaredError, GradientMatching, SquaredError
from explicate.attribution.lfa.neighborhoods import BernoulliMasks, GaussianNoise, OneHotMasks, UniformScaling
from explicate.attribution.lfa.surrogates import Linear, LinearWithoutBias
from explicate.core.capabilities import Array, Differentiable, Targets
from explicate.core.registry import register
from explicate.core.targets import Target

Factory = Callable[..., LocalFunctionApproximation]


@dataclasses.dataclass(frozen=True)
class NamedApproximation(Explainer):
    """Base of the registered methods: the parameters of a factory, and the approximation that it makes of them."""

    factory: ClassVar[Factory]
    kinds: ClassVar[tuple[str, ...]] = LocalFunctionApproximation.kinds
    compared: ClassVar[bool] = False
    asks_target: ClassVar[bool] = True

    def approximation(self) -> LocalFunctionApproximation:
        """The neighbourhood, loss and surrogate behind the name."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return type(self).factory(**values)

    def __post_init__(self) -> None:
        self.approximation()  # refuses bad parameters now

    def fit(self, model: Any, inputs: Any, target: Target = None, seed: int = 0) -> list[LocalFit]:
        """See `LocalFunctionApproximation.fit`."""
        return self.approximation().fit(model, inputs, target, seed)

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        return self.approximation().attribute(model, inputs, targets, rng)


def selectable(name: str) -> Callable[[Factory], Factory]:
    """Register a method under `name` whose parameters are those of the factory below."""

    def known(factory: Factory) -> Factory:
        fields: list[Any] = [
            (parameter.name, parameter.annotation, dataclasses.field(default=parameter.default))
            for parameter in inspect.signature(factory).parameters.values()
        ]
        title = "".join(word.capitalize() for word in factory.__name__.split("_")) + "Approximation"
        needs_gradients = factory().loss.matches == "gradients"
        namespace: dict[str, Any] = {"__doc__": factory.__doc__, "factory": staticmethod(factory)}
        if needs_gradients:
            namespace |= {"needs": Differentiable, "instead": WITHOUT_GRADIENTS}
        cls = dataclasses.make_dataclass(title, fields, bases=(NamedApproximation,), namespace=namespace, frozen=True)
        cls.__module__ = __name__
        globals()[title] = register(name)(cls)  # importable by name, as other processes need
        return factory

    return known


@selectable("lfa-lime")
def lime(
    width: float = 1.0, n: int = 1000, baseline: Any = 0.0, exact: bool | None = None, ridge: float = 0.0
) -> LocalFunctionApproximation:
    """LIME: features off at random, points weighted by their nearness to x0; no feature selection, no bins.

    Parameters
    ----------
    width : of the exponential kernel. n : points. baseline : what "off" means.
    exact : all masks (True), a sample (False), or as n allows (None). ridge : penalty on the squared weights.
    """
    masks = BernoulliMasks(baseline, kernel="exponential", width=width, exact=exact)
    return LocalFunctionApproximation(masks, SquaredError(), Linear(), n=n, ridge=ridge)


@selectable("lfa-kernel-shap")
def kernel_shap(
    n: int = 1000, baseline: Any = 0.0, exact: bool | None = None, ridge: float = 0.0
) -> LocalFunctionApproximation:
    """KernelSHAP: features off at random, points weighted by the Shapley kernel; with all masks, Shapley values.

    Parameters
    ----------
    n : points. baseline : what "off" means. exact : all masks (True), a sample (False), or as n allows (None).
    ridge : penalty on the squared weights.
    """
    masks = BernoulliMasks(baseline, kernel="shapley", exact=exact)
    return LocalFunctionApproximation(masks, SquaredError(), Linear(), n=n, ridge=ridge)


@selectable("lfa-occlusion")
def occlusion(n: int = 1000, baseline: Any = 0.0, exact: bool | None = None) -> LocalFunctionApproximation:
    """Occlusion: the change of the score when one feature is off.

    Parameters
    ----------
    n : points. baseline : what "off" means. exact : each feature once (True), at random (False), or as n allows (None).
    """
    masks = OneHotMasks(baseline, exact=exact)
    return LocalFunctionApproximation(masks, ChangeSquaredError(), LinearWithoutBias(), n=n)


@selectable("lfa-c-lime")
def c_lime(
    scale: float = 0.1, n: int = 1000, surrogate: Any = Linear(), solver: str = "auto", ridge: float = 0.0
) -> LocalFunctionApproximation:
    """C-LIME: a surrogate of the scores under Gaussian noise.

    Parameters
    ----------
    scale : standard deviation of the noise. n : points. surrogate, solver : see `LocalFunctionApproximation`.
    ridge : penalty on the squared weights.
    """
    return LocalFunctionApproximation(GaussianNoise(scale), SquaredError(), surrogate, n=n, solver=solver, ridge=ridge)


@selectable("lfa-smooth-grad")
def smooth_grad(
    scale: float = 0.1, n: int = 1000, surrogate: Any = Linear(), solver: str = "auto"
) -> LocalFunctionApproximation:
    """SmoothGrad: a surrogate of the gradients under Gaussian noise; a linear one is their mean.

    Parameters
    ----------
    scale : standard deviation of the noise. n : points. surrogate, solver : see `LocalFunctionApproximation`.
    """
    return LocalFunctionApproximation(GaussianNoise(scale), GradientMatching(), surrogate, n=n, solver=solver)


@selectable("lfa-vanilla-gradient")
def vanilla_gradient(
    scale: float = 0.01, n: int = 1000, surrogate: Any = Linear(), solver: str = "auto"
) -> LocalFunctionApproximation:
    """The gradient, as the limit of SmoothGrad for little noise.

    Parameters
    ----------
    scale : standard deviation of the noise. n : points. surrogate, solver : see `LocalFunctionApproximation`.
    """
    return smooth_grad(scale, n, surrogate, solver)


@selectable("lfa-integrated-gradients")
def integrated_gradients(
    n: int = 1000, baseline: Any = 0.0, surrogate: Any = Linear(), solver: str = "auto"
) -> LocalFunctionApproximation:
    """Integrated gradients: a surrogate of the gradients on the straight line from the baseline to x0.

    Parameters
    ----------
    n : points. baseline : where the line begins. surrogate, solver : see `LocalFunctionApproximation`.
    """
    return LocalFunctionApproximation(UniformScaling(baseline), GradientMatching(), surrogate, n=n, solver=solver)


@selectable("lfa-gradient-x-input")
def gradient_x_input(
    low: float = 0.95, n: int = 1000, baseline: Any = 0.0, surrogate: Any = Linear(), solver: str = "auto"
) -> LocalFunctionApproximation:
    """Gradient × input, as the limit of integrated gradients for the end of the line next to x0.

    Parameters
    ----------
    low : where on the line from the baseline (0) to x0 (1) the points begin. n : points. baseline : where it begins.
    surrogate, solver : see `LocalFunctionApproximation`.
    """
    line = UniformScaling(baseline, low)
    return LocalFunctionApproximation(line, GradientMatching(), surrogate, n=n, solver=solver)


FACTORIES: dict[str, Factory] = {
    "lime": lime,
    "kernel_shap": kernel_shap,
    "occlusion": occlusion,
    "integrated_gradients": integrated_gradients,
    "gradient_x_input": gradient_x_input,
    "vanilla_gradient": vanilla_gradient,
    "smooth_grad": smooth_grad,
    "c_lime": c_lime,
}
"""The eight by name; the first five perturb by removal or scaling, the last three by added noise."""
