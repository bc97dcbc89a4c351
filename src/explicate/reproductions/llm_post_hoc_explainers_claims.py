"""The claims on in-context explainers, judged from what the reproduction's units recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import named as shown
from explicate.runtime.statistics import t_interval

ENOUGH_GAP = 1.3
PAPER = {"adult": ("Adult", 0.589, 0.598, 0.748, 0.130), "compas": ("Recidivism", 0.744, 0.744, 0.811, 0.308)}


def claims(found: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> list[Claim]:
    """All claims: bars first, then the paper's figures, ablations and chat models."""
    linear = [one for one in found if one["model"] == "LR"]
    return [
        *_responder(linear),
        *_chance(linear),
        *_baselines(linear),
        *_gaps([one for one in found if one["model"] == "ANN"]),
        _same(found),
        _prediction(found),
        *_paper(linear),
        *_beside(linear),
        *_chats(asked),
    ]


def _values(units: Sequence[dict[str, Any]], method: str, measure: str) -> np.ndarray:
    """One value per row and unit that has a ranking."""
    lists = [one["methods"][method].get(measure, []) for one in units if method in one["methods"]]
    return np.array([value for own in lists for value in own], dtype=float)


def _of_tables(units: Sequence[dict[str, Any]], method: str, measure: str) -> dict[str, float]:
    """The mean of each table."""
    names = dict.fromkeys(one["table"] for one in units)
    return {
        name: float(values.mean())
        for name in names
        if len(values := _values([one for one in units if one["table"] == name], method, measure))
    }


def _excluded(units: Sequence[dict[str, Any]], method: str) -> str:
    own = [one["methods"][method] for one in units if method in one["methods"]]
    count = {what: sum(each.get(what, 0) for each in own) for what in ("bad_reply", "unsolvable", "total")}
    return f"{count['bad_reply']} bad replies and {count['unsolvable']} unsolvable of {count['total']} left out"


