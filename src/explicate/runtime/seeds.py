"""Random generators from explicit seeds; nothing in explicate reads a global generator."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from explicate.errors import InputError
from explicate.runtime.fingerprint import digest


def derive_seed(seed: int, *parts: Any) -> int:
    """A 63-bit seed for one part of a run; it depends on the parts' content only, not on their order of execution."""
    return int(digest(checked_seed(seed), *parts)[:16], 16) >> 1


def generator(seed: int, *parts: Any) -> np.random.Generator:
    """A generator for one part of a run, independent of those of the other parts."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *parts) if parts else checked_seed(seed)))


def checked_seed(seed: Any) -> int:
    """A seed as an int; what is no whole number of 0 or more is an `InputError`."""
    try:
        found = operator.index(seed)
    except TypeError:
        found = -1
    if found < 0:
        raise InputError(f"seed is {seed!r}; give a whole number, 0 or more")
    return found
