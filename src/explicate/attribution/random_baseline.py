"""The control of every table: attributions that know nothing of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.core.capabilities import Array, Targets
from explicate.core.registry import register


@register("random")
@dataclass(frozen=True)
class RandomAttribution(Explainer):
    """Independent standard normal attributions, one per feature, pixel (the same in all channels) or token.

    A method that does not beat it on a metric has not shown anything by that metric. It fails the randomisation check,
    as it must: with the same seed it gives the same attributions for any model.
    """

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        if model.kind == "image":
            return Found(rng.standard_normal((len(inputs), *inputs.shape[2:])))
        drawn = rng.standard_normal(inputs.shape)
        return Found(np.where(inputs >= 0, drawn, 0.0) if model.kind == "text" else drawn)
