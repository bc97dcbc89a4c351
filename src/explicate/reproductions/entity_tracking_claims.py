"""The claims of entity tracking, from what its units measured. Figures of all seeds are means; a bar asks each seed's.

The paper's figures are of Llama-7B and models tuned from it, ours of small decoders; so they stand beside each other
and only the page's bars are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from explicate.data.language.boxes import DESIDERATA, FORMS
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.figures import listed
from explicate.runtime.statistics import t_interval

_shown = partial(listed, digits=2)

CHANCE = 1 / 7
GROUPS = ("fetchers", "transmitters", "detectors", "readers")
ACCURACY = {"A": 0.82, "B": 0.82}
INSIDE = {"A": (0.72, 0.88), "B": (0.73, 0.89)}  # accuracy and faithfulness of the base circuit
CROSS = {
    "A": {"all": 0.82, "fetchers": 0.82, "transmitters": 0.74, "detectors": 0.56, "readers": 0.65},
    "B": {"all": 0.82, "fetchers": 0.82, "transmitters": 0.78, "detectors": 0.62, "readers": 0.65},
}
OVERLAP = {"fetchers": "27 of 40", "transmitters": "7 of 7", "detectors": "15 of 20", "readers": "5 of 5"}
COMPLETENESS = {
    "random": ".09 +- .04", "fetchers": 0.43, "transmitters": 0.04, "detectors": 0.12, "readers": 0.11
}  # fmt: skip
MASKS = {"transmitters: position": 0.37, "detectors: position": 0.44, "fetchers: object": 0.46}
TOLD: dict[str, float] = {
    "text before": 0.346, "text after": 0.333, "extra words": 0.382, "segment at start": 0.246, "segment at end": 0.310,
    "boxes before": 0.197, "wrong index": 0.170, "box first": 0.141, "not in": 0.171, "no commas": 0.375,
    "comma after object": 0.368,
}  # fmt: skip
"""The paper's figures: A as its FLoat-7B, B as its Goat-7B, the base as Llama-7B."""


def claims_of(found: Sequence[dict[str, Any]], context: Context) -> list[Claim]:
    """All claims of the page."""
    known = _Known(found, context.seeds)
    return [
        *_tuning_claims(known),
        *_circuit_claims(known),
        *_carried_claims(known),
        *_cross_claims(known),
        _instrument_claim(known),
        *_paper_claims(known),
    ]


class _Known:
    """The records by part, model and seed."""

    def __init__(self, found: Sequence[dict[str, Any]], seeds: Sequence[int]) -> None:
        self.records = {(one["part"], one.get("model"), one["seed"]): one for one in found}
        self.seeds = seeds

    def each(self, part: str, model: str | None, get: Callable[[dict[str, Any]], float | None]) -> list[float]:
        """One figure for each seed; 0 where there is none, as for a circuit of a model that is never right."""
        return [float(get(self.records[part, model, seed]) or 0.0) for seed in self.seeds]

    def accuracy(self, model: str) -> list[float]:
        """The models' accuracies."""
        return self.each("accuracy", model, lambda one: one["accuracy"])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    if len(values) < 2 or min(values) == max(values):
        return None
    found = t_interval(values)
    return (found.low, found.high)


# -- tuning and circuits -------------------------------------------------------------------------------------------


