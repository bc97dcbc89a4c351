"""Progress bars on standard error: shown on a terminal, silent elsewhere and when `EXPLICATE_PROGRESS=0`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def wanted() -> bool:
    """Whether somebody looks: `EXPLICATE_PROGRESS` (0 or 1) decides, else whether standard error is a terminal."""
    setting = os.environ.get("EXPLICATE_PROGRESS")
    return setting != "0" if setting is not None else sys.stderr.isatty()


def track(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items` under a progress bar that says `label`, the rate and the time left."""
    yield from tqdm(items, desc=label, total=total, disable=not wanted(), leave=False, file=sys.stderr, delay=0.5)


def bar(total: int, label: str, done: int = 0) -> tqdm:  # type: ignore[type-arg]
    """A bar to move by hand (`.update(1)`, `.close()`); `done` of `total` are finished at the start."""
    return tqdm(total=total, initial=done, desc=label, disable=not wanted(), leave=False, file=sys.stderr)
