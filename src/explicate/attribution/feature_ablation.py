"""Feature ablation: how much the score falls when one player alone is taken out.

Source: the "leave one covariate out" idea of Lei, G'Sell, Rinaldo, Tibshirani, Wasserman (2018), "Distribution-Free
Predictive Inference for Regression", section 6, for one prediction and without refitting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.defaults import default_missingness, default_partition
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.games import Game
from explicate.attribution.missingness import Missingness
from explicate.attribution.players import Partition
from explicate.core.capabilities import Array, Targets
from explicate.core.registry import register


@register("feature-ablation")
@dataclass(frozen=True)
class FeatureAblation(Explainer):
    """Attribute to each player the drop of the score when it alone is absent: v(all) - v(all but it).

    Costs players + 2 coalitions per sample. Blind to what two players do only together: in "a or b", each alone can go
    without a change, and both get 0.

    Parameters
    ----------
    missingness : what "absent" means; default: by kind of model.
    partition : who goes out together; default: by kind of model.
    """

    missingness: Missingness | None = None
    partition: Partition | None = None

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        missingness = self.missingness or default_missingness(model)
        partition = self.partition or default_partition(model)
        attributions, starts = [], []
        for sample, target in zip(inputs, targets, strict=True):
            players = partition.players(model, sample)
            game = Game(model, sample, target, players, missingness, rng)
            everyone_but_one = ~np.eye(players.count, dtype=bool)
            empty, full = game.ends()
            attributions.append(players.spread(full - game(everyone_but_one)))
            starts.append(empty)
        return Found(np.stack(attributions), baseline_score=np.array(starts))
