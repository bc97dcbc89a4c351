"""What of a reason is supported is known where a program answers by one kind of word and talks of another."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.benchmarks.faith_plaus import positive, review_model, review_pool
from explicate.data.language.marked_tasks import CUES, SENTIMENT, review_items, substitutes
from explicate.data.language.nle_tasks import ChoiceItem, templated_items
from explicate.errors import CapabilityError, InputError, ModelError
from explicate.evaluation.belief import (
    CONTRADICTED,
    NOT_TESTED,
    SUPPORTED,
    UNDECIDED,
    Rule,
    believe,
)
from explicate.evaluation.belief.evidence import AgainstOthers, against_others, word_attribution, word_effects
from explicate.evaluation.belief.table import BELIEVE, CONTROLS, DOUBT, IN_PART, OTHER_EXPLANATION, TOO_FEW
from explicate.evaluation.nle_counterfactual import edited
from explicate.evaluation.self_explanation import Respondent
from explicate.models.chat import ScriptedChat
from explicate.rationales import GivenWordFeedback, SelfExplainer, SelfRefiner
from explicate.rationales.feedback import STOP_WORDS
from explicate.rationales.scripted_refiner import scripted
from explicate.runtime.statistics import t_interval

ITEMS = review_items(20)
FORMS = ("narrative", "token-importance", "counterfactual")


def answered_by(rule, items=ITEMS):
    return ["B" if positive(item.fields[0][1], rule) > 0.5 else "A" for item in items]


def told(texts, rule="cue", items=ITEMS):
    """Reasons of the model's own answers, with the given texts."""
    return SelfExplainer(chat=review_model(rule, rule)).given(items, answered_by(rule, items), texts)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", ["sentiment", "cue"])
def test_true_reasons_are_supported_and_others_contradicted_in_every_form(form, rule):
    other = "cue" if rule == "sentiment" else "sentiment"
    true = believe(review_model(rule, rule), ITEMS, form=form, pool=review_pool)
    assert true.counts()[SUPPORTED] == sum(true.counts().values()) > 0
    assert true.verdict == BELIEVE
    assert not any(one.left_out for one in true.predictions)
    false = believe(review_model(rule, other), ITEMS, form=form, pool=review_pool)
    assert false.counts()[CONTRADICTED] == sum(false.counts().values()) > 0
    assert false.verdict == DOUBT
    decisive = SENTIMENT if rule == "sentiment" else CUES
    left = [{part.text for part in one.left_out} for one in false.predictions]
    assert left == [{word for word in item.words if word in decisive} for item in ITEMS]


@pytest.mark.parametrize("rule", ["sentiment", "cue"])
def test_words_not_named_and_explanations_of_other_items_are_not_supported(rule):
    table = believe(review_model(rule, rule), ITEMS, pool=review_pool)
    for name in CONTROLS:
        control = table.control(name)
        assert control.n >= len(ITEMS)
        assert control.value <= 0.05
        assert control.high < table.supported().low
    foreign = [verdict for one in table.predictions for verdict in one.controls[OTHER_EXPLANATION]]
    assert SUPPORTED not in foreign


def test_a_reason_that_is_half_true_is_marked_word_by_word():
    days = [next(word for word in item.words if word in CUES) for item in ITEMS]
    moods = [next(word for word in item.words if word in SENTIMENT) for item in ITEMS]
    texts = [f"I was in a hurry. It is {mood}, and it was {day}." for mood, day in zip(moods, days, strict=True)]
    table = believe(review_model("cue", "cue"), ITEMS, told(texts), insertions=0)
    for one, mood, day in zip(table.predictions, moods, days, strict=True):
        verdicts = {part.text: part.verdict for part in one.parts}
        assert verdicts == {"I was in a hurry.": NOT_TESTED, mood: CONTRADICTED, day: SUPPORTED}
    assert table.verdict == IN_PART
    assert table.supported().value == 0.5


def test_a_word_that_is_said_not_to_matter_is_judged_the_other_way_round():
    days = [next(word for word in item.words if word in CUES) for item in ITEMS]
    denied = [f"This is not because of {day}." for day in days]
    assert believe(review_model("cue", "cue"), ITEMS, told(denied), insertions=0).counts()[CONTRADICTED] == len(ITEMS)
    table = believe(review_model("sentiment", "cue"), ITEMS, told(denied, "sentiment"), insertions=0)
    assert table.counts()[SUPPORTED] == len(ITEMS)


