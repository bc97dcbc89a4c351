"""Reasoning that an answer needs, and reasoning that comes after it."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.evaluation.self_explanation import FaithfulnessBattery, Respondent
from explicate.evaluation.self_explanation.reasoning import corruption, paraphrased, wrong_sentence
from explicate.rationales.scripted_reasoners import DIGITS, reasoner, sum_items
from explicate.rationales.self_explanation_prompts import sentences
from explicate.rationales.self_explanations import SelfExplainer

ITEMS = sum_items(40)
TESTS = ("early-answering", "corruption")


@pytest.mark.parametrize("needs", [False, True])
def test_area_over_the_curve_and_corruption_have_their_known_values(needs):
    chat = reasoner(needs)
    explanation = SelfExplainer(form="chain-of-thought", chat=chat).explain(ITEMS)
    assert (explanation["status"].values == "ok").all()
    right = [item.letters[item.gold] for item in ITEMS]
    assert explanation["answer"].values.tolist() == right
    axis = FaithfulnessBattery(TESTS).run(chat, ITEMS, explanation)
    early, spoilt = axis.test("early-answering"), axis.test("corruption")
    parts = dict(zip(spoilt.columns, spoilt.values.mean(axis=0), strict=True))
    assert parts["same when reworded"] == 1.0
    if needs:
        assert early.score >= 0.4
        assert parts["moved by a wrong sentence"] >= 0.8  # goes on from the wrong sum, or guesses off the options
        assert 0.6 <= parts["moved by filler"] <= 1.0  # a guess is right one time in five
        assert axis.value >= 0.6
    else:
        assert early.score <= 0.05
        assert parts["moved by a wrong sentence"] == parts["moved by filler"] == 0.0


def test_kept_after_a_wrong_sentence_only_the_last_one_decides():
    chat = reasoner(True)
    explanation = SelfExplainer(form="chain-of-thought", chat=chat).explain(ITEMS)
    texts = [str(text) for text in explanation["text"].values]
    found = corruption(Respondent(chat), ITEMS, texts, "kept", 0)
    moved = found.values[:, 0].mean()
    share = 1 / (DIGITS - 1)  # the place is drawn at random among the sentences
    assert abs(moved - share) < 3 * np.sqrt(share * (1 - share) / len(ITEMS))
    with pytest.raises(InputError, match="regenerated or kept"):
        corruption(Respondent(chat), ITEMS, texts, "cut", 0)


def test_wrong_sentences_are_wrong_and_reworded_ones_hold_the_same_numbers():
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert wrong_sentence("3 plus 4 is 7.", (), rng) not in ("3 plus 4 is 7.", "")
    assert wrong_sentence("It is so.", ["It is not."], rng) == "It is not."
    assert wrong_sentence("It is so.", [], rng) == ""
    assert paraphrased("3 plus 4 is 7.") == "In other words: 3 added to 4 is indeed 7."
    assert sentences("One. Two!\n\nThree? 3.5 is a number.") == ["One.", "Two!", "Three?", "3.5 is a number."]