def _tuning_claims(known: _Known) -> list[Claim]:
    base, control = known.accuracy("base"), known.accuracy("C")
    slower = known.accuracy("C at a tenth of its rate")
    gains = {model: [a - b for a, b in zip(known.accuracy(model), base, strict=True)] for model in ("A", "B")}
    best = [max(pair) for pair in zip(gains["A"], gains["B"], strict=True)]
    apart = [abs(c - b) for c, b in zip(control, base, strict=True)]
    spread = (
        f"base by seed: {_shown(base)}; A {_shown(known.accuracy('A'))}; B {_shown(known.accuracy('B'))}; 6 layers of "
        "width 192 with 6 heads each; training begins from weights whose first heads look one, two, "
        "... tokens back and whose later heads match words (see BindingStart), so that some heads bind is given and "
        "which of them serve the task is learnt"
    )
    return [
        Claim("The base model does the task in part", "accuracy on 7 boxes, mean of the seeds", 0.66, _mean(base),
              _interval(base), chance=CHANCE, bar=".55-.75 in each seed",
              met=all(0.55 <= value <= 0.75 for value in base), note=spread),
        Claim("Tuning on binding without boxes makes it better", "accuracy of the better of A and B less the base's",
              0.16, _mean(best), _interval(best), chance=0.0, baseline=_mean([c - b for c, b in zip(control, base,
              strict=True)]), bar=">= .08 in each seed", met=min(best) >= 0.08,
              note=f"A {_shown(gains['A'])}; B {_shown(gains['B'])}; one fifth of the texts are boxes; the baseline "
              "is C, tuned on text in which nothing is bound"),
        *(_control_claim(known, model, base) for model in ("A", "B")),
        Claim("Tuning on anything else does not", "|accuracy of C - the base's|, largest of the seeds", None,
              max(apart), chance=0.0, bar="<= .04", met=max(apart) <= 0.04, note=f"C by seed: {_shown(control)}; at "
              f"a tenth of its rate {_shown(slower)}: text in which no word follows from another teaches not to copy, "
              "and a base that is stopped halfway loses it quickly"),
    ]  # fmt: skip


def _control_claim(known: _Known, model: str, base: Sequence[float]) -> Claim:
    """What is left of the gain when a control reads the same share of boxes, beside text in which nothing is bound."""
    own, control = known.accuracy(model), known.accuracy(f"{model}'s control")
    left = [a - c for a, c in zip(own, control, strict=True)]
    gains = [c - b for c, b in zip(control, base, strict=True)]
    return Claim(f"and it is the binding that makes {model} better, not the fifth of boxes", "accuracy less that of a "
                 "control that reads as many boxes and nothing bound", None, _mean(left), _interval(left), chance=0.0,
                 note=f"by seed {_shown(left)}; the control less the base {_shown(gains)}")  # fmt: skip


def _circuit_claims(known: _Known) -> list[Claim]:
    share = known.each("circuit", "base", lambda one: one["share"])
    faithful = known.each("circuit", "base", lambda one: one["faithfulness"])
    random = known.each("circuit", "base", lambda one: max(one["random"]))
    inside = known.each("transfer", "A", lambda one: one["accuracy"])
    base = known.accuracy("base")
    whole = known.each("circuit", "base", lambda one: one["whole"])
    sizes = [known.records["circuit", "base", seed]["sizes"] for seed in known.seeds]
    counts = [known.records["circuit", "base", seed]["after"] for seed in known.seeds]
    return [
        Claim("A small part of the heads does it", "circuit's heads / all heads at the three positions, largest seed",
              "72 heads", max(share), bar="<= .35", met=max(share) <= 0.35,
              note=f"heads by group and seed: {counts}; size over thresholds -1, 0, .005, .01, .02, .05: {sizes}"),
        Claim("and is faithful to the base model", "accuracy of the circuit / of the model, smallest seed", 1.0,
              min(faithful), _interval(faithful), baseline=_mean(random), bar=">= .90", met=min(faithful) >= 0.90,
              note=f"by seed {_shown(faithful)}, before minimality {_shown(whole)}; the baseline is the "
              "accuracy of the best of the random circuits"),
        Claim("Random heads of equal number are not", "accuracy of the best of the random circuits, largest seed", 0.01,
              max(random), chance=CHANCE, bar="<= .25", met=max(random) <= 0.25),
        Claim("The base model's circuit does better inside the tuned model than the whole base model",
              "accuracy of the base circuit inside A less that of the base model, smallest seed", 0.06,
              min(a - b for a, b in zip(inside, base, strict=True)), chance=0.0, bar="> 0 in each seed",
              met=all(a > b for a, b in zip(inside, base, strict=True)),
              note=f"inside A {_shown(inside)}; base {_shown(base)}"),
    ]  # fmt: skip


# -- what groups carry ---------------------------------------------------------------------------------------------


def _masks(known: _Known, group: str, desideratum: str, model: str = "base") -> list[float]:
    return [
        float(known.records["masks", model, seed]["masks"].get(f"{group}: {desideratum}", {}).get("mean", 0.0))
        for seed in known.seeds
    ]


