"""Conditional missingness for tables: what is absent is filled in from rows that resemble what is present.

Source: Aas, Jullum, Løland (2021), "Explaining individual predictions when features are dependent", section 3.3 (the
empirical conditional approach), with nearest neighbours in place of a Gaussian weight, so that no width needs choosing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.missingness.base import Fill, Missingness, background_of
from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.runtime.seeds import generator


@register("conditional", "parts")
@dataclass(frozen=True)
class Conditional(Missingness):
    """Absent features take the values of the background rows nearest to the sample in its present features.

    Estimates E[f(x_S, X_rest) | X_S = x_S], so inputs stay plausible where features depend on each other; `Marginal`
    breaks the dependence. A feature that the model ignores can then get a share of those it goes along with.

    Parameters
    ----------
    neighbours : rows averaged over; each mask costs this many evaluations.
    rows : background rows searched; 0 takes all of them.
    seed : which rows, and their order where distances are equal (all are, when nothing is present).

    Notes
    -----
    Numeric features count by squared difference over their variance in the background, categories 0 or 2: what two
    draws differ by on average, as for a numeric feature.
    """

    neighbours: int = 25
    rows: int = 0
    seed: int = 0
    kinds: ClassVar[tuple[str, ...]] = ("table",)

    def draws(self, model: Any) -> int:
        have = len(background_of(model, self.name))
        searched = min(self.rows, have) if self.rows else have
        if not 1 <= self.neighbours <= searched:
            raise InputError(
                f"{self.name}: {self.neighbours} neighbours among {searched} background rows of {model.name!r}; "
                "take fewer neighbours, at least 1"
            )
        return self.neighbours

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        background = background_of(model, self.name)
        order = generator(self.seed).permutation(len(background))
        rows = background[order[: self.rows or len(order)]]
        distances = _distances(model, sample, rows, background)
        count = self.draws(model)

        def fill(keep: Masks) -> Array:
            far = keep.astype(float) @ distances.T  # (mask, row)
            nearest = np.argsort(far, axis=1, kind="stable")[:, :count]
            filled = np.where(keep[:, None, :], sample, rows[nearest])
            return filled.reshape(-1, len(sample))

        return fill


def _distances(model: Any, sample: Array, rows: Array, background: Array) -> Floats:
    """Squared distances (row, feature), in units in which each feature's variance is 1."""
    spread = background.var(axis=0)
    distances = (rows - sample) ** 2 / np.where(spread > 0, spread, 1.0)
    for j, feature in enumerate(getattr(model, "features", ())):
        if feature.kind == "categorical":
            distances[:, j] = 2.0 * (rows[:, j] != sample[j])
    return np.asarray(distances)
