"""Simulation tests (arXiv 2005.01831): what texts afford readers with fixed rules, the kit on Adult, and the analysis.

People's answers were not published, so effects on people are not reproduced: readers here are simulated, and planted
models and answers say what is true. Seeds are fixed beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.attribution.lime_tabular import LIME
from explicate.evaluation.simulatability import (
    BatchSizes,
    ExplanationSettings,
    ItemExplainer,
    SimulationStudy,
    make_study,
    shuffled_explanations,
    simulate,
    treatment_effect,
)
from explicate.evaluation.simulatability.explaining import METHODS
from explicate.evaluation.simulatability.kit import sheets
from explicate.evaluation.simulatability.planted import FakeUsers, additive_table, rule_table
from explicate.evaluation.simulatability.study import balance
from explicate.evaluation.simulatability.tables import adult_parts, table_study, train_study_models
from explicate.reproductions import simulatability_claims as judged
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured

SIZES: dict[str, dict[str, Any]] = {
    "full": {"items": 640, "rows": 8000, "samples": 5000, "studies": {"planted": 100, "null": 200}, "each": 20,
             "rounds": 1000, "adult": True},
    "smoke": {"items": 32, "rows": 1500, "samples": 300, "studies": {"planted": 2, "null": 2}, "each": 2,
              "rounds": 100, "adult": False},
}  # fmt: skip
ARMS = ("lime", "anchor", "decision-boundary", "prototype", "composite")
PLANTED = 0.15


def reproduce(context: Context) -> Sequence[Claim]:
    """Readers on planted models and on Adult for each seed, the kit of Adult once, the analysis on made-up studies."""
    scale = SIZES[context.scale]
    units: list[dict[str, Any]] = [
        {"part": part, "seed": seed} for part in ("additive", "rule") for seed in context.seeds
    ]
    for part, count in scale["studies"].items():
        units += [{"part": part, "first": first} for first in range(0, count, scale["each"])]
    if scale["adult"]:
        units += [{"part": "adult", "seed": seed} for seed in context.seeds]
        units += [{"part": "kit", "seed": context.seeds[0]}]
    found = by_part(measured(context, "simulatability", _work, units, scale))
    return [
        *judged.readers(found["additive"], found["rule"], found.get("adult", [])),
        *judged.kit(found.get("kit", [])),
        *judged.analysis(found["planted"], found["null"], PLANTED),
    ]


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {"additive": _planted, "rule": _planted, "adult": _adult, "kit": _kit}
    return parts[unit["part"]](unit) if unit["part"] in parts else _studies(unit)


# -- readers -------------------------------------------------------------------------------------------------------


def _planted(unit: dict[str, Any]) -> dict[str, Any]:
    """A reader of LIME on a sum of weights, or one of anchors on a rule of two conditions."""
    scale = SIZES[unit["scale"]]
    additive = unit["part"] == "additive"
    planted = (additive_table if additive else rule_table)(rows=scale["rows"], seed=unit["seed"])
    explainer = ItemExplainer(planted.model, settings=ExplanationSettings(lime=LIME(samples=scale["samples"], kept=5)))
    method = "lime" if additive else "anchor"
    sizes = BatchSizes(0, 0, scale["items"])
    study = make_study(
        explainer, planted.development, planted.test, methods=(method,), sizes=sizes, seed=unit["seed"], planted=True
    )
    return _read(study, method, unit["seed"])


def _adult(unit: dict[str, Any]) -> dict[str, Any]:
    """A reader of LIME on a perceptron's answers about Adult."""
    parts = adult_parts(unit["seed"])
    models = train_study_models(parts, ("lime",), seed=unit["seed"])
    sizes = BatchSizes(0, 0, SIZES[unit["scale"]]["items"])
    study = table_study(parts, models, ("lime",), sizes=sizes, seed=unit["seed"])
    return _read(study, "lime", unit["seed"]) | {"accuracy": models.accuracy}


def _read(study: SimulationStudy, method: str, seed: int) -> dict[str, Any]:
    """Accuracy before and after explanations, and after those of other items."""
    dealt = shuffled_explanations(study, seed)
    return {
        "items": len(study.counterfactual),
        "pre": _accuracy(study, method, "pre"),
        "post": _accuracy(study, method, "post"),
        "dealt": _accuracy(dealt, method, "post"),
    }


def _accuracy(study: SimulationStudy, method: str, phase: str) -> float:
    truth = study.truth("counterfactual")
    own = [one for one in simulate(study, method) if one.test == "counterfactual" and one.phase == phase]
    return float(np.mean([one.answer == truth[one.item] for one in own]))


# -- the kit on Adult ----------------------------------------------------------------------------------------------


def _kit(unit: dict[str, Any]) -> dict[str, Any]:
    """Both models, all five methods and all files, with the seconds that they take and what must hold of the files."""
    start = time.perf_counter()
    parts = adult_parts(unit["seed"])
    models = train_study_models(parts, METHODS, seed=unit["seed"])
    study = table_study(parts, models, ARMS, seed=unit["seed"])
    files = sheets(study, unit["seed"])
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "accuracy": models.accuracy, "broken": broken_invariants(study, files)}


def broken_invariants(study: SimulationStudy, files: dict[str, tuple[tuple[str, ...], list[list[str]]]]) -> list[str]:
    """What should hold of a study's files and does not, in words."""
    found = []
    for name, items in (("forward", study.forward), ("counterfactual", study.counterfactual)):
        if items and set(balance(items).values()) != {len(items) // 4}:
            found.append(f"{name}: the cells differ in size")
    if 2 * sum(item.flips for item in study.counterfactual) != len(study.counterfactual):
        found.append("counterfactual: not half of the perturbations flip")
    for name, (columns, rows) in files.items():
        if "-master" in name or name.startswith("learning"):
            continue
        hidden = {"perturbation_model"} | ({"label", "model", "explanation"} if name.startswith("forward") else set())
        hidden |= {"explanation"} if "-pre" in name else set()
        if hidden & set(columns):
            found.append(f"{name}: shows {', '.join(sorted(hidden & set(columns)))}")
        master = files[f"{name.split('-')[0]}-master"][1]
        if {row[0] for row in rows} != {row[0] for row in master}:
            found.append(f"{name}: other ids than the master")
    return found


# -- the analysis --------------------------------------------------------------------------------------------------


def _studies(unit: dict[str, Any]) -> dict[str, Any]:
    """Made-up studies of five users a method: one method that helps, or none while users and items vary."""
    scale = SIZES[unit["scale"]]
    helps = unit["part"] == "planted"
    changes = dict.fromkeys(ARMS, 0.0) | ({ARMS[0]: PLANTED} if helps else {})
    users = FakeUsers(changes) if helps else FakeUsers(changes, user_change=0.1, item_change=0.1)
    study = users.study()
    found: dict[str, list[Any]] = {"covered": [], "found": [], "blocks": [], "pooled": []}
    for seed in range(unit["first"], unit["first"] + scale["each"]):
        answers = users.answers(seed)
        for blocks in (True,) if helps else (True, False):
            effects = treatment_effect(answers, study, rounds=scale["rounds"], seed=seed, blocks=blocks)
            if helps:
                own = effects[0]
                found["covered"].append(own.low <= PLANTED <= own.high)
                found["found"].append(own.p < 0.05)
            else:
                found["blocks" if blocks else "pooled"].append([one.p < 0.05 for one in effects])
    return {name: np.asarray(values, dtype=bool).tolist() for name, values in found.items() if values}
