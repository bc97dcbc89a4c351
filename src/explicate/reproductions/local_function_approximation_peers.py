"""The seven explainers of experiment 1 in implementations that are not ours: Captum's, and shap's exact values."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.attribution import lfa
from explicate.attribution.explainer import Explainer
from explicate.core.capabilities import Array, Floats
from explicate.errors import MissingDependencyError
from explicate.runtime.seeds import derive_seed

if TYPE_CHECKING:
    import torch

METHODS = (
    "lime",
    "kernel_shap",
    "occlusion",
    "integrated_gradients",
    "gradient_x_input",
    "vanilla_gradient",
    "smooth_grad",
)


def captum_installed() -> bool:
    """Whether Captum can be imported; tells without importing it."""
    return importlib.util.find_spec("captum") is not None


def require_peers() -> None:
    """Raise unless Captum and shap are there."""
    if not captum_installed() or importlib.util.find_spec("shap") is None:
        raise MissingDependencyError(
            "experiment 1 at full scale compares with Captum and shap; run: pip install 'explicate[peers-attribution]'"
        )


def captum_lime(model: Any, inputs: Array, n: int, seed: int, width: float = 1.0) -> Floats:
    """LIME (sample, feature) with plain linear regression; Captum's kernel is exp(-|x0 - x|² / 2 width²)."""
    from captum._utils.models.linear_model import SkLearnLinearRegression
    from captum.attr import Lime
    from captum.attr._core.lime import get_exp_kernel_similarity_function

    near = get_exp_kernel_similarity_function("euclidean", kernel_width=width)
    method = Lime(_score_of(model), interpretable_model=SkLearnLinearRegression(), similarity_func=near)
    return _one_by_one(method, model.tensor(inputs), n, derive_seed(seed, "captum", "lime"))


def captum_kernel_shap(model: Any, inputs: Array, n: int, seed: int) -> Floats:
    """KernelSHAP (sample, feature) with `n` coalitions drawn from the Shapley kernel."""
    from captum.attr import KernelShap

    return _one_by_one(
        KernelShap(_score_of(model)), model.tensor(inputs), n, derive_seed(seed, "captum", "kernel-shap")
    )


def exact_shapley_values(model: Any, inputs: Array) -> Floats:
    """shap's values (sample, feature) of all coalitions, absent features 0: what KernelSHAP estimates."""
    import shap

    def score(rows: Array) -> Floats:
        return np.asarray(model.predict(rows)[:, 0], dtype=float)

    absent = shap.maskers.Independent(np.zeros((1, np.shape(inputs)[1])))
    return np.asarray(shap.explainers.Exact(score, absent)(np.asarray(inputs)).values, dtype=float)


def captum_attributions(model: Any, inputs: Array, n: int, seed: int) -> dict[str, Floats]:
    """Attributions (sample, feature) of a `TorchTabularModel` with one output, by method.

    LIME with a Euclidean exponential kernel of width 1, KernelSHAP, occlusion with a window of one feature, integrated
    gradients, input × gradient, signed saliency, and SmoothGrad with standard deviation 0.1; `n` points for those that
    draw any.
    """
    import torch
    from captum.attr import InputXGradient, IntegratedGradients, NoiseTunnel, Occlusion, Saliency

    score = _score_of(model)
    points = model.tensor(inputs).requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "captum", "smooth-grad"))
        smooth = NoiseTunnel(Saliency(score)).attribute(
            points, nt_type="smoothgrad", nt_samples=n, stdevs=0.1, abs=False
        )
    found = {
        "occlusion": Occlusion(score).attribute(points, sliding_window_shapes=(1,)),
        "integrated_gradients": IntegratedGradients(score).attribute(points),
        "gradient_x_input": InputXGradient(score).attribute(points),
        "vanilla_gradient": Saliency(score).attribute(points, abs=False),
        "smooth_grad": smooth,
    }
    arrays = {name: np.asarray(tensor.detach().numpy(), dtype=float) for name, tensor in found.items()}
    masked = {
        "lime": captum_lime(model, inputs, n, seed),
        "kernel_shap": captum_kernel_shap(model, inputs, n, seed),
    }
    return masked | arrays


def _score_of(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    def score(tensor: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = model.score_tensor(model.outputs(tensor))
        return outputs[:, 0]

    return score


def _one_by_one(method: Any, points: torch.Tensor, n: int, seed: int) -> Floats:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rows = [method.attribute(row[None], n_samples=n, perturbations_per_eval=n) for row in points]
    return np.asarray(torch.cat(rows).numpy(), dtype=float)


def own_attributions(model: Any, inputs: Array, seed: int) -> dict[str, Floats]:
    """The same by our own dedicated implementations, which share no fit; LIME by the framework on all masks.

    For the smoke scale on machines without Captum.
    """
    from explicate.attribution.feature_ablation import FeatureAblation
    from explicate.attribution.gradient import Gradient, GradientTimesInput, SmoothGrad
    from explicate.attribution.integrated_gradients import IntegratedGradients
    from explicate.attribution.kernel_shap import ExactShapley
    from explicate.attribution.missingness.base import Zero

    methods: dict[str, Explainer] = {
        "lime": lfa.lime(width=np.sqrt(2), exact=True),
        "kernel_shap": ExactShapley(missingness=Zero()),
        "occlusion": FeatureAblation(missingness=Zero()),
        "integrated_gradients": IntegratedGradients(baseline=Zero()),
        "gradient_x_input": GradientTimesInput(),
        "vanilla_gradient": Gradient(),
        "smooth_grad": SmoothGrad(samples=5000, noise=0.1, noise_unit="absolute"),
    }
    return {name: methods[name].explain(model, inputs, 0, seed).values for name in METHODS}
