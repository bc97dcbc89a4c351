"""Do the numbers of an attribution correspond to changes of the score? Infidelity, completeness, monotonicity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import stats

from explicate.attribution.missingness.base import Missingness
from explicate.attribution.players import Partition, Players
from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.evaluation.batching import (
    Request,
    answers,
    coalition_scores,
    games_of,
    importances,
    missingness_of,
    noisy,
    players_of,
    ranking,
)
from explicate.evaluation.metric import Context, Metric, Scores

Units = Literal["score", "gradient"]


@register("infidelity", "metrics")
@dataclass(frozen=True)
class Infidelity(Metric):
    """The squared error of the attribution as a prediction of what a change of the input does. Lower is better.

    E over perturbations I of (I' phi - (f(x) - f(x - I)))^2, in squared units of the score. `phi` is a sensitivity:
    score per unit of the feature. An attribution in units of the score (Shapley values, integrated gradients) already
    holds the factor "distance to the baseline"; a removal takes it away whole, so I' phi is the sum over the absent.

    Source: Yeh et al. (2019), "On the (In)fidelity and Sensitivity of Explanations", definition 2.1; the removals
    are of random subsets, whose size is uniform on 1 ... n (for pictures, of squares, as in the paper).

    Parameters
    ----------
    evaluations : perturbations per sample.
    perturbation : "removal" of random subsets of players, or Gaussian "noise" on all features (tables, pictures).
    scaled : multiply the attribution by the factor that fits best, E[I' phi (f(x) - f(x - I))] / E[(I' phi)^2], so that
        only its direction counts (the optimal scaling of the paper's experiments).
    relative : divide by E[(f(x) - f(x - I))^2]: 1 is an attribution of zeros.
    units : of the attribution: "score", "gradient" (score per unit of the feature), or None: what the explanation says
        in its attribute `units`, else "score".
    noise : standard deviation of the noise, see `explicate.evaluation.batching.noisy`. Categories stay.
    missingness : what absent means; where it has several draws, a removal is their mean.
    partition : players; None takes columns and tokens, and cuts pictures into 7 x 7 rectangles.

    Notes
    -----
    Costs `evaluations` x draws evaluations per sample (f(x) is in the explanation).
    """

    evaluations: int = 64
    perturbation: Literal["removal", "noise"] = "removal"
    scaled: bool = False
    relative: bool = False
    units: Units | None = None
    noise: float = 0.1
    missingness: Missingness | None = None
    partition: Partition | None = None
    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)

    def __post_init__(self) -> None:
        if self.evaluations < 2:
            raise InputError(f"infidelity: evaluations is {self.evaluations}; take 2 or more")
        if self.perturbation not in ("removal", "noise"):
            raise InputError(f"infidelity: perturbation {self.perturbation!r} is unknown; use 'removal' or 'noise'")
        if self.units not in (None, "score", "gradient"):
            raise InputError(f"infidelity: units {self.units!r} are unknown; use 'score' or 'gradient'")

    def cost(self, explanation: Attribution, model: Any) -> int:
        draws = missingness_of(model, self.missingness).draws(model) if self.perturbation == "removal" else 1
        return self.evaluations * draws * len(explanation)

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        units = self.units or str(explanation.data.attrs.get("units", "score"))
        players = players_of(explanation, self.partition, model, coarse=True)
        if self.perturbation == "removal":
            pairs = self._removals(explanation, model, players, rngs, units)
        else:
            pairs = self._noise(explanation, model, players, rngs, units)
        values = []
        for predicted, change in pairs:
            if self.scaled:
                size = float((predicted**2).mean())
                predicted = predicted * (float((predicted * change).mean()) / size if size > 0 else 0.0)
            error = float(((predicted - change) ** 2).mean())
            total = float((change**2).mean())
            values.append(error / total if self.relative and total > 0 else np.nan if self.relative else error)
        return Scores(np.array(values))

    def _removals(
        self,
        explanation: Attribution,
        model: Any,
        players: Sequence[Players],
        rngs: Sequence[np.random.Generator],
        units: str,
    ) -> Iterator[tuple[Floats, Floats]]:
        """I' phi and f(x) - f(x - I), both (perturbation,), of each sample."""
        games = games_of(explanation, model, players, self.missingness, rngs)
        absent = []
        for owner, rng in zip(players, rngs, strict=True):
            sizes = rng.integers(1, owner.count + 1, size=self.evaluations)
            places = rng.random((self.evaluations, owner.count)).argsort(axis=1)
            absent.append(places < sizes[:, None])
        scores = coalition_scores(games, [~mask for mask in absent])
        importance = importances(explanation, players)
        full = np.asarray(explanation["score"].values, dtype=float)
        for i, game in enumerate(games):
            if units == "score":
                predicted = absent[i] @ importance[i]
            else:
                kept = game.fill(game.players.keep(~absent[i], game.sample.shape))
                left = kept.reshape(len(absent[i]), game.draws, *game.sample.shape).mean(axis=1)
                predicted = _inner(game.sample[None] - left, explanation.values[i])
            yield predicted, full[i] - scores[i].mean(axis=1)

    def _noise(
        self,
        explanation: Attribution,
        model: Any,
        players: Sequence[Players],
        rngs: Sequence[np.random.Generator],
        units: str,
    ) -> Iterator[tuple[Floats, Floats]]:
        inputs, targets = np.asarray(explanation["inputs"].values), explanation.targets
        importances(explanation, players)  # checks that there is one value per feature
        full = np.asarray(explanation["score"].values, dtype=float)
        everything = np.ones(inputs.shape[1:], dtype=bool)
        copies = [
            noisy(sample, everything, self.evaluations, self.noise, 0.0, model, rng)
            for sample, rng in zip(inputs, rngs, strict=True)
        ]

        def requests() -> Iterator[Request]:
            yield from zip(copies, targets, strict=True)

        sensitivity = np.asarray(explanation.values, dtype=float)
        if units == "score":
            sensitivity = self._per_unit(explanation, model, rngs)
        for i, scores in enumerate(answers(model, requests())):
            yield _inner(inputs[i][None] - copies[i], sensitivity[i]), full[i] - scores

    def _per_unit(self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator]) -> Floats:
        """Attributions divided by the distance to the baseline; 0 where there is no distance."""
        absent = missingness_of(model, self.missingness)
        inputs = np.asarray(explanation["inputs"].values)
        if explanation.values.shape != inputs.shape:
            raise InputError("infidelity under noise needs one value per channel; use perturbation='removal'")
        nothing = np.zeros((1, *inputs.shape[1:]), dtype=bool)
        baseline = np.stack(
            [absent.bind(model, sample, rng)(nothing).mean(axis=0) for sample, rng in zip(inputs, rngs, strict=True)]
        )
        distance = inputs - baseline
        return np.divide(explanation.values, distance, out=np.zeros_like(inputs, dtype=float), where=distance != 0)


