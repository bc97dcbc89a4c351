"""Many strengths of one direction on many prompts, run together from the layer that the direction is added at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.interventions import Intervention
from explicate.core.kinds import Direction
from explicate.errors import InputError
from explicate.mechanisms.effects import Figures
from explicate.mechanisms.restart import Job, Measured, Variant, Way, measured, require_causal
from explicate.mechanisms.steering.interventions import Where, check_fits, steer
from explicate.models.language import LanguageModel


def swept_strengths(
    model: LanguageModel,
    ids: Array,
    direction: Direction,
    strengths: Sequence[float],
    figures: Figures,
    *,
    tokens: Where = "all",
    keep_norm: bool = False,
    way: Way | None = None,
) -> Measured:
    """Figures of the next token under each strength; below the direction's first layer nothing runs again.

    Parameters
    ----------
    ids : encoded prompts (sample, token).
    figures : see `Readout`.

    Returns
    -------
    Measured : `values` (strength, sample, figure); those of strength 0 are the untouched prompts' own.
    """
    require_causal(model, "a sweep over strengths")
    if tokens == "new":
        raise InputError("what is added at new tokens cannot change the first of them; generate, or name other tokens")
    if not len(strengths) or not np.isfinite(strengths).all():
        raise InputError(f"strengths {list(strengths)}: give at least one, all finite")
    check_fits(direction, model)
    running = [float(strength) for strength in strengths if strength != 0]
    variants = [
        _entered(tuple(steer(direction, strength, tokens=tokens, keep_norm=keep_norm)), model.layer_count)
        for strength in running
    ]
    found = measured(Job(model, ids, lambda captured, length: list(variants), way=way, figures=figures))
    values = np.repeat(found.base[None], len(strengths), axis=0)
    values[np.asarray(strengths) != 0] = found.values
    return replace(found, values=values)


def _entered(variant: Variant, layers: int) -> Variant:
    """A block's output is the next one's input: changed there, the block itself need not run again."""
    found: list[Intervention] = []
    for part in variant:
        site = part.address
        if site.kind == "resid_post" and site.layer is not None and site.layer + 1 < layers:
            part = replace(part, site=replace(site, kind="resid_pre", layer=site.layer + 1))
        found.append(part)
    return tuple(found)
