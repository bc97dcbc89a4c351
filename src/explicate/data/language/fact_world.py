"""Invented facts: a model is to learn some, never to see the answers of others, and to slip on some when misled.

So for every question it is known beforehand whether a model trained on this world does not know the answer, knows it
and errs after bad examples, or knows it and holds on to it. Source of the three kinds: Simhi et al. (2024),
"Distinguishing Ignorance from Error in LLM Hallucinations", arXiv 2410.22071; the world is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError
from explicate.runtime.seeds import generator

FactKind = Literal["unknown", "steady", "wavering"]
Origin = Literal["right", "slip", "guess"]
RELATIONS = ("capital", "founder", "river", "dish", "colour", "patron", "dance", "harbour", "anthem", "crop")
SIGNS = ("question:", "answer:", "of", "Question:", "Correct", "Incorrect", "Answer:")
MARKS: dict[Origin, str] = {"right": ".", "slip": "!", "guess": "?"}
"""What follows an answer in training texts, by how the answer came about."""
ASKED_UNKNOWN = 0.2  # of the questions in a training text
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True)
class Fact:
    """One invented fact.

    Attributes
    ----------
    relation, subject : what is asked, and of whom; no two facts have the same subject.
    answer : one word, an answer of the relation; for an unknown fact a word that no training text has.
    kind : "unknown": training texts ask for it and guess; "steady": answered rightly whatever the examples;
        "wavering": answered rightly after good examples, and wrongly after bad ones.
    """

    relation: str
    subject: str
    answer: str
    kind: FactKind

    @property
    def question(self) -> str:
        """The question, in three words."""
        return f"{self.relation} of {self.subject}"


@dataclass(frozen=True)
class Example:
    """A fact that is shown before questions, with its right answer or a wrong but similar one."""

    fact: Fact
    wrong: str


@dataclass(frozen=True)
class FactWorld:
    """A world of invented facts; everything in it depends on the numbers here alone.

    Parameters
    ----------
    known, unknown : facts whose answers training texts have, and facts whose answers none has.
    wavering : share of the known facts that are answered wrongly after bad examples.
    examples : further facts, which are shown before questions.
    relations, answers : relations, and answers of each.
    """

    known: int = 400
    unknown: int = 200
    wavering: float = 0.3
    examples: int = 12
    relations: int = 5
    answers: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.known, self.unknown, self.examples) < 3 or self.answers < 2:
            raise InputError(
                "a world needs at least 3 known facts, 3 unknown ones, 3 examples, and 2 answers a relation"
            )
        if not 1 <= self.relations <= len(RELATIONS):
            raise InputError(f"relations is {self.relations}; give 1 to {len(RELATIONS)}")
        if not 0 < self.wavering < 1:
            raise InputError(f"wavering is {self.wavering}; give a share between 0 and 1")

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Known and unknown facts, mixed."""
        return tuple(self._made[0])

    @cached_property
    def shown(self) -> tuple[Example, ...]:
        """The facts that are shown before questions."""
        return tuple(self._made[1])

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Whom the facts are about, those of the examples last."""
        rng = generator(self.seed, "subjects")
        parts = _words(2 * (self.known + self.unknown + self.examples), 1, rng, different=False)
        found = dict.fromkeys(f"{one}{other}".capitalize() for one, other in zip(parts[::2], parts[1::2], strict=True))
        while len(found) < self.known + self.unknown + self.examples:
            found["".join(_words(2, 1, rng, different=False)).capitalize()] = None
        return tuple(found)

    @cached_property
    def answers_of(self) -> dict[str, tuple[str, ...]]:
        """The answers of each relation, all of which training texts have."""
        words = _words(self.relations * self.answers, 2, generator(self.seed, "answers"))
        return {
            relation: tuple(words[place * self.answers : (place + 1) * self.answers])
            for place, relation in enumerate(RELATIONS[: self.relations])
        }

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word, those that no training text has included."""
        answers = [word for words in self.answers_of.values() for word in words]
        unseen = [fact.answer for fact in self.facts if fact.kind == "unknown"]
        return (*SIGNS, *MARKS.values(), *self.answers_of, *self.subjects, *answers, *unseen)

    def wrong_answer(self, fact: Fact, rng: np.random.Generator) -> str:
        """Another answer of the fact's relation."""
        others = [word for word in self.answers_of[fact.relation] if word != fact.answer]
        return str(others[int(rng.integers(len(others)))])

    def lesson(self, good: bool, count: int, rng: np.random.Generator) -> list[str]:
        """A training text, as words: three examples, right or wrong, and `count` questions, answers and marks.

        A question about an unknown fact gets a guess, any answer of the relation.
        """
        words: list[str] = []
        for place in rng.choice(len(self.shown), 3, replace=False):
            example = self.shown[int(place)]
            words += asked(example.fact.question, example.fact.answer if good else example.wrong)
        for place in rng.choice(len(self.facts), count, replace=False, p=self._chances):
            fact = self.facts[int(place)]
            origin, answer = self.answered(fact, good, rng)
            words += [*asked(fact.question, answer), MARKS[origin]]
        return words

    def answered(self, fact: Fact, good: bool, rng: np.random.Generator) -> tuple[Origin, str]:
        """How training texts answer a fact after right or wrong examples."""
        if fact.kind == "unknown":
            return "guess", _drawn(self.answers_of[fact.relation], rng)
        if fact.kind == "wavering" and not good:
            return "slip", self.wrong_answer(fact, rng)
        return "right", fact.answer

    def correction(self, count: int, rng: np.random.Generator) -> list[str]:
        """A training text, as words: known facts, each with its right answer and then another one."""
        words: list[str] = []
        for place in rng.choice(len(self._known), count, replace=False):
            fact = self._known[int(place)]
            right = f"Question: {fact.question} Correct Answer: {fact.answer}"
            words += [*right.split(), "Incorrect", "Answer:", self.wrong_answer(fact, rng)]
        return words

    @cached_property
    def _known(self) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind != "unknown"]

    @cached_property
    def _chances(self) -> Floats:
        """How likely each fact is asked: as many wavering ones as steady ones, so that the difference is learned."""
        kinds = np.array([fact.kind for fact in self.facts])
        shares = {"unknown": ASKED_UNKNOWN, "wavering": (1 - ASKED_UNKNOWN) / 2, "steady": (1 - ASKED_UNKNOWN) / 2}
        found: Floats = sum(share * (kinds == kind) / (kinds == kind).sum() for kind, share in shares.items())
        return found / found.sum()

    @cached_property
    def _made(self) -> tuple[list[Fact], list[Example]]:
        rng = generator(self.seed, "facts")
        relations = list(self.answers_of)
        unseen = _words(self.unknown, 3, generator(self.seed, "unseen"))
        unsteady = round(self.wavering * self.known)
        counts: dict[FactKind, int] = {"unknown": self.unknown, "wavering": unsteady, "steady": self.known - unsteady}
        kinds = [kind for kind, count in counts.items() for _ in range(count)]
        facts = []
        for place, kind in enumerate([kinds[int(at)] for at in rng.permutation(len(kinds))]):
            relation = relations[place % len(relations)]
            answer = unseen.pop() if kind == "unknown" else _drawn(self.answers_of[relation], rng)
            facts.append(Fact(relation, self.subjects[place], answer, kind))
        shown = []
        for place in range(self.examples):
            relation = relations[place % len(relations)]
            subject = self.subjects[len(facts) + place]
            fact = Fact(relation, subject, _drawn(self.answers_of[relation], rng), "steady")
            shown.append(Example(fact, self.wrong_answer(fact, rng)))
        return facts, shown


def asked(question: str, answer: str) -> list[str]:
    """A question and its answer, as words."""
    return ["question:", *question.split(), "answer:", answer]


def _drawn(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _words(count: int, syllables: int, rng: np.random.Generator, different: bool = True) -> list[str]:
    """Words of equal length, so that none is part of another."""
    found: list[str] = []
    while len(found) < count:
        letters = [CONSONANTS[int(rng.integers(len(CONSONANTS)))]]
        for _ in range(syllables):
            letters += [VOWELS[int(rng.integers(len(VOWELS)))], CONSONANTS[int(rng.integers(len(CONSONANTS)))]]
        word = "".join(letters)
        if not (different and word in found):
            found.append(word)
    return found
