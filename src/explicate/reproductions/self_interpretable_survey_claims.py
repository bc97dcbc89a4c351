"""What the units of the self-interpretable survey add up to, bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import mean_of
from explicate.runtime.statistics import t_interval

BARRED_TABLES = ("breast-cancer", "adult")


def all_claims(found: dict[str, list[Any]]) -> Sequence[Claim]:
    """One claim a bar, and the further figures of each representative."""
    return [
        *_table_claims(found["table"]),
        *_additive_claims(found["additive"]),
        *_exclusive_claims(found["exclusive"]),
        *_equation_claims(found["equation"], found["ratio"]),
        *_part_claims(found["parts"]),
        *_concept_claims(found["concepts"]),
        _rule_claim(found["rules"]),
        *_graph_claims(found["graphs"]),
        _policy_claim(found["policy"]),
        _replay_claim(found),
    ]


def _table_claims(units: list[Any]) -> list[Claim]:
    claims = []
    for name in dict.fromkeys(unit["table"] for unit in units):
        own = [unit for unit in units if unit["table"] == name]
        area, twin = mean_of(own, "auc"), mean_of(own, "twin")
        barred = name in BARRED_TABLES
        claims.append(
            Claim(f"A neural additive model keeps up with gradient boosting on {name}", "ROC-AUC, mean of the splits",
                  None, area, _interval(own, "auc"), twin, 0.5, ">= baseline - 0.02" if barred else "",
                  area >= twin - 0.02 if barred else None,
                  f"standard deviation {_deviation(own, 'auc'):.4f}; {own[0]['rows']:,} training rows; taking out each "
                  f"case's largest contribution changes the score by {mean_of(own, 'drop'):.2f}, a random one by "
                  f"{mean_of(own, 'random_drop'):.2f}; {own[0]['size']:,} points of curves")
        )  # fmt: skip
    return claims


def _additive_claims(units: list[Any]) -> list[Claim]:
    lowest = min(min(unit["correlations"]) for unit in units)
    irrelevant = max(unit["irrelevant"] for unit in units)
    return [
        Claim("The curves of a sum are its terms", "lowest correlation of a curve with the true one, all seeds", None,
              lowest, chance=0.0, bar=">= 0.95", met=lowest >= 0.95,
              note=f"local Lipschitz constant of the contributions {mean_of(units, 'stability'):.2f}"),
        Claim("and what does nothing is flat", "largest range of an irrelevant curve / of all", None, irrelevant,
              bar="<= 0.05", met=irrelevant <= 0.05),
    ]  # fmt: skip


def _exclusive_claims(units: list[Any]) -> list[Claim]:
    without = [unit["without"] for unit in units]
    paired = [unit["with"] for unit in units]
    return [
        Claim("Additive means additive: no exclusive or", "ROC-AUC without pairs, farthest from 0.5", None,
              max(without, key=lambda value: abs(value - 0.5)), chance=0.5, bar="in [0.45, 0.60]",
              met=all(0.45 <= value <= 0.60 for value in without)),
        Claim("which a network of the pair learns", "lowest ROC-AUC with the pair", None, min(paired), chance=0.5,
              baseline=float(np.mean(without)), bar=">= 0.95", met=min(paired) >= 0.95),
    ]  # fmt: skip


def _equation_claims(units: list[Any], ratios: list[Any]) -> list[Claim]:
    best = min(unit["extrapolation"] for unit in units)
    gap = max(unit["gap"] for unit in [*units, *ratios])
    times = float(np.median([unit["twin"] / unit["extrapolation"] for unit in units]))
    each = ", ".join(f"{unit['extrapolation']:.3f}" for unit in units)
    ranked = ", ".join(f"{unit['ranked']:.3f}" for unit in units)
    inside = ", ".join(f"{unit['interpolation']:.4f}" for unit in units)
    return [
        Claim("An equation learner extrapolates", "root mean square error on [-2, 2], of the network with the "
              "smallest validation error, best seed", None, best, baseline=mean_of(units, "twin"),
              chance=mean_of(units, "spread"), bar="<= 0.05", met=best <= 0.05,
              note=f"per seed: {each}; chosen by ranks of error and size: {ranked}; on [-1, 1]: {inside}; formula: "
              f"{units[0]['formula']}"),
        Claim("where a perceptron does not", "perceptron's error / equation learner's on [-2, 2], median", None, times,
              bar=">= 5", met=times >= 5, chance=1.0),
        Claim("and its formula is its network", "largest difference on [-1, 1]", None, gap, bar="<= 1e-4",
              met=gap <= 1e-4, note=f"{mean_of(units, 'length'):.0f} operations in the formula's steps"),
        Claim("A division is found too", "root mean square error on [-2, 2], best seed", None,
              min(unit["extrapolation"] for unit in ratios), baseline=mean_of(ratios, "twin"),
              chance=mean_of(ratios, "spread"), note=f"formula: {ratios[0]['formula']}"),
    ]  # fmt: skip


def _part_claims(units: list[Any]) -> list[Claim]:
    accuracy, twin = mean_of(units, "accuracy"), mean_of(units, "twin")
    distance = max(unit["distance"] for unit in units)
    note = (
        f"last push, on the training pictures: {mean_of(units, 'before'):.3f} before, {mean_of(units, 'pushed'):.3f} "
        f"after, {mean_of(units, 'after'):.3f} with the last layer adapted; purity {mean_of(units, 'purity'):.3f}, "
        f"duplicates {mean_of(units, 'duplicates'):.3f}, consistency of places {mean_of(units, 'consistency'):.3f}, "
        f"stability under noise {mean_of(units, 'stability'):.3f}"
    )
    return [
        Claim("Parts of training pictures classify digits", "accuracy after the push, mean of the seeds", None,
              accuracy, _interval(units, "accuracy"), twin, 0.1, ">= 0.95", accuracy >= 0.95, note),
        Claim("nearly as well as the convolutions alone", "accuracy less the network's", None, accuracy - twin,
              bar=">= -0.03", met=accuracy - twin >= -0.03),
        Claim("and each is a patch of a training picture", "largest distance to the stored patch", None, distance,
              bar="0", met=distance == 0),
    ]  # fmt: skip


def _concept_claims(units: list[Any]) -> list[Claim]:
    claims = []
    for mode in ("independent", "sequential", "joint"):
        own = [unit[mode] for unit in units]
        before, after = (float(np.mean([unit["curve"][place] for unit in own])) for place in (0, -1))
        barred = mode == "independent"
        curve = ", ".join(f"{value:.3f}" for value in np.mean([unit["curve"] for unit in own], axis=0))
        claims.append(
            Claim(f"Concepts can be set right ({mode})", "accuracy with all concepts at their truth, mean", None, after,
                  baseline=before, chance=0.1, bar=">= 0.98 or baseline + 0.05" if barred else "",
                  met=(after >= 0.98 or after >= before + 0.05) if barred else None,
                  note=f"one concept after the other: {curve}; concepts right {mean_of(own, 'concepts'):.3f}; leakage "
                  f"(accuracy lost by shuffling within the truth) {mean_of(own, 'leakage'):+.3f}")
        )  # fmt: skip
    return claims


def _rule_claim(units: list[Any]) -> Claim:
    lowest = min(unit["agreement"] for unit in units)
    note = f"{mean_of(units, 'rules'):.1f} rules, {mean_of(units, 'literals'):.1f} literals, decide "
    note += f"{mean_of(units, 'coverage'):.3f} of the cases of wine"
    return Claim("Printed rules are the model (FOLD-SE)", "share of cases with the same prediction, lowest", None,
                 lowest, bar="1", met=lowest == 1, note=note)  # fmt: skip


def _graph_claims(units: list[Any]) -> list[Claim]:
    accuracy = mean_of(units, "accuracy")
    return [
        Claim("Training graphs as prototypes tell houses from rings", "accuracy, mean of the seeds", None, accuracy,
              _interval(units, "accuracy"), mean_of(units, "twin"), 0.5, ">= 0.90", accuracy >= 0.90,
              "each: " + ", ".join(f"{unit['accuracy']:.3f}" for unit in units)),
    ]  # fmt: skip


def _policy_claim(units: list[Any]) -> Claim:
    mean = mean_of(units, "return")
    return Claim("Four curves balance a pole", "return of 20 episodes, mean of the seeds", None, mean,
                 _interval(units, "return"), chance=mean_of(units, "chance"), bar=">= 400", met=mean >= 400,
                 note="each: " + ", ".join(f"{unit['return']:.0f}" for unit in units))  # fmt: skip


def _replay_claim(found: dict[str, list[Any]]) -> Claim:
    errors = [unit["replay"] for part in ("table", "parts", "graphs") for unit in found[part]]
    errors += [unit[mode]["replay"] for unit in found["concepts"] for mode in ("independent", "sequential", "joint")]
    errors += [1 - unit["agreement"] for unit in found["rules"]]
    return Claim("Every prediction is computed from its explanation", "largest share of labels that replay differently",
                 None, max(errors), bar="0", met=max(errors) == 0, note=f"{len(errors)} fitted models")  # fmt: skip


def _deviation(units: list[Any], name: str) -> float:
    return float(np.std([unit[name] for unit in units], ddof=1)) if len(units) > 1 else 0.0


def _interval(units: list[Any], name: str) -> tuple[float, float] | None:
    values = [unit[name] for unit in units]
    if len(values) < 2:
        return None
    found = t_interval(values)
    return (found.low, found.high)
