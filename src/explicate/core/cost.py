"""Counting what an explanation costs: evaluations of the model, gradients of it, calls of a chat model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Cost:
    """What was spent between two points in time.

    Attributes
    ----------
    evaluations : samples sent forward through the model.
    gradients : samples sent forward and backward through the model (not counted in `evaluations`).
    calls : replies that a chat model wrote.
    cached_calls : replies read from a cache, which cost nothing.
    prompt_tokens, completion_tokens : tokens that the chat model read and wrote in `calls`.
    seconds : wall time.
    """

    evaluations: int = 0
    gradients: int = 0
    calls: int = 0
    cached_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    def spent(self) -> dict[str, Any]:
        """The fields by name, as `Provenance` takes them."""
        return asdict(self)


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


def spend(
    evaluations: int = 0,
    gradients: int = 0,
    calls: int = 0,
    cached_calls: int = 0,
    prompt_tokens: int = 0,
    completion_tokens: int = 0,
) -> None:
    """Model handles call this; nobody else needs to."""
    for cost in _open.get():
        cost.evaluations += evaluations
        cost.gradients += gradients
        cost.calls += calls
        cost.cached_calls += cached_calls
        cost.prompt_tokens += prompt_tokens
        cost.completion_tokens += completion_tokens
