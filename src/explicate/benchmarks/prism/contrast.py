"""Where the peaks of traced prompts lie: what scenarios are compared by."""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.kinds import Effects
from explicate.mechanisms.tracing import PLACES
from explicate.mechanisms.tracing.causal_tracing import normalised


def peak_shares(effects: Effects) -> Floats:
    """For each sample the share of the peaks that each place has: (sample, place), rows add up to 1.

    A place's peak is its largest normalised effect over the layers, not below 0. Samples without any peak are NaN.
    """
    found, _ = normalised(effects)
    peaks = np.nan_to_num(found.max("layer", skipna=True).values, nan=0.0).clip(min=0.0)
    total = peaks.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, peaks / total, np.nan))


def subject_against_last(effects: Effects) -> Floats:
    """For each sample the peak's share at the subject's last token less that at the prompt's last token."""
    shares = peak_shares(effects)
    return np.asarray(shares[:, PLACES.index("last subject")] - shares[:, PLACES.index("last")])