def _carried_claims(known: _Known) -> list[Claim]:
    """The bar on positions where the model uses them; where it does not, that masks and exchanged boxes agree."""
    table: dict[str, dict[str, float]] = {
        group: {str(d): _mean(_masks(known, group, d)) for d in DESIDERATA} for group in GROUPS
    }
    shown = "; ".join(f"{g}: " + ", ".join(f"{d} {x:.2f}" for d, x in row.items()) for g, row in table.items())
    ratios = [
        _ratio(table["transmitters"], "position", "object"),
        _ratio(table["detectors"], "position", "object"),
        _ratio(table["fetchers"], "object", "position"),
    ]
    positional = table["transmitters"]["position"] > max(table["transmitters"]["label"], 0.05)
    agree = [_agree(known, group, table[group]) for group in GROUPS]
    judged = [one for one in agree if one is not None]
    claims = [
        Claim("Transmitters and detectors carry positions, fetchers objects",
              "smallest ratio of own to other desideratum over the three groups", "37 / 44 / 46 %", min(ratios),
              chance=1.0, bar=">= 3, where the model uses positions", met=min(ratios) >= 3 if positional else None,
              note=f"share of pairs with the wanted answer, mean of the seeds: {shown}"
              + ("" if positional else "; this model matches letters, so the next claim is the page's bar")),
        Claim("Masks agree with exchanging two boxes", "groups whose masks and exchanged boxes say the same", None,
              float(sum(judged)), chance=len(judged) / 2, bar=f"{len(judged)} of {len(judged)} groups",
              met=all(judged) if judged and not positional else None, note=_swap_note(known)),
    ]  # fmt: skip
    return claims


def _ratio(row: dict[str, float], own: str, other: str) -> float:
    return row[own] / max(row[other], 0.002)


def _agree(known: _Known, group: str, row: dict[str, float]) -> bool | None:
    """Whether masks and exchanged boxes both say that a group carries the place, or both that it does not."""
    swaps = [known.records["swap", "base", seed]["swap"].get(group) for seed in known.seeds]
    if max(row.values()) < 0.05 or any(swap is None for swap in swaps):
        return None  # the group carries none of the three by itself
    by_masks = row["position"] > max(row["label"], row["object"])
    by_swap = _mean([s["place"] for s in swaps]) > _mean([s["stays"] for s in swaps])
    return by_masks == by_swap


def _swap_note(known: _Known) -> str:
    parts = []
    for group in GROUPS:
        swaps = [known.records["swap", "base", seed]["swap"].get(group) for seed in known.seeds]
        there = [swap for swap in swaps if swap is not None]
        if there:
            place, stays = (_mean([swap[key] for swap in there]) for key in ("place", "stays"))
            parts.append(f"{group}: goes with the place {place:.2f}, stays with the letter {stays:.2f}")
    return "; ".join(parts)


# -- between models ------------------------------------------------------------------------------------------------


def _cross_claims(known: _Known) -> list[Claim]:
    closed, random, gaps = _closed(known, "A")
    others, chance, wider = _closed(known, "B")
    note = f"by seed {_shown(closed)}, of gaps of {listed(gaps, digits=3)}"
    return [
        Claim("The tuned model's circuit makes the base model better", "share of the gap A - base that patching the "
              "base circuit's outputs closes, smallest seed", 1.0, min(closed), _interval(closed), _mean(random), 0.0,
              ">= .60", min(closed) >= 0.60, note),
        Claim("Random heads of equal number do not", "share of the gap that they close, largest seed", None,
              max(random), chance=0.0, bar="<= .15", met=max(random) <= 0.15, note=f"by seed {_shown(random)}"),
        Claim("B's circuit does so too", "share of the gap B - base that patching the base circuit's outputs closes, "
              "smallest seed", 1.0, min(others), _interval(others), _mean(chance), 0.0,
              note=f"by seed {_shown(others)}, random heads {_shown(chance)}, of gaps of {listed(wider, digits=3)}"),
    ]  # fmt: skip


def _closed(known: _Known, model: str) -> tuple[list[float], list[float], list[float]]:
    """The share of the gap to a tuned model that its outputs of the circuit close, of random heads; and the gap."""
    closed, random, gaps = [], [], []
    for seed in known.seeds:
        one = known.records["cross", model, seed]
        gap = one["donor"] - one["own"]
        closed.append((one["patched"]["output"]["all"] - one["own"]) / gap if gap else 0.0)
        random.append((_mean(one["random"]) - one["own"]) / gap if gap else 0.0)
        gaps.append(gap)
    return closed, random, gaps


