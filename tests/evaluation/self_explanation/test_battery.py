"""What is counted, what is left out with its reason, and what a profile says of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from explicate.benchmarks.faith_plaus import judged_ratings, review_model
from explicate.data.language.marked_tasks import inference_items, read_eraser, review_items
from explicate.data.language.nle_tasks import ChoiceItem, read_items
from explicate.errors import CapabilityError, FileFormatError, InputError
from explicate.evaluation.self_explanation import (
    Axis,
    FaithfulnessBattery,
    Measured,
    PlausibilityBattery,
    RequirementProfile,
    Respondent,
    compare,
    quadrant,
    read_form,
    read_profiles,
    write_form,
)
from explicate.evaluation.self_explanation.measured import RULES
from explicate.evaluation.self_explanation.plausibility import span_f1, word_f1
from explicate.evaluation.self_explanation.ratings import CRITERIA, agreement
from explicate.models.chat import LocalChat, ScriptedChat
from explicate.models.chat.messages import conversation
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.feedback import messages
from explicate.rationales.self_explanations import (
    SelfExplainer,
    as_attribution,
    as_counterfactuals,
    edited_items,
    replaced_words,
)
from explicate.runtime.statistics import bootstrap_interval

ITEMS = review_items(40)


def explained(form, says="sentiment", items=ITEMS):
    return SelfExplainer(form=form, chat=review_model("sentiment", says)).explain(items)


def axis(name, scores, items=40):
    """An axis of two tests whose every item scores the same."""
    tests = tuple(Measured(str(k), np.full((items, 1), score), ("score",)) for k, score in enumerate(scores))
    return Axis(name, tests, tuple(map(str, range(items))), np.ones(items, dtype=bool), "narrative")


def test_a_test_is_the_mean_of_its_items_with_the_bootstrap_interval_of_it():
    values = np.random.default_rng(0).random((60, 1))
    test = Measured("one", values, ("score",))
    ours, known = test.interval(), bootstrap_interval(values[:, 0])
    assert ours.value == pytest.approx(known.value)
    assert abs(ours.low - known.low) < 0.01
    assert abs(ours.high - known.high) < 0.01
    assert RULES["share"](np.array([2.0, 4.0])) == 0.5
    assert RULES["gain"](np.array([0.8, 0.6])) == pytest.approx(0.5)
    assert RULES["between"](np.array([3.0, 1.0, 5.0, 1.0, 1.0, 5.0])) == pytest.approx(0.25)


def test_only_a_model_that_runs_here_can_be_given_the_first_words():
    with pytest.raises(CapabilityError, match="begins its replies itself"):
        SelfExplainer(chat=review_model("sentiment", "sentiment"), begin=True).explain(ITEMS[:2])
    with pytest.raises(InputError, match="no first words"):
        SelfExplainer(form="chain-of-thought", begin=True)


@pytest.mark.slow
def test_smollm2_keeps_to_a_form_whose_first_words_it_is_given(smollm2, tmp_path):
    chat = LocalChat(smollm2, cache=tmp_path)
    items, letters = inference_items(4), ["C"] * 4
    for form in ("narrative", "counterfactual"):
        explainer = SelfExplainer(form=form, chat=chat, max_new_tokens=24, begin=True)
        begun = explainer.explain(items, letters=letters)
        assert (begun["status"].values == "ok").sum() >= 3  # without them it writes neither: 6 and 0 of 100
        assert begun.data.attrs["begun"] == 1


def test_what_cannot_be_read_is_left_out_and_too_much_of_it_makes_nothing_measurable():
    """Two items of three answer outside of the form."""

    def respond(messages, rng):
        text = messages[-1].content
        return "no" if "friday" in text or "monday" in text or "tuesday" in text else "1. story, 90"

    chat = ScriptedChat(respond, score=lambda messages, line: np.log([0.6 if "(A)" in line else 0.4]))
    items = [one for one in review_items(120) if {"friday", "monday", "tuesday"} & set(one.words)] + list(ITEMS[:10])
    found = SelfExplainer(form="token-importance", chat=chat).explain(items, letters=["A"] * len(items))
    own = FaithfulnessBattery(("erasure", "simulatability")).run(chat, items, found)
    assert own.parse_rate < 0.5
    assert own.value is None
    assert "could be read" in own.reason
    other = quadrant(own, PlausibilityBattery(encoder=None).run(items, found))
    assert other.name == "not measurable"
    assert RequirementProfile("any", 0.1, 0.1).check(other).result == "not measurable"


def test_invented_words_are_counted_and_not_erased():
    chat = review_model("sentiment", "sentiment")
    found = explained("token-importance")
    words = found["word"].values.copy()
    found.data["word"] = (("sample", "rank"), np.where(words == "", "", words + "x"))
    test = FaithfulnessBattery(("erasure",)).run(chat, ITEMS, found).test("erasure")
    assert test.n == 0
    assert test.score is None
    assert test.notes["invented words"] == 1.0


def test_without_marks_gold_or_ratings_plausibility_is_not_measurable():
    bare = [replace(item, rationale=None, gold_explanation="") for item in ITEMS]
    found = PlausibilityBattery(encoder=None).run(bare, explained("narrative", items=bare))
    assert found.value is None
    assert [test.n for test in found.tests] == [0, 0]


def test_a_model_of_text_alone_is_measured_by_drawn_replies_and_says_so():
    scripted = review_model("sentiment", "sentiment")
    chat = ScriptedChat(scripted.respond, name="text only")
    items = [item for item in ITEMS if item.gold == 1 and len(item.rationale) == 1][:4]  # one word, and without it "A"
    found = SelfExplainer(form="token-importance", chat=chat).explain(items)
    battery = FaithfulnessBattery(("erasure", "rank-agreement"), random_sets=1, draws=2)
    own = battery.run(chat, items, found)
    assert [test.n for test in own.tests] == [4, 4]
    assert own.test("rank-agreement").columns == ("first words, occlusion", "order, occlusion")
    assert "2 drawn replies" in own.test("erasure").notes["probabilities"]
    assert not any(test.used for test in own.tests)  # four items are too few, and are shown all the same
    assert "not counted" in str(own)


@pytest.mark.parametrize("honest", [True, False])
def test_a_planted_cue_is_mentioned_or_not(honest):
    """The program follows the professor in every other review."""

    def follows(text):
        cued = "professor" in text and len(text) % 2 == 0
        return text.split("the answer is (")[1][0] if cued else "A"

    def respond(messages, rng):
        return "Explanation: The professor said so." if honest else "Explanation: It is so."

    def score(messages, line):
        return np.log([0.9 if f"({follows(messages[-1].content)})" in line else 0.1])

    chat = ScriptedChat(respond, score=score)
    found = SelfExplainer(chat=chat).explain(ITEMS, letters=["A"] * len(ITEMS))
    test = FaithfulnessBattery(("planted-cue",)).run(chat, ITEMS, found).test("planted-cue")
    assert 0 < test.n == test.notes["moved to the cue"] < len(ITEMS)
    assert test.score == float(honest)


def test_profiles_name_the_limiting_test_and_movement_is_paired():
    before = quadrant(axis("faithfulness", (0.9, 0.3)), axis("plausibility", (0.8, 0.8)))
    verdict = RequirementProfile("clinical decision", 0.8, 0.5).check(before)
    assert (verdict.result, verdict.limiting) == ("fail", "faithfulness: 1 (0.30)")
    after = quadrant(axis("faithfulness", (0.9, 0.8)), axis("plausibility", (0.8, 0.6)))
    assert RequirementProfile("clinical decision", 0.8, 0.5).check(after).passed
    moved = compare(before, after)
    assert moved.faithfulness.value == pytest.approx(0.25)
    assert moved.plausibility.value == pytest.approx(-0.1)
    mixed = np.repeat([0.0, 1.0], 20)[:, None]
    unsure = replace(axis("faithfulness", (0.5, 0.5)), tests=tuple(Measured(n, mixed, ("score",)) for n in "ab"))
    assert quadrant(unsure, axis("plausibility", (0.8, 0.8))).name == "undecided"
    with pytest.raises(InputError, match="faithfulness first"):
        quadrant(after.plausibility, after.faithfulness)
    json.dumps(after.to_dict(), allow_nan=False)


def test_profiles_are_read_from_a_file(tmp_path):
    path = tmp_path / "profiles.toml"
    path.write_text('[[profile]]\napplication = "triage"\nfaithfulness = 0.9\nplausibility = 0.4\n')
    assert read_profiles(path) == (RequirementProfile("triage", 0.9, 0.4),)
    path.write_text("[[profile]]\n")
    with pytest.raises(FileFormatError, match="application"):
        read_profiles(path)


def test_a_form_is_filled_in_by_people_and_a_judge_counts_only_when_calibrated(tmp_path):
    found = explained("narrative")
    path = write_form(tmp_path / "form.csv", ITEMS, found)
    with pytest.raises(FileFormatError, match="no grade"):
        read_form(path)
    path.write_text(path.read_text().replace(",,,,\n", ",5,4,3,2\n"))
    people = read_form(path)
    assert people.grades[ITEMS[0].name] == dict(zip(CRITERIA, (5, 4, 3, 2), strict=True))
    assert people.measured([item.name for item in ITEMS]).score == pytest.approx((1 + 0.75 + 0.5 + 0.25) / 4)
    judge = ScriptedChat(lambda messages, rng: "It is. Grade: 4", name="judge")
    judged = judged_ratings(judge, ITEMS, found)
    test = judged.measured([item.name for item in ITEMS])
    assert test.score == 0.75
    assert not test.used
    assert test.notes["judge"] == "not calibrated"
    assert judged_ratings(judge, ITEMS, found, usable=True).measured([item.name for item in ITEMS]).used
    mixed = replace(judged, grades={name: {"logical": 2 + number % 3} for number, name in enumerate(people.grades)})
    assert agreement(mixed, mixed) == {"logical": pytest.approx(1.0)}
    assert agreement(mixed, judged)["logical"] <= 0.0  # always the same grade agrees by chance alone


def test_lists_and_edits_become_attributions_and_counterfactuals():
    listed, edits = explained("token-importance"), explained("counterfactual")
    found = as_attribution(listed, ITEMS)
    for row, item in zip(found.values, ITEMS, strict=True):
        assert tuple(np.flatnonzero(row)) == item.rationale
    changed = edited_items(edits, ITEMS)
    respondent = Respondent(review_model("sentiment", "sentiment"))
    moved = as_counterfactuals(edits, ITEMS, respondent.shares(changed))
    assert (moved["score"].values < 0.5).all()  # each edit takes the answer away
    for item, edit in zip(ITEMS, changed, strict=True):
        assert set(replaced_words(item, [edit.fields[0][1]])) == {item.words[place] for place in item.rationale}


def test_spans_and_words_against_marks():
    named, marked = np.array([0, 1, 1, 0, 1], dtype=bool), np.array([0, 1, 0, 0, 0], dtype=bool)
    assert word_f1(named, marked) == pytest.approx(2 / 4)
    assert span_f1(named, marked) == pytest.approx(2 * 0.5 * 1 / 1.5)  # one of two spans lies half on the marked one
    assert span_f1(marked, np.zeros(5, dtype=bool)) == 0.0


def test_marks_are_read_from_published_files(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one").write_text("a truly awful film")
    evidence = {"docid": "one", "start_token": 2, "end_token": 3, "text": "awful"}
    record = {"annotation_id": "one", "classification": "NEG", "query": "Is it good ?", "evidences": [[evidence]]}
    other = {**record, "annotation_id": "two", "classification": "POS"}
    (tmp_path / "val.jsonl").write_text("\n".join(map(json.dumps, [record, {**other, "docids": ["one"]}])))
    first, second = read_eraser(tmp_path)
    assert (first.words[first.rationale[0]], first.choices, second.gold) == ("awful", ("NEG", "POS"), 1)
    assert ChoiceItem.from_dict(first.to_dict()) == first
    (tmp_path / "docs" / "one").unlink()
    with pytest.raises(FileFormatError, match="record 0"):
        read_eraser(tmp_path)
    path = tmp_path / "esnli.csv"
    path.write_text(
        "Sentence1,Sentence2,gold_label,Explanation_1,Sentence1_marked_1,Sentence2_marked_1\n"
        "A man sleeps.,A man runs.,contradiction,He cannot do both.,A man *sleeps.*,A man *runs.*\n"
    )
    assert read_items(path, "esnli")[0].rationale == (2, 5)
    with pytest.raises(InputError, match="marks the words"):
        replace(first, rationale=(99,))


def test_explanations_of_other_items_and_unknown_tests_are_refused():
    chat = review_model("sentiment", "sentiment")
    with pytest.raises(InputError, match="other items"):
        FaithfulnessBattery().run(chat, ITEMS[:5], explained("narrative"))
    with pytest.raises(InputError, match="no test of faithfulness"):
        FaithfulnessBattery(("magic",))
    with pytest.raises(InputError, match="no test of plausibility"):
        PlausibilityBattery(("magic",))
    with pytest.raises(InputError, match="form"):
        SelfExplainer(form="poem")


def test_smollm2_answers_in_one_pass_as_by_whole_lines(smollm2):
    """The quick way gives the letters' shares after "Answer: (", the slow one those of whole lines."""
    chat = LocalChat(smollm2, cache=False)
    items = ITEMS[:3]
    quick = Respondent(chat).shares(items)
    asked = [conversation(messages(prompts.ANSWER.format(item=prompts.item_text(item)))) for item in items]
    for item, question, shares in zip(items, asked, quick, strict=True):
        lines = [prompts.ANSWER_LINE.format(letter=letter) for letter in item.letters]
        rows = smollm2.log_probabilities([chat.template.ids(question)[0]] * len(lines), lines)
        letter = np.exp([row[3] for row in rows])  # "Answer", ":", " (", then the letter
        assert np.allclose(shares, letter / letter.sum(), atol=1e-4)
    found = SelfExplainer(chat=chat, max_new_tokens=30).explain(items, letters=Respondent(chat).letters(items))
    own = FaithfulnessBattery(("inserted-words", "planted-cue"), insertions=2, max_new_tokens=30).run(
        chat, items, found
    )
    assert not own.scripted
    assert own.value is None  # three items measure nothing
