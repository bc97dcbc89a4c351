"""Faithfulness: does the model do what the explanation says when the inputs are changed accordingly?

A metric favours the methods that share its idea of a change (Han, Srinivas, Lakkaraju, 2022): never read one alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.attribution.missingness.base import Missingness
from explicate.attribution.players import Partition
from explicate.core.capabilities import Array
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.evaluation.batching import (
    answers,
    coalition_scores,
    games_of,
    importances,
    kind_of,
    missingness_of,
    noisy,
    players_of,
    ranking,
)
from explicate.evaluation.metric import Context, Metric, Scores

Order = Literal["signed", "absolute"]


@dataclass(frozen=True)
class Curve(Metric):
    """Base of the deletion and insertion curves.

    Let v(k) be the score after the k most important players were changed, v_empty and v_full the scores with nobody
    and with everybody present. The value of a sample is the area under (v(k) - v_empty) / |v_full - v_empty| over the
    share k / n (trapezoids, both ends included): 0.5 is what a straight line gives when the score is above v_empty.
    Samples are weighted by |v_full - v_empty|, so the mean is the mean area over the mean span, and one sample whose
    score hardly depends on its features cannot outweigh the others.

    Parameters
    ----------
    steps : points of the curve after the first; fewer where there are fewer players.
    missingness : what absent means; None takes the model kind's default.
    partition : what is changed together; None takes every column or token, and pictures in 7 x 7 rectangles. Single
        pixels (`Each()`) changed here and there make noise that no photograph has, so that a random order scores well;
        `image-deletion` and `image-insertion` are the curves over pixels in the literature on saliency maps.
    order : by the attribution ("signed": what speaks against the target comes last) or by its size ("absolute").

    Notes
    -----
    Costs (steps + 1) x draws evaluations per sample. `details` has "curve" (sample, point) over "grid_share" (point,).
    """

    steps: int = 20
    missingness: Missingness | None = None
    partition: Partition | None = None
    order: Order = "signed"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"{self.name}: steps is {self.steps}; take 1 or more")
        if self.order not in ("signed", "absolute"):
            raise InputError(f"{self.name}: order {self.order!r} is unknown; use 'signed' or 'absolute'")

    @abstractmethod
    def masks(self, ranks: Array, counts: Array) -> Array:
        """Coalitions (point, player) from each player's rank and the numbers of players that were changed."""

    def cost(self, explanation: Attribution, model: Any) -> int:
        draws = missingness_of(model, self.missingness).draws(model)
        players = players_of(explanation, self.partition, model, coarse=True)
        return sum((min(self.steps, owner.count) + 1) * draws for owner in players)

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        players = players_of(explanation, self.partition, model, coarse=True)
        games = games_of(explanation, model, players, self.missingness, rngs)
        masks, shares = [], []
        for owner, importance, rng in zip(players, importances(explanation, players), rngs, strict=True):
            order = ranking(np.abs(importance) if self.order == "absolute" else importance, rng)
            ranks = np.empty(owner.count, dtype=int)
            ranks[order] = np.arange(owner.count)
            counts = np.rint(np.linspace(0, owner.count, min(self.steps, owner.count) + 1)).astype(int)
            masks.append(self.masks(ranks, counts))
            shares.append(counts / owner.count)
        grid = np.linspace(0, 1, self.steps + 1)
        values, spans, curves = [], [], []
        for mask, share, scores in zip(masks, shares, coalition_scores(games, masks), strict=True):
            curve = scores.mean(axis=1)
            full, empty = (curve[0], curve[-1]) if mask[0].all() else (curve[-1], curve[0])
            span = abs(full - empty)
            defined = span > 1e-9 * max(abs(full), abs(empty), 1e-30)
            scaled = (curve - empty) / span if defined else np.full(len(curve), np.nan)
            values.append(np.trapezoid(scaled, share))
            spans.append(span if defined else 0.0)
            curves.append(np.interp(grid, share, scaled))
        return Scores(
            np.array(values),
            np.array(spans),
            details={"curve": np.array(curves), "span": np.array(spans), "grid_share": grid},
        )


@register("deletion", "metrics")
@dataclass(frozen=True)
class Deletion(Curve):
    """Area under the score while players are taken away, the most important first. Lower is better.

    See `Curve` for its parameters. Source: Petsiuk, Das, Saenko (2018), "RISE", section 4.1; Samek et al. (2017).
    """

    higher_is_better: ClassVar[bool | None] = False

    def masks(self, ranks: Array, counts: Array) -> Array:
        return ranks[None, :] >= counts[:, None]


