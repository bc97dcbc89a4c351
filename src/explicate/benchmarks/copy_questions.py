"""Looking up a word's partner in a list of pairs: a task whose only solution is to point at the answer and copy it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import Sequences
from explicate.runtime.seeds import generator

ASK = "?"


@dataclass(frozen=True)
class CopyQuestions:
    """Texts "k3 v7 k1 v2 ... ? k1 v2 ? k3 v7": pairs drawn anew each time, then questions about them.

    Parameters
    ----------
    keys, values : different words of each kind. pairs : in one text.
    """

    keys: int = 40
    values: int = 40
    pairs: int = 6

    @property
    def decoder(self) -> Decoder:
        """An attention-only decoder: what it knows of the answer, attention brought it."""
        words = [ASK, *(f"k{n}" for n in range(self.keys)), *(f"v{n}" for n in range(self.values))]
        return Decoder(tuple(words), layers=2, width=128, heads=4, mlp_width=0, context=64)

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts with one question about each pair; only the answers count in the loss."""
        ids, order = self._pairs(rng, count)
        rows = np.arange(count)[:, None]
        keys, values = ids[:, 0::2], ids[:, 1::2]
        asked = np.stack([np.zeros_like(keys), keys[rows, order], values[rows, order]], axis=2).reshape(count, -1)
        whole = np.concatenate([ids, asked], axis=1)
        weights = np.zeros(whole.shape)
        weights[:, ids.shape[1] + 2 :: 3] = 1.0
        return Sequences(whole, weights)

    def questions(self, count: int, seed: int) -> tuple[Array, Array]:
        """Token ids (question, token) that end in a key, and the place of its value in each (question,)."""
        ids, order = self._pairs(generator(seed, "questions"), count)
        asked = order[:, 0]
        ends = np.stack([np.zeros(count, dtype=np.int64), ids[np.arange(count), 2 * asked]], axis=1)
        return np.concatenate([ids, ends], axis=1), 2 * asked + 1

    def _pairs(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        keys = 1 + rng.random((count, self.keys)).argsort(axis=1)[:, : self.pairs]
        values = 1 + self.keys + rng.random((count, self.values)).argsort(axis=1)[:, : self.pairs]
        ids = np.stack([keys, values], axis=2).reshape(count, -1)
        return ids.astype(np.int64), rng.random((count, self.pairs)).argsort(axis=1)
