"""Robustness: does the explanation stay put when the input hardly changes?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.evaluation.batching import categorical, scale_of
from explicate.evaluation.metric import Context, Metric, Scores
from explicate.runtime.seeds import generator


@register("max-sensitivity", "metrics")
@dataclass(frozen=True)
class MaxSensitivity(Metric):
    """The largest change of the explanation within a small radius around the input. Lower is better.

    max over y with |y - x| <= r of ||phi(f, y) - phi(f, x)||_2, divided by ||phi(f, x)||_2. The maximum is estimated by
    `draws` points drawn uniformly from the box. Each is explained again, for the same target and with the same seed as
    the explanation, so that the method's own sampling noise is not counted.

    A constant explanation has sensitivity 0: read it beside a metric of faithfulness.

    Source: Yeh et al. (2019), "On the (In)fidelity and Sensitivity of Explanations", section 3 (SENS_MAX).

    Parameters
    ----------
    draws : points per sample; the cost is `draws` explanations and no other evaluation.
    radius : half the width of the box, in standard deviations of each feature over the model's background; for
        pictures, in units of the picture's range. Categories stay.
    relative : divide by the size of the explanation, as in the paper's experiments.
    """

    draws: int = 8
    radius: float = 0.02
    relative: bool = True
    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)
    kinds: ClassVar[tuple[str, ...]] = ("table", "image")
    needs_explainer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.draws < 1 or self.radius <= 0:
            raise InputError("max-sensitivity: draws must be 1 or more and radius above 0")

    def cost(self, explanation: Attribution, model: Any) -> int:
        """At most what making the explanation cost, `draws` times."""
        return self.draws * explanation.provenance.evaluations

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        inputs, targets = np.asarray(explanation["inputs"].values), explanation.targets
        values = np.asarray(explanation.values, dtype=float).reshape(len(inputs), -1)
        fixed = categorical(model)
        largest = np.zeros(len(inputs))
        for _ in range(self.draws):
            moved = []
            for sample, rng in zip(inputs, rngs, strict=True):
                step = self.radius * scale_of(model, sample) * rng.uniform(-1, 1, sample.shape)
                if fixed:
                    step[fixed] = 0.0
                moved.append((sample + step).astype(sample.dtype))
            again = context.explainer.attribute(
                model, np.stack(moved), targets, generator(explanation.provenance.seed)
            ).attribution
            change = np.linalg.norm(np.asarray(again, dtype=float).reshape(len(inputs), -1) - values, axis=1)
            largest = np.maximum(largest, change)
        if self.relative:
            size = np.linalg.norm(values, axis=1)
            largest = np.divide(largest, size, out=np.full(len(size), np.nan), where=size > 0)
        return Scores(largest)