def _inner(changes: Array, weights: Array) -> Floats:
    """Inner products (perturbation,) of changes (perturbation, *feature) with weights over all or some dimensions."""
    if weights.ndim < changes.ndim - 1:
        raise InputError("an attribution without channels has no units of a gradient; set units='score'")
    return np.asarray(changes.reshape(len(changes), -1) @ weights.ravel(), dtype=float)


@register("completeness", "metrics")
@dataclass(frozen=True)
class CompletenessGap(Metric):
    """How far the attributions are from adding up to score - baseline score. Lower is better; 0 is complete.

    |sum_i phi_i - (f(x) - f(x'))| / |f(x) - f(x')|. The baseline score is the explanation's own; where its method has
    none, that of the missingness, at the cost of one coalition. Samples are weighted by |f(x) - f(x')|, so the mean is
    the mean gap over the mean difference.

    Source: Sundararajan, Taly, Yan (2017), proposition 1; "efficiency" of Shapley values.

    Parameters
    ----------
    relative : divide by the difference; False gives units of the score.
    missingness : what absent means, for explanations without a baseline score.
    """

    relative: bool = True
    missingness: Missingness | None = None
    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)
    chance: ClassVar[str] = "1 for attributions of zeros"

    def cost(self, explanation: Attribution, model: Any) -> int:
        if "baseline_score" in explanation.data:
            return 0
        return len(explanation) * missingness_of(model, self.missingness).draws(model)

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        notes: tuple[str, ...] = ()
        if "baseline_score" in explanation.data:
            baseline = np.asarray(explanation["baseline_score"].values, dtype=float)
        else:
            players = players_of(explanation, None)
            games = games_of(explanation, model, players, self.missingness, rngs)
            nobody = [np.zeros((1, owner.count), dtype=bool) for owner in players]
            baseline = np.array([scores.mean() for scores in coalition_scores(games, nobody)])
            notes = (f"{explanation.provenance.method} has no baseline of its own: that of the missingness was taken",)
        values = np.asarray(explanation.values, dtype=float) * explanation.present
        total = values.reshape(len(values), -1).sum(axis=1)
        difference = np.asarray(explanation["score"].values, dtype=float) - baseline
        gap, span = np.abs(total - difference), np.abs(difference)
        if not self.relative:
            return Scores(gap, notes=notes)
        defined = span > 1e-9 * np.maximum(np.abs(baseline), 1e-30)
        return Scores(
            np.divide(gap, span, out=np.full(len(gap), np.nan), where=defined),
            np.where(defined, span, 0.0),
            notes=notes,
        )