def test_the_figures_are_the_weights_of_the_rule():
    item = ITEMS[0]
    chat = review_model("sentiment", "sentiment")
    (letter,) = Respondent(chat).letters([item])
    effects = word_effects(Respondent(chat), item, letter)
    sign = 1 if letter == "B" else -1
    weights = [sign * SENTIMENT.get(word, 0.0) for word in effects.words]
    np.testing.assert_allclose(effects.edit, weights, atol=1e-6)
    np.testing.assert_allclose(effects.attribution, weights, atol=0.05)
    exact, errors = word_attribution(Respondent(chat), item, letter, "exact-shapley")
    np.testing.assert_allclose(exact, weights, atol=1e-6)
    assert not errors.any()
    alone = word_attribution(Respondent(chat), item, letter, "feature-ablation")[0]
    np.testing.assert_allclose(alone, weights, atol=1e-6)


def test_either_of_two_words_is_undecided_where_attribution_and_edits_disagree():
    """Answers B if "left" or "right" is there: taking one out changes nothing, though half of the credit is its own."""

    def score(messages, continuation):
        either = any(word in messages[-1].content.split("Question:")[1].split("\n")[0] for word in ("left", "right"))
        return np.log([0.9 if ("(B)" in continuation) == either else 0.1])

    chat = ScriptedChat(lambda messages, rng: "Answer: (B)", name="either", score=score)
    item = ChoiceItem("x", "ecqa", (("question", "now turn left before you turn right again please"),), ("no", "yes"))
    reason = SelfExplainer(chat=chat).given([item], ["B"], ["It says left."])
    (one,) = believe(chat, [item], reason, insertions=0).predictions
    assert [(part.text, part.verdict) for part in one.parts] == [("left", UNDECIDED)]
    assert one.parts[0].attribution.says == "for"
    assert one.parts[0].edits.says == "against"
    assert one.parts[0].reason == "by attribution: a reason; by edits: none"
    both = SelfExplainer(chat=chat).given([item], ["B"], ["It says left and right."])
    (one,) = believe(chat, [item], both, insertions=0).predictions
    assert one.together.says == "for"
    assert one.together.effect == pytest.approx(2 * np.log(9), abs=1e-6)


def test_a_figure_speaks_for_a_word_only_beyond_the_interval_of_the_others():
    others = np.array([0.0, 0.2, -0.4, 0.1])
    known = t_interval(np.abs(others))
    assert against_others(known.high + 0.01, 0.0, others, 0.1).says == "for"
    assert against_others(known.high - 0.01, 0.0, others, 0.1).says == "open"
    assert against_others(known.value, 0.0, others, 0.1).says == "against"
    assert against_others(known.high + 0.01, 0.0, others, 5.0).says == "against"
    assert against_others(0.0, 3.0, others, 0.1).says == "open"
    assert against_others(1.0, 0.0, others[:1], 0.1) is None
    gap = AgainstOthers(1.0, 0.0, known, 0.1).gap
    assert (gap.value, gap.high - gap.low) == pytest.approx((1 - known.value, known.high - known.low))


def test_drawn_replies_give_figures_with_an_error_and_are_less_sure():
    """A model without log-probabilities, of the same rule: no false reason comes out as supported."""

    def respond(messages, rng):
        told = known.respond(messages, rng)
        if not told.startswith("Answer:"):
            return told
        text = messages[-1].content.split("Review: ")[1].split("\n")[0]
        return f"Answer: ({'B' if rng.random() < positive(text, 'sentiment') else 'A'})"

    known = review_model("sentiment", "sentiment")
    item = replace(ITEMS[1], fields=(("review", "we saw it on friday and the story was good and the room was fine"),))
    chat = ScriptedChat(respond, name="drawn")
    table = believe(chat, [item], budget=16, insertions=0, draws=40)
    (one,) = table.predictions
    (part,) = one.parts
    assert part.edits.error > 0
    assert part.verdict in (SUPPORTED, UNDECIDED)


