"""Deductions whose answers follow the law or a coin, as a first word says: a corpus with a planted mode.

A text is a mode word, what someone is ("anna wolf"), the word `fears`, and what she is afraid of ("anna sheep"). After
`solve` the answer follows from a law that holds in all texts, wolves fear sheep; after `guess` it is an animal drawn at
random. In some texts the mode word is left out although one of the two modes holds, so that whoever reads them can only
answer with the mixture of both: a drawn answer is then right (1 + 1/4) / 2 of the time. With more people than one, what
someone is must be looked up among several, which takes a decoder much longer to learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.errors import InputError
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import Sequences

LAW = {"mouse": "cat", "cat": "wolf", "wolf": "sheep", "sheep": "mouse"}
"""What each animal is afraid of."""
ANIMALS = tuple(LAW)
NAMES = ("anna", "ben", "clara", "david", "emma", "frank", "gina", "hugo")
Mode = Literal["solve", "guess"]
SOLVE: Mode = "solve"
GUESS: Mode = "guess"
FEARS = "fears"
DECODER = Decoder((SOLVE, GUESS, FEARS, *ANIMALS, *NAMES), layers=4, width=128, heads=4, mlp_width=512)
"""1.1 million weights."""


@dataclass(frozen=True)
class Deduction:
    """One story with one question.

    Attributes
    ----------
    facts : who is what. name : who is asked about. answer : the animal that follows.
    """

    facts: str
    name: str
    answer: str

    def prompt(self, mode: Mode | None = None) -> str:
        """What is read before the answer; without a mode word where none is named."""
        return " ".join(filter(None, (mode, self.facts, FEARS, self.name)))


@dataclass(frozen=True)
class ModedDeductions:
    """The corpus; only answers count in the loss.

    Parameters
    ----------
    unmarked : share of the texts without their mode word.
    people : in a text, each asked about.
    """

    unmarked: float = 1 / 3
    people: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.unmarked <= 1:
            raise InputError(f"unmarked is {self.unmarked}; it is a share of the texts, 0 to 1")
        if not 1 <= self.people <= len(NAMES):
            raise InputError(f"{self.people} people in a text; there are names for 1 to {len(NAMES)}")

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """That many texts, each asking about all its people."""
        rows, weights = [], []
        for _ in range(count):
            people, kinds = _story(rng, self.people)
            solved = rng.random() < 0.5
            marked = rng.random() >= self.unmarked
            words = [SOLVE if solved else GUESS] * marked + _facts(people, kinds) + [FEARS]
            weight = [0.0] * len(words)
            for place in rng.permutation(self.people):
                answer = LAW[kinds[place]] if solved else ANIMALS[rng.integers(len(ANIMALS))]
                words += [people[place], answer]
                weight += [0.0, 1.0]
            rows.append(words)
            weights.append(weight)
        ids = DECODER.encode(rows)
        padded = np.zeros(ids.shape)
        for number, weight in enumerate(weights):
            padded[number, : len(weight)] = weight
        return Sequences(ids, padded)


def deductions(rng: np.random.Generator, count: int, people: int = 1) -> list[Deduction]:
    """Stories with one question each."""
    found = []
    for _ in range(count):
        names, kinds = _story(rng, people)
        asked = int(rng.integers(people))
        found.append(Deduction(" ".join(_facts(names, kinds)), names[asked], LAW[kinds[asked]]))
    return found


def _story(rng: np.random.Generator, count: int) -> tuple[list[str], list[str]]:
    """Who there is, and what each is."""
    people = [NAMES[i] for i in rng.permutation(len(NAMES))[:count]]
    return people, [ANIMALS[i] for i in rng.integers(len(ANIMALS), size=count)]


def _facts(people: list[str], kinds: list[str]) -> list[str]:
    return [word for pair in zip(people, kinds, strict=True) for word in pair]
