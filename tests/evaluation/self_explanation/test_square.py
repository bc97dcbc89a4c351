"""Explainers whose place on both axes is known: every test must say so, and nothing else may move it."""

from dataclasses import replace

import numpy as np
import pytest

from explicate.benchmarks.faith_plaus import TESTED, TRUTH, review_model, review_pool, square
from explicate.data.language.marked_tasks import review_items, substitutes
from explicate.evaluation.self_explanation import FaithfulnessBattery, PlausibilityBattery, Respondent
from explicate.rationales.self_explanations import SelfExplainer, distinct_words

FAST = {"random_sets": 6, "insertions": 30}


@pytest.fixture(scope="module")
def items():
    return review_items(80, seed=1)


@pytest.fixture(scope="module")
def cells(items):
    return {(cell.rule, cell.says, cell.form): cell for cell in square(items, encoder=None, **FAST)}


def test_every_cell_lies_in_its_quadrant(cells):
    assert len(cells) == 12
    for (rule, says, form), cell in cells.items():
        assert cell.quadrant.name == cell.truth, (rule, says, form)
        f, p = cell.quadrant.faithfulness.value, cell.quadrant.plausibility.value
        assert (f >= 0.75) if rule == says else (f <= 0.35)
        assert (p >= 0.75) if says == "sentiment" else (p <= 0.35)
        assert cell.quadrant.faithfulness.scripted  # a program answered, and the result says so


def test_each_test_of_faithfulness_alone_tells_faithful_from_unfaithful(cells):
    for form, tests in TESTED.items():
        for says in ("sentiment", "cue"):
            for test in tests:
                scores = {
                    rule: cells[rule, says, form].quadrant.faithfulness.test(test).score
                    for rule in ("sentiment", "cue")
                }
                other = "cue" if says == "sentiment" else "sentiment"
                assert scores[says] - scores[other] >= 0.3, (form, says, test)


def test_exchanging_the_model_leaves_plausibility_as_it_is(items):
    """To 1e-9, for the same words said of either model's answers."""
    for form in TESTED:
        found = []
        for rule in ("sentiment", "cue"):
            chat = review_model(rule, "sentiment")
            explanation = SelfExplainer(form=form, chat=chat).explain(items[:40])
            found.append(PlausibilityBattery(encoder=None).run(items[:40], explanation))
        for one, two in zip(*(axis.tests for axis in found), strict=True):
            assert np.abs(one.values - two.values).max() <= 1e-9


def test_exchanging_the_marks_and_gold_explanations_leaves_faithfulness_as_it_is(items):
    """The battery is blind to what people marked: every row is the same to the bit."""
    chat, part = review_model("cue", "sentiment"), items[:34]
    others = [replace(item, rationale=(0, 1), gold_explanation="Because I say so.") for item in part]
    for form, tests in TESTED.items():
        battery = FaithfulnessBattery(tests, pool=review_pool, substitutes=substitutes, random_sets=2, insertions=6)
        explanation = SelfExplainer(form=form, chat=chat).explain(part)
        one, two = (battery.run(chat, known, explanation) for known in (part, others))
        for first, second in zip(one.tests, two.tests, strict=True):
            assert np.array_equal(first.values, second.values, equal_nan=True)


def test_random_words_score_nothing_by_erasure(items):
    """0 ± 0.1, and clearly more if the ratio were cut off item by item, which is why it is not."""
    many = review_items(200, seed=2)
    chat = review_model("sentiment", "sentiment")
    explanation = SelfExplainer(form="token-importance", chat=chat).explain(many)
    rng = np.random.default_rng(0)
    words = explanation["word"].values.copy()
    for i, item in enumerate(many):
        words[i] = rng.permutation(distinct_words(item))[: words.shape[1]]
    explanation.data["word"] = (("sample", "rank"), words)
    explanation.data["word_score"] = (("sample", "rank"), np.tile([2.0, 1.0], (len(many), 1)))
    axis = FaithfulnessBattery(("erasure",), random_sets=10).run(chat, many, explanation, Respondent(chat))
    test = axis.test("erasure")
    assert test.score <= 0.1
    ways = test.values.reshape(len(many), -1, 3)
    plain = (ways[..., 0] - ways[..., 1]) / (ways[..., 2] - ways[..., 1])
    assert abs(np.median(plain)) < 0.5
    assert np.clip(plain, 0, 1).mean() > test.score + 0.05


def test_the_truth_has_each_quadrant_once():
    assert len(set(TRUTH.values())) == 4
