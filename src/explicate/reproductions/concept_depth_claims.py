"""What the concept-depth runs show, claim by claim."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.data.language.hops import LABELS
from explicate.mechanisms.probing.depth import convergence_point, jump_point, peak_point
from explicate.reproductions.claims import Claim
from explicate.runtime.statistics import t_interval

Found = dict[str, Any]
SECONDS = 600.0


def bank_claims(banks: list[Found], layers: int) -> list[Claim]:
    """Depth points against the layers where labels were planted."""
    claims = []
    for start in dict.fromkeys(bank["start"] for bank in banks):
        own = [bank for bank in banks if bank["start"] == start]
        truth = start / layers
        for name, words in (("jump", "The jump"), ("converge", "The plateau")):
            off = max(abs((bank[name] or 0.0) - truth) * layers for bank in own)
            paper = ", ".join(str(bank["paper"]) for bank in own)
            note = f"the paper's rule for convergence gives {paper} of the depth" if name == "converge" else ""
            claims.append(
                Claim(f"{words} is at layer {start} of {layers}, where a label was planted",
                      f"layers off, worst of {len(own)} banks", measured=off, bar="= 0", met=off == 0, note=note)
            )  # fmt: skip
    low, high = min(bank["control"][0] for bank in banks), max(bank["control"][1] for bank in banks)
    claims.append(
        Claim("Control labels are not read", "accuracy furthest from 0.5, of all layers and banks",
              measured=max(low, high, key=lambda value: abs(value - 0.5)), chance=0.5, bar="in [0.45, 0.55]",
              met=low >= 0.45 and high <= 0.55)
    )  # fmt: skip
    return claims


def network_claims(networks: list[Found], layers: int) -> list[Claim]:
    """The order of depths in networks trained on three labels at once."""
    depth = {name: np.array([one[f"trained {name}"]["converge"] for one in networks]) * layers for name in LABELS}
    means = {name: float(values.mean()) for name, values in depth.items()}
    one, two, odd = (means[name] for name in LABELS)
    shown = "; ".join(f"{name}: layers {', '.join(f'{value:.0f}' for value in depth[name])}" for name in LABELS)
    peaks = {name: [one["trained " + name]["accuracy"] for one in networks] for name in LABELS}
    worst = min(min(values) for values in peaks.values())
    bare = max(one["untrained parity"]["accuracy"] for one in networks)
    means_of = {name: np.mean([one[f"trained {name}"]["curve"] for one in networks], axis=0) for name in LABELS}
    curves = "; ".join(f"{name}: {' '.join(f'{value:.2f}' for value in mean)}" for name, mean in means_of.items())
    ordered = one <= two <= odd
    own = min(network["own_accuracy"] for network in networks)
    steps = ", ".join(str(network["steps"]) for network in networks)
    return [
        Claim("One hop converges no deeper than two, and two no deeper than parity",
              f"layers from one hop to parity, mean of {len(networks)} networks", measured=odd - one,
              bar="one hop <= two hops <= parity, and a gap > 0", met=ordered and odd > one, note=shown),
        Claim("The network holds every label", "lowest peak accuracy of all labels and networks", measured=worst,
              chance=0.5, baseline=bare, bar=">= 0.95", met=worst >= 0.95,
              note=f"the networks' own answers: at least {own:.3f} after {steps} steps; "
              f"mean curves over the layers: {curves}"),
        Claim("An untrained network does not hold parity", "highest peak accuracy", measured=bare, chance=0.5,
              bar="<= 0.65", met=bare <= 0.65),
    ]  # fmt: skip


def model_claims(found: list[Found], anchors: list[Found], literal: Found) -> list[Claim]:
    """SmolLM2 on three tasks, undisturbed and disturbed."""
    clean = {one["task"]: one for one in found if not one["noise"] and one["bits"] == 32}
    capitals, films, coins = (_Curve(clean[name]) for name in ("capitals", "sentiment", "coin-flips"))
    alone = _Curve(clean["capitals"], "rows")
    spent = sum(one["seconds"] for one in (*found, *anchors, literal))
    half = films.mean[: len(films.mean) // 2]
    tasks = {"capitals": capitals, "sentiment": films, "coin-flips": coins}
    by_anchor = {one["task"]: one for one in anchors}
    gains = [
        max(np.subtract(c, k)) for c, k in zip(capitals.record["curves"], capitals.record["controls"], strict=True)
    ]
    interval = t_interval(gains) if len(gains) > 1 else None
    claims = [
        Claim("The model holds capitals", "peak accuracy above control labels, split by country",
              measured=capitals.selectivity, interval=None if interval is None else (interval.low, interval.high),
              baseline=capitals.record["words"] - 0.5, chance=0.0, bar=">= 0.20", met=capitals.selectivity >= 0.20,
              note=f"accuracy {capitals.peak:.3f} split by country, {alone.peak:.3f} at random; baseline: a bag of "
              f"words less chance; zero-shot {_said(by_anchor['capitals'])}"),
        Claim("Capitals converge deeper than sentiment", "layers deeper", measured=capitals.layer - films.layer,
              bar="> 0", met=capitals.layer > films.layer,
              note=f"capitals at {capitals.where}, sentiment at {films.where}; each seed: {_each(capitals)} and "
              f"{_each(films)}"),
        Claim("Sentiment is there by half depth", "accuracy of the best layer up to half depth",
              measured=float(half.max()), baseline=films.record["words"], chance=films.record["chance"],
              bar=">= 0.90", met=float(half.max()) >= 0.90,
              note=f"baseline: a bag of words; zero-shot {_said(by_anchor['sentiment'])}"),
        Claim("Coin flips are the hardest", "peak accuracy, less that of the next hardest task",
              measured=coins.peak - min(capitals.peak, films.peak), bar="< 0",
              met=coins.peak < min(capitals.peak, films.peak), chance=0.0,
              note=f"coin flips {coins.peak:.3f} (control {coins.control.max():.3f}, a bag of words "
              f"{coins.record['words']:.3f}, zero-shot {_said(by_anchor['coin-flips'])}), "
              f"capitals {capitals.peak:.3f}, sentiment {films.peak:.3f}"),
        *_disturbances(found, tasks),
        Claim("The run is short", "seconds of one core, all conditions", measured=spent, bar="<= 600",
              met=spent <= SECONDS),
        *_order(tasks),
        Claim("The published protocol on sentiment (norm after attention, unscaled, one split)",
              "peak accuracy", measured=literal["accuracy"], baseline=films.record["words"], chance=0.5,
              note=f"jump {literal['jump']}, convergence {literal['paper']} of the depth by the paper's rule; ours "
              f"{films.peak:.3f}, jump {jump_point(films.mean)}, convergence {films.converge:.2f}"),
    ]  # fmt: skip
    return claims


def _disturbances(found: list[Found], tasks: dict[str, _Curve]) -> list[Claim]:
    """What noise and rounding do; nothing where only the undisturbed tasks were run."""
    moved: dict[Any, dict[str, _Curve]] = {}
    for one in found:
        if one["noise"] or one["bits"] != 32:
            moved.setdefault("noise" if one["noise"] else one["bits"], {})[one["task"]] = _Curve(one)
    claims = []
    if "noise" in moved:
        layers = {name: curve.layer - tasks[name].layer for name, curve in moved["noise"].items()}
        mean = float(np.mean(list(layers.values())))
        claims.append(
            Claim("Noise pushes understanding deeper", "layers that convergence moves, mean of the tasks", "deeper",
                  mean, chance=0.0, bar=">= 0", met=mean >= 0,
                  note=f"{_named(layers)}; peak accuracy changes by {_changes(moved['noise'], tasks)}")
        )  # fmt: skip
    if 8 in moved and 4 in moved:
        eight, four = (
            max(abs(curve.peak - tasks[name].peak) for name, curve in moved[bits].items()) for bits in (8, 4)
        )
        means = [np.mean([abs(c.peak - tasks[name].peak) for name, c in moved[bits].items()]) for bits in (8, 4)]
        layers = {name: curve.layer - tasks[name].layer for name, curve in moved[8].items()}
        claims += [
            Claim("8-bit weights keep what is held", "largest change of a task's peak accuracy", measured=eight,
                  chance=0.0, bar="<= 0.02", met=eight <= 0.02, note=_changes(moved[8], tasks)),
            Claim("4-bit weights change more", "mean change of peak accuracy with 4 bits, less that with 8 bits",
                  measured=float(means[1] - means[0]), baseline=float(means[0]), bar="> 0", met=means[1] > means[0],
                  note=f"largest {four:.3f}; {_changes(moved[4], tasks)}"),
            Claim("Quantisation pushes understanding deeper", "layers that convergence moves with 8 bits, mean",
                  "deeper", float(np.mean(list(layers.values()))), chance=0.0,
                  note=f"{_named(layers)}; with 4 bits "
                  f"{_named({name: curve.layer - tasks[name].layer for name, curve in moved[4].items()})}"),
        ]  # fmt: skip
    return claims


def _order(tasks: dict[str, _Curve]) -> list[Claim]:
    """The paper's order of tasks; with three of them it is an order and no test."""
    depths = sorted(tasks, key=lambda name: tasks[name].layer)
    by_paper = {name: f"{convergence_point(curve.mean, 'paper')}" for name, curve in tasks.items()}
    facts = tasks["capitals"].layer <= tasks["sentiment"].layer <= tasks["coin-flips"].layer
    return [
        Claim("Facts lie shallower than emotion, and emotion shallower than inference",
              "1 where the depths are in this order", "yes", float(facts),
              note=f"from shallow to deep: {', '.join(f'{name} at {tasks[name].where}' for name in depths)}; a flat "
              f"curve at chance converges at once. By the paper's rule: {_named(by_paper)}"),
    ]  # fmt: skip


