"""What the records of Explanatory Learning amount to, as claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import mean_of
from explicate.runtime.statistics import Interval, paired_difference, t_interval, unpaired_difference

Records = list[dict[str, Any]]


def claims_of(found: dict[str, Records], beams: Sequence[int]) -> list[Claim]:
    """All claims, from the records of the parts "interpreter", "network", "rules" and "labels", one for each seed."""
    networks = [seed["scores"] for seed in found["network"]]
    return [
        *_interpreter(found["interpreter"]),
        *_against_empiricists(networks, found),
        _confidence([one for seed in networks for one in seed]),
        *_beams(networks, beams),
        *_further(networks, found),
    ]


def _interpreter(found: Records) -> list[Claim]:
    rules = [one for seed in found for one in seed["scores"]]
    accuracy = _interval([one["accuracy"] for one in rules])
    floor, uniform, crowd = (mean_of(rules, key) for key in ("majority", "uniform", "uniform_majority"))
    each = ", ".join(f"{mean_of(seed['scores'], 'accuracy'):.3f}" for seed in found)
    return [
        Claim(
            "The interpreter reads rules whose meaning it never saw",
            "tag accuracy on unseen rules, mean over rules",
            None,
            accuracy.value,
            (accuracy.low, accuracy.high),
            floor,
            0.5,
            ">= 0.90",
            accuracy.value >= 0.90,
            f"the baseline is each rule's more frequent tag; by seed: {each}; half of the structures are near misses",
        ),
        Claim(
            "and on structures that nobody chose",
            "tag accuracy on unseen rules, structures drawn uniformly",
            None,
            uniform,
            baseline=crowd,
            chance=0.5,
        ),
    ]


def _against_empiricists(networks: list[Records], found: dict[str, Records]) -> list[Claim]:
    ours = _flat(networks, "right")
    conscious = [float(one["empiricist"]["right"]) for seed in networks for one in seed]
    gain = paired_difference(ours, conscious)
    chance = float(np.mean([seed["floor"] for seed in found["interpreter"]]))
    by_seed = ", ".join(
        f"{mean_of(seed, 'right'):.2f} against {np.mean([one['empiricist']['right'] for one in seed]):.2f}"
        for seed in networks
    )
    rules = _flat([seed["scores"] for seed in found["rules"]], "right")
    labels = [one for seed in found["labels"] for one in seed["scores"]]
    own_tags, other_tags = _tags(networks), [one["accuracy"] for one in labels]
    ahead = paired_difference(own_tags, other_tags)
    empiricist_tags = float(np.mean([one["empiricist"]["accuracy"] for seed in networks for one in seed]))
    return [
        Claim(
            "Criticism finds more rules than the first thought (EMP-C)",
            "rule-equivalence accuracy, network less EMP-C's likeliest rule",
            "by a wide margin",
            gain.value,
            (gain.low, gain.high),
            0.0,
            0.0,
            ">= 0.10",
            gain.value >= 0.10,
            f"by seed: {by_seed}; together {np.mean(ours):.3f} against {np.mean(conscious):.3f}; a random rule "
            f"{chance:.4f}",
        ),
        Claim(
            "and than a network trained on rules alone (EMP-R)",
            "rule-equivalence accuracy of the network",
            "by a wide margin",
            float(np.mean(ours)),
            baseline=float(np.mean(rules)),
            chance=chance,
            note="the baseline is EMP-R",
        ),
        Claim(
            "Tags that follow from a stated rule beat tags without any",
            "tag accuracy, network less labels-only empiricist",
            "above every empiricist",
            ahead.value,
            (ahead.low, ahead.high),
            0.0,
            bar="> 0",
            met=ahead.value > 0,
            note=f"{np.mean(own_tags):.3f} against {np.mean(other_tags):.3f}; EMP-C's own tags {empiricist_tags:.3f}",
        ),
        Claim(
            "A uniformly drawn rule is no competitor",
            "chance that it means the same as the true one",
            None,
            chance,
            bar="< 0.01",
            met=chance < 0.01,
            note=f"exact; the {found['interpreter'][0]['constant']} constant rules are in no part of the data",
        ),
    ]


def _confidence(scores: Records) -> Claim:
    name = "Answers that explain the whole table are more often right"
    metric = "rule accuracy of those answers less that of the rest"
    sure = [float(one["right"]) for one in scores if one["explained"]]
    unsure = [float(one["right"]) for one in scores if not one["explained"]]
    if min(len(sure), len(unsure)) < 2:
        note = f"{len(sure)} answers explain the whole table, {len(unsure)} do not: too few to compare"
        return Claim(name, metric, "far more reliable", bar=">= 0.15", met=False, note=note)
    gap = unpaired_difference(sure, unsure)
    return Claim(
        name,
        metric,
        "far more reliable",
        gap.value,
        (gap.low, gap.high),
        chance=0.0,
        bar=">= 0.15",
        met=gap.value >= 0.15,
        note=f"{np.mean(sure):.3f} of {len(sure)} against {np.mean(unsure):.3f} of {len(unsure)}",
    )


def _beams(networks: list[Records], beams: Sequence[int]) -> list[Claim]:
    curves = {
        name: np.array([[float(np.mean([one[name][place] for one in seed])) for place in range(len(beams))]
                        for seed in networks])
        for name in ("true", "learned")
    }  # fmt: skip
    least = float(np.diff(curves["true"], axis=1).min())
    shown = {
        name: ", ".join(f"{beam}: {value:.3f}" for beam, value in zip(beams, curve.mean(axis=0), strict=True))
        for name, curve in curves.items()
    }
    ranks = [one["rank"] for seed in networks for one in seed]
    there = [rank for rank in ranks if rank is not None]
    rank = f"; where it is there, its median place is {np.median(there) + 1:.0f}" if there else ""
    return [
        Claim(
            "More conjectures never hurt, were they read as they are meant",
            "least change of rule accuracy from one beam to the next, true meaning, any seed",
            None,
            least,
            bar=">= 0",
            met=least >= 0,
            note=shown["true"],
        ),
        Claim(
            "More thought at test time finds more rules",
            f"rule accuracy at beam {beams[-1]} less that at beam {beams[0]}",
            None,
            float((curves["learned"][:, -1] - curves["learned"][:, 0]).mean()),
            note=f"{shown['learned']}; an equivalent rule is among the conjectures of "
            f"{len(there) / len(ranks):.3f}{rank}",
        ),
    ]


def _further(networks: list[Records], found: dict[str, Records]) -> list[Claim]:
    stated = [one for seed in networks for one in seed if "nearest" in one]
    conscious = [one["empiricist"] for seed in networks for one in seed]
    labels = [one for seed in found["labels"] for one in seed["scores"]]
    malformed = float(np.mean(_flat(networks, "malformed")))
    return [
        Claim(
            "Tags read back as a rule (NRS)",
            "share whose nearest rule is the true one and unique",
            None,
            sum(one["nearest"] for one in stated) / len(conscious),
            baseline=mean_of(labels, "nearest"),
            note=f"EMP-C {mean_of(conscious, 'nearest'):.3f}; the baseline is the labels-only empiricist",
        ),
        Claim(
            "F1 of the tags",
            "mean over phenomena",
            None,
            float(np.mean([one["f1"] for one in stated])) if stated else None,
            baseline=mean_of(labels, "f1"),
            note=f"EMP-C {mean_of(conscious, 'f1'):.3f}; malformed conjectures in a beam, mean: {malformed:.1f}",
        ),
    ]


def _tags(networks: list[Records]) -> list[float]:
    """Tag accuracy for each phenomenon; one without a stated rule gets nothing right."""
    return [float(one.get("accuracy", 0.0)) for seed in networks for one in seed]


def _flat(seeds: list[Records], key: str) -> list[float]:
    return [float(one[key]) for seed in seeds for one in seed]


def _interval(values: list[float]) -> Interval:
    return t_interval(values)
