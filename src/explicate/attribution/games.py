"""Coalition games: what a model's score is worth when only some players are present.

Everything that perturbs goes through a `Game`: Shapley values, LIME, occlusion, and the metrics that delete and insert.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.attribution.missingness.base import Fill, Missingness
from explicate.attribution.players import Players
from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import InputError

CHUNK_BYTES = 64 << 20  # filled inputs held at once


@dataclass(frozen=True, eq=False)
class Game:
    """The score of one sample's target as a function of which players are present.

    Parameters
    ----------
    model : offers `Predictor`.
    sample : one encoded input, (*feature).
    target : the explained output: int array of shape () or (2,).
    players : who can be absent.
    missingness : what absent means; a `probability` game scores the target's probability instead of its score.
    """

    model: Any
    sample: Array
    target: Array
    players: Players
    missingness: Missingness
    rng: np.random.Generator = field(default_factory=lambda: np.random.Generator(np.random.PCG64(0)))
    probability: bool = False
    fill: Fill = field(init=False, repr=False)
    draws: int = field(init=False)

    def __post_init__(self) -> None:
        if self.model.kind not in self.missingness.kinds:
            raise InputError(
                f"missingness {self.missingness.name!r} is for {' and '.join(self.missingness.kinds)}, "
                f"not for the {self.model.kind} model {self.model.name!r}"
            )
        object.__setattr__(self, "draws", self.missingness.draws(self.model))
        object.__setattr__(self, "fill", self.missingness.bind(self.model, self.sample, self.rng))

    @property
    def count(self) -> int:
        """Number of players."""
        return self.players.count

    def __call__(self, masks: Masks) -> Floats:
        """Values (mask,) of coalitions (mask, player); each costs `draws` evaluations."""
        masks = np.asarray(masks, dtype=bool)
        per_mask = max(1, self.sample.nbytes * self.draws)
        step = max(1, CHUNK_BYTES // per_mask)
        score = self.model.probabilities if self.probability else self.model.scores
        values = np.empty(len(masks))
        for start in range(0, len(masks), step):
            block = masks[start : start + step]
            inputs = self.fill(self.players.keep(block, self.sample.shape))
            targets = np.broadcast_to(self.target, (len(inputs), *np.shape(self.target)))
            found = np.asarray(score(inputs, targets), dtype=float)
            values[start : start + len(block)] = found.reshape(len(block), self.draws).mean(axis=1)
        return values

    def ends(self) -> tuple[float, float]:
        """The values of nobody and of everybody."""
        empty, full = self(np.array([[False] * self.count, [True] * self.count]))
        return float(empty), float(full)
