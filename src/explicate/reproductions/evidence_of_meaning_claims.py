"""What the records of the reproduction of "Evidence of Meaning" say, claim by claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.evaluation.learning_curves import CurveFit, curve_fit
from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import listed
from explicate.runtime.statistics import Interval, t_interval

NOW, NEXT = "direction/0", "direction/1"
TURN = "turn/0"
FRAME = "the hero's own frame, in which the three examples are alike"
CHANCE = 0.25


def claims_of(found: dict[str, list[Any]]) -> Sequence[Claim]:
    """All claims, from the records by part."""
    last, points = found["last"], found["point"]
    return [
        *_generation(last, points, found["constant"], found["training"]),
        *_lengths(last),
        *_probes(last),
        *_interventions(last),
        *_correlations(last, points),
        *_planted(found["planted"]),
        _perplexity(last),
        *_one_example(found["one example"]),
    ]


def _generation(last: list[Any], points: list[Any], constant: list[Any], training: list[Any]) -> list[Claim]:
    accuracy = _over_seeds([one["generative_accuracy"] for one in last])
    share = max(one["share"] for one in constant)
    ratio = accuracy.value / share
    first = [one for one in points if one["seed"] == last[0]["seed"]]
    shown = [f"{one['step']} steps {one['generative_accuracy']:.2f}" for one in first[-4:]]
    hidden, same = (float(np.mean([one[key] for one in last])) for key in ("hidden_accuracy", "as_reference"))
    note = (
        f"{training[0]['parameters']:,} parameters, {training[0]['steps']} steps; right on hidden examples too "
        f"{hidden:.3f}, equal to the reference {same:.3f}; by seed "
        f"{listed(one['generative_accuracy'] for one in last)}; first seed after "
        f"{', '.join(shown)}"
    )
    return [
        Claim("The model writes right programs for new specifications", "generative accuracy at the end, mean of seeds",
              "92.4 % (version 3)", accuracy.value, _ends(accuracy), share, None, ">= 0.60",
              accuracy.value >= 0.6, note),
        Claim("far more often than one program for all would be right", "accuracy / that of the best constant program",
              None, ratio, chance=1.0, bar=">= 5", met=ratio >= 5,
              note=f"the best constant program of one or two actions solves {share:.3f}"),
    ]  # fmt: skip


def _lengths(last: list[Any]) -> list[Claim]:
    differences = [one["length_difference"] for one in last if one["length_difference"] is not None]
    if not differences:
        return [Claim("Right programs are shorter than the references", "mean paired difference in actions", "shorter",
                      None, bar="< 0, p < .05", met=False, note="too few tasks are solved to compare")]  # fmt: skip
    worst = max(one["length_p_value"] for one in last if one["length_p_value"] is not None)
    shortest = [one["shortest_length"] for one in last if one["shortest_length"]]
    means = {key: float(np.mean([one[key] for one in shortest])) for key in ("written", "reference", "shortest")}
    interval = _over_seeds(differences)
    note = (
        f"largest p of the seeds {worst:.1e}; on a sample of solved tasks {means['written']:.2f} actions written, "
        f"{means['reference']:.2f} in the references, {means['shortest']:.2f} in the shortest programs there are"
    )
    return [Claim("Right programs are shorter than the references", "mean paired difference in actions, solved tasks",
                  "shorter", interval.value, _ends(interval), means["shortest"] - means["reference"], 0.0,
                  "< 0, p < .05", interval.value < 0 and worst < 0.05, note)]  # fmt: skip


def _probes(last: list[Any]) -> list[Claim]:
    def own(key: str) -> Interval:
        return _over_seeds([one["readings"][key]["accuracy"] for one in last if key in one["readings"]])

    def baseline(name: str, key: str) -> list[float]:
        return [one["baselines"][name][key]["accuracy"] for one in last if key in one["baselines"].get(name, {})]

    claims = []
    for claim, key, limit in (
        ("the state that it is about to write", NOW, 0.75),
        ("the state after that", NEXT, 0.45),
        ("how far the hero has turned by then", TURN, None),
        ("and by the action after that", "turn/1", None),
    ):
        if not any(key in one["readings"] for one in last):
            continue
        interval = own(key)
        text = {name: float(np.mean(baseline(name, key))) for name in ("bag of tokens", "program prefix")}
        majority = float(np.mean([one["readings"][key]["majority"] for one in last if key in one["readings"]]))
        feature, offset = key.split("/")
        metric = f"accuracy of a linear probe for the {feature}, offset {offset}"
        held = [one["readings"][TURN]["accuracy"] for one in last if TURN in one["readings"]]
        alone = baseline("program prefix", TURN)
        why = (
            f"; the turn since the start, {FRAME}, is read with {np.mean(held):.3f}, "
            f"off the prefix {np.mean(alone):.3f}"
            if limit and held
            else ""
        )
        shown = "; ".join(f"a linear probe of the {name} {value:.3f}" for name, value in text.items())
        claims.append(
            Claim(f"The model's states tell {claim}", metric, "rises over training", interval.value, _ends(interval),
                  max(text.values()), CHANCE, f">= {limit}" if limit else "",
                  interval.value >= limit if limit else None, f"{shown}; the most frequent label {majority:.3f}{why}")
        )  # fmt: skip
    for claim, name, limit in (
        ("An untrained model's states do not", "untrained model", 0.40),
        ("nor do shuffled labels", "shuffled labels", 0.30),
    ):
        values = baseline(name, NOW)
        claims.append(
            Claim(claim, "accuracy of the same probe, offset 0, worst seed", None, max(values), chance=CHANCE,
                  bar=f"< {limit:.2f}", met=max(values) < limit, note=f"by seed {listed(values)}")
        )  # fmt: skip
    return claims


def _interventions(last: list[Any]) -> list[Claim]:
    """Accuracy for the original semantics less the mean of those for the alternatives, by probe."""
    claims = []
    tables = [_table(one["intervention"]) for one in last]
    rows = [
        (number, name, place)
        for number, name in enumerate(tables[0]["feature"])
        for place in range(len(tables[0]["probe"]))
    ]
    for number, name, place in rows:
        probe = tables[0]["probe"][place]
        gap = [_gap(one, place, number, above=False) for one in tables]
        above = [_gap(one, place, number, above=True) for one in tables]
        accuracies = [float(one["accuracy"][0, place, number, 0]) for one in tables]
        interval = _over_seeds(gap)
        kept, left = tables[0]["semantics"][1:], tables[0]["left_out"]
        note = (
            f"original {np.mean(accuracies):.3f}; less the majority label's accuracy the gap is {np.mean(above):.3f}; "
            f"{len(kept)} alternatives; left out as simple functions of the state: {', '.join(left) or 'none'}"
        )
        if len(tables[0]["offset"]) > 1:
            note += f"; at offset 1 {np.mean([_gap(one, place, number, above=False, offset=1) for one in tables]):.3f}"
        judged = place < 2 and number == 0  # the page sets bars for the first two probes
        met = bool(interval.value >= 0.1 and interval.low > 0 and interval.n > 1 and len(kept) >= 3)
        note += "" if interval.n > 1 else "; one seed has no interval"
        claims.append(
            Claim("Alternative meanings are harder to read", f"accuracy of {name}, original - others, {probe} probe",
                  "original easier", interval.value, _ends(interval), chance=0.0,
                  bar=">= 0.10, interval above 0" if judged else "", met=met if judged else None, note=note)
        )  # fmt: skip
    return claims


def _correlations(last: list[Any], points: list[Any]) -> list[Claim]:
    fits, shown = _fits(last, points, NOW)
    least = min(fit.correlation for fit in fits)
    note = (
        f"least of the seeds; slope {listed(fit.slope for fit in fits)}, R² {listed(fit.r_squared for fit in fits)}, "
        f"largest p {max(fit.p_value for fit in fits):.1e}; first seed, step: generative / probe accuracy {shown[0]}"
    )
    changes = [fit.changes for fit in fits]
    turns = _fits(last, points, TURN)[0] if TURN in points[-1].get("readings", {}) else []
    more = [
        Claim("With the turn since the start", "Pearson's correlation, less the majority's",
              None, min(fit.correlation for fit in turns), chance=0.0,
              note=f"first differences {listed(f.changes for f in turns)}; slope {listed(f.slope for f in turns)}, "
              f"R² {listed(f.r_squared for f in turns)}, largest p {max(f.p_value for f in turns):.1e}"),
    ] if turns else []  # fmt: skip
    return [
        Claim("Probe and generative accuracy rise together", "Pearson's correlation over the checkpoints, offset 0",
              "strong, p < .001", least, chance=0.0, bar=">= 0.8", met=least >= 0.8, note=note),
        Claim("and so do their changes between checkpoints", "correlation of first differences, mean of seeds",
              None, float(np.mean(changes)) if np.isfinite(changes).all() else None, chance=0.0,
              note="two rising curves correlate trivially; their first differences do not"),
        *more,
    ]  # fmt: skip


def _fits(last: list[Any], points: list[Any], key: str) -> tuple[list[CurveFit], list[str]]:
    """Of each seed, generative accuracy regressed on that of the probe, and both written out.

    For the turn, accuracy less that of the majority label counts.
    """
    fits, shown = [], []
    for one in last:
        own = [point for point in points if point["seed"] == one["seed"] and key in point.get("readings", {})]
        less = "majority" if key == TURN else None  # young models write programs without any turn, which all can read
        probe = [one["readings"][key]["accuracy"] - (one["readings"][key][less] if less else 0) for one in own]
        accuracy = [point["generative_accuracy"] for point in own]
        fits.append(curve_fit(probe, accuracy))
        shown.append(", ".join(f"{p['step']}: {a:.2f}/{b:.2f}" for p, a, b in zip(own, accuracy, probe, strict=True)))
    return fits, shown


def _planted(planted: list[Any]) -> list[Claim]:
    state = _over_seeds([one["state"]["gap"][0] for one in planted])
    text = _over_seeds([one["text"]["gap"][1] for one in planted])
    accuracy = {name: float(np.mean([one[name]["accuracy"][1] for one in planted])) for name in ("state", "text")}
    return [
        Claim("The intervention sees a planted state", "gap of a linear probe on a projection of the true state", None,
              state.value, _ends(state), chance=0.0, bar=">= 0.3", met=state.value >= 0.3,
              note=f"a probe with two hidden layers: original {accuracy['state']:.3f}"),
        Claim("and is not fooled by a probe that interprets the text itself",
              "gap of a deep probe on a projection of input and program", None, text.value, _ends(text), chance=0.0,
              bar="0 within its interval", met=bool(text.low <= 0 <= text.high and text.n > 1),
              note=f"it reaches {accuracy['text']:.3f} for the original semantics, though no model did any work"),
    ]  # fmt: skip


def _perplexity(last: list[Any]) -> Claim:
    means = {}
    for key in ("perplexity_solved", "perplexity_unsolved"):
        values = [one[key] for one in last if one[key] is not None]
        means[key] = float(np.mean(values)) if values else None
    solved, unsolved = means["perplexity_solved"], means["perplexity_unsolved"]
    return Claim("References stay surprising where the model writes its own programs",
                 "perplexity of the references of tasks that it does not solve", "stays high", unsolved,
                 baseline=solved, note="the baseline is that of the tasks it solves; informative")  # fmt: skip


def _one_example(alone: list[Any]) -> list[Claim]:
    """Whether the state is not read because one program must fit several examples: the same study with one example."""
    means = {
        key: _over_seeds([one["readings"][key]["accuracy"] for one in alone])
        for key in (NOW, NEXT, TURN)
        if all(key in one["readings"] for one in alone)
    }
    prefix = float(np.mean([one["baselines"]["program prefix"][NOW]["accuracy"] for one in alone]))
    solved = listed(one["generative_accuracy"] for one in alone)
    shown = "; ".join(f"{key} {interval.value:.3f}" for key, interval in means.items() if key != NOW)
    tables = [_table(one["intervention"]) for one in alone]
    gap = _over_seeds([_gap(table, 0, 0, above=False) for table in tables])
    deeper = float(np.mean([_gap(table, 1, 0, above=False) for table in tables]))
    return [
        Claim("Where a task shows one example only, the states tell it", "accuracy of a linear probe for the "
              "direction, offset 0", "rises over training", means[NOW].value, _ends(means[NOW]), prefix, CHANCE,
              note=f"the same decoder, recipe and questions; {shown}; generative accuracy by seed {solved}"),
        Claim("and alternative meanings are harder to read", "accuracy of the direction, original - others, linear "
              "probe", "original easier", gap.value, _ends(gap), chance=0.0,
              note=f"{tables[0]['probe'][1]} probe {deeper:.3f}"),
    ]  # fmt: skip


def _table(found: dict[str, Any]) -> dict[str, Any]:
    values = {name: np.array(found["data_vars"][name]["data"]) for name in ("accuracy", "majority")}
    coords = {name: found["coords"][name]["data"] for name in ("semantics", "probe", "feature", "offset")}
    return {**values, **coords, "left_out": found["attrs"]["left_out"]}


def _gap(table: dict[str, Any], probe: int, feature: int, *, above: bool, offset: int = 0) -> float:
    accuracy = table["accuracy"] - table["majority"] if above else table["accuracy"]
    own = accuracy[:, probe, feature, offset]
    return float(own[0] - own[1:].mean()) if len(own) > 1 else 0.0


def _over_seeds(values: Sequence[float]) -> Interval:
    """The mean with Student's interval over the seeds; a single seed has no width."""
    if len(values) > 1:
        return t_interval(values)
    return Interval(float(values[0]), float(values[0]), float(values[0]), 0.0, 1, 1, "t")


def _ends(interval: Interval) -> tuple[float, float] | None:
    return (interval.low, interval.high) if interval.n > 1 else None
