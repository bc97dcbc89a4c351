"""Counting what an explanation costs: evaluations of the model, and gradients of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Cost:
    """What was spent between two points in time.

    Attributes
    ----------
    evaluations : samples sent forward through the model.
    gradients : samples sent forward and backward through the model (not counted in `evaluations`).
    seconds : wall time.
    """

    evaluations: int = 0
    gradients: int = 0
    seconds: float = 0.0


_open: ContextVar[tuple[Cost, ...]] = ContextVar("explicate_cost", default=())


@contextmanager
def measure() -> Iterator[Cost]:
    """Count what the block spends, on any model. Blocks nest: an outer one counts the inner one's too."""
    cost = Cost()
    token = _open.set((*_open.get(), cost))
    start = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        _open.reset(token)


def spend(evaluations: int = 0, gradients: int = 0) -> None:
    """Model handles call this; nobody else needs to."""
    for cost in _open.get():
        cost.evaluations += evaluations
        cost.gradients += gradients