@register("insertion", "metrics")
@dataclass(frozen=True)
class Insertion(Curve):
    """Area under the score while players are put in, the most important first. Higher is better.

    See `Curve` for its parameters. Source: Petsiuk, Das, Saenko (2018), "RISE", section 4.1.
    """

    higher_is_better: ClassVar[bool | None] = True

    def masks(self, ranks: Array, counts: Array) -> Array:
        return ranks[None, :] < counts[:, None]


@dataclass(frozen=True)
class PredictionGap(Metric):
    """Base of PGI and PGU: the mean of |f(x) - f(x')| over perturbed copies x'.

    Parameters
    ----------
    share : the share of the players that counts as important (at least one), by the size of the attribution.
    perturbation : "gaussian" noise, "missing" (draws of `missingness`), or None: noise for tables and pictures,
        missing tokens for texts.
    draws : noisy copies per sample; with "missing" the missingness says how many.
    noise, flip : see `explicate.evaluation.batching.noisy`.
    missingness : as for the deletion curve.
    partition : what is changed together; None takes every column, pixel or token.

    Notes
    -----
    Costs `draws` evaluations per sample (f(x) is in the explanation).
    """

    share: float = 0.25
    perturbation: Literal["gaussian", "missing"] | None = None
    draws: int = 50
    noise: float = 0.1
    flip: float = 0.03
    missingness: Missingness | None = None
    partition: Partition | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"{self.name}: share is {self.share}; it lies between 0 and 1")
        if self.draws < 1 or self.noise <= 0:
            raise InputError(f"{self.name}: draws must be 1 or more and noise above 0")

    @abstractmethod
    def changed(self, important: Array) -> Array:
        """Which players (player,) are perturbed."""

    def _gaussian(self, explanation: Attribution) -> bool:
        if self.perturbation is None:
            return kind_of(explanation) != "text"
        return self.perturbation == "gaussian"

    def cost(self, explanation: Attribution, model: Any) -> int:
        gaussian = self._gaussian(explanation)
        each = self.draws if gaussian else missingness_of(model, self.missingness).draws(model)
        return each * len(explanation)

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        inputs, targets = np.asarray(explanation["inputs"].values), explanation.targets
        scores = np.asarray(explanation["score"].values, dtype=float)
        players = players_of(explanation, self.partition, model)
        chosen = []
        for importance, rng in zip(importances(explanation, players), rngs, strict=True):
            count = max(1, round(self.share * len(importance)))
            important = np.zeros(len(importance), dtype=bool)
            important[ranking(np.abs(importance), rng)[:count]] = True
            chosen.append(self.changed(important))
        if self._gaussian(explanation):

            def requests() -> Any:
                for i, (owner, rng) in enumerate(zip(players, rngs, strict=True)):
                    free = ~owner.keep(~chosen[i][None], inputs[i].shape)[0]
                    yield noisy(inputs[i], free, self.draws, self.noise, self.flip, model, rng), targets[i]

            found = list(answers(model, requests()))
        else:
            games = games_of(explanation, model, players, self.missingness, rngs)
            found = [each[0] for each in coalition_scores(games, [~mask[None] for mask in chosen])]
        gaps = [np.abs(each - score).mean() for each, score in zip(found, scores, strict=True)]
        nobody = np.array([not mask.any() for mask in chosen])
        return Scores(np.where(nobody, np.nan, gaps))


@register("pgi", "metrics")
@dataclass(frozen=True)
class PredictionGapImportant(PredictionGap):
    """PGI: how far the score moves when the important features are perturbed. Higher is better.

    See `PredictionGap` for its parameters. Source: Agarwal et al. (2022), "OpenXAI", section 3.
    """

    higher_is_better: ClassVar[bool | None] = True
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)

    def changed(self, important: Array) -> Array:
        return important


@register("pgu", "metrics")
@dataclass(frozen=True)
class PredictionGapUnimportant(PredictionGap):
    """PGU: how far the score moves when the unimportant features are perturbed. Lower is better.

    See `PredictionGap` for its parameters. Source: Agarwal et al. (2022), "OpenXAI", section 3.
    """

    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)

    def changed(self, important: Array) -> Array:
        return ~important