def _gap_note(units: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{one['table']}/{one['seed']} {one['truth_gap']:.2f}" for one in units)


def _responder(linear: Sequence[dict[str, Any]]) -> list[Claim]:
    clear = [one for one in linear if one["truth_gap"] >= ENOUGH_GAP]
    note = f"first / second |coefficient|: {_gap_note(linear)}; {_excluded(linear, 'correlation')}"
    if not clear:
        return [
            Claim("The prompt carries the most important feature", "FA@1 of the class-mean rule", bar=">= 0.90",
                  met=None, note=f"no linear model whose first coefficient stands out; {note}")
        ]  # fmt: skip
    found = []
    for measure, label, bar in (("fa1", "FA@1", 0.90), ("fa_auc", "FA-AUC(3)", 0.75)):
        means = [float(np.mean(one["methods"]["correlation"][measure])) for one in clear]
        value = float(np.mean(means))
        interval = t_interval(means) if len(means) > 1 else None
        others = _of_tables(linear, "correlation", measure)
        chance = float(np.mean([(1 if measure == "fa1" else 2) / one["features"] for one in clear]))
        found.append(
            Claim("The prompt carries the features that matter", f"{label} of the class-mean rule, linear models with "
                  f"a gap of {ENOUGH_GAP}", None, value, None if interval is None else (interval.low, interval.high),
                  float(np.mean([np.mean(one["methods"]["LIME-16"][measure]) for one in clear])), chance,
                  f">= {bar:.2f}", value >= bar,
                  f"mean of {len(clear)} models; all: {shown(others)}; baseline: LIME with 16 points; {note}")
        )  # fmt: skip
    return found


def _chance(linear: Sequence[dict[str, Any]]) -> list[Claim]:
    """A random ranking must score by chance; a leak of the row or of the letters would show."""
    found = []
    for measure, named, label in (("fa1", 1, "FA@1"), ("fa3", 3, "FA@3")):
        worst, parts = 0.0, []
        for name in dict.fromkeys(one["table"] for one in linear):
            own = [one for one in linear if one["table"] == name]
            values = _values(own, "random", measure)
            if len(values) < 2:  # its rows are unsolvable
                continue
            chance = named / own[0]["features"]
            error = _chance_error(own[0]["features"], named, len(values))
            parts.append(f"{name} {values.mean():.3f} (chance {chance:.3f}, s.e. {error:.3f})")
            worst = max(worst, abs(float(values.mean()) - chance) / error)
        found.append(
            Claim("A random ranking scores by chance", f"{label} of random rankings: largest distance from chance in "
                  "standard errors, over tables", None, worst, bar="<= 3", met=worst <= 3, note="; ".join(parts))
        )  # fmt: skip
    return found


def _chance_error(features: int, named: int, rows: int) -> float:
    """Standard error of the mean agreement of random rankings of `named` features (a hypergeometric share)."""
    share = named / features
    variance = share * (1 - share) * (features - named) / (features - 1) / named
    return float(np.sqrt(variance / rows))


def _baselines(linear: Sequence[dict[str, Any]]) -> list[Claim]:
    found = []
    for method, bar in (("Grad", 1.0), ("LIME-1000", 0.95)):
        means = _of_tables(linear, method, "fa_auc")
        value = min(means.values())
        random = float(np.mean(list(_of_tables(linear, "random attribution", "fa_auc").values())))
        found.append(
            Claim(f"{method} ranks a linear model's features", f"FA-AUC(3) of {method}, lowest table",
                  1.0 if method == "Grad" else "0.963-1.000", value, chance=random,
                  bar="= 1.000" if method == "Grad" else f">= {bar:.2f}", met=value >= bar - 1e-9,
                  note=f"{shown(means)}; mean of the tables {np.mean(list(means.values())):.3f}")
        )  # fmt: skip
    return found


def _gaps(networks: Sequence[dict[str, Any]]) -> list[Claim]:
    found = []
    for measure, sign, label in (("pgi_auc", 1, "PGI"), ("pgu_auc", -1, "PGU")):
        scores, parts = [], []
        for one in networks:
            methods = one["methods"]
            by_instance = {
                name: dict(zip(methods[name]["instances"], methods[name][measure], strict=True))
                for name in ("correlation", "random")
                if measure in methods[name]
            }
            shared = sorted(set.intersection(*map(set, by_instance.values()))) if len(by_instance) == 2 else []
            if len(shared) < 2:
                parts.append(f"{one['table']}/{one['seed']} unsolvable")
                continue
            change = sign * np.array([by_instance["correlation"][i] - by_instance["random"][i] for i in shared])
            error = float(change.std(ddof=1) / np.sqrt(len(change))) or 1e-9
            scores.append(float(change.mean()) / error)
            parts.append(
                f"{one['table']}/{one['seed']} {change.mean():+.4f} ({scores[-1]:.1f} s.e., {len(shared)} rows)"
            )
        value = min(scores) if scores else None  # all rows unsolvable
        names = ("correlation", "random", "Grad", "LIME-1000", "SHAP", "GradxInput")
        means = {name: float(np.mean(_on_solvable(networks, name, measure))) for name in names}
        accuracy = ", ".join(f"{one['table']} {one['accuracy']:.3f}" for one in networks if one["seed"] == 0)
        found.append(
            Claim(f"On networks the rule's ranking has a better {label} than a random one",
                  f"difference of {label}-AUC(3) in standard errors, "
                  "paired by row, lowest of all networks", None, value, chance=0.0, bar="> 2",
                  met=None if value is None else value > 2, note=f"{'; '.join(parts)}. Means over the "
                  f"rows that the rule could be asked about: {shown(means)}; test accuracy: {accuracy}; "
                  f"{_excluded(networks, 'correlation')}")
        )  # fmt: skip
    return found


def _on_solvable(units: Sequence[dict[str, Any]], method: str, measure: str) -> list[float]:
    """A method's values on the rows that the rule has a ranking for, so that means are of the same rows."""
    found = []
    for one in units:
        methods = one["methods"]
        if measure not in methods["correlation"] or measure not in methods[method]:
            continue
        asked = set(methods["correlation"]["instances"])
        pairs = zip(methods[method]["instances"], methods[method][measure], strict=True)
        found += [value for instance, value in pairs if instance in asked]
    return found


def _same(found: Sequence[dict[str, Any]]) -> Claim:
    value = min(one["delta_is_raw"] for one in found)
    return Claim("Changes and raw values carry the same information", "share of rows with the same ranking from delta "
                 "and raw, lowest of all models", None, value, bar="= 1", met=value == 1)  # fmt: skip


def _prediction(found: Sequence[dict[str, Any]]) -> Claim:
    own = [one["methods"]["correlation, prediction"] for one in found]
    own = [one for one in own if "prediction_accuracy" in one]
    value = float(np.mean([one["prediction_accuracy"] for one in own]))
    majority = float(np.mean([one["prediction_majority"] for one in own]))
    return Claim("The hidden output can be predicted", "accuracy of the class-mean rule on the last shot", None, value,
                 baseline=majority, chance=0.5, note="the baseline always gives the most frequent output")  # fmt: skip


def _paper(linear: Sequence[dict[str, Any]]) -> list[Claim]:
    """The paper's figures of GPT-4 beside the rule's, on the tables that both have; the models are not the same."""
    found = []
    strategies = ("correlation", "correlation, prediction", "correlation, instruction")
    for name, (title, *figures, random) in PAPER.items():
        own = [one for one in linear if one["table"] == name]
        if not own:
            continue
        for method, label, figure in zip(
            strategies, ("perturbation", "prediction", "instruction"), figures, strict=False
        ):
            values = _values(own, method, "fa_auc")
            interval = t_interval(values)
            found.append(
                Claim(f"{title}, linear model, {label}", "FA-AUC(3); claimed: GPT-4, measured: the class-mean rule",
                      figure, interval.value, (interval.low, interval.high), chance=random,
                      note=f"chance: the paper's random ranking; gap {own[0]['truth_gap']:.2f}")
            )  # fmt: skip
    return found


def _beside(linear: Sequence[dict[str, Any]]) -> list[Claim]:
    """Everything else as FA-AUC over the linear models: other methods, ablations, copies of examples."""
    names = dict.fromkeys(name for one in linear for name in one["methods"])
    found = []
    for name in names:
        values = _values(linear, name, "fa_auc")
        if not len(values):
            continue
        ranks = _values(linear, name, "ra_auc")
        means = _of_tables(linear, name, "fa_auc")
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        note = f"s.e. {error:.3f}; RA-AUC(3) {ranks.mean():.3f}; {shown(means)}"
        if name == "random":
            note += f"; {_excluded(linear, name)}"
        if name.startswith("copy"):
            note += "; a linear model has one ranking for all rows, so that copying an example is no feat"
        found.append(Claim(f"{name} on linear models", "FA-AUC(3)", None, float(values.mean()), note=note))
    top = {name: float(_values(linear, name, "fa1").mean()) for name in ("random", "SHAP", "GradxInput", "LIME-1000")}
    claimed = "72.19% by GPT-4; random 15%, SHAP 29.75%, GradxInput 29.5%, LIME 100%"
    found.append(
        Claim("The most important feature is found", "FA@1 of the class-mean rule, all linear models", claimed,
              float(_values(linear, "correlation", "fa1").mean()), baseline=top["LIME-1000"], chance=top["random"],
              note=f"beside it: {shown(top)}")
    )  # fmt: skip
    return found


def _chats(asked: Sequence[dict[str, Any]]) -> list[Claim]:
    found = []
    for one in asked:
        title = f"{one['chat']}, {one['strategy']}, linear model of {one['table']}"
        if "missing" in one:
            found.append(Claim(title, "FA-AUC(3) of readable replies", note=one["missing"]))
            continue
        values = one.get("fa_auc", [])
        note = (
            f"{one['ok']} of {one['total']} replies readable, {one['bad_reply']} bad, {one['unsolvable']} unsolvable; "
            f"{one['tokens']} tokens, {one['seconds']:.0f} s; first reply: {one['first_reply']!r}"
        )
        if values:
            note += f"; FA@1 {np.mean(one['fa1']):.3f}"
        measured = float(np.mean(values)) if values else None
        found.append(Claim(title, "FA-AUC(3) of readable replies", None, measured, note=note))
    return found
