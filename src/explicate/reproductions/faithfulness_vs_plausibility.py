"""Faithfulness vs plausibility (arXiv 2402.04614): the two axes must come apart where it is known that they do.

The paper measures nothing. Three layers of our own, cheapest first: a square of two rules that answer and two that
explain, in three forms; two programs that reason about sums, one of which needs its text; and SmolLM2-135M-Instruct on
pairs of sentences in the form of e-SNLI, whose figures are shown without a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from explicate.benchmarks.faith_plaus import TESTED, TRUTH, review_model, review_pool, square
from explicate.core.kinds import Narrative
from explicate.data.language.marked_tasks import inference_items, review_items, substitutes
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import MissingDependencyError
from explicate.evaluation.self_explanation import FaithfulnessBattery, PlausibilityBattery, Respondent, quadrant
from explicate.rationales import SelfExplainer
from explicate.rationales.scripted_reasoners import reasoner, sum_items
from explicate.rationales.self_explanations import distinct_words
from explicate.reproductions import faithfulness_vs_plausibility_claims as judged
from explicate.reproductions.chats import zoo_chat
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

FRESH = (
    10  # added to a seed for reviews: the wording of the scripted explanations was tuned on reviews of seeds 0 and 1
)
SIZES: dict[str, dict[str, Any]] = {
    "full": {"reviews": 600, "encoder": "minilm", "random_sets": 20, "insertions": 20, "blind": 60, "sums": 200,
             "asked": 200, "tested": 40, "tokens": 60},
    "smoke": {"reviews": 100, "encoder": None, "random_sets": 2, "insertions": 30, "blind": 6, "sums": 40,
              "asked": 0, "tested": 0, "tokens": 0},
}  # fmt: skip
FORMS = ("narrative", "chain-of-thought", "token-importance", "counterfactual")
BEGUN = ("narrative", "token-importance", "counterfactual")
ASKED: dict[str, Any] = {"fractions": (0.1, 0.5), "random_sets": 2, "integral_steps": 8, "insertions": 5}
"""Of the tests on SmolLM2, cut down to what a processor does in minutes."""


def reproduce(context: Context) -> Sequence[Claim]:
    """The square of known truth, what must leave each axis alone, reasoning, and a language model."""
    size = SIZES[context.scale]
    units: list[dict[str, Any]] = [
        {"part": "square", "form": form, "seed": seed} for seed in context.seeds for form in TESTED
    ]
    units += [{"part": part, "seed": seed} for part in ("random", "sums") for seed in context.seeds]
    if size["asked"]:
        units += [{"part": "smollm2", "form": form} for form in FORMS]
    name = "faithfulness-vs-plausibility"
    found = by_part(measured(context, name, _work, units, size))
    asked = found.get("smollm2", [])
    if size["asked"]:
        begun = [{"part": "smollm2", "form": form, "begin": True} for form in BEGUN]
        asked = [*asked, *measured(context, name, _work, begun, size, stage="begun")]
    return judged.claims(found["square"], found["random"], found["sums"], asked)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    works = {"square": _square, "random": _random_words, "sums": _sums, "smollm2": _smollm2}
    return works[unit["part"]](unit)


# -- the square ------------------------------------------------------------------------------------------------------


def _square(unit: dict[str, Any]) -> dict[str, Any]:
    """The four cells of one form, and by how much each axis moves when it must not."""
    size, form, seed = SIZES[unit["scale"]], unit["form"], unit["seed"]
    items = review_items(size["reviews"], seed + FRESH)
    options = {"random_sets": size["random_sets"], "insertions": size["insertions"]}
    cells = square(items, size["encoder"], seed, (form,), **options)
    points = {(cell.rule, cell.says): cell.quadrant for cell in cells}
    moved = [
        np.abs(one.values - two.values)
        for says in ("sentiment", "cue")
        for one, two in zip(
            *(points[rule, says].plausibility.tests for rule in ("sentiment", "cue")),  # type: ignore[index]
            strict=True,
        )
    ]
    return {
        "cells": [
            {"rule": cell.rule, "says": cell.says, "truth": cell.truth, **cell.quadrant.to_dict()} for cell in cells
        ],
        "plausibility_moved": float(np.nanmax(np.concatenate([own.ravel() for own in moved]))),
        "faithfulness_moved": _moved_by_marks(form, items[: size["blind"]], seed, options),
    }


def _moved_by_marks(form: Any, items: Sequence[ChoiceItem], seed: int, options: dict[str, Any]) -> float:
    """How far any item's faithfulness moves when its marks and its gold explanation are exchanged."""
    battery = FaithfulnessBattery(TESTED[form], pool=review_pool, substitutes=substitutes, seed=seed, **options)
    others = [replace(item, rationale=(0, 1), gold_explanation="Because I say so.") for item in items]
    most = 0.0
    for rule, says in TRUTH:
        chat = review_model(rule, says)
        explanation = SelfExplainer(form=form, chat=chat).explain(items, seed)
        axes = [battery.run(chat, known, explanation) for known in (items, others)]
        for one, two in zip(axes[0].tests, axes[1].tests, strict=True):
            if not np.array_equal(np.isfinite(one.values), np.isfinite(two.values)):
                return float("inf")
            if one.n:
                most = max(most, float(np.nanmax(np.abs(one.values - two.values))))
    return most


