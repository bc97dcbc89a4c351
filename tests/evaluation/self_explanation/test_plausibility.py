"""How explanations look to people, against known truth; and what is not measured, with the reason."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from explicate.benchmarks.faith_plaus import review_model
from explicate.data.language.marked_tasks import review_items
from explicate.errors import InputError
from explicate.evaluation.self_explanation import (
    FaithfulnessBattery,
    PlausibilityBattery,
    Ratings,
    RequirementProfile,
    quadrant,
)
from explicate.evaluation.self_explanation.measured import Axis, Measured
from explicate.evaluation.self_explanation.plausibility import fluency, gold_text, precision_area
from explicate.evaluation.self_explanation.ratings import CRITERIA
from explicate.models.chat import ScriptedChat
from explicate.rationales.self_explanations import SelfExplainer

ITEMS = review_items(40)


class Sizes:
    """A reference model: each word of a continuation costs as many nats as it has letters."""

    def log_probabilities(self, prompts, continuations):
        assert set(prompts) == {"Explanation: "}
        return [-np.array([float(len(word)) for word in text.split()]) for text in continuations]


def golds(texts):
    return [replace(ITEMS[number], gold_explanation=text) for number, text in enumerate(texts)]


def explained(items=ITEMS, form="narrative", **options):
    return SelfExplainer(form=form, chat=review_model("sentiment", "sentiment", **options)).explain(items)


# -- fluency -----------------------------------------------------------------------------------------------------------


def test_fluency_is_the_percentile_among_the_gold_explanations():
    items = golds(["a", "bb", "ccc", "dddd"])  # -1, -2, -3 and -4 nats a word
    texts = ["xxx xx", "xx", "zzzzzzz", ""]  # -2.5, -2 (as one of them), -7, and one that could not be read
    found = fluency(items, texts, Sizes(), counted=True)
    assert found.values[:, 0].tolist()[:3] == [2 / 4, (2 + 3) / 2 / 4, 0.0]
    assert found.n == 3
    assert np.isnan(found.values[3, 0])


def test_fluency_counts_beside_other_tests_only():
    found = explained()
    alone = PlausibilityBattery(("fluency",), encoder=None, reference=Sizes()).run(ITEMS, found)
    assert (alone.test("fluency").n, alone.used, alone.value) == (40, (), None)
    beside = PlausibilityBattery(("marked-words", "fluency"), encoder=None, reference=Sizes()).run(ITEMS, found)
    assert [test.name for test in beside.used] == ["marked-words", "fluency"]
    assert beside.value == pytest.approx(np.mean([test.score for test in beside.tests]))
    unmarked = [replace(item, rationale=None) for item in ITEMS]
    assert (
        not PlausibilityBattery(encoder=None, tests=("marked-words", "fluency"), reference=Sizes())
        .run(unmarked, found)
        .used
    )
    without = [replace(item, gold_explanation="") for item in ITEMS]
    missing = PlausibilityBattery(("fluency",), encoder=None, reference=Sizes()).run(without, found).test("fluency")
    assert (missing.n, missing.reason) == (0, "no item has a gold explanation to compare with")


def test_smollm2_finds_what_people_wrote_more_fluent_than_its_words_in_another_order(smollm2):
    texts = ["It is because it is called good.", "The film is praised, so the review is positive.", "He was not happy."]
    shuffled = [" ".join(reversed(text.split())) for text in texts]
    written = fluency(golds(texts), texts, smollm2, counted=True)
    mixed = fluency(golds(texts), shuffled, smollm2, counted=True)
    assert sorted(written.values[:, 0]) == pytest.approx([1 / 6, 3 / 6, 5 / 6])  # each among itself and the others
    assert mixed.score < 0.1


# -- repeatability -----------------------------------------------------------------------------------------------------


def test_repeatability_is_the_overlap_of_drawn_explanations_and_counts_for_nothing():
    """Half of the words are drawn: each explanation holds "it is" and one of two words."""
    plain = review_model("sentiment", "sentiment")

    def respond(messages, rng):
        said = plain.respond(messages, rng)
        return f"Explanation: it is {'ab'[int(rng.integers(2))]}" if said.startswith("Explanation") else said

    chat = ScriptedChat(respond, score=plain.score)
    found = SelfExplainer(chat=chat).explain(ITEMS)
    test = FaithfulnessBattery(("repeatability",), repeats=5).run(chat, ITEMS, found).test("repeatability")
    assert (test.n, test.counted, test.used) == (40, False, False)
    assert test.notes == {"draws": 5, "temperature": 1.0}
    possible = set()
    for ones in range(6):
        pairs = [1.0 if x == y else 0.5 for x, y in combinations([1] * ones + [0] * (5 - ones), 2)]  # 2 of 4 words
        possible.add(round(float(np.mean(pairs)), 9))
    assert set(np.round(test.values[:, 0], 9)) <= possible
    assert abs(test.score - 0.75) < 0.05  # two draws agree in half of the cases
    same = FaithfulnessBattery(("repeatability",)).run(plain, ITEMS, explained()).test("repeatability")
    assert same.score == 1.0


def test_repeatability_leaves_out_draws_that_cannot_be_read():
    """Every other draw is out of form; of two readable ones there is one pair, of a single one none."""
    plain = review_model("sentiment", "sentiment")

    def respond(messages, rng):
        said = plain.respond(messages, rng)
        return "Because." if said.startswith("Explanation") and rng.integers(2) else said

    chat = ScriptedChat(respond, score=plain.score)
    test = FaithfulnessBattery(("repeatability",), repeats=2).run(chat, ITEMS, explained()).test("repeatability")
    assert 0 < test.n < 40
    assert test.score == 1.0
    with pytest.raises(InputError, match="2 repeats"):
        FaithfulnessBattery(("repeatability",), repeats=1)


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_few_items_are_shown_and_count_for_nothing():
    found = PlausibilityBattery(encoder=None).run(ITEMS[:29], explained(ITEMS[:29]))
    assert [test.score is not None for test in found.tests] == [True, True]
    assert found.used == ()
    assert found.value is None
    assert "0 of 2 tests apply to 30 items or more" in found.reason
    assert str(found).count("not counted") == 2
    enough = PlausibilityBattery(encoder=None).run(ITEMS[:30], explained(ITEMS[:30]))
    assert len(enough.used) == 2


def test_half_of_the_explanations_must_be_readable():
    plain = review_model("sentiment", "sentiment")

    def unreadable(share):
        def respond(messages, rng):
            said = plain.respond(messages, rng)
            return "Because." if said.startswith("Explanation") and hash_of(messages) < share else said

        return ScriptedChat(respond, score=plain.score)

    def hash_of(messages):
        return order[messages[-1].content.split("Review: ")[1].split("\n")[0]] / len(ITEMS)

    order = {item.fields[0][1]: place for place, item in enumerate(ITEMS)}
    for share, measurable in ((0.5, True), (0.55, False)):
        found = SelfExplainer(chat=unreadable(share)).explain(ITEMS)
        axis = PlausibilityBattery(encoder=None).run(ITEMS, found)
        assert axis.parse_rate == pytest.approx(1 - share)
        assert ("could be read" in axis.reason) is not measurable
        assert axis.value is None  # 20 items are too few in any case, and the reason says which it is


def test_gold_explanations_that_are_all_alike_give_no_scale():
    """Likeness to other items' gold explanations is 0 of the scale: where that is identity, there is no scale."""
    alike = golds(["It is called good."] * 40)
    found = gold_text(alike, ["It is called good."] * 39 + ["It is bad."], None)
    assert (found.n, found.score) == (0, None)
    assert found.reason == "the gold explanations of all items are alike, so there is nothing to tell them apart by"
    mixed = golds(["It is called good."] * 39 + ["Nobody likes rain."])
    own = gold_text(mixed, [item.gold_explanation for item in mixed], None)
    assert own.values[:, 0] == pytest.approx(1.0)
    one = gold_text(golds(["It is called good."]), ["It is."], None)
    assert "fewer than two items" in one.reason