class _Curve:
    """A task's accuracy along the layers: means over the seeds; capitals are split by country where they were."""

    def __init__(self, record: Found, split: str | None = None) -> None:
        self.record: Found = record[split or ("subjects" if "subjects" in record else "rows")]
        self.mean: Floats = np.mean(self.record["curves"], axis=0)
        self.control: Floats = np.mean(self.record["controls"], axis=0)
        self.peak = float(self.mean.max())
        self.selectivity = float((self.mean - self.control).max())
        self.converge = convergence_point(self.mean) or 1.0
        self.layer = round(self.converge * len(self.mean))

    @property
    def where(self) -> str:
        """Where it converges and peaks."""
        jump = jump_point(self.mean)
        said = "no jump" if jump is None else f"jump {round(jump * len(self.mean))}"
        return f"layer {self.layer} ({said}, peak {round(peak_point(self.mean) * len(self.mean))})"


def _each(curve: _Curve) -> str:
    return "/".join(str(round((convergence_point(one) or 1.0) * len(one))) for one in np.array(curve.record["curves"]))


def _said(found: Found) -> str:
    return (
        f"{found['accuracy']:.3f} (true positives {found['true_positive_rate']:.2f}, "
        f"false positives {found['false_positive_rate']:.2f})"
    )


def _named(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:+d}" if isinstance(value, int) else f"{name} {value}" for name, value in values.items()
    )


def _changes(moved: dict[str, _Curve], tasks: dict[str, _Curve]) -> str:
    return ", ".join(f"{name} {curve.peak - tasks[name].peak:+.3f}" for name, curve in moved.items())
