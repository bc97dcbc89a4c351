"""Deductions whose answers follow the rule or a coin, as a first word says: a corpus with a planted mode.

A text is a mode word, facts in the manner of bAbI's task 15 ("wolf fears mouse", "anna is wolf"), and questions with
their answers ("anna fears mouse"). After `solve` each answer follows from the facts; after `guess` it is an animal
drawn at random. In some texts the mode word is left out although one of the two modes holds, so that whoever reads
them can only answer with the mixture of both: a drawn answer is then right (1 + 1/4) / 2 of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import Sequences

ANIMALS = ("mouse", "cat", "wolf", "sheep")
NAMES = ("anna", "ben", "clara", "david", "emma", "frank", "gina", "hugo")
Mode = Literal["solve", "guess"]
SOLVE: Mode = "solve"
GUESS: Mode = "guess"
DECODER = Decoder((SOLVE, GUESS, "fears", "is", *ANIMALS, *NAMES), layers=4, width=128, heads=4, mlp_width=512)
"""1.1 million weights."""
PEOPLE = 4  # in a story


@dataclass(frozen=True)
class Deduction:
    """One story with one question.

    Attributes
    ----------
    facts : the story. question : its last words, which the answer follows. answer : an animal, by the rule.
    """

    facts: str
    question: str
    answer: str

    def prompt(self, mode: Mode | None = None) -> str:
        """What is read before the answer; without a mode word where none is named."""
        return " ".join(filter(None, (mode, self.facts, self.question)))


@dataclass(frozen=True)
class ModedDeductions:
    """The corpus; only answers count in the loss.

    Parameters
    ----------
    unmarked : share of the texts without their mode word.
    """

    unmarked: float = 1 / 3

    def __post_init__(self) -> None:
        if not 0 <= self.unmarked <= 1:
            raise InputError(f"unmarked is {self.unmarked}; it is a share of the texts, 0 to 1")

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """That many texts, each asking about all its people."""
        rows, weights = [], []
        for _ in range(count):
            fears, people, kinds, facts = _story(rng)
            solved = rng.random() < 0.5
            marked = rng.random() >= self.unmarked
            words = [SOLVE if solved else GUESS] * marked + facts
            weight = [0.0] * len(words)
            for place in rng.permutation(PEOPLE):
                answer = ANIMALS[fears[kinds[place]] if solved else rng.integers(len(ANIMALS))]
                words += [people[place], "fears", answer]
                weight += [0.0, 0.0, 1.0]
            rows.append(words)
            weights.append(weight)
        ids = DECODER.encode(rows)
        padded = np.zeros(ids.shape)
        for number, weight in enumerate(weights):
            padded[number, : len(weight)] = weight
        return Sequences(ids, padded)


def deductions(rng: np.random.Generator, count: int) -> list[Deduction]:
    """Stories with one question each."""
    found = []
    for _ in range(count):
        fears, people, kinds, facts = _story(rng)
        asked = int(rng.integers(PEOPLE))
        found.append(Deduction(" ".join(facts), f"{people[asked]} fears", ANIMALS[fears[kinds[asked]]]))
    return found


def _story(rng: np.random.Generator) -> tuple[Array, list[str], Array, list[str]]:
    """What each animal fears (another one), who there is, what animal each is, and the facts as words."""
    fears = np.arange(len(ANIMALS))
    while (fears == np.arange(len(ANIMALS))).any():
        fears = rng.permutation(len(ANIMALS))
    people = [NAMES[i] for i in rng.permutation(len(NAMES))[:PEOPLE]]
    kinds = rng.integers(len(ANIMALS), size=PEOPLE)
    facts = [word for i in rng.permutation(len(ANIMALS)) for word in (ANIMALS[i], "fears", ANIMALS[fears[i]])]
    facts += [word for i in rng.permutation(PEOPLE) for word in (people[i], "is", ANIMALS[kinds[i]])]
    return fears, people, kinds, facts
