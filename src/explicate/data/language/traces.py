"""Traces of programs and features of their states, for any language with `run(program, state, semantics)`.

Source: Jin, Rinard (2023), arXiv 2305.11169, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from explicate.errors import InputError

UNLABELLED = -1


@runtime_checkable
class ProgramLanguage(Protocol):
    """A language whose meaning is defined by an interpreter that takes the words' semantics."""

    def run(self, program: Any, state: Any, semantics: Any) -> Sequence[Any]:
        """The states before the first action and after each; an `InputError` for what is no program."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Traces:
    """States of many runs, one after another.

    Attributes
    ----------
    states : (state,) anything that can be indexed.
    program : (state,) the number of the run that a state belongs to, ascending.
    step : (state,) actions done before it; 0 is the state that the program starts from.
    """

    states: Any
    program: np.ndarray
    step: np.ndarray

    def __len__(self) -> int:
        return len(self.program)

    def __repr__(self) -> str:
        return f"Traces({len(np.unique(self.program)):,} runs with {len(self):,} states)"

    @property
    def first(self) -> np.ndarray:
        """(state,) the place of the state that its run starts from."""
        return np.arange(len(self)) - self.step

    @property
    def last(self) -> np.ndarray:
        """(state,) the place of the state that its run ends in."""
        ends = np.append(np.flatnonzero(self.step[1:] == 0), len(self) - 1)
        return np.asarray(ends[np.cumsum(self.step == 0) - 1])

    @property
    def lengths(self) -> dict[int, int]:
        """Actions of each run, by its number."""
        ends = np.append(self.step[1:] == 0, True) if len(self) else np.zeros(0, dtype=bool)
        return dict(zip(self.program[ends].tolist(), self.step[ends].tolist(), strict=True))


@dataclass(frozen=True)
class Feature:
    """Something about a state that a probe may be asked for.

    Parameters
    ----------
    name : how reports call it.
    parts : number of classes of each part; all parts must be right for the feature to be.
    read : from traces to class numbers (state, part), `UNLABELLED` where there is none.
    """

    name: str
    parts: tuple[int, ...]
    read: Callable[[Traces], np.ndarray]

    def labels(self, traces: Traces) -> np.ndarray:
        """Class numbers (state, part)."""
        found = np.asarray(self.read(traces))
        found = found[:, None] if found.ndim == 1 else found
        if found.shape != (len(traces), len(self.parts)) or (found >= np.array(self.parts)).any():
            raise InputError(f"the feature {self.name!r} gives labels outside its {len(self.parts)} parts' classes")
        return found


def traced(language: ProgramLanguage, programs: Sequence[Any], states: Any, semantics: Any) -> Traces:
    """Run each program on its own state; what is no program, or empty, has no trace.

    Languages that offer `traces(programs, states, semantics)` do it all at once.
    """
    if hasattr(language, "traces"):
        found: Traces = language.traces(programs, states, semantics)
        return found
    together: list[Any] = []
    program, step = [], []
    for number, code in enumerate(programs):
        try:
            trace = list(language.run(code, states[number], semantics))
        except InputError:
            continue
        if len(trace) > 1:
            together += trace
            program += [number] * len(trace)
            step += list(range(len(trace)))
    return Traces(together, np.array(program, dtype=np.int64), np.array(step, dtype=np.int64))


def at_offset(traces: Traces, labels: np.ndarray, offset: int) -> np.ndarray:
    """Labels seen from each action: (action, part), `UNLABELLED` where there is no state at that distance.

    The model state that chooses action k is paired with the program state after action k + offset: 0 is the state that
    the chosen action leads to, 1 that after the next one. The state before the first action is no label.

    Returns
    -------
    (action, part), one row for each state with `step` 1 or more, in their order.
    """
    actions = np.flatnonzero(traces.step > 0)
    wanted = actions + offset
    inside = (wanted >= 0) & (wanted < len(traces))
    wanted = np.where(inside, wanted, 0)
    there = inside & (traces.program[wanted] == traces.program[actions]) & (traces.step[wanted] > 0)
    return np.asarray(np.where(there[:, None], labels[wanted], UNLABELLED))
