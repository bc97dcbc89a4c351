"""Sequences of random tokens that are said twice: what comes next can be known in the second half, and only there.

The plainest task that asks for induction: to find where the present token stood before, and say what followed it.
Source: Olsson et al. (2022), "In-context Learning and Induction Heads", "Repeated random tokens".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import Sequences


@dataclass(frozen=True)
class RepeatedTokens:
    """Random tokens, twice in a row.

    Parameters
    ----------
    vocabulary : how many different tokens. half : tokens of a half, drawn without two alike where there are enough.
    """

    vocabulary: int = 64
    half: int = 24

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens' names, for a `Decoder`."""
        return tuple(f"t{number}" for number in range(self.vocabulary))

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Sequences (text, 2 half)."""
        if self.half <= self.vocabulary:
            first = rng.permuted(np.tile(np.arange(self.vocabulary), (count, 1)), axis=1)[:, : self.half]
        else:
            first = rng.integers(0, self.vocabulary, (count, self.half))
        return Sequences(np.concatenate([first, first], axis=1).astype(np.int64))

    def attention_only(self, layers: int = 2, width: int = 128, heads: int = 4) -> Decoder:
        """A decoder without MLPs and rotation, as the composition of two heads is easiest to see in."""
        return Decoder(
            self.words, layers=layers, width=width, heads=heads, mlp_width=0, positions="learned", context=2 * self.half
        )
