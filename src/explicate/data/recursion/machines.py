"""Abstract state machines that read a sequence and write one: an algorithm, or a guess at one, that can be executed.

A state is the place of the read head, a mode, a counter and a stack. A rule has a guard and an update; exactly one rule
fits each state, and each move writes at most one word. Source: Zhang et al. (2024), "Transformer-Based Models Are Not
Yet Perfect At Learning to Emulate Structural Recursion", arXiv 2401.12947, which describes what a Transformer does in
these terms; after Gurevich (1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from explicate.errors import InputError

HALT = "halt"
END = ""
"""What the read head sees before the first and beyond the last word."""


@dataclass(frozen=True)
class State:
    """Where a machine is.

    Attributes
    ----------
    head : the word that is read. counter, stack : memory. mode : "halt" ends the run.
    """

    head: int = 0
    mode: str = "start"
    counter: int = 0
    stack: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Move:
    """What a rule does: the next state, and the word that is written, if any."""

    state: State
    word: str | None = None


@dataclass(frozen=True)
class Rule:
    """A guarded update of a state, given the word under the read head."""

    name: str
    guard: Callable[[State, str], bool]
    update: Callable[[State, str], Move]


@dataclass(frozen=True)
class Moved:
    """One move of a run: the state it was made in, its rule and the word written."""

    state: State
    rule: str
    word: str | None


@dataclass(frozen=True)
class Machine:
    """Rules, and the state that a run begins in.

    Parameters
    ----------
    parameters : what tells it from others of its kind, for people.
    """

    name: str
    rules: tuple[Rule, ...]
    start: State = State()
    parameters: dict[str, Any] = field(default_factory=dict)

    def __call__(self, words: Sequence[str]) -> tuple[str, ...]:
        """The words that are written."""
        return tuple(move.word for move in self.run(words) if move.word is not None)

    def run(self, words: Sequence[str]) -> list[Moved]:
        """All moves.

        Raises
        ------
        InputError : a state that no rule fits, or two; a run that does not end.
        """
        state = self.start
        moves: list[Moved] = []
        most = 16 + 8 * (len(words) + 1) ** 2
        while state.mode != HALT:
            word = words[state.head] if 0 <= state.head < len(words) else END
            fitting = [rule for rule in self.rules if rule.guard(state, word)]
            if len(fitting) != 1 or len(moves) > most:
                what = (
                    "does not end" if len(moves) > most else f"has {len(fitting)} rules for {state}, reading {word!r}"
                )
                raise InputError(f"the machine {self.name!r} {what} on {' '.join(words)!r}; exactly one rule must fit")
            move = fitting[0].update(state, word)
            moves.append(Moved(state, fitting[0].name, move.word))
            state = move.state
        return moves
