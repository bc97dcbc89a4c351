"""Heads of induction, from what they attend to on repeated tokens: the previous token, and the one after the copy.

Source: Olsson et al. (2022), "In-context Learning and Induction Heads", "Per-head evidence".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.models.language import LanguageModel
from explicate.models.tiny.repeated_tokens import half_of


@dataclass(frozen=True, eq=False)
class InductionHeads:
    """Attention of every head on tokens that are said twice.

    Attributes
    ----------
    previous : mean attention to the token before, (layer, head).
    induction : in the second half, to the token after the earlier copy of the present one, (layer, head).
    """

    previous: Floats
    induction: Floats


def induction_heads(model: LanguageModel, ids: Array) -> InductionHeads:
    """Measure on sequences (sample, 2 half) whose second half is the first again."""
    half = half_of(ids)
    sites = [Site("pattern", layer) for layer in range(model.layer_count)]
    seen = model.capture(ids, sites)
    later, second = np.arange(1, 2 * half), np.arange(half, 2 * half)
    previous = [seen[site][:, :, later, later - 1].mean(axis=(0, 2)) for site in sites]
    induction = [seen[site][:, :, second, second - half + 1].mean(axis=(0, 2)) for site in sites]
    return InductionHeads(np.stack(previous), np.stack(induction))
