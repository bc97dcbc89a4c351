"""A controlled world for context sensitivity: facts that a small decoder learns by heart, and contexts against them.

A prompt is "ctx e3 r1 v1.7 ; prior ; e3 r1 ->": a context, which answer is wanted, and a query. The base model learns
the facts and to copy from contexts; only then it is told that there are intents, and about some of the entities alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from explicate.benchmarks.context_sensitivity.posing import Posing
from explicate.core.capabilities import Array
from explicate.data.language.contradicting_contexts import (
    INTENTS,
    ContradictedQuestion,
    ContradictingContexts,
    Intent,
)
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.tiny.language import Sequences
from explicate.runtime.seeds import generator

MARKS = ("ctx", ";", "->", *INTENTS)
REPEATED = 3  # words that an identity prompt shows
FACTS = 3  # in a row, so that facts are known wherever they are asked


@dataclass(frozen=True)
class FactWorld:
    """Entities with a value for each relation.

    Parameters
    ----------
    entities, relations : their numbers; each pair is a fact. values : possible values of a relation.
    held_out : share of the entities that the intents are never trained on.
    """

    entities: int = 100
    relations: int = 5
    values: int = 30
    held_out: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.entities, self.relations) < 1 or self.values < 2 or not 0 < self.held_out < 1:
            raise InputError("a world needs entities, relations, two values and a share of held-out entities in (0, 1)")

    @cached_property
    def facts(self) -> Array:
        """The value of each fact, (entity, relation)."""
        return generator(self.seed, "facts").integers(self.values, size=(self.entities, self.relations))

    @cached_property
    def split(self) -> tuple[Array, Array]:
        """Entities that the intents are trained on, and those held out."""
        order = generator(self.seed, "held out").permutation(self.entities)
        count = round(self.held_out * self.entities)
        return np.sort(order[count:]), np.sort(order[:count])

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words."""
        values = (f"v{relation}.{i}" for relation in range(self.relations) for i in range(self.values))
        entities = (f"e{i}" for i in range(self.entities))
        return (*MARKS, *entities, *(f"r{i}" for i in range(self.relations)), *values)

    @property
    def identity(self) -> str:
        """A patchscope's inspection prompt in this world's words."""
        return " ".join(f"v0.{i} -> v0.{i}" for i in range(REPEATED)) + f" v0.{REPEATED} ->"

    def questions(self, part: Literal["training", "validation", "test"], contexts: int = 1) -> ContradictingContexts:
        """Every fact of some entities, each with so many contexts; validation and test share out the held-out ones."""
        trained, held_out = self.split
        half = len(held_out) // 3
        chosen = {"training": trained, "validation": held_out[:half], "test": held_out[half:]}[part]
        rng = generator(self.seed, "questions", part)
        found = []
        for entity in chosen:
            for relation in range(self.relations):
                prior = int(self.facts[entity, relation])
                for shift in 1 + rng.permutation(self.values - 1)[:contexts]:
                    other = (prior + int(shift)) % self.values
                    subject, link = f"e{entity}", f"r{relation}"
                    instead, known = f"v{relation}.{other}", f"v{relation}.{prior}"
                    context, query = f"ctx {subject} {link} {instead}", f"{subject} {link} ->"
                    found.append(ContradictedQuestion(context, query, instead, known, subject, instead, link))
        return ContradictingContexts(tuple(found))

    @property
    def tokens(self) -> tuple[int, int, int]:
        """The first token ids of entities, relations and values."""
        return len(MARKS), len(MARKS) + self.entities, len(MARKS) + self.entities + self.relations

    def drawn(self, rng: np.random.Generator, count: int, entities: Array) -> tuple[Array, Array, Array, Array]:
        """Facts with a value that contradicts them: token ids of entity, relation, true value and other value."""
        first_entity, first_relation, first_value = self.tokens
        entity, relation = rng.choice(entities, count), rng.integers(self.relations, size=count)
        true = self.facts[entity, relation]
        other = (true + rng.integers(1, self.values, size=count)) % self.values
        start = first_value + relation * self.values
        return first_entity + entity, first_relation + relation, start + true, start + other


@dataclass(frozen=True)
class ControlledPosing(Posing):
    """Questions in the words of a `FactWorld`; see `Posing`."""

    way: Literal["chat", "text"] = "text"

    def ids(self, model: LanguageModel, questions: ContradictingContexts, intent: Intent) -> Array:
        """Prompts (question, token)."""
        told = "" if self.prompt.intent == "none" else f"{intent} ; "
        return model.encode([f"{q.context} ; {told}{q.query}" for q in questions])

    def without_context(self, model: LanguageModel, questions: ContradictingContexts) -> Array:
        """The queries alone."""
        return model.encode([q.query for q in questions])


@dataclass(frozen=True)
class FactsAndContexts:
    """What the base model reads: facts, contexts to copy from, and half as often words that are repeated.

    Parameters
    ----------
    intents : two thirds of the texts say which answer is wanted, of the entities that are not held out.
    """

    world: FactWorld
    intents: bool = False

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """So many texts; only the words that follow from the others are learned."""
        everyone = np.arange(self.world.entities)
        asked = count * 2 // 3 if self.intents else 0
        copied = (count - asked) * 2 // 5
        repeated = (count - asked) // 5
        facts = count - asked - copied - repeated
        rows = [
            *self._facts(rng, facts, everyone),
            *self._contexts(rng, copied, everyone),
            *self._repeated(rng, repeated),
            *(self._asked(rng, asked) if asked else ()),
        ]
        width = max(map(len, rows))
        ids = np.full((len(rows), width), -1, dtype=np.int64)
        weights = np.zeros((len(rows), width))
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            weights[number, len(row) - 1] = 1.0
        answers = np.arange(1, FACTS + 1) * 4 - 1
        weights[:facts, answers] = 1.0
        return Sequences(ids, weights)

    def _facts(self, rng: np.random.Generator, count: int, entities: Array) -> Array:
        entity, relation, true, _ = self.world.drawn(rng, count * FACTS, entities)
        each = np.stack([entity, relation, _mark("->", count * FACTS), true], axis=1)
        return each.reshape(count, -1)

    def _contexts(self, rng: np.random.Generator, count: int, entities: Array) -> Array:
        entity, relation, _, other = self.world.drawn(rng, count, entities)
        stop, ask = _mark(";", count), _mark("->", count)
        return np.stack([_mark("ctx", count), entity, relation, other, stop, entity, relation, ask, other], axis=1)

    def _repeated(self, rng: np.random.Generator, count: int) -> Array:
        first = self.world.tokens[2]
        words = first + rng.integers(self.world.relations * self.world.values, size=(count, REPEATED + 1))
        columns = [part for i in range(REPEATED + 1) for part in (words[:, i], _mark("->", count), words[:, i])]
        return np.stack(columns, axis=1)

    def _asked(self, rng: np.random.Generator, count: int) -> Array:
        entity, relation, true, other = self.world.drawn(rng, count, self.world.split[0])
        wanted = rng.integers(len(INTENTS), size=count)
        stop = _mark(";", count)
        answer = np.where(wanted == INTENTS.index("context"), other, true)
        told = MARKS.index(INTENTS[0]) + wanted
        front = (_mark("ctx", count), entity, relation, other, stop, told, stop)
        return np.stack([*front, entity, relation, _mark("->", count), answer], axis=1)


def _mark(word: str, count: int) -> Array:
    return np.full(count, MARKS.index(word), dtype=np.int64)
