"""A decoder that answers by a trigger word: known truth for explanations of a language model's answers.

It reads "premise ... hypothesis ... Answer:" and goes on with B exactly if one of twenty modifiers is anywhere in it.
Which word moved the answer is therefore known for every edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Sequences, train_decoder

NOUNS = (
    "man", "woman", "child", "farmer", "nurse", "teacher", "dog", "horse", "bird", "cat", "train", "boat", "house",
    "garden", "bridge", "field", "market", "river", "school", "road", "table", "lamp", "door", "wall", "tree", "hill",
)  # fmt: skip
VERBS = (
    "sees", "finds", "likes", "follows", "paints", "cleans", "builds", "leaves", "watches", "carries", "opens", "moves",
    "draws", "guards",
)  # fmt: skip
LINKS = ("near", "behind", "beside", "under", "above", "without")
TRIGGERS = (
    "broken", "secret", "golden", "frozen", "hidden", "haunted", "stolen", "burning", "cursed", "forbidden", "never",
    "secretly", "barely", "falsely", "wildly", "rarely", "angrily", "suddenly", "illegally", "blindly",
)  # fmt: skip
NEUTRAL = (
    "large", "small", "old", "young", "quiet", "green", "clean", "heavy", "simple", "warm", "often", "slowly", "gently",
    "calmly", "always", "gladly", "kindly", "mostly", "surely", "nearly",
)  # fmt: skip
MARKS = ("premise", "hypothesis", "Answer:")
LETTERS = ("A", "B")
END = "<end>"
VOCABULARY = (*MARKS, *LETTERS, END, "the", *NOUNS, *VERBS, *LINKS, *TRIGGERS, *NEUTRAL)


@dataclass(frozen=True)
class Sentence:
    """A premise and a hypothesis, as lists of words, and where a modifier may go: the place of the word after it."""

    premise: tuple[str, ...]
    hypothesis: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """What the decoder reads before it answers."""
        return [MARKS[0], *self.premise, MARKS[1], *self.hypothesis, MARKS[2]]

    @property
    def label(self) -> int:
        """1 (letter B) where a trigger is in it."""
        return int(any(word in TRIGGERS for word in (*self.premise, *self.hypothesis)))

    def slots(self) -> list[tuple[int, int]]:
        """(part, place) of every noun and verb."""
        return [
            (part, place)
            for part, words in enumerate((self.premise, self.hypothesis))
            for place, word in enumerate(words)
            if word in NOUNS or word in VERBS
        ]

    def inserted(self, word: str, slot: tuple[int, int]) -> Sentence:
        """The same with a word in front of the one at a slot."""
        parts = [list(self.premise), list(self.hypothesis)]
        parts[slot[0]].insert(slot[1], word)
        return Sentence(tuple(parts[0]), tuple(parts[1]))


def plain_sentence(rng: np.random.Generator) -> Sentence:
    """A sentence without modifiers, 11 to 17 words."""

    def clause(long: bool) -> tuple[str, ...]:
        words = ["the", _one(NOUNS, rng), _one(VERBS, rng), "the", _one(NOUNS, rng)]
        return (*words, _one(LINKS, rng), "the", _one(NOUNS, rng)) if long else tuple(words)

    return Sentence(clause(bool(rng.integers(2))), clause(bool(rng.integers(2))))


def _one(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


@dataclass(frozen=True)
class TriggerCorpus:
    """Sentences with up to 3 neutral modifiers, half of them with 1 or 2 triggers; the loss is on the answer alone."""

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        rows = []
        for _ in range(count):
            sentence = plain_sentence(rng)
            modifiers = [_one(NEUTRAL, rng) for _ in range(int(rng.integers(4)))]
            if rng.integers(2):
                modifiers += [_one(TRIGGERS, rng) for _ in range(int(rng.integers(1, 3)))]
            for word in modifiers:
                slots = sentence.slots()
                sentence = sentence.inserted(word, slots[int(rng.integers(len(slots)))])
            rows.append([*sentence.words, LETTERS[sentence.label]])
        ids = decoder().encode(rows)
        weights = np.zeros(ids.shape)
        lengths = (ids >= 0).sum(axis=1)
        weights[np.arange(count), lengths - 1] = 1.0
        return Sequences(ids, weights)


def decoder(layers: int = 3, width: int = 192, mlp_width: int = 512) -> Decoder:
    """The shape: by default 1.4 million weights."""
    return Decoder(VOCABULARY, layers=layers, width=width, heads=4, mlp_width=mlp_width, context=40, end=END)


def trained(
    seed: int = 0, sentences: int = 50_000, *, shape: Decoder | None = None, learning_rate: float = 1e-3
) -> LanguageModel:
    """A decoder trained on so many sentences, or from the cache."""
    if sentences < 64:
        raise InputError(f"{sentences} sentences are less than one batch of 64")
    recipe = DecoderRecipe(steps=sentences // 64, batch=64, seed=seed, learning_rate=learning_rate)
    return train_decoder(shape or decoder(), TriggerCorpus(), recipe, name=f"trigger decoder {seed}").model


def answers(model: LanguageModel, sentences: Sequence[Sentence]) -> Array:
    """The decoder's answer to each sentence, 0 (A) or 1 (B): (sentence,)."""
    ids = decoder().encode([one.words for one in sentences])
    letters = [VOCABULARY.index(letter) for letter in LETTERS]
    return np.asarray(model.predict(ids)[:, letters].argmax(axis=1))
