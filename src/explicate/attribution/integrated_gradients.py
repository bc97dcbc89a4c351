"""Integrated gradients: the gradient integrated along a straight path from a baseline to the input.

Source: Sundararajan, Taly, Yan (2017), "Axiomatic Attribution for Deep Networks", eq. 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.missingness import Mean, Missingness, Zero
from explicate.attribution.paths import RuleName, average_over_path, quadrature
from explicate.core.capabilities import Array, Differentiable, Floats, Targets
from explicate.core.registry import register


@register("integrated-gradients")
@dataclass(frozen=True)
class IntegratedGradients(Explainer):
    """Attribute a score to input features by the path integral of its gradient: (x - x') times the mean gradient.

    Satisfies completeness, up to `steps`: attributions sum to score(input) - score(baseline). How far they do not is
    in the result as `completeness_gap` (sample,).

    Parameters
    ----------
    baseline : what "absent" means, with one value per feature; default: the mean of the background for tables, 0 for
        images (their mean colour, after normalisation) and for the embeddings of texts.
    steps : gradient evaluations per sample.
    rule : how the integral is approximated; see `explicate.attribution.paths.quadrature`.
    multiply : False leaves out the factor (x - x'): the mean gradient along the path, in score units per input unit,
        which adds up to nothing.
    """

    baseline: Missingness | None = None
    steps: int = 64
    rule: RuleName = "midpoint"
    multiply: bool = True
    needs: ClassVar[type] = Differentiable
    instead: ClassVar[str] = "kernel-shap and occlusion work without gradients"
    complete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        quadrature(self.rule, self.steps)  # refuses what is unknown

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        end = model.continuous(inputs)
        start = baseline_points(model, inputs, self.baseline, rng)

        def gradients(points: Floats, samples: Array) -> Floats:
            return np.asarray(model.gradients(points, targets[samples], inputs[samples]))

        mean = average_over_path(gradients, start, end, quadrature(self.rule, self.steps))
        if not self.multiply:
            return Found(model.collapse(mean), flags={"complete": 0})
        attribution = model.collapse(mean * (end - start))
        before = np.asarray(model.point_scores(start, targets, inputs), dtype=float)
        after = np.asarray(model.point_scores(end, targets, inputs), dtype=float)
        gap = attribution.reshape(len(inputs), -1).sum(axis=1) - (after - before)
        return Found(
            attribution,
            baseline_score=before,
            extra={"completeness_gap": (("sample",), gap)},
            flags={"largest_completeness_gap": float(np.abs(gap).max())},
        )


def baseline_points(model: Any, inputs: Array, baseline: Missingness | None, rng: np.random.Generator) -> Floats:
    """Where the path begins: points of the model's continuous space, (sample, *feature[, width])."""
    if baseline is None and model.kind == "text":
        return np.zeros_like(model.continuous(inputs))
    if baseline is None:
        known = model.kind == "table" and getattr(model, "background", None) is not None
        baseline = Mean() if known else Zero()
    return np.asarray(model.continuous(baseline.reference(model, inputs, rng)))
