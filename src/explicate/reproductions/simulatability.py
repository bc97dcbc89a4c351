"""Simulation tests (arXiv 2005.01831): what texts afford readers with fixed rules, the kit on Adult, and the analysis.

People's answers were not published, so effects on people are not reproduced: readers here are simulated, and planted
models and answers say what is true. Seeds are fixed beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from explicate.attribution.lime_tabular import LIME
from explicate.data.language.review_sentences import in_parts, made_reviews, review_sentences
from explicate.data.language.word_vectors import news_vectors
from explicate.errors import MissingDependencyError
from explicate.evaluation.simulatability import (
    BatchSizes,
    ExplanationSettings,
    ItemExplainer,
    SimulatedReader,
    SimulationStudy,
    make_study,
    shuffled_explanations,
    simulate,
    treatment_effect,
)
from explicate.evaluation.simulatability.chat_reader import ChatReader
from explicate.evaluation.simulatability.explaining import METHODS
from explicate.evaluation.simulatability.kit import sheets
from explicate.evaluation.simulatability.layout import read_edits
from explicate.evaluation.simulatability.planted import FakeUsers, additive_table, lexicon_sentences, rule_table
from explicate.evaluation.simulatability.readers import EditCountReader
from explicate.evaluation.simulatability.sentences import (
    EDITS,
    SentenceExplainer,
    sentence_study,
    train_sentence_models,
)
from explicate.evaluation.simulatability.study import balance
from explicate.evaluation.simulatability.tables import adult_parts, table_study, train_study_models
from explicate.evaluation.simulatability.trained_reader import TrainedReader
from explicate.glassbox.prototypes.nearest import NearestPrototype
from explicate.models.tiny.categories import BOTTLENECK, CategoryRecipe, trained_categories
from explicate.models.tiny.sentences import SentenceRecipe
from explicate.reproductions import simulatability_claims as judged
from explicate.reproductions.chats import zoo_chat
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.files import cache_folder

SIZES: dict[str, dict[str, Any]] = {
    "full": {"items": 640, "rows": 8000, "samples": 5000, "studies": {"planted": 100, "null": 200}, "each": 20,
             "rounds": 1000, "adult": True, "sentences": 160, "chat": 32},
    "smoke": {"items": 32, "rows": 1500, "samples": 300, "studies": {"planted": 2, "null": 2}, "each": 2,
              "rounds": 100, "adult": False, "sentences": 40, "chat": 0},
}  # fmt: skip
ARMS = ("lime", "anchor", "decision-boundary", "prototype", "composite")
PLANTED = 0.15


def reproduce(context: Context) -> Sequence[Claim]:
    """Readers on planted models and on Adult for each seed, the kits of Adult and of sentences once, the analysis."""
    scale = SIZES[context.scale]
    units: list[dict[str, Any]] = [
        {"part": part, "seed": seed} for part in ("additive", "rule", "lexicon") for seed in context.seeds
    ]
    for part, count in scale["studies"].items():
        units += [{"part": part, "first": first} for first in range(0, count, scale["each"])]
    if scale["adult"]:
        units += [{"part": "adult", "seed": seed} for seed in context.seeds]
        units += [{"part": "kit", "seed": seed} for seed in context.seeds]
        units += [{"part": "sentences", "seed": context.seeds[0]}]
        units += [{"part": "chat", "seed": context.seeds[0], "method": method} for method in ("anchor", "lime")]
    supplied = published_sentences()
    sizes = {**scale, "supplied": None if supplied is None else supplied.name}
    found = by_part(measured(context, "simulatability", _work, units, sizes, version=2))
    return [
        *judged.readers(found["additive"], found["rule"], found.get("adult", [])),
        *judged.others(
            found["additive"], found["rule"], found["lexicon"], found.get("adult", []), found.get("chat", [])
        ),
        *judged.kit(found.get("kit", [])),
        *judged.sentences(found.get("sentences", [])),
        *judged.analysis(found["planted"], found["null"], PLANTED),
    ]


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {"additive": _planted, "rule": _planted, "adult": _adult, "kit": _kit, "lexicon": _lexicon,
             "sentences": _sentences, "chat": _chat}  # fmt: skip
    return parts[unit["part"]](unit) if unit["part"] in parts else _studies(unit)


# -- readers -------------------------------------------------------------------------------------------------------


def _planted(unit: dict[str, Any]) -> dict[str, Any]:
    """A reader of LIME on a sum of weights, or one of anchors on a rule of two conditions."""
    method = "lime" if unit["part"] == "additive" else "anchor"
    study = _planted_study(method, SIZES[unit["scale"]], SIZES[unit["scale"]]["items"], unit["seed"])
    return _read(study, method, unit["seed"]) | _compared(study, method)


def _planted_study(method: str, scale: dict[str, Any], items: int, seed: int) -> SimulationStudy:
    planted = (additive_table if method == "lime" else rule_table)(rows=scale["rows"], seed=seed)
    explainer = ItemExplainer(planted.model, settings=ExplanationSettings(lime=LIME(samples=scale["samples"], kept=5)))
    sizes = BatchSizes(0, 0, items)
    return make_study(
        explainer, planted.development, planted.test, methods=(method,), sizes=sizes, seed=seed, planted=True
    )


def _lexicon(unit: dict[str, Any]) -> dict[str, Any]:
    """A reader of LIME on sentences whose sentiment is a sum of their words'."""
    planted = lexicon_sentences(1000, seed=unit["seed"])
    explainer = SentenceExplainer(planted.model, planted.choices)
    sizes = BatchSizes(0, 0, SIZES[unit["scale"]]["sentences"], EDITS)
    study = sentence_study(
        explainer, planted.development, planted.test, ("lime",), sizes=sizes, seed=unit["seed"], planted=True
    )
    return _read(study, "lime", unit["seed"]) | _compared(study, "lime")


