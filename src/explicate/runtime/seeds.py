"""Random generators from explicit seeds; nothing in explicate reads a global generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.runtime.fingerprint import digest


def derive_seed(seed: int, *parts: Any) -> int:
    """A 63-bit seed for one part of a run; it depends on the parts' content only, not on their order of execution."""
    return int(digest(int(seed), *parts)[:16], 16) >> 1


def generator(seed: int, *parts: Any) -> np.random.Generator:
    """A generator for one part of a run, independent of those of the other parts."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *parts) if parts else int(seed)))