def test_a_text_beside_the_point_scores_nothing_and_words_of_its_own_no_marks():
    items = golds(["It is called good.", "Nobody likes rain.", "A dog sleeps."])
    found = gold_text(items, ["xyz", "Nobody likes rain.", "A dog sleeps."], None)
    assert found.values[0, 0] == 0.0
    assert found.values[1:, 0] == pytest.approx(1.0)
    odd = SelfExplainer(form="token-importance", chat=ScriptedChat(lambda messages, rng: "1. zebra, 90")).explain(
        ITEMS, letters=["A"] * 40
    )
    test = PlausibilityBattery(("marked-words",), encoder=None).run(ITEMS, odd).test("marked-words")
    assert test.columns == ("F1 of words", "F1 of spans", "area under precision and recall")
    share = np.mean([len(item.rationale) / len(item.words) for item in ITEMS])
    assert test.values[:, :2].max() == 0.0
    assert test.values[:, 2].mean() == pytest.approx(share)  # no order at all: as many as there are
    assert precision_area(np.array([0.1, 0.9, 0.5]), np.array([False, True, True])) == 1.0


def test_an_explanation_without_its_words_and_of_other_items_is_refused():
    found = explained()
    with pytest.raises(InputError, match="of other items than the 39 given"):
        PlausibilityBattery(encoder=None).run(ITEMS[:39], found)
    del found.data.attrs["form"]
    with pytest.raises(InputError, match="make them with SelfExplainer"):
        PlausibilityBattery(encoder=None).run(ITEMS, found)


@pytest.mark.parametrize(
    ("grades", "words"),
    [({"logical": 6}, "logical = 6"), ({"logical": 0}, "from 1 to 5"), ({"faithful": 3}, "faithful = 3")],
)
def test_grades_outside_of_the_scale_are_refused(grades, words):
    with pytest.raises(InputError, match=words):
        Ratings({"one": grades})


def test_items_with_some_grades_only_are_left_out():
    some = {ITEMS[0].name: dict.fromkeys(CRITERIA, 5), ITEMS[1].name: {"logical": 1}}
    test = PlausibilityBattery(("ratings",), encoder=None, ratings=Ratings(some)).run(ITEMS, explained()).tests[0]
    assert (test.n, test.score) == (1, 1.0)
    nobody = Ratings({"another": dict.fromkeys(CRITERIA, 5)}).measured([item.name for item in ITEMS])
    assert (nobody.score, nobody.reason) == (None, "no item has all its grades")


def test_an_axis_of_one_test_meets_no_profile():
    def axis(name, tests):
        made = tuple(Measured(str(k), np.full((40, 1), 0.9), ("score",)) for k in range(tests))
        return Axis(name, made, tuple(map(str, range(40))), np.ones(40, dtype=bool), "narrative")

    point = quadrant(axis("faithfulness", 2), axis("plausibility", 1))
    verdict = RequirementProfile("any", 0.0, 0.0).check(point)
    assert (verdict.result, verdict.limiting) == ("not measurable", "plausibility")
    assert "two are needed" in verdict.note