@register("monotonicity", "metrics")
@dataclass(frozen=True)
class Monotonicity(Metric):
    """Spearman correlation of |attribution| with how much the score moves when that feature alone is unknown.

    rho_S(|phi_i|, e_i), e_i = E over draws of (f(x) - f(x with feature i absent))^2. Higher is better.

    Source: Nguyen, Martinez (2020), "On quantitative aspects of model interpretability", section 2.2 (monotonicity),
    with the squared loss. `monotonicity-insertion` is the other metric of this name.

    Parameters
    ----------
    missingness : what unknown means. partition : players; None takes columns and tokens, and cuts pictures into 7 x 7.

    Notes
    -----
    Costs players x draws evaluations per sample (f(x) is in the explanation).
    """

    missingness: Missingness | None = None
    partition: Partition | None = None
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    chance: ClassVar[str] = "0"

    def cost(self, explanation: Attribution, model: Any) -> int:
        draws = missingness_of(model, self.missingness).draws(model)
        return sum(owner.count * draws for owner in players_of(explanation, self.partition, model, coarse=True))

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        players = players_of(explanation, self.partition, model, coarse=True)
        games = games_of(explanation, model, players, self.missingness, rngs)
        full = np.asarray(explanation["score"].values, dtype=float)
        scores = coalition_scores(games, [~np.eye(owner.count, dtype=bool) for owner in players])
        values = [
            spearman(np.abs(importance), ((score - found) ** 2).mean(axis=1))
            for importance, score, found in zip(importances(explanation, players), full, scores, strict=True)
        ]
        return Scores(np.array(values), chance=np.zeros(len(values)))


@register("monotonicity-insertion", "metrics")
@dataclass(frozen=True)
class MonotonicityInsertion(Metric):
    """1 where the score never falls while features are put in by increasing attribution, else 0. Higher is better.

    As in the authors' code (aix360), the first score is that with one feature present.

    Source: Arya et al. (2019), "One Explanation Does Not Fit All", section 5 (monotonicity), after Luss et al. (2019).
    `monotonicity` is the other metric of this name.

    Parameters
    ----------
    tolerance : a fall of the score that is taken for rounding. missingness, partition : as for `monotonicity`.

    Notes
    -----
    Costs players x draws evaluations per sample.
    """

    tolerance: float = 1e-9
    missingness: Missingness | None = None
    partition: Partition | None = None
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def cost(self, explanation: Attribution, model: Any) -> int:
        draws = missingness_of(model, self.missingness).draws(model)
        return sum(owner.count * draws for owner in players_of(explanation, self.partition, model, coarse=True))

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        players = players_of(explanation, self.partition, model, coarse=True)
        games = games_of(explanation, model, players, self.missingness, rngs)
        masks = []
        for importance, rng in zip(importances(explanation, players), rngs, strict=True):
            order = ranking(-importance, rng)
            ranks = np.empty(len(order), dtype=int)
            ranks[order] = np.arange(len(order))
            masks.append(ranks[None, :] <= np.arange(len(order))[:, None])
        scores = coalition_scores(games, masks)
        return Scores(np.array([float((np.diff(s.mean(axis=1)) >= -self.tolerance).all()) for s in scores]))


def spearman(first: Floats, second: Floats) -> float:
    """Rank correlation; NaN where one of them is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)