def _instrument_claim(known: _Known) -> Claim:
    named = known.each("induction", None, lambda one: one["named"] == one["looks back"])
    note = "; ".join(
        f"copying {one['accuracy']:.2f}, attention one back {one['attention']:.2f}"
        for one in (known.records["induction", None, seed] for seed in known.seeds)
    )
    return Claim("Path patching into the keys of a copying head names the head before it",
                 "seeds in which the strongest sender is the head that looks one token back", None, float(sum(named)),
                 chance=len(named) / 4, bar=f"{len(named)} of {len(named)}", met=all(named), note=note)  # fmt: skip


# -- beside the paper ----------------------------------------------------------------------------------------------


def _paper_claims(known: _Known) -> list[Claim]:
    claims = []
    for model in ("A", "B"):
        claims.append(_beside(f"Accuracy of {model}", "accuracy", ACCURACY[model], known.accuracy(model)))
        inside = known.each("transfer", model, lambda one: one["accuracy"])
        claims.append(_beside(f"The base circuit inside {model}", "accuracy", INSIDE[model][0], inside))
        faithful = known.each("transfer", model, lambda one: one["faithfulness"])
        claims.append(_beside(f"The base circuit inside {model}", "faithfulness", INSIDE[model][1], faithful))
        for group, figure in CROSS[model].items():
            values = _patched(known, model, "output", group)
            if values:
                parts = {part: _patched(known, model, part, group) for part in ("q", "k", "v")}
                note = "inputs alone: " + ", ".join(f"{part} {_mean(x):.2f}" for part, x in parts.items())
                what = f"The base model with {model}'s outputs of {group}"
                claims.append(_beside(what, "accuracy", figure, values, note))
        shared = [known.records["overlap", model, seed]["groups"] for seed in known.seeds]
        for group, heads in OVERLAP.items() if model == "A" else ():
            values = [g[group][0] / g[group][1] for g in shared if g[group][1]]
            if values:
                text = "; ".join(f"{g[group][0]} of {g[group][1]} (and of {g[group][2]})" for g in shared)
                claims.append(_beside(f"Heads of the base's {group} in A's", "share", heads, values, text))
    for name, given in COMPLETENESS.items():
        values = _incomplete(known, name)
        if values:
            claims.append(
                _beside(f"Completeness of A's circuit, {name}", "|circuit - model| in accuracy", given, values)
            )
    for key, figure in MASKS.items():
        group, desideratum = key.split(": ")
        claims.append(_beside(f"Masks: {key}", "share of pairs with the wanted answer", figure,
                              _masks(known, group, desideratum)))  # fmt: skip
    for form in FORMS:
        values = known.each("forms", "base", lambda one, form=form: one["forms"][form])  # type: ignore[misc]
        plain = known.each("forms", "base", lambda one: one["forms"]["plain"])
        claims.append(_beside(f"Transmitters from prompts told otherwise: {form}", "share at the same place",
                              TOLD[form], values, f"plain {_mean(plain):.2f}"))  # fmt: skip
    for name in known.records["knockout", "base", known.seeds[0]]["knockout"]:
        curves = [known.records["knockout", "base", seed]["knockout"][name] for seed in known.seeds]
        mean = np.mean(curves, axis=0)
        claims.append(
            _beside(f"Attention cut, {name}", "accuracy, cut in all layers", None, [curve[0] for curve in curves],
                    f"cut from each layer to the end: {_shown(mean.tolist())}")
        )  # fmt: skip
    return claims


def _patched(known: _Known, model: str, part: str, group: str) -> list[float]:
    found = [known.records["cross", model, seed]["patched"][part].get(group) for seed in known.seeds]
    return [float(value) for value in found if value is not None]


def _incomplete(known: _Known, name: str) -> list[float]:
    records = [known.records["circuit", "A", seed] for seed in known.seeds]
    if name == "random":
        return [float(one["completeness"][0]) for one in records]
    return [float(one["group completeness"][name]) for one in records if name in one["group completeness"]]


def _beside(claim: str, metric: str, claimed: Any, values: Sequence[float], note: str = "") -> Claim:
    by_seed = f"by seed {_shown(values)}"
    return Claim(claim, f"{metric}, mean of the seeds", claimed, _mean(values), _interval(values),
                 note=f"{by_seed}; {note}" if note else by_seed)  # fmt: skip
