"""Shapley values of a model's score: the face of the coalition engine.

Sources: Lundberg, Lee (2017), "A Unified Approach to Interpreting Model Predictions"; for the estimators see
`explicate.attribution.shapley`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.defaults import default_missingness, default_partition
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.games import Game
from explicate.attribution.missingness import Missingness
from explicate.attribution.players import Partition
from explicate.attribution.shapley.exact import LARGEST, all_coalitions, banzhaf_values
from explicate.attribution.shapley.solver import Estimator, shapley_estimate
from explicate.core.capabilities import Array, Targets
from explicate.core.registry import register
from explicate.errors import InputError

DEFAULT_BUDGET = 512


@dataclass(frozen=True)
class _CoalitionValues(Explainer):
    """What Shapley and Banzhaf values share: a game for each sample, values of its players, spread over features."""

    complete: ClassVar[bool] = True

    def _game(self, model: Any, sample: Array, target: Array, rng: np.random.Generator) -> Game:
        missingness = getattr(self, "missingness", None) or default_missingness(model)
        partition = getattr(self, "partition", None) or default_partition(model)
        return Game(model, sample, target, partition.players(model, sample), missingness, rng)


@register("kernel-shap")
@dataclass(frozen=True)
class KernelShap(_CoalitionValues):
    """Shapley values: each player's mean gain over all orders of entry, estimated from a budget of coalitions.

    Exact when the budget covers all coalitions. Attributions add up to score - baseline score. Coalitions come in
    distinct complement pairs spread over the sizes; each estimate has a standard error.

    Parameters
    ----------
    budget : coalitions per sample; each costs as many evaluations as the missingness has draws (for tables, 50).
    missingness : what "absent" means; default: by kind of model.
    partition : who goes in and out together; default: by kind of model.
    estimator : "auto" (a Gaussian process over coalitions, or least squares where that predicts held-out coalitions
        better), "least-squares" (KernelSHAP as in the paper) or "gaussian-process".
    """

    budget: int = DEFAULT_BUDGET
    missingness: Missingness | None = None
    partition: Partition | None = None
    estimator: Estimator = "auto"

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        attributions, errors, starts, used = [], [], [], []
        for sample, target in zip(inputs, targets, strict=True):
            game = self._game(model, sample, target, rng)
            estimate, empty, _ = shapley_estimate(game, game.count, self.budget, rng, self.estimator)
            attributions.append(game.players.spread(estimate.values))
            errors.append(game.players.spread(estimate.standard_error))
            starts.append(empty)
            used.append(estimate.estimator)
        names = np.array(used, dtype=object)
        return Found(
            np.stack(attributions),
            np.array(starts),
            np.stack(errors),
            extra={"estimator": (("sample",), names)},
        )


@register("exact-shapley")
@dataclass(frozen=True)
class ExactShapley(_CoalitionValues):
    """Shapley values from all 2 ** players coalitions, for up to 16 players.

    Parameters
    ----------
    missingness, partition : as for kernel-shap.
    """

    missingness: Missingness | None = None
    partition: Partition | None = None

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        inner = KernelShap(2**LARGEST, self.missingness, self.partition)
        for sample, target in zip(inputs, targets, strict=True):
            _check_size(self._game(model, sample, target, rng).count, self.name)
        found = inner.attribute(model, inputs, targets, rng)
        return Found(found.attribution, found.baseline_score)


@register("banzhaf")
@dataclass(frozen=True)
class Banzhaf(_CoalitionValues):
    """Banzhaf values: each player's mean gain over all coalitions, by maximum sample reuse.

    Exact up to 16 players within the budget; otherwise the mean worth of the drawn coalitions with the player minus
    that of those without. They do not add up to the score. Source: Wang, Jia (2023), "Data Banzhaf", section 4.

    Parameters
    ----------
    budget : coalitions per sample. missingness, partition : as for kernel-shap.
    """

    complete: ClassVar[bool] = False
    budget: int = DEFAULT_BUDGET
    missingness: Missingness | None = None
    partition: Partition | None = None

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        if self.budget < 8:
            raise InputError(f"banzhaf: a budget of {self.budget} coalitions is too small; give at least 8")
        attributions, errors, starts = [], [], []
        for sample, target in zip(inputs, targets, strict=True):
            game = self._game(model, sample, target, rng)
            values, error = self._values(game, rng)
            attributions.append(game.players.spread(values))
            errors.append(game.players.spread(error))
            starts.append(game.ends()[0])
        return Found(np.stack(attributions), np.array(starts), np.stack(errors))

    def _values(self, game: Game, rng: np.random.Generator) -> tuple[Array, Array]:
        if game.count <= LARGEST and self.budget >= 2**game.count:
            return banzhaf_values(game(all_coalitions(game.count))), np.zeros(game.count)
        half = rng.random((self.budget // 2, game.count)) < 0.5
        masks = np.concatenate([half, ~half])  # each player is in exactly one coalition of every pair
        worth = game(masks)
        gains = np.where(half, 1.0, -1.0) * (worth[: len(half)] - worth[len(half) :])[:, None]
        return gains.mean(axis=0), gains.std(axis=0, ddof=1) / np.sqrt(len(half))


def _check_size(players: int, name: str) -> None:
    if players > LARGEST:
        raise InputError(f"{name}: {players} players have 2 ** {players} coalitions; use kernel-shap or fewer groups")
