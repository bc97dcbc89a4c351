"""Shapley and Banzhaf values of a model's score: the faces of the coalition engine.

Sources: Lundberg, Lee (2017), "A Unified Approach to Interpreting Model Predictions"; for the estimators see
`explicate.attribution.shapley`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.defaults import default_missingness, default_partition
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.games import Game
from explicate.attribution.missingness import Missingness
from explicate.attribution.players import Partition, Players
from explicate.attribution.shapley.estimates import Estimate
from explicate.attribution.shapley.exact import LARGEST
from explicate.attribution.shapley.solver import Estimator, shapley_estimate
from explicate.core.capabilities import Array, Targets
from explicate.core.registry import register
from explicate.errors import InputError

DEFAULT_BUDGET = 512
ALL = 2**LARGEST


@dataclass(frozen=True)
class _CoalitionValues(Explainer):
    """What Shapley and Banzhaf values share: a game for each sample, values of its players, spread over features."""

    def _found(
        self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator, budget: int, **how: Any
    ) -> Found:
        missingness = getattr(self, "missingness", None) or default_missingness(model)
        partition = getattr(self, "partition", None) or default_partition(model)
        games, estimates, starts = [], [], []
        for sample, target in zip(inputs, targets, strict=True):
            game = Game(model, sample, target, partition.players(model, sample), missingness, rng)
            if budget == ALL and game.count > LARGEST:
                raise InputError(
                    f"{self.name}: {game.count} players have 2 ** {game.count} coalitions; use kernel-shap or fewer "
                    f"groups, at most {LARGEST}"
                )
            estimate, empty, _ = shapley_estimate(game, game.count, budget, rng, **how)
            games.append(game.players)
            estimates.append(estimate)
            starts.append(empty)
        used = [estimate.estimator for estimate in estimates]
        return Found(
            np.stack([one.spread(each.values) for one, each in zip(games, estimates, strict=True)]),
            np.array(starts),
            np.stack([one.spread(each.standard_error) for one, each in zip(games, estimates, strict=True)]),
            extra={"estimator": (("sample",), np.array(used, dtype=object)), **_by_player(model, games, estimates)},
            flags={"estimators": ", ".join(f"{name} {used.count(name)}" for name in sorted(set(used)))},
        )


def _by_player(model: Any, games: list[Players], estimates: list[Estimate]) -> dict[str, Any]:
    """Values of whole players, where a player has several features; 0 where a sample has fewer players than another.

    `player_of` says whose each feature is, -1 for what is never absent.
    """
    if all(one.count == (one.labels >= 0).sum() for one in games):
        return {}
    most = max(one.count for one in games)
    values = np.zeros((2, len(games), most))
    for i, (one, each) in enumerate(zip(games, estimates, strict=True)):
        values[:, i, : one.count] = each.values, each.standard_error
    dims = model.feature_dims[-games[0].labels.ndim :]
    return {
        "player_value": (("sample", "player"), values[0]),
        "player_standard_error": (("sample", "player"), values[1]),
        "player_of": (("sample", *dims), np.stack([one.labels for one in games])),
    }


@register("kernel-shap")
@dataclass(frozen=True)
class KernelShap(_CoalitionValues):
    """Shapley values: each player's mean gain over all orders of entry, estimated from a budget of coalitions.

    Exact when the budget covers all coalitions. Attributions add up to score - baseline score. Coalitions come in
    distinct complement pairs spread over the sizes; each estimate has a standard error.

    Parameters
    ----------
    budget : coalitions per sample; each costs as many evaluations as the missingness has draws (for tables, 50), less
        those that come out equal.
    missingness : what "absent" means; default: by kind of model.
    partition : who goes in and out together; default: by kind of model.
    estimator : "auto" (a Gaussian process over coalitions, or a tree proxy from 4,100 coalitions on, or least squares
        where that predicts held-out coalitions better), "least-squares" (KernelSHAP as in the paper),
        "gaussian-process" or "tree-proxy" (boosted trees, corrected by regression).

    Notes
    -----
    Beside the attribution: `standard_error`, `estimator` (sample,) that was used, and, where players are groups of
    features, `player_value`, `player_standard_error` (sample, player) and `player_of`; a feature's attribution is its
    player's value shared equally among the player's features.
    """

    complete: ClassVar[bool] = True
    budget: int = DEFAULT_BUDGET
    missingness: Missingness | None = None
    partition: Partition | None = None
    estimator: Estimator = "auto"

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        return self._found(model, inputs, targets, rng, self.budget, estimator=self.estimator)


@register("exact-shapley")
@dataclass(frozen=True)
class ExactShapley(_CoalitionValues):
    """Shapley values from all 2 ** players coalitions, for up to 16 players.

    Parameters
    ----------
    missingness, partition : as for kernel-shap.
    """

    complete: ClassVar[bool] = True
    missingness: Missingness | None = None
    partition: Partition | None = None

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        found = self._found(model, inputs, targets, rng, ALL)
        return replace(found, standard_error=None)


@register("banzhaf")
@dataclass(frozen=True)
class Banzhaf(_CoalitionValues):
    """Banzhaf values: each player's mean gain over all coalitions of the others. They do not add up to the score.

    Exact when the budget covers all coalitions; estimated as Shapley values are, with coalitions drawn evenly.
    Source: Banzhaf (1965); for explanations, Wang, Jia (2023), "Data Banzhaf": their order is steadier than Shapley's.

    Parameters
    ----------
    budget, missingness, partition, estimator : as for kernel-shap.
    """

    budget: int = DEFAULT_BUDGET
    missingness: Missingness | None = None
    partition: Partition | None = None
    estimator: Estimator = "auto"

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        return self._found(model, inputs, targets, rng, self.budget, estimator=self.estimator, index="banzhaf")
