"""Karel programs as text and as trees: `def run() { move(); if (front_is_clear()) { turn_left(); } }`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.data.language.karel.semantics import ACTIONS
from explicate.errors import InputError

CONDITIONS = ("front_is_clear", "left_is_clear", "right_is_clear", "markers_present", "no_markers_present")
ABSENT = -1  # after a program's last action, in arrays of programs
WEIGHTS = (5.0, 3.0, 3.0, 2.0, 2.0)
"""How often each of `ACTIONS` is drawn, in the papers' corpus."""


@dataclass(frozen=True)
class Branch:
    """`if (condition) { then }`, or `ifelse (condition) { then } else { otherwise }`."""

    condition: str
    then: Program
    otherwise: Program = ()


Program = tuple["str | Branch", ...]
"""Statements in a row: names of actions, and branches."""

_TOKEN = re.compile(r"[A-Za-z_]\w*|[(){};]|\S")


def parse(code: str) -> Program:
    """A program from its text.

    Raises
    ------
    InputError : the text is no program, or one without any action.
    """
    reader = _Reader(_TOKEN.findall(code))
    for expected in ("def", "run", "(", ")"):
        reader.take(expected)
    found = reader.block()
    if reader.left:
        raise InputError(f"the program goes on after its end with {reader.left[0]!r}")
    if not found:
        raise InputError("the program has no actions; give at least one")
    return found


def text_of(program: Program | Sequence[int]) -> str:
    """The text of a program; `parse` undoes it. Straight-line programs may be given as numbers of `ACTIONS`."""
    named = [ACTIONS[each] if isinstance(each, int | np.integer) else each for each in program if each != ABSENT]
    return f"def run() {_block(named)}"


def is_straight(program: Program) -> bool:
    """Whether there are no branches."""
    return all(isinstance(each, str) for each in program)


def as_array(programs: Iterable[Program]) -> np.ndarray:
    """Straight-line programs as numbers of `ACTIONS` (program, action), `ABSENT` after the last one."""
    rows = []
    for program in programs:
        if not is_straight(program):
            raise InputError("a program with branches is no row of actions; run it by itself")
        rows.append([ACTIONS.index(str(each)) for each in program])
    found = np.full((len(rows), max(map(len, rows), default=0)), ABSENT, dtype=np.int8)
    for row, actions in zip(found, rows, strict=True):
        row[: len(actions)] = actions
    return found


def random_programs(
    rng: np.random.Generator,
    count: int,
    lengths: tuple[int, int] = (1, 10),
    weights: Sequence[float] = WEIGHTS,
) -> np.ndarray:
    """Random straight-line programs as numbers of `ACTIONS` (program, action).

    Parameters
    ----------
    lengths : shortest and longest; every length is equally likely. weights : how often each action is drawn.
    """
    shortest, longest = lengths
    if not 1 <= shortest <= longest:
        raise InputError(f"lengths is {lengths}; give the shortest, 1 or more, and the longest")
    shares = np.asarray(weights, dtype=float)
    if shares.shape != (len(ACTIONS),) or (shares < 0).any() or not shares.sum() > 0:
        raise InputError(f"weights must be {len(ACTIONS)} numbers of 0 or more, not all 0")
    found = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], rng.random((count, longest)), side="right")
    length = rng.integers(shortest, longest + 1, size=count)
    return np.where(np.arange(longest) < length[:, None], found, ABSENT).astype(np.int8)


def program_lengths(programs: np.ndarray) -> np.ndarray:
    """(program,) number of actions of each row of `as_array`."""
    return np.asarray((programs != ABSENT).sum(axis=1))


class _Reader:
    """What is left of a program's tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def take(self, expected: str) -> None:
        if not self.left or self.left[0] != expected:
            found = repr(self.left[0]) if self.left else "the end"
            raise InputError(f"the program has {found} where {expected!r} should be")
        self.left = self.left[1:]

    def block(self) -> Program:
        self.take("{")
        found: list[str | Branch] = []
        while self.left and self.left[0] != "}":
            found.append(self.statement())
        self.take("}")
        return tuple(found)

    def statement(self) -> str | Branch:
        word, self.left = self.left[0], self.left[1:]
        if word in ACTIONS:
            for expected in ("(", ")", ";"):
                self.take(expected)
            return word
        if word not in ("if", "ifelse"):
            raise InputError(f"the program has {word!r} where an action should be: {', '.join(ACTIONS)}")
        self.take("(")
        condition = self.left[0] if self.left else "the end"
        if condition not in CONDITIONS:
            raise InputError(f"{condition!r} is no condition; use one of {', '.join(CONDITIONS)}")
        for expected in (condition, "(", ")", ")"):
            self.take(expected)
        then = self.block()
        if word == "if":
            return Branch(condition, then)
        self.take("else")
        return Branch(condition, then, self.block())


def _block(program: Iterable[str | Branch]) -> str:
    return f"{{ {' '.join(_statement(each) for each in program)} }}"


def _statement(each: str | Branch) -> str:
    if isinstance(each, str):
        return f"{each}();"
    if each.otherwise:
        return f"ifelse ({each.condition}()) {_block(each.then)} else {_block(each.otherwise)}"
    return f"if ({each.condition}()) {_block(each.then)}"
