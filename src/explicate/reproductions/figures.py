"""Figures in the notes of claims, all written in one way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def listed(values: Iterable[float], digits: int = 3) -> str:
    """Figures with commas between them."""
    return ", ".join(f"{value:.{digits}f}" for value in values)


def named(values: Mapping[str, float], digits: int = 3) -> str:
    """Figures behind their names, with commas between them."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def mean_of(records: Sequence[Mapping[str, Any]], name: str) -> float:
    """The mean of one field of all records."""
    return float(np.mean([one[name] for one in records]))
