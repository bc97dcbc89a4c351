"""What Karel's five words mean, and what else they could mean: same lexicon, same syntax, other actions.

Source: Jin, Rinard (2023), arXiv 2305.11169, section 5 (semantic intervention); version 3, appendix on alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError

ACTIONS = ("move", "turn_left", "turn_right", "put_marker", "pick_marker")
MOVE, LEFT, RIGHT, PUT, PICK = range(5)


@dataclass(frozen=True)
class Semantics:
    """A meaning for each word.

    Attributes
    ----------
    name : how reports call it.
    meanings : (word,) the action that each of `ACTIONS`, in their order, stands for.
    """

    name: str
    meanings: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.meanings) != len(ACTIONS) or not set(self.meanings) <= set(ACTIONS):
            raise InputError(
                f"the semantics {self.name!r} must give one of {', '.join(ACTIONS)} to each of these words"
            )

    @classmethod
    def of(cls, name: str, meanings: Mapping[str, str]) -> Semantics:
        """From a table word -> action.

        Raises
        ------
        InputError : a word without a meaning, a word or an action that is none, or every word keeps its meaning.
        """
        missing = [word for word in ACTIONS if word not in meanings]
        if missing:
            raise InputError(f"the semantics {name!r} gives no meaning to {', '.join(missing)}; it must be total")
        unknown = sorted({*meanings, *meanings.values()} - set(ACTIONS))
        if unknown:
            raise InputError(f"the semantics {name!r} names {', '.join(unknown)}; Karel knows {', '.join(ACTIONS)}")
        found = cls(name, tuple(meanings[word] for word in ACTIONS))
        if found.is_identity:
            raise InputError(f"the semantics {name!r} changes no meaning; an alternative must change at least one")
        return found

    @property
    def is_identity(self) -> bool:
        """Whether every word keeps its meaning."""
        return self.meanings == ACTIONS

    @property
    def codes(self) -> np.ndarray:
        """(word,) the place in `ACTIONS` of each word's meaning."""
        return np.array([ACTIONS.index(meaning) for meaning in self.meanings])


ORIGINAL = Semantics("original", ACTIONS)


def _alternative(name: str, move: str, left: str, right: str, put: str, pick: str) -> Semantics:
    short = {"move": "move", "left": "turn_left", "right": "turn_right", "put": "put_marker", "pick": "pick_marker"}
    return Semantics.of(name, dict(zip(ACTIONS, (short[each] for each in (move, left, right, put, pick)), strict=True)))


ALTERNATIVES = (
    _alternative("opposites", "move", "right", "left", "pick", "put"),
    _alternative("random", "right", "put", "pick", "move", "left"),
    _alternative("left and move exchanged", "left", "move", "right", "pick", "put"),
    _alternative("right and move exchanged", "right", "left", "move", "pick", "put"),
    _alternative("turned one way", "left", "right", "move", "pick", "put"),
    _alternative("turned the other way", "right", "move", "left", "pick", "put"),
    _alternative("cycle of five", "pick", "move", "left", "right", "put"),
    _alternative("no markers: left for move", "left", "right", "move", "left", "right"),
    _alternative("no markers: right for move", "right", "move", "left", "right", "left"),
)
"""The papers' alternatives, as read in the code of version 3: exchange of opposites (version 1's adversarial one), its
random one, permutations of turns and moves with put and pick exchanged, a cycle, and two that send every word to a turn
or a move."""


def alternative(name: str) -> Semantics:
    """One of `ALTERNATIVES` by its name."""
    for each in ALTERNATIVES:
        if each.name == name:
            return each
    raise InputError(f"there is no alternative {name!r}; use one of {', '.join(each.name for each in ALTERNATIVES)}")
