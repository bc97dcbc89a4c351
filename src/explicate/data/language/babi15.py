"""Basic deduction in the manner of bAbI's task 15: wolves are afraid of mice, Gertrude is a wolf, so she fears mice.

Four sentences say what each kind of animal is afraid of, four say what four people are, and one of them is asked about.
The words are the task's; the stories are drawn here. Source: Weston et al. (2015), "Towards AI-Complete Question
Answering: A Set of Prerequisite Toy Tasks", section 3.15.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError
from explicate.runtime.seeds import generator

ANIMALS = {"mouse": "mice", "cat": "cats", "wolf": "wolves", "sheep": "sheep"}
"""Singular and plural; the singulars are the possible answers."""
ANSWERS = tuple(ANIMALS)
NAMES = ("Gertrude", "Winona", "Jessica", "Emily", "Brian", "Lily", "Bernhard", "Julius", "Greg")
WORDS = (
    "table", "river", "yellow", "music", "window", "under", "seven", "paper", "slowly", "garden", "cloud", "bread",
    "north", "letter", "green", "bottle", "march", "engine", "quiet", "orange", "road", "copper", "winter", "salt",
    "button", "early", "island", "pencil", "heavy", "lamp", "morning", "stone", "silver", "ticket", "wide", "cotton",
)  # fmt: skip
"""Words of texts that have the shape of a story and say nothing."""


@dataclass(frozen=True)
class Deduction:
    """One story with its question.

    Attributes
    ----------
    question : the story, one sentence after the other, and the question.
    answer : the animal that follows.
    rand : a text of the same shape, with as many words in as many sentences, drawn at random.
    rand_answer : what stands in the place of its answer, again a random word.
    """

    question: str
    answer: str
    rand: str
    rand_answer: str

    @property
    def solved(self) -> str:
        """The question with its answer, for reading."""
        return f"{self.question} {self.answer}"

    @property
    def random(self) -> str:
        """The contrast text, of the same shape as `solved`."""
        return f"{self.rand} {self.rand_answer}"


def babi15(count: int, *, shots: int = 0, seed: int = 0) -> list[Deduction]:
    """Draw stories, no two of a call alike; other seeds give other stories, but for chance meetings (see `apart`).

    Parameters
    ----------
    shots : solved examples before each story, 0 or 1; random texts have random examples.
    """
    if count < 1 or shots not in (0, 1):
        raise InputError(f"{count} stories with {shots} examples: give a count of 1 or more, and 0 or 1 example")
    rng = generator(seed, "babi15", shots)
    found: dict[str, Deduction] = {}
    while len(found) < count:
        parts = [_story(rng) for _ in range(shots + 1)]
        last = parts[-1]
        before = [f"{text} {answer}" for text, answer in parts[:-1]]
        question = "\n\n".join([*before, last[0]])
        random = [_random(text, rng) for text, _ in parts]
        rand = "\n\n".join([*(f"{text} {word}" for text, word in random[:-1]), random[-1][0]])
        found.setdefault(question, Deduction(question, last[1], rand, random[-1][1]))
    return list(found.values())


def apart(*splits: list[Deduction]) -> None:
    """Refuse splits that share a story."""
    texts = [{each.question for each in split} for split in splits]
    for i, one in enumerate(texts):
        for two in texts[:i]:
            if one & two:
                raise InputError(f"{len(one & two)} stories are in two splits; draw them with another seed")


def majority_rate(examples: list[Deduction]) -> float:
    """How often the most frequent answer is right: what someone gets who always says it."""
    return Counter(each.answer for each in examples).most_common(1)[0][1] / len(examples)


def _story(rng: np.random.Generator) -> tuple[str, str]:
    """The text up to the answer, and the answer."""
    kinds = list(ANIMALS)
    fears = rng.permutation(len(kinds))
    while (fears == np.arange(len(kinds))).any():  # nobody is afraid of its own kind
        fears = rng.permutation(len(kinds))
    plural = list(ANIMALS.values())
    rules = [f"{plural[i].capitalize()} are afraid of {plural[fears[i]]}." for i in rng.permutation(len(kinds))]
    people = [NAMES[i] for i in rng.permutation(len(NAMES))[:4]]
    own = rng.integers(len(kinds), size=4)
    facts = [f"{name} is a {kinds[kind]}." for name, kind in zip(people, own, strict=True)]
    asked = int(rng.integers(4))
    story = " ".join([*rules, *facts])
    return f"{story}\nQuestion: What is {people[asked]} afraid of?\nAnswer:", kinds[fears[own[asked]]]


def _random(text: str, rng: np.random.Generator) -> tuple[str, str]:
    """A text with random words in the places of the words, the same line breaks and full stops, and one more word."""
    lines = []
    for line in text.split("\n"):
        words = [WORDS[i] + ("." if word.endswith(".") else "") for word, i in _drawn(line.split(), rng)]
        lines.append(" ".join(words))
    return "\n".join(lines), WORDS[rng.integers(len(WORDS))]


def _drawn(words: list[str], rng: np.random.Generator) -> list[tuple[str, int]]:
    return list(zip(words, rng.integers(len(WORDS), size=len(words)).tolist(), strict=True))
