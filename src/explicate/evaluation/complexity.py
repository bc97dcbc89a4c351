"""How much there is to read: sparseness and complexity. They ask no model, so a bad explanation can be a simple one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.players import Partition
from explicate.core.capabilities import Floats
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.evaluation.batching import importances, players_of
from explicate.evaluation.metric import Context, Metric, Scores


@dataclass(frozen=True)
class Concentration(Metric):
    """Base of metrics on the sizes of the attributions alone.

    Parameters
    ----------
    partition : what counts as one; None takes every column, token or pixel (all channels together).
    """

    partition: Partition | None = None
    needs: ClassVar[type | None] = None

    def of(self, sizes: Floats) -> float:
        """The metric of sizes (player,), none negative and not all 0."""
        raise NotImplementedError

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        sizes = [np.abs(item) for item in importances(explanation, players_of(explanation, self.partition, model))]
        return Scores(np.array([self.of(item) if item.any() else np.nan for item in sizes]))


@register("sparseness", "metrics")
@dataclass(frozen=True)
class Sparseness(Concentration):
    """The Gini index of |attribution|: 0 when all are equal, 1 - 1/n when one of n has everything. Higher is sparser.

    Source: Chalasani et al. (2020), "Concise Explanations of Neural Networks using Adversarial Training", section 5,
    after Hurley, Rickard (2009).
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    chance: ClassVar[str] = "about 0.41 for independent Gaussian attributions"

    def of(self, sizes: Floats) -> float:
        return gini(sizes)


@register("complexity", "metrics")
@dataclass(frozen=True)
class Complexity(Concentration):
    """The entropy, in nats, of each feature's share of sum |attribution|: 0 to log n. Lower is simpler.

    Source: Bhatt, Weller, Moura (2020), "Evaluating and Aggregating Feature-based Model Explanations", definition of
    complexity (section 2).
    """

    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)
    chance: ClassVar[str] = "about log n - 0.28 for independent Gaussian attributions"

    def of(self, sizes: Floats) -> float:
        return entropy(sizes)


def gini(sizes: Floats) -> float:
    """1 - 2 sum_k (s_(k) / |s|_1) (n - k + 1/2) / n of sizes (n,) in rising order."""
    ordered = np.sort(np.asarray(sizes, dtype=float))
    count = len(ordered)
    return float(1 - 2 * (ordered / ordered.sum()) @ ((count - np.arange(1, count + 1) + 0.5) / count))


def entropy(sizes: Floats) -> float:
    """- sum_i p_i log p_i of the shares p = s / |s|_1."""
    shares = np.asarray(sizes, dtype=float) / np.sum(sizes)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum()) + 0.0
