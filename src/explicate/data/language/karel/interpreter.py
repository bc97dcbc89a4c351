"""Running Karel programs: one with branches in one world, or thousands of straight-line ones at once.

An action that cannot be done does nothing: a move into a wall, picking from an empty cell. Markers never run out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.data.language.karel.programs import ABSENT, Branch, Program, as_array, is_straight, program_lengths
from explicate.data.language.karel.semantics import ACTIONS, LEFT, MOVE, ORIGINAL, PICK, PUT, RIGHT, Semantics
from explicate.data.language.karel.worlds import DIRECTIONS, Worlds, together
from explicate.data.language.traces import Traces
from explicate.errors import InputError

MOST_COUNTED = 127  # markers on a cell


def step(worlds: Worlds, actions: np.ndarray) -> Worlds:
    """The worlds after one action each: (world,) numbers of `ACTIONS`, `ABSENT` for none."""
    ahead = worlds.ahead()
    moves = (actions == MOVE) & ~worlds.wall_at(ahead)
    turn = (actions == RIGHT).astype(np.int64) - (actions == LEFT)
    change = (actions == PUT).astype(np.int8) - (actions == PICK).astype(np.int8)
    markers = worlds.markers
    touched = np.flatnonzero(change)
    if len(touched):
        markers = markers.copy()
        flat = markers.reshape(len(markers), -1)
        cells = worlds.positions[touched]
        flat[touched, cells] = np.clip(flat[touched, cells].astype(int) + change[touched], 0, MOST_COUNTED)
    return Worlds(
        worlds.walls, markers, np.where(moves, ahead, worlds.positions), (worlds.directions + turn) % len(DIRECTIONS)
    )


def states(programs: np.ndarray, worlds: Worlds, semantics: Semantics = ORIGINAL) -> Iterator[Worlds]:
    """The worlds before the first action and after each: as many as the longest program has actions, and one.

    Parameters
    ----------
    programs : (world, action), numbers of `ACTIONS`, `ABSENT` after a program's last; a shorter program's world stays.
    """
    if len(programs) != len(worlds):
        raise InputError(f"{len(programs)} programs for {len(worlds)} worlds; give one for each")
    codes = np.append(semantics.codes, ABSENT)  # what is absent stays absent
    yield worlds
    for actions in programs.T:
        worlds = step(worlds, codes[actions])
        yield worlds


def final(programs: np.ndarray, worlds: Worlds, semantics: Semantics = ORIGINAL) -> Worlds:
    """The worlds after the last action."""
    for after in states(programs, worlds, semantics):
        worlds = after
    return worlds


@dataclass(frozen=True)
class Karel:
    """The language as what studies of meaning ask for: `run(program, state, semantics)`, and `traces` of many at once.

    Parameters
    ----------
    most_steps : actions after which a run is given up.
    """

    most_steps: int = 1000

    def run(self, program: Program, state: Worlds, semantics: Semantics = ORIGINAL) -> list[Worlds]:
        """The states of one world before the first action and after each that was reached."""
        trace = [state]
        self._run(program, trace, semantics)
        return trace

    def traces(
        self, programs: np.ndarray | Sequence[Program], worlds: Worlds, semantics: Semantics = ORIGINAL
    ) -> Traces:
        """All states of all runs, each program in its own world; rows of straight-line programs go together.

        Parameters
        ----------
        programs : numbers of `ACTIONS` (program, action), or programs that may have branches. Those without actions
            have no trace.
        """
        if not isinstance(programs, np.ndarray):
            if not all(is_straight(program) for program in programs):
                return self._traces_one_by_one(programs, worlds, semantics)
            programs = as_array(programs)
        chosen = np.flatnonzero(program_lengths(programs))
        lengths = program_lengths(programs[chosen])
        steps = together(list(states(programs[chosen], worlds.take(chosen), semantics)))
        program = np.repeat(np.arange(len(chosen)), lengths + 1)
        step = np.arange(len(program)) - np.repeat(np.cumsum(lengths + 1) - lengths - 1, lengths + 1)
        return Traces(steps.take(step * len(chosen) + program), chosen[program], step)

    def _traces_one_by_one(self, programs: Sequence[Program], worlds: Worlds, semantics: Semantics) -> Traces:
        parts, program, step = [], [], []
        for number, code in enumerate(programs):
            trace = self.run(code, worlds.take(slice(number, number + 1)), semantics)
            if len(trace) > 1:
                parts += trace
                program += [number] * len(trace)
                step += list(range(len(trace)))
        return Traces(together(parts), np.array(program, dtype=np.int64), np.array(step, dtype=np.int64))

    def _run(self, program: Program, trace: list[Worlds], semantics: Semantics) -> None:
        for each in program:
            if isinstance(each, Branch):
                self._run(each.then if self.holds(each.condition, trace[-1]) else each.otherwise, trace, semantics)
                continue
            if len(trace) > self.most_steps:
                raise InputError(f"the program has done {self.most_steps} actions; raise most_steps")
            action = semantics.meanings[ACTIONS.index(each)]
            trace.append(step(trace[-1], np.array([ACTIONS.index(action)])))

    def holds(self, condition: str, world: Worlds) -> bool:
        """Whether a condition holds in one world."""
        if condition.endswith("markers_present"):
            present = bool(world.markers_at(world.positions)[0] > 0)
            return present != condition.startswith("no")
        turn = {"front_is_clear": 0, "right_is_clear": 1, "left_is_clear": -1}[condition]
        return not bool(world.wall_at(world.ahead(turn))[0])
