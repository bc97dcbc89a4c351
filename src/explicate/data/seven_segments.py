"""Which segments of a seven-segment display each digit lights: concepts of digits, of which no two have the same."""

from __future__ import annotations

import numpy as np

from explicate.errors import InputError

SEGMENTS = ("top", "upper right", "lower right", "bottom", "lower left", "upper left", "middle")
_LIT = ("111111.", ".11....", "11.11.1", "1111..1", ".11..11", "1.11.11", "1.11111", "111....", "1111111", "1111.11")


def segments(digits: np.ndarray) -> np.ndarray:
    """(case, segment) int64, 0 and 1, in the order of `SEGMENTS`.

    Parameters
    ----------
    digits : (case,) from 0 to 9.
    """
    digits = np.asarray(digits)
    if digits.size and not ((digits >= 0) & (digits <= 9)).all():
        raise InputError(f"the digits run from {digits.min()} to {digits.max()}; they must be 0 to 9")
    table = np.array([[mark == "1" for mark in lit] for lit in _LIT], dtype=np.int64)
    return np.asarray(table[digits])
