"""Sequences of random tokens that are said twice: what comes next can be known in the second half, and only there.

The plainest task that asks for induction: to find where the present token stood before, and say what followed it.
Source: Olsson et al. (2022), "In-context Learning and Induction Heads", "Repeated random tokens".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from explicate.errors import InputError
from explicate.models.language.tokens import ABSENT
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Sequences, Trained, train_decoder


@dataclass(frozen=True)
class RepeatedTokens:
    """Random tokens, twice in a row.

    Parameters
    ----------
    vocabulary : how many different tokens. half : tokens of a half, drawn without two alike where there are enough.
    shortest : halves have `shortest` to `half` tokens, each as often; None: all have `half`. With one length alone the
        place of the copy follows from the position, and a model with learned positions needs no induction.
    """

    vocabulary: int = 64
    half: int = 24
    shortest: int | None = None

    def __post_init__(self) -> None:
        if self.half < 2 or not 2 <= (self.shortest or 2) <= self.half:
            raise InputError(f"halves of {self.shortest} to {self.half} tokens; give at least 2, the shorter one first")

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens' names, for a `Decoder`."""
        return tuple(f"t{number}" for number in range(self.vocabulary))

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Sequences (text, 2 half), those with shorter halves ending in -1."""
        if self.half <= self.vocabulary:
            first = rng.permuted(np.tile(np.arange(self.vocabulary), (count, 1)), axis=1)[:, : self.half]
        else:
            first = rng.integers(0, self.vocabulary, (count, self.half))
        lengths = rng.integers(self.shortest, self.half + 1, count) if self.shortest else np.full(count, self.half)
        place = np.arange(2 * self.half)[None]
        ids = np.take_along_axis(first, place % lengths[:, None], axis=1)
        return Sequences(np.where(place < 2 * lengths[:, None], ids, ABSENT).astype(np.int64))

    @property
    def longest_alone(self) -> RepeatedTokens:
        """The same with halves of the full length alone, to measure on."""
        return replace(self, shortest=None)

    def attention_only(self, layers: int = 2, width: int = 128, heads: int = 4) -> Decoder:
        """A decoder without MLPs and rotation, as the composition of two heads is easiest to see in."""
        return Decoder(
            self.words, layers=layers, width=width, heads=heads, mlp_width=0, positions="learned", context=2 * self.half
        )


INDUCTION = RepeatedTokens(64, 24, shortest=8)


def trained_to_copy(steps: int, seed: int) -> Trained:
    """Two attention-only layers trained on `INDUCTION`; once for each number of steps and seed, then from the cache."""
    recipe = DecoderRecipe(steps=steps, batch=32, learning_rate=2e-3, warmup=100, seed=seed)
    return train_decoder(INDUCTION.attention_only(), INDUCTION, recipe, name="induction")
