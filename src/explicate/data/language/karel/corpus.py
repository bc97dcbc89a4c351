"""An endless corpus of tasks written as texts, for training a decoder from scratch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from explicate.data.language.karel.encodings import Compact, Encoding
from explicate.data.language.karel.tasks import Tasks, TaskSource
from explicate.data.language.karel.worlds import Setting
from explicate.runtime.seeds import generator

SMALL = TaskSource(Setting(rows=5, columns=5, walls=0.0, marked=2), shown=3, hidden=3, lengths=(1, 6))
"""Tasks that a small model learns in minutes: open worlds of 5 x 5 cells, two markers, programs of up to 6 actions."""


@dataclass(frozen=True, eq=False)
class Texts:
    """A batch of texts.

    Attributes
    ----------
    ids : tokens (text, token) int64, -1 on the right of shorter ones.
    weights : what each token counts in the loss; None: every token counts alike, those of the grids too.
    """

    ids: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class ProgramCorpus:
    """Random tasks with their reference programs, word by word; no task is drawn twice on purpose.

    Parameters
    ----------
    source : where tasks come from. encoding : how they are written.
    inputs_count : what the words of input grids count in the loss, where others count 1. They are random, so there is
        nothing in them to learn; at 0 a short training gets further.
    """

    source: TaskSource = SMALL
    encoding: Encoding = field(default_factory=Compact)
    inputs_count: float = 1.0

    @property
    def longest(self) -> int:
        """Most actions of a program."""
        return self.source.lengths[1]

    def batch(self, rng: np.random.Generator, count: int) -> Texts:
        """So many new texts."""
        ids = self.encoding.texts(self.source.draw(rng, count))
        if self.inputs_count == 1:
            return Texts(ids)
        return Texts(ids, np.where(self.encoding.of_inputs(ids), self.inputs_count, 1.0))

    def held_out(self, count: int, seed: int, part: str = "test") -> Tasks:
        """Tasks for testing, from generators of their own: of another seed or part, others."""
        return self.source.draw(generator(seed, "held out", part), count)
