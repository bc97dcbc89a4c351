"""What a small decoder learns to bind from: boxes, pairs, assignments, repeats, and text in which nothing is bound.

All of them draw whole batches at once, so writing costs nothing beside training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.boxes import LABELS, OBJECTS, WORDS, boxes_prompts, encoded
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.tiny.language import Sequences
from explicate.runtime.seeds import generator

VARIABLES = tuple("abcdefghijklmnopqrstuvwxyz")
NUMBERS = tuple(str(number) for number in range(50))
SIGNS = ("=", ";", "?")
VOCABULARY = (*WORDS, *LABELS, *OBJECTS, *VARIABLES, *NUMBERS, *SIGNS)
"""The words of all corpora here, each one token."""
_IDS = {word: place for place, word in enumerate(VOCABULARY)}


@dataclass(frozen=True)
class Mixture:
    """Each batch comes from one of several corpora.

    Parameters
    ----------
    parts : the corpora. shares : how often each is drawn; they sum to 1.
    """

    parts: tuple[Any, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.parts) != len(self.shares) or not np.isclose(sum(self.shares), 1) or min(self.shares) < 0:
            raise InputError(f"shares {self.shares} do not fit {len(self.parts)} corpora; give one each, 1 in all")

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts of one part."""
        found: Sequences = self.parts[int(rng.choice(len(self.parts), p=self.shares))].batch(rng, count)
        return found


@dataclass(frozen=True)
class Repeats:
    """Different words drawn at random, repeated with a period that differs from text to text.

    Where the period is always the same, copying is learned by position, which helps nothing else.

    Parameters
    ----------
    length : words of a text. shortest, longest : of a period. words : of the vocabulary, the first so many.
    """

    length: int = 48
    shortest: int = 6
    longest: int = 24
    words: int = len(VOCABULARY)

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts; only the repeated words count."""
        words = _drawn(rng, count, self.words, self.longest)
        period = rng.integers(self.shortest, self.longest + 1, (count, 1))
        place = np.arange(self.length)[None]
        return Sequences(np.take_along_axis(words, place % period, 1), (place > period).astype(np.float32))


@dataclass(frozen=True)
class BoxesText:
    """Boxes as in `explicate.data.language.boxes`, then every one of them asked for and answered.

    Parameters
    ----------
    fewest, most : boxes. between : words that stand between an object and its label, 0 to 3 of "is in Box"; after :
        words between a label and the answer, 0 to 2 of "contains the". With less than all of them, the commas and the
        "Box" before a label that is asked for are left out too: the same task in short.
    rounds : how often all boxes are asked for.
    """

    fewest: int = 2
    most: int = 7
    between: int = 3
    after: int = 2
    rounds: int = 1

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts of equally many boxes; only the answers count."""
        boxes = int(rng.integers(self.fewest, self.most + 1))
        whole = (self.between, self.after) == (3, 2)
        objects = _drawn(rng, count, len(OBJECTS), boxes) + _IDS[OBJECTS[0]]
        labels = _drawn(rng, count, len(LABELS), boxes) + _IDS[LABELS[0]]
        text = _Columns(count)
        for box in range(boxes):
            if whole:
                text.add("The" if box == 0 else "the")
            text.put(objects[:, box])
            text.add(*("is", "in", "Box")[3 - self.between :])
            text.put(labels[:, box])
            if whole:
                text.add("." if box == boxes - 1 else ",")
        rows = np.arange(count)
        for _ in range(self.rounds):
            for box in _drawn(rng, count, boxes, boxes).T:
                if whole:
                    text.add("Box")
                text.put(labels[rows, box])
                text.add(*("contains", "the")[2 - self.after :])
                text.put(objects[rows, box], 1.0)
                if whole:
                    text.add(".")
        return text.done()


@dataclass(frozen=True)
class Assignments:
    """ "a = 7 ; b = 3 ; b ? 3 ; a ? 7": the same binding with other words, and nothing in boxes.

    Parameters
    ----------
    fewest, most : variables.
    """

    fewest: int = 3
    most: int = 8

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts of equally many variables; only the answers count."""
        size = int(rng.integers(self.fewest, self.most + 1))
        names = _drawn(rng, count, len(VARIABLES), size) + _IDS[VARIABLES[0]]
        values = _drawn(rng, count, len(NUMBERS), size) + _IDS[NUMBERS[0]]
        text = _Columns(count)
        for i in range(size):
            text.put(names[:, i])
            text.add("=")
            text.put(values[:, i])
            text.add(";")
        rows = np.arange(count)
        for asked in _drawn(rng, count, size, size).T:
            text.put(names[rows, asked])
            text.add("?")
            text.put(values[rows, asked], 1.0)
            text.add(";")
        return text.done()


@dataclass(frozen=True)
class RandomText:
    """Words of a random grammar: each word is followed by one of a few others, and nothing is bound to anything.

    Parameters
    ----------
    length : words of a text. choices : how many words may follow each. language : which grammar.
    """

    length: int = 48
    choices: int = 4
    language: int = 0

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts."""
        size = len(VOCABULARY)
        following = generator(self.language, "random grammar").integers(size, size=(size, self.choices))
        ids = np.empty((count, self.length), dtype=np.int64)
        ids[:, 0] = rng.integers(size, size=count)
        for place in range(1, self.length):
            ids[:, place] = following[ids[:, place - 1], rng.integers(self.choices, size=count)]
        return Sequences(ids)


@dataclass(frozen=True)
class BoxesAccuracy:
    """Stop when a decoder answers well enough.

    Parameters
    ----------
    accuracy : the share of right answers at which to stop. boxes : of the prompts. prompts : how many are asked.
    every : steps between two looks. seed : of the prompts.
    """

    accuracy: float = 0.65
    boxes: int = 7
    prompts: int = 300
    every: int = 10
    seed: int = 0

    def reached(self, model: LanguageModel) -> bool:
        """Whether the model is that good."""
        return self.measured(model) >= self.accuracy

    def measured(self, model: LanguageModel) -> float:
        """The share of prompts whose likeliest next token is the right object."""
        texts = encoded(boxes_prompts(self.prompts, generator(self.seed, "stop"), self.boxes), model, spaced=True)
        return float((model.predict(texts.ids).argmax(axis=1) == texts.answers).mean())


class _Columns:
    """A batch that is written word by word."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.ids: list[Array] = []
        self.weights: list[float] = []

    def add(self, *words: str) -> None:
        """The same words in every text."""
        for word in words:
            self.put(np.full(self.count, _IDS[word]))

    def put(self, ids: Array, weight: float = 0.0) -> None:
        """One word in each text."""
        self.ids.append(ids)
        self.weights.append(weight)

    def done(self) -> Sequences:
        """The batch."""
        ids = np.stack(self.ids, axis=1).astype(np.int64)
        return Sequences(ids, np.broadcast_to(np.array(self.weights, dtype=np.float32), ids.shape).copy())


def _drawn(rng: np.random.Generator, count: int, size: int, wanted: int) -> Array:
    """For each text some different numbers below `size`, (text, wanted)."""
    return np.argsort(rng.random((count, size)), axis=1)[:, :wanted]
