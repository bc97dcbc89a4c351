"""Coalition games: what a model's score is worth when only some players are present.

Everything that perturbs goes through a `Game`: Shapley values, LIME, occlusion, and the metrics that delete and insert.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.attribution.missingness.base import Fill, FromRows, Missingness
from explicate.attribution.players import Players
from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import InputError

CHUNK_BYTES = 64 << 20  # filled inputs held at once
WORTH_SHARING = 0.9  # share of inputs left to evaluate, above which looking for equal ones does not pay
TABLE = 1 << 22  # keys that are looked up in a table rather than sorted


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
        """Values (mask,) of coalitions (mask, player).

        Each costs `draws` evaluations, less those of inputs that are equal because the sample has a row's own values.
        """
        masks = np.asarray(masks, dtype=bool)
        per_mask = max(1, self.sample.nbytes * self.draws)
        step = max(1, CHUNK_BYTES // per_mask)
        values = np.empty(len(masks))
        for start in range(0, len(masks), step):
            block = masks[start : start + step]
            shared = self._shared(block)
            found = self._scores(self.fill(self._keep(block))) if shared is None else shared
            values[start : start + len(block)] = found.reshape(len(block), self.draws).mean(axis=1)
        return values

    def _keep(self, masks: Masks) -> Masks:
        return self.players.keep(masks, self.sample.shape)

    def _scores(self, inputs: Array) -> Floats:
        targets = np.broadcast_to(self.target, (len(inputs), *np.shape(self.target)))
        return np.asarray((self.model.probabilities if self.probability else self.model.scores)(inputs, targets), float)

    def _shared(self, masks: Masks) -> Floats | None:
        """Scores (mask * draw,) with equal inputs evaluated once, or None where too few are equal."""
        if not isinstance(self.fill, FromRows) or 2**self.count * self.draws >= 2**62:
            return None
        idle = self.players.unanimous(self.fill.alike)  # (draw, player): absence changes nothing
        expected = np.minimum(2.0 ** (~idle).sum(axis=1) / len(masks), 1.0).mean()
        if expected > WORTH_SHARING:
            return None
        bits = 1 << np.arange(self.count)
        keys = ((masks @ bits)[:, None] | (idle @ bits)[None]) * self.draws + np.arange(self.draws)
        first, place = _distinct(keys.ravel(), 2**self.count * self.draws)
        inputs = self.fill.some(self._keep(masks)[first // self.draws], first % self.draws)
        return np.asarray(self._scores(inputs)[place])

    def ends(self) -> tuple[float, float]:
        """The values of nobody and of everybody."""
        empty, full = self(np.array([[False] * self.count, [True] * self.count]))
        return float(empty), float(full)


def _distinct(keys: Array, below: int) -> tuple[Array, Array]:
    """One place of each distinct key, and for every key which of them it is."""
    if below > TABLE:
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        return first, place
    table = np.full(below, -1)  # looking keys up is several times faster than sorting them
    table[keys] = np.arange(len(keys))
    known = np.flatnonzero(table >= 0)
    first = table[known]
    table[known] = np.arange(len(known))
    return first, table[keys]