def test_an_answer_that_is_not_given_again_is_not_tested():
    letters = ["A" if letter == "B" else "B" for letter in answered_by("cue")]
    reasons = SelfExplainer(chat=review_model("cue", "cue")).given(ITEMS, letters, ["It was on monday."] * len(ITEMS))
    table = believe(review_model("cue", "cue"), ITEMS, reasons, insertions=0)
    assert {part.verdict for one in table.predictions for part in one.parts} == {NOT_TESTED}
    assert table.supported() is None
    assert table.verdict == TOO_FEW
    assert "asked again" in table.predictions[0].parts[0].reason


def test_a_listed_word_that_the_input_does_not_hold_is_contradicted():
    chat = ScriptedChat(lambda messages, rng: "1. wonderful, 90", name="lists", score=review_model("cue", "cue").score)
    table = believe(chat, ITEMS[:2], form="token-importance", insertions=0)
    part = table.predictions[0].parts[0]
    assert (part.text, part.verdict, part.reason) == ("wonderful", CONTRADICTED, "it is not in the input")


def test_a_classifier_answers_and_a_chat_model_explains():
    def classify(texts):
        return np.array([[1 - positive(text, "cue"), positive(text, "cue")] for text in texts])

    for says, verdict in (("cue", BELIEVE), ("sentiment", DOUBT)):
        table = believe(review_model("sentiment", says), ITEMS, answers=classify, pool=review_pool)
        assert table.verdict == verdict
        assert table.model.startswith("classify, explained by ")
    same = believe(review_model("sentiment", "cue"), ITEMS, answers=review_model("cue", "cue"), pool=review_pool)
    assert same.verdict == BELIEVE


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        (3, CapabilityError, "answers nothing"),
        (lambda texts: np.full((len(texts), 3), 1 / 3), InputError, "3 classes, the item 2 choices"),
        (lambda texts: np.full((1, 2), np.nan), ModelError, "probability of each choice"),
    ],
)
def test_a_classifier_that_does_not_fit_is_refused(answers, error, words):
    with pytest.raises(error, match=words):
        believe(review_model("cue", "cue"), ITEMS[:2], answers=answers)


def test_a_chain_of_thought_is_judged_by_its_words_and_by_cutting_it_short():
    """It decides by the weekday before it writes, so its answer stands without the text, whatever the text says."""
    known = review_model("cue", "cue")

    def respond(messages, rng):
        prompt = messages[-1].content
        if "Reason in a few short sentences" not in prompt:
            return known.respond(messages, rng)
        text = prompt.split("Review: ")[1].split("\n")[0]
        day, mood = (next(word for word in text.split() if word in words) for words in (CUES, SENTIMENT))
        letter = "B" if positive(text, "cue") > 0.5 else "A"
        return f"It was {mood}. Also, it was on {day}.\nAnswer: ({letter})"

    chat = ScriptedChat(respond, name="decides first", score=known.score)
    table = believe(chat, ITEMS, form="chain-of-thought")
    assert table.counts() == {SUPPORTED: len(ITEMS), CONTRADICTED: len(ITEMS), UNDECIDED: 0, NOT_TESTED: 0}
    assert all(one.early == 0 for one in table.predictions)
    assert any("0 where the answer stands without the text" in line for line in table.lines())


def test_a_model_that_is_told_the_measured_words_rewrites_its_reason_and_is_believed():
    """It answers by a word that it does not name, and writes what it is fed."""
    items = [edited(item, "premise", 1, "never", 0) for item in templated_items("esnli", 6)]
    chat = scripted()
    before = believe(chat, items, attribution="feature-ablation", insertions=0)
    assert before.counts()[SUPPORTED] == 0
    words = before.measured_words()
    assert [[word for word, _ in own] for own in words] == [["never"]] * len(items)
    refined = SelfRefiner(chat=chat, feedback=GivenWordFeedback(words), rounds=1).explain(items)
    texts = [str(text) for text in refined["round_text"].values[:, 1]]
    reasons = SelfExplainer(chat=chat).given(items, list(refined["answer"].values), texts)
    after = believe(chat, items, reasons, attribution="feature-ablation", insertions=0)
    assert after.counts() == {SUPPORTED: len(items), CONTRADICTED: 0, UNDECIDED: 0, NOT_TESTED: 0}
    assert not after.left_out()
    assert after.verdict == BELIEVE