def _compared(study: SimulationStudy, method: str) -> dict[str, Any]:
    """Readers beside the one with a rule: they count edits, or have learned from the first half of the items.

    The items are in random order.
    """
    half = len(study.counterfactual) // 2
    first, second = (replace(study, counterfactual=part) for part in (study.counterfactual[:half],
                                                                      study.counterfactual[half:]))  # fmt: skip
    most = max(len(read_edits(item.perturbation)) for item in study.counterfactual)
    counted = [_accuracy(study, method, "post", EditCountReader(most=number)) for number in range(1, most)]
    trained, blind = (
        _accuracy(second, method, "post", TrainedReader(first, method, explained)) for explained in (True, False)
    )
    return {"counted": max(counted), "trained": trained, "blind": blind}


def _chat(unit: dict[str, Any]) -> dict[str, Any]:
    """SmolLM2-135M on the pages of a planted model, by its likelier answer, and how many of its replies can be read."""
    scale = SIZES[unit["scale"]]
    try:
        chat = zoo_chat()
    except MissingDependencyError as error:
        return {"missing": str(error)}
    method = unit["method"]
    study = _planted_study(method, scale, scale["chat"], unit["seed"])
    reader = ChatReader(chat, likelier=True)
    pages = study.test("counterfactual").shown("post", method)
    written = ChatReader(chat, attempts=1).counterfactual(pages, study.classes)
    found = {
        "post": _accuracy(study, method, "post", reader),
        "pre": _accuracy(study, method, "pre", reader),
        "dealt": _accuracy(shuffled_explanations(study, unit["seed"]), method, "post", reader),
        "rule": _accuracy(study, method, "post"),
    }
    return found | {"items": len(pages), "readable": float(np.mean([bool(one) for one in written])), "name": chat.name}