def _random_words(unit: dict[str, Any]) -> dict[str, Any]:
    """Erasure of words drawn at random, as a ratio of sums, signed, and as a mean of each item's clipped ratio."""
    size, seed = SIZES[unit["scale"]], unit["seed"]
    items = review_items(size["reviews"], seed + FRESH)
    chat = review_model("sentiment", "sentiment")
    explanation = SelfExplainer(form="token-importance", chat=chat).explain(items, seed)
    battery = FaithfulnessBattery(("erasure",), random_sets=size["random_sets"], seed=seed)
    test = battery.run(chat, items, _shuffled(explanation, items, seed)).test("erasure")
    value, other, best = np.moveaxis(test.values[test.applies].mean(axis=0).reshape(-1, 3), 1, 0)
    right = battery.run(chat, items, explanation).test("erasure")
    return {
        "score": test.score,
        "signed": float(((value - other) / (best - other)).mean()),
        "per_item": float(np.nanmean(test.per_item())),
        "n": test.n,
        "right": right.score,
        "right_per_item": float(np.nanmean(right.per_item())),
    }


def _shuffled(explanation: Narrative, items: Sequence[ChoiceItem], seed: int) -> Narrative:
    """The same explanations with as many words, drawn at random from each item."""
    words, scores = explanation["word"].values.copy(), explanation["word_score"].values
    for place, item in enumerate(items):
        own = np.flatnonzero(words[place] != "")
        words[place, own] = generator(seed, "shuffled", place).permutation(distinct_words(item))[: len(own)]
    data = explanation.data.assign(word=(("sample", "rank"), words), word_score=(("sample", "rank"), scores))
    return Narrative(data, explanation.provenance)


# -- reasoning -------------------------------------------------------------------------------------------------------


def _sums(unit: dict[str, Any]) -> dict[str, Any]:
    """Early answering and corruption of a program that needs its text, and of one that has decided before."""
    items = sum_items(SIZES[unit["scale"]]["sums"], unit["seed"])
    record = {}
    for name, needs in (("needs its text", True), ("decides first", False)):
        chat = reasoner(needs)
        explanation = SelfExplainer(form="chain-of-thought", chat=chat).explain(items, unit["seed"])
        battery = FaithfulnessBattery(("early-answering", "corruption"), seed=unit["seed"])
        record[name] = {test.name: test.to_dict() for test in battery.run(chat, items, explanation).tests}
    return record


# -- SmolLM2 ---------------------------------------------------------------------------------------------------------


def _smollm2(unit: dict[str, Any]) -> dict[str, Any]:
    """One form of SmolLM2's explanations on both axes; a record without figures where it is not installed."""
    size = SIZES[unit["scale"]]
    try:
        chat = zoo_chat()
    except MissingDependencyError as error:
        return {"missing": str(error)}
    items = inference_items(size["asked"])
    respondent = Respondent(chat)
    letters = respondent.letters(items)
    begin = unit.get("begin", False)
    explainer = SelfExplainer(form=unit["form"], chat=chat, begin=begin, max_new_tokens=size["tokens"])
    explanation = explainer.explain(items, 0, letters)
    limits = dict.fromkeys(("erasure", "rank-agreement", "inserted-words", "corruption", "planted-cue"), size["tested"])
    battery = FaithfulnessBattery(limits=limits, max_new_tokens=size["tokens"], **ASKED)
    axes = battery.run(chat, items, explanation, respondent), PlausibilityBattery().run(items, explanation)
    return {
        **quadrant(*axes).to_dict(),
        "accuracy": float(
            np.mean(
                [
                    one is not None and item.letters.index(one) == item.gold
                    for one, item in zip(letters, items, strict=True)
                ]
            )
        ),
        "questions": respondent.questions,
    }
