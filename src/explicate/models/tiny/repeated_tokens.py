"""Sequences of random tokens that are said twice: what comes next can be known in the second half, and only there.

The plainest task that asks for induction: to find where the present token stood before, and say what followed it.
Source: Olsson et al. (2022), "In-context Learning and Induction Heads", "Repeated random tokens".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Sequences, Trained, train_decoder


@dataclass(frozen=True)
class RepeatedTokens:
    """Random tokens, twice in a row.

    Parameters
    ----------
    vocabulary : how many different tokens. half : tokens of a half, drawn without two alike where there are enough.
    """

    vocabulary: int = 64
    half: int = 24

    def __post_init__(self) -> None:
        if self.half < 2:
            raise InputError(f"halves of {self.half} tokens; give at least 2")

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens' names, for a `Decoder`."""
        return tuple(f"t{number}" for number in range(self.vocabulary))

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Sequences (text, 2 half)."""
        if self.half <= self.vocabulary:
            first = _chosen(rng, count, self.vocabulary, self.half)
        else:
            first = rng.integers(0, self.vocabulary, (count, self.half))
        return Sequences(np.concatenate([first, first], axis=1).astype(np.int64))

    def attention_only(self, layers: int = 2, width: int = 128, heads: int = 4) -> Decoder:
        """A decoder without MLPs and rotation, as the composition of two heads is easiest to see in."""
        return Decoder(
            self.words, layers=layers, width=width, heads=heads, mlp_width=0, positions="learned", context=2 * self.half
        )


@dataclass(frozen=True)
class Walks:
    """Texts with an order of their own: each of some tokens is followed by one other, unless the walk jumps.

    Repeated tokens alone do not make a small decoder look one token back: averages over all earlier tokens tell as
    much about where the present one stood. Here they do not, since tokens come again and jumps lie between them.

    Parameters
    ----------
    vocabulary : how many different tokens. length : of a text. used : tokens of a text.
    jump : the chance that the next token is any of the text's.
    """

    vocabulary: int = 64
    length: int = 48
    used: int = 20
    jump: float = 0.3

    def __post_init__(self) -> None:
        if not (2 <= self.used <= self.vocabulary and self.length >= 2 and 0 <= self.jump <= 1):
            raise InputError("give 2 to `vocabulary` used tokens, a length of 2 or more, and a chance from 0 to 1")

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Sequences (text, length)."""
        tokens, after = _chosen(rng, count, self.vocabulary, self.used), _chosen(rng, count, self.used, self.used)
        places, rows = np.empty((count, self.length), dtype=np.int64), np.arange(count)
        places[:, 0] = rng.integers(0, self.used, count)
        for step in range(1, self.length):
            anywhere = rng.integers(0, self.used, count)
            places[:, step] = np.where(rng.random(count) < self.jump, anywhere, after[rows, places[:, step - 1]])
        return Sequences(np.take_along_axis(tokens, places, axis=1).astype(np.int64))


def losses_of_halves(model: LanguageModel, ids: Array) -> tuple[float, float]:
    """Mean surprise at the tokens of the first half, and at those of the second that could be known; nats.

    Parameters
    ----------
    ids : sequences (text, 2 half) whose second half is the first again.
    """
    half = half_of(ids)
    logits = model.capture(ids, [Site("logits")])[Site("logits")][:, :-1].astype(np.float64)
    largest = logits.max(axis=-1, keepdims=True)
    spread = np.log(np.exp(logits - largest).sum(axis=-1)) + largest[..., 0]
    surprise = spread - np.take_along_axis(logits, ids[:, 1:, None], axis=-1)[..., 0]
    return float(surprise[:, : half - 1].mean()), float(surprise[:, half:].mean())


def half_of(ids: Array) -> int:
    """Tokens of a half.

    Raises
    ------
    InputError : the second half is not the first again.
    """
    half, odd = divmod(ids.shape[1], 2)
    if odd or (ids[:, :half] != ids[:, half:]).any():
        raise InputError("give sequences whose second half is the first again")
    return half


def _chosen(rng: np.random.Generator, count: int, numbers: int, some: int) -> Array:
    """For each text some of the numbers, no two alike, in random order: (text, some)."""
    return rng.permuted(np.tile(np.arange(numbers), (count, 1)), axis=1)[:, :some]


INDUCTION = RepeatedTokens(64, 24)


def trained_to_copy(steps: int, seed: int) -> Trained:
    """Two attention-only layers trained on `Walks`, which then copy `INDUCTION`; once for each seed, then cached."""
    recipe = DecoderRecipe(steps=steps, batch=32, learning_rate=3e-3, warmup=100, seed=seed, schedule="constant")
    return train_decoder(INDUCTION.attention_only(), Walks(), recipe, name="induction")