def _adult(unit: dict[str, Any]) -> dict[str, Any]:
    """Readers of LIME on a perceptron's answers about Adult, and one that counts edits."""
    parts = adult_parts(unit["seed"])
    models = train_study_models(parts, ("lime",), seed=unit["seed"])
    sizes = BatchSizes(0, 0, SIZES[unit["scale"]]["items"])
    study = table_study(parts, models, ("lime",), sizes=sizes, seed=unit["seed"])
    return _read(study, "lime", unit["seed"]) | _compared(study, "lime") | {"accuracy": models.accuracy}


def _read(study: SimulationStudy, method: str, seed: int) -> dict[str, Any]:
    """Accuracy before and after explanations, and after those of other items."""
    dealt = shuffled_explanations(study, seed)
    return {
        "items": len(study.counterfactual),
        "pre": _accuracy(study, method, "pre"),
        "post": _accuracy(study, method, "post"),
        "dealt": _accuracy(dealt, method, "post"),
    }


def _accuracy(
    study: SimulationStudy, method: str, phase: str, reader: SimulatedReader | None = None, test: str = "counterfactual"
) -> float:
    truth, before = study.truth(test), reader if isinstance(reader, ChatReader) else None
    answers = simulate(study, method, reader, before=before)
    own = [one for one in answers if one.test == test and one.phase == phase]
    return float(np.mean([one.answer == truth[one.item] for one in own]))


# -- the kit on Adult ----------------------------------------------------------------------------------------------


def _kit(unit: dict[str, Any]) -> dict[str, Any]:
    """Both models, all five methods and all files, with the seconds that they take and what must hold of the files."""
    start = time.process_time()
    parts = adult_parts(unit["seed"])
    models = train_study_models(parts, METHODS, seed=unit["seed"])
    study = table_study(parts, models, ARMS, seed=unit["seed"])
    files = sheets(study, unit["seed"])
    seconds = time.process_time() - start
    start_from = trained_categories(parts.training, parts.development, CategoryRecipe(seed=unit["seed"]), BOTTLENECK)
    source = NearestPrototype(seed=unit["seed"]).fit(start_from, parts.training, parts.development)
    answers = source.predict(parts.test.values()).argmax(axis=1)
    as_written = float((answers == parts.test.labels).mean())
    return {"seconds": seconds, "accuracy": models.accuracy | {"as written": as_written},
            "broken": broken_invariants(study, files)}  # fmt: skip


# -- sentences -----------------------------------------------------------------------------------------------------


def published_sentences() -> Path | None:
    """The review sentences that are supplied in the user's cache: rt-polarity's folder, or vaderSentiment's archive."""
    folder = cache_folder("published", "simulatability")
    for place in (folder / "rt-polaritydata", folder / "vaderSentiment-3.3.2.tar.gz"):
        if place.exists():
            return place
    return None


def _sentences(unit: dict[str, Any]) -> dict[str, Any]:
    """Both models, all five methods and all files of film reviews (made-up ones where none are supplied)."""
    start = time.process_time()
    place, seed = published_sentences(), unit["seed"]
    if place is None:
        texts = made_reviews(6000, seed=seed)
    else:
        texts = review_sentences(place)
    parts = in_parts(texts, seed=seed)
    vectors = news_vectors() if place is not None else None
    models = train_sentence_models(parts, recipe=SentenceRecipe(vectors=vectors, seed=seed), epochs=30)
    study = sentence_study(models.explainer(), parts[1], parts[2], ARMS, seed=seed)
    broken = broken_invariants(study, sheets(study, seed))
    readers = {
        method: {
            f"{test} {phase}": _accuracy(study, method, phase, test=test)
            for test in ("forward", "counterfactual")
            for phase in ("pre", "post")
        }
        for method in ARMS
    }
    return {"seconds": time.process_time() - start, "accuracy": models.accuracy, "broken": broken, "readers": readers,
            "texts": "made-up reviews" if place is None else place.name, "sentences": len(texts)}  # fmt: skip


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
