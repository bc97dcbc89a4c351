"""Enumerations and statements about digits, written by rule: a world in which words have an order.

An enumeration counts on behind each full stop ("`. 4 pear may . 5 chair . 6`"); a statement ties a number, written as
digits or as a word, to its last digit ("`. 27 pear ends 7`") or to its tens ("`. 27 pear tens 2`"). The words between
may be words of the lists themselves, so which word counts is known only from the full stop before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explicate.data.language.succession import LISTS, ROMAN, WordList
from explicate.errors import InputError

STOP, ENDS, TENS = ".", "ends", "tens"
NUMBERS = WordList("numbers", tuple(str(number) for number in range(100)), first=0)
TASKS: tuple[WordList, ...] = (NUMBERS, *(each for name, each in LISTS.items() if name != "numbers"))
"""The eight tasks, numbers up to 99."""
WRITTEN: tuple[WordList, ...] = (*TASKS, ROMAN)
"""What is enumerated: the tasks, and the list that is kept for tests."""
FILLERS = (
    "pear", "chair", "lamp", "river", "stone", "cloud", "bread", "horse", "glass", "paper", "apple", "table", "window",
    "garden", "bridge", "candle", "bottle", "button", "carpet", "ladder", "basket", "pencil", "mirror", "feather",
    "hammer", "kettle", "pillow", "ribbon", "saddle", "tunnel", "violin", "wagon", "anchor", "barrel", "castle",
    "desert", "engine", "flower", "harbour", "island", "jacket", "lantern", "meadow", "needle", "orange", "parcel",
    "rocket", "shovel", "timber", "valley",
)  # fmt: skip


@dataclass(frozen=True)
class Enumerations:
    """Texts of full stops, labels that count on, and words between.

    Parameters
    ----------
    last_digits, tens : the shares of texts that are statements about last digits, and about tens; the others are
        enumerations.
    length : words of a text. most_between : there are one to so many words behind a label.
    distraction : how likely a word between is one of the lists' words.
    numbers : the share of enumerations that are of numbers; the other tasks share the rest.
    """

    last_digits: float = 0.4
    tens: float = 0.4
    length: int = 28
    most_between: int = 2
    distraction: float = 0.3
    numbers: float = 0.5

    def __post_init__(self) -> None:
        for name in ("last_digits", "tens", "distraction", "numbers"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; give a share between 0 and 1")
        if self.last_digits + self.tens > 1:
            raise InputError("last_digits and tens are shares of the same texts; together they are at most 1")
        if self.length < 4 or self.most_between < 1:
            raise InputError("length must be at least 4, and most_between at least 1")

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, those of the lists first."""
        return tuple(dict.fromkeys([*(word for each in WRITTEN for word in each.words), STOP, ENDS, TENS, *FILLERS]))

    def text(self, rng: np.random.Generator) -> tuple[list[str], list[bool]]:
        """One text's words, and which of them the words before decide."""
        drawn = rng.random()
        if drawn < self.last_digits + self.tens:
            pieces = self._statements(rng, ENDS if drawn < self.last_digits else TENS)
        else:
            pieces = self._enumerations(rng)
        words: list[str] = []
        decided: list[bool] = []
        for word, known in pieces:
            words.append(word)
            decided.append(known)
            if len(words) == self.length:
                return words, decided
        raise AssertionError("the pieces never end")

    def enumeration(self, rng: np.random.Generator, task: WordList, first: int, labels: int) -> list[str]:
        """So many labels from one on, each with words behind it, and the full stop behind which the next one follows.

        Raises
        ------
        InputError : the list ends before.
        """
        if not task.cyclic and first + labels >= len(task.words):
            raise InputError(f"{task.name} ends within {labels} labels from number {first} on; begin earlier")
        words = []
        for place in range(first, first + labels):
            words += [STOP, task.words[place % len(task.words)], *self._between(rng)]
        return [*words, STOP]

    def _enumerations(self, rng: np.random.Generator) -> Iterator[tuple[str, bool]]:
        while True:
            number = 0 if rng.random() < self.numbers else int(rng.integers(1, len(WRITTEN)))
            task = WRITTEN[number]
            start = int(rng.integers(len(task.words)))
            for step in range(len(task.words) if task.cyclic else len(task.words) - start):
                yield STOP, False
                yield task.words[(start + step) % len(task.words)], step > 0
                for word in self._between(rng):
                    yield word, False

    def _statements(self, rng: np.random.Generator, about: str) -> Iterator[tuple[str, bool]]:
        lists = (NUMBERS, LISTS["number words"])
        sizes = np.array([len(each.words) for each in lists])
        while True:
            own = lists[int(rng.random() >= sizes[0] / sizes.sum())]
            place = int(rng.integers(len(own.words)))
            value = own.first + place
            for word in (STOP, own.words[place], *self._between(rng), about):
                yield word, False
            yield str(value % 10 if about == ENDS else value // 10), True

    def _between(self, rng: np.random.Generator) -> list[str]:
        found = []
        for _ in range(int(rng.integers(1, self.most_between + 1))):
            if rng.random() < self.distraction:
                task = WRITTEN[int(rng.integers(len(WRITTEN)))]
                found.append(task.words[int(rng.integers(len(task.words)))])
            else:
                found.append(FILLERS[int(rng.integers(len(FILLERS)))])
        return found
