"""What probes are asked about Karel's states: the papers' labels.

Source: Jin, Rinard (2023), arXiv 2305.11169: version 1 asks for the direction, version 3 for all of these.
"""

from __future__ import annotations

import numpy as np

from explicate.data.language.karel.worlds import DIRECTIONS, Worlds
from explicate.data.language.traces import Feature, Traces
from explicate.errors import InputError


def direction(traces: Traces) -> np.ndarray:
    """(state,) where the hero looks."""
    return np.asarray(_worlds(traces).directions)


def wall_ahead(traces: Traces) -> np.ndarray:
    """(state,) whether there is a wall before the hero."""
    worlds = _worlds(traces)
    return worlds.wall_at(worlds.ahead()).astype(np.int64)


def position(traces: Traces) -> np.ndarray:
    """(state, 2) row and column inside the border."""
    worlds = _worlds(traces)
    return np.stack([worlds.rows - 1, worlds.columns - 1], axis=1)


def walls_around(traces: Traces) -> np.ndarray:
    """(state, 4) whether there is a wall above, on the right, below, on the left of the hero."""
    worlds = _worlds(traces)
    found = [worlds.wall_at(worlds.beside(side)) for side in range(len(DIRECTIONS))]
    return np.stack(found, axis=1).astype(np.int64)


FEATURES = ("direction", "wall ahead", "position", "walls around", "from start", "to end")


def feature(name: str, rows: int, columns: int) -> Feature:
    """A feature by its name, for worlds with so many cells inside the border.

    Parameters
    ----------
    name : one of `FEATURES`; "from start" and "to end" are rows and columns away from where the run starts and ends.
    """
    around = (2 * rows - 1, 2 * columns - 1)
    known = {
        "direction": Feature("direction", (len(DIRECTIONS),), direction),
        "wall ahead": Feature("wall ahead", (2,), wall_ahead),
        "position": Feature("position", (rows, columns), position),
        "walls around": Feature("walls around", (2,) * len(DIRECTIONS), walls_around),
        "from start": Feature("from start", around, lambda traces: _away(traces, traces.first, rows, columns)),
        "to end": Feature("to end", around, lambda traces: _away(traces, traces.last, rows, columns)),
    }
    if name not in known:
        raise InputError(f"there is no feature {name!r}; use one of {', '.join(known)}")
    return known[name]


def _away(traces: Traces, other: np.ndarray, rows: int, columns: int) -> np.ndarray:
    here = position(traces)
    return here - here[other] + np.array([rows - 1, columns - 1])


def _worlds(traces: Traces) -> Worlds:
    if not isinstance(traces.states, Worlds):
        raise InputError("these features are of Karel's worlds; give traces of the language Karel")
    return traces.states