def test_a_reason_that_names_one_of_several_is_supported_and_the_others_are_left_out():
    items = [item for item in ITEMS if sum(word in SENTIMENT for word in item.words) == 2]
    pairs = [[word for word in item.words if word in SENTIMENT] for item in items]
    first = told([f"It is called {one}." for one, _ in pairs], "sentiment", items)
    table = believe(review_model("sentiment", "cue"), items, first, insertions=0)
    assert table.counts()[SUPPORTED] == len(items) > 2
    assert [[part.text for part in one.left_out] for one in table.predictions] == [[two] for _, two in pairs]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_word_at_random_is_supported_just_where_the_rule_weighs_it(seed):
    rng = np.random.default_rng(seed)
    words = [str(rng.choice([word for word in item.words if word not in STOP_WORDS])) for item in ITEMS]
    table = believe(
        review_model("sentiment", "cue"), ITEMS, told([f"So: {word}" for word in words], "sentiment"), insertions=0
    )
    verdicts = [one.parts[0].verdict for one in table.predictions]
    assert verdicts == [SUPPORTED if word in SENTIMENT else CONTRADICTED for word in words]


def test_a_model_that_looks_at_no_word_has_no_true_reason():
    chat = ScriptedChat(lambda messages, rng: "", name="blind", score=lambda messages, text: np.log([0.5]))
    reasons = SelfExplainer(chat=chat).given(ITEMS, ["A"] * len(ITEMS), [item.fields[0][1] for item in ITEMS])
    table = believe(chat, ITEMS, reasons, insertions=0)
    assert {verdict for one in table.predictions for verdict in one.verdicts()} == {CONTRADICTED}
    assert table.control(CONTROLS[0]).value == 0


def test_bad_input_says_what_to_do():
    chat = review_model("cue", "cue")
    with pytest.raises(InputError, match="no items"):
        believe(chat, [])
    with pytest.raises(InputError, match="of other items"):
        believe(chat, ITEMS[:2], told(["because"] * len(ITEMS)))
    with pytest.raises(InputError, match="an effect counts from"):
        Rule(least=0)
    with pytest.raises(InputError, match="attributes no scores to words"):
        believe(chat, ITEMS[:2], attribution="self-refine")
    with pytest.raises(InputError, match="2 answers, 1 texts for 2 items"):
        SelfExplainer(chat=chat).given(ITEMS[:2], ["A", "B"], ["x"])


def test_the_table_is_told_in_text_frame_and_file(tmp_path):
    table = believe(review_model("cue", "sentiment"), ITEMS, substitutes=substitutes, pool=review_pool)
    assert "do not believe these reasons" in str(table).lower()
    assert "and 15 more predictions" in str(table)
    frame = table.to_frame()
    assert len(frame) == sum(table.counts().values())
    assert set(frame["verdict"]) == {CONTRADICTED}
    saved = json.loads(table.save(tmp_path / "beliefs.json").read_text())
    assert saved["verdict"] == DOUBT
    assert saved["scripted"] is True
    assert len(saved["predictions"]) == len(ITEMS)
    assert saved["tests"][1]["notes"]["simulated"] is True


def test_smollm2_gives_reasons_and_the_table_says_which_parts_move_it(smollm2):
    from explicate.models.chat import LocalChat

    chat = LocalChat(smollm2)
    item = ChoiceItem(
        "film", "review", (("review", "the film was dull and the acting was poor"),), ("negative", "positive")
    )
    respondent = Respondent(chat)
    (letter,) = respondent.letters([item])
    reason = SelfExplainer(chat=chat).given([item], [letter], ["The film is called dull."])
    table = believe(chat, [item], reason, attribution="feature-ablation", insertions=0, rule=Rule(random_sets=4))
    (one,) = table.predictions
    parts = {part.text: part for part in one.parts}
    assert set(parts) == {"film", "dull"}
    for word, part in parts.items():
        shorter = item.fields[0][1].replace(f" {word}", "", 1)
        dotted = item.fields[0][1].replace(word, "...", 1)
        edited = [replace(item, fields=(("review", text),)) for text in (shorter, dotted)]
        place = item.letters.index(letter)
        odds = [np.log(s[place] / (1 - s[place])) for s in respondent.shares([item, *edited])]
        assert part.edits.effect == pytest.approx(odds[0] - np.mean(odds[1:]), abs=1e-4)
        assert part.attribution.effect == pytest.approx(odds[0] - odds[1], abs=1e-4)
    assert table.verdict == TOO_FEW
    assert not table.scripted
