"""Many traced prompts taken together: means with intervals, where they peak, how many are out of the ordinary.

Source: Saynova et al. (2024), "Fact Recall, Heuristics or Pure Guesswork?", section 4, arXiv 2410.14405.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from explicate.core.kinds import Effects
from explicate.errors import InputError
from explicate.mechanisms.tracing.causal_tracing import normalised

PEAKS = ("last subject", "last")
NORMAL = 1.96


@dataclass(frozen=True)
class Peak:
    """The largest mean of a place: at which layer, and how large."""

    layer: int
    value: float


@dataclass(frozen=True, eq=False)
class TraceSummary:
    """Normalised effects of some prompts.

    Attributes
    ----------
    mean, half_width : (layer, place), and half of the 95 % interval, 1.96 standard deviations over the root of the
        number of prompts; NaN where fewer than one, or two, prompts have the place.
    peaks : of the subject's and of the prompt's last token.
    samples : prompts. counts : how many have a negative or undefined total effect, and how many single values lie
        outside [-1, 1]. clipped : whether those were clipped.
    """

    mean: xr.DataArray
    half_width: xr.DataArray
    peaks: dict[str, Peak]
    samples: int
    counts: dict[str, int]
    clipped: bool


def summed_up(effects: Effects, clip: bool = False) -> TraceSummary:
    """What `causal_trace` found on many prompts, taken together; compare scenarios by one such summary each.

    Parameters
    ----------
    clip : normalised effects to [-1, 1] first: where the total effect is tiny, single ones are huge.

    Raises
    ------
    InputError : no prompt has a total effect that normalises anything.
    """
    values, counts = normalised(effects, clip)
    if counts["undefined"] == len(effects):
        raise InputError(f"none of {len(effects)} prompts loses anything by the noise, so there is nothing to restore")
    known = values.notnull().sum("sample")
    spread = values.std("sample", ddof=1) if len(effects) > 1 else values.isel(sample=0) * np.nan
    mean = values.mean("sample")
    half_width = (NORMAL * spread / np.sqrt(known)).where(known > 1)
    peaks = {}
    for place in PEAKS:
        curve = mean.sel(place=place)
        best = int(curve.argmax("layer"))
        peaks[place] = Peak(int(curve["layer"][best]), float(curve[best]))
    return TraceSummary(mean, half_width, peaks, len(effects), counts, clip)
