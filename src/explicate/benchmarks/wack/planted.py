"""A small model that knows some invented facts, slips on some of those after bad examples, and guesses at others.

After each answer its training texts have a mark that says how the answer came about, so that the state after the answer
holds this too: without such a use for it a model has no reason to keep it. What the model should be labelled is known
by construction, so labels and probes can be checked against the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.benchmarks.wack.dataset import Label
from explicate.benchmarks.wack.items import Item
from explicate.benchmarks.wack.shots import Shot, Shots
from explicate.data.language.fact_world import MARKS, FactWorld
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Sequences, Trained, train_decoder

KINDS: dict[str, Label] = {"unknown": "HK-", "wavering": "HK+", "steady": "correct"}
OTHER = 0.1  # what tokens that are no answers count in the loss


@dataclass(frozen=True)
class FactLessons:
    """Training texts: three examples, right or wrong ones, and facts with the answers that go with them.

    Parameters
    ----------
    questions : facts asked after the examples.
    wrong : share of texts with wrong examples.
    corrections : share of texts that show a right answer and then another, as writing a generic set takes it.
    """

    world: FactWorld
    questions: int = 8
    wrong: float = 0.5
    corrections: float = 0.06

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """That many texts; the answers count in the loss, the words around them little."""
        places = {word: place for place, word in enumerate(self.world.vocabulary)}
        texts = [self._text(rng) for _ in range(count)]
        width = max(map(len, texts))
        ids = np.full((count, width), -1, dtype=np.int64)
        weights = np.zeros((count, width))
        for row, words in enumerate(texts):
            ids[row, : len(words)] = [places[word] for word in words]
            weights[row, : len(words)] = [self._weight(words, place) for place in range(len(words))]
        return Sequences(ids, weights)

    @staticmethod
    def _weight(words: list[str], place: int) -> float:
        """1 for answers, wrong answers that were asked for, and marks."""
        before = words[max(0, place - 2) : place]
        counts = before[-1:] == ["answer:"] or before == ["Incorrect", "Answer:"] or words[place] in MARKS.values()
        return 1.0 if counts else OTHER

    def _text(self, rng: np.random.Generator) -> list[str]:
        if rng.random() < self.corrections:
            return self.world.correction(self.questions - 1, rng)
        return self.world.lesson(bool(rng.random() >= self.wrong), self.questions, rng)


def items_of(world: FactWorld) -> list[Item]:
    """All facts of a world as items, known and unknown ones mixed."""
    return [Item(fact.question, (fact.answer,), fact.relation) for fact in world.facts]


def truth_of(world: FactWorld) -> dict[str, Label]:
    """The label of each question, by construction."""
    return {fact.question: KINDS[fact.kind] for fact in world.facts}


def shots_of(world: FactWorld, folds: int = 1, seed: int = 42) -> Shots:
    """The world's examples."""
    pool = tuple(Shot(each.fact.question, each.fact.answer, each.wrong) for each in world.shown)
    return Shots(pool, folds=folds, seed=seed)


def trained_on(
    world: FactWorld,
    *,
    layers: int = 3,
    width: int = 256,
    mlp_width: int = 512,
    steps: int = 600,
    batch: int = 16,
    learning_rate: float = 2e-3,
    seed: int = 0,
    cache: bool = True,
) -> Trained:
    """A decoder of about two million parameters that has learned the world's lessons; kept in the user's cache."""
    decoder = Decoder(world.vocabulary, layers=layers, width=width, heads=4, mlp_width=mlp_width, context=128)
    recipe = DecoderRecipe(steps=steps, batch=batch, learning_rate=learning_rate, warmup=50, seed=seed)
    return train_decoder(decoder, FactLessons(world), recipe, name="invented facts", cache=cache)
