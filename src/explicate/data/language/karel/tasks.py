"""Programming by example: a program, what it does to the inputs that are shown, and to others that are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.data.language.karel.interpreter import final
from explicate.data.language.karel.programs import ABSENT, WEIGHTS, program_lengths, random_programs
from explicate.data.language.karel.worlds import Setting, Worlds
from explicate.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class Tasks:
    """Specifications with their reference programs.

    Attributes
    ----------
    programs : (task, action) int8, the references; numbers of `ACTIONS`, -1 after the last.
    inputs, outputs : worlds (task * example,), a task's examples one after another, those shown first.
    shown, hidden : how many examples of each task are shown, and how many held out.
    """

    programs: np.ndarray
    inputs: Worlds
    outputs: Worlds
    shown: int
    hidden: int

    def __len__(self) -> int:
        return len(self.programs)

    def __repr__(self) -> str:
        return f"Tasks({len(self):,} with {self.shown} examples shown and {self.hidden} held out)"

    @property
    def examples(self) -> int:
        """Examples of a task, shown or not."""
        return self.shown + self.hidden

    def take(self, tasks: np.ndarray | slice) -> Tasks:
        """Some of the tasks: indices, a boolean mask or a slice."""
        chosen = np.arange(len(self))[tasks]
        rows = self.rows(np.arange(self.examples), chosen)
        return Tasks(self.programs[chosen], self.inputs.take(rows), self.outputs.take(rows), self.shown, self.hidden)

    def rows(self, examples: np.ndarray, tasks: np.ndarray | None = None) -> np.ndarray:
        """(task * example,) places in `inputs` of some examples of all tasks, or of some."""
        chosen = np.arange(len(self)) if tasks is None else tasks
        return np.asarray((chosen[:, None] * self.examples + examples).ravel())

    def first_inputs(self) -> Worlds:
        """(task,) the first input of each task, in which traces are taken."""
        return self.inputs.take(self.rows(np.arange(1)))

    def solved_by(self, programs: np.ndarray, *, hidden: bool = False) -> np.ndarray:
        """(task,) bool: whether each program turns all shown inputs (or all hidden ones) into their outputs.

        Parameters
        ----------
        programs : (task, action). A row without any action solves nothing: it is no program.
        """
        examples = np.arange(self.shown, self.examples) if hidden else np.arange(self.shown)
        if not len(examples):
            raise InputError("the tasks have no hidden examples; generate some")
        rows = self.rows(examples)
        ends = final(np.repeat(programs, len(examples), axis=0), self.inputs.take(rows))
        right = ends.same_as(self.outputs.take(rows)).reshape(len(self), len(examples)).all(axis=1)
        return np.asarray(right & (program_lengths(programs) > 0))

    def equal_reference(self, programs: np.ndarray) -> np.ndarray:
        """(task,) bool: whether each program is the reference, action by action."""
        width = max(programs.shape[1], self.programs.shape[1])
        return np.asarray((_widened(programs, width) == _widened(self.programs, width)).all(axis=1))


PAPERS = Setting()
"""The papers' worlds."""


@dataclass(frozen=True)
class TaskSource:
    """Where random tasks come from.

    Parameters
    ----------
    setting : the worlds. shown, hidden : examples per task.
    lengths : shortest and longest program. weights : how often each action is drawn.
    """

    setting: Setting = PAPERS
    shown: int = 5
    hidden: int = 5
    lengths: tuple[int, int] = (1, 10)
    weights: tuple[float, ...] = WEIGHTS

    def __post_init__(self) -> None:
        if self.shown < 1 or self.hidden < 0:
            raise InputError("show at least 1 example, and hold out 0 or more")

    def draw(self, rng: np.random.Generator, count: int) -> Tasks:
        """So many random tasks."""
        programs = random_programs(rng, count, self.lengths, self.weights)
        examples = self.shown + self.hidden
        inputs = self.setting.draw(rng, count * examples)
        return Tasks(programs, inputs, final(np.repeat(programs, examples, axis=0), inputs), self.shown, self.hidden)


def best_constant(tasks: Tasks, candidates: np.ndarray) -> tuple[np.ndarray, float]:
    """The one program of (candidate, action) that solves the largest share of the tasks, and that share."""
    shares = [float(tasks.solved_by(np.repeat(one[None], len(tasks), axis=0)).mean()) for one in candidates]
    best = int(np.argmax(shares))
    return candidates[best], shares[best]


def all_programs(longest: int, actions: int = 5) -> np.ndarray:
    """Every straight-line program of 1 to `longest` actions, shortest first: (program, action)."""
    found = [
        _widened(np.stack(np.meshgrid(*[np.arange(actions)] * length, indexing="ij"), -1).reshape(-1, length), longest)
        for length in range(1, longest + 1)
    ]
    return np.concatenate(found).astype(np.int8)


def without_repeats(tasks: Tasks, others: Sequence[Tasks]) -> Tasks:
    """The tasks whose program and inputs do not both occur among others."""
    known = {key for other in others for key in _keys(other)}
    return tasks.take(np.array([key not in known for key in _keys(tasks)], dtype=bool))


def _keys(tasks: Tasks) -> list[bytes]:
    parts = []
    for number in range(len(tasks)):
        own = tasks.inputs.take(tasks.rows(np.arange(tasks.shown), np.array([number])))
        program = tasks.programs[number][tasks.programs[number] != ABSENT]
        state = (own.walls, own.markers, own.positions, own.directions)
        parts.append(program.tobytes() + b"|" + b"|".join(each.tobytes() for each in state))
    return parts


def _widened(programs: np.ndarray, width: int) -> np.ndarray:
    return np.pad(programs, ((0, 0), (0, width - programs.shape[1])), constant_values=ABSENT)
