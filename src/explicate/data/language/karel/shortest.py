"""The shortest program that does what is asked: breadth-first search over the joint states of all examples."""

from __future__ import annotations

import numpy as np

from explicate.data.language.karel.interpreter import step
from explicate.data.language.karel.programs import ABSENT
from explicate.data.language.karel.semantics import ACTIONS
from explicate.data.language.karel.worlds import Worlds


def shortest_program(inputs: Worlds, outputs: Worlds, longest: int) -> np.ndarray | None:
    """The first of the shortest straight-line programs that turn every input into its output, as numbers of `ACTIONS`.

    Parameters
    ----------
    inputs, outputs : (example,). longest : programs of more actions are not looked for.

    Returns
    -------
    (action,) int8, of length 0 where nothing has to be done; None where there is none of at most `longest` actions.
    """
    examples = len(inputs)
    keys = _Keys(inputs)
    goal = keys(outputs, 1)[0]
    seen = keys(inputs, 1)
    frontier, programs = inputs, np.empty((1, 0), dtype=np.int8)
    if seen[0] == goal:
        return programs[0]
    for _ in range(longest):
        branches = len(programs)
        actions = np.repeat(np.arange(len(ACTIONS), dtype=np.int8), branches)
        grown = np.concatenate([np.tile(programs, (len(ACTIONS), 1)), actions[:, None]], axis=1)
        frontier = step(
            frontier.take(np.tile(np.arange(branches * examples), len(ACTIONS))), np.repeat(actions, examples)
        )
        found = keys(frontier, len(grown))
        hits = np.flatnonzero(found == goal)
        if len(hits):
            return np.asarray(grown[hits[0]])
        fresh, first = np.unique(found, return_index=True)
        new = np.sort(first[~np.isin(fresh, seen)])
        if not len(new):
            return None
        seen = np.concatenate([seen, found[new]])
        programs = grown[new]
        frontier = frontier.take((new[:, None] * examples + np.arange(examples)).ravel())
    return None


def shortest_lengths(inputs: Worlds, outputs: Worlds, examples: int, longest: int) -> np.ndarray:
    """(task,) number of actions of the shortest program of each task, `ABSENT` where there is none up to `longest`.

    Parameters
    ----------
    inputs, outputs : (task * example,), a task's examples one after another.
    """
    lengths = []
    for start in range(0, len(inputs), examples):
        own = slice(start, start + examples)
        found = shortest_program(inputs.take(own), outputs.take(own), longest)
        lengths.append(ABSENT if found is None else len(found))
    return np.array(lengths)


class _Keys:
    """A 64-bit number for the joint state of some examples; walls never change, so they are left out."""

    def __init__(self, worlds: Worlds) -> None:
        rng = np.random.Generator(np.random.PCG64(0))
        cells = worlds.walls[0].size
        self.examples = len(worlds)
        self.marker = rng.integers(1 << 63, size=(self.examples, cells), dtype=np.uint64) | np.uint64(1)
        self.hero = rng.integers(1 << 63, size=(self.examples, cells * 4), dtype=np.uint64)

    def __call__(self, worlds: Worlds, groups: int) -> np.ndarray:
        """(group,) of worlds (group * example,)."""
        markers = worlds.markers.reshape(groups, self.examples, -1).astype(np.uint64)
        pose = (worlds.positions * 4 + worlds.directions).reshape(groups, self.examples)
        hero = self.hero[np.arange(self.examples), pose]
        return np.asarray((markers * self.marker).sum(axis=(1, 2), dtype=np.uint64) + hero.sum(axis=1, dtype=np.uint64))
