"""Pair accuracy and its relatives on answers whose scores are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.benchmarks.context_sensitivity import Sensitivity, answered, number_word
from explicate.data.language.contradicting_contexts import ContradictedQuestion, ContradictingContexts
from explicate.errors import InputError

QUESTIONS = ContradictingContexts(
    tuple(ContradictedQuestion("c", "q", context, prior) for context, prior in [("Rome", "Paris"), ("9", "7")] * 2)
)


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        (" Paris, of course", "Paris", True),
        ("paris", "Paris", True),
        ("In Paris", "Paris", False),
        ("The capital", "Paris", False),
        ("14", "14", True),
        ("14 is it", "14", True),
        ("140", "14", False),
        ("3 + 4 = 7", "7", True),
        ("so it is 7.", "7", True),
        ("Seven", "7", True),
        ("the answer is seventeen", "7", False),
        ("forty-two", "42", True),
        ("forty-two", "40", False),
        ("7 + 1", "1", True),
        ("7 or 1 or 2", "1", False),
        ("-3", "3", False),
        ("-3", "-3", True),
        ("", "3", False),
    ],
)
def test_what_counts_as_the_answer(text, expected, right):
    assert answered(text, expected) is right


@given(st.integers(0, 99), st.integers(0, 99))
def test_number_words_name_their_number_and_no_other(one, two):
    assert answered(number_word(one), str(one))
    assert answered(number_word(one), str(two)) == (one == two)


def test_a_model_that_ignores_the_intent_has_half_the_answers_and_no_pair():
    always_context = [question.context_answer for question in QUESTIONS]
    found = Sensitivity.of(QUESTIONS, {"prior": always_context, "context": always_context})
    assert found.accuracy() == 0.5
    assert found.pair_accuracy == 0.0
    assert (found.accuracy("prior"), found.accuracy("context")) == (0.0, 1.0)
    assert found.memorisation_ratio() == 0.0
    assert found.other_answers() == 0.0
    assert found.interval.low == 0.0


def test_figures_of_mixed_answers():
    texts = {"prior": ["Paris", "seven", "Rome", "who knows"], "context": ["Rome", "9", "Rome", "9"]}
    found = Sensitivity.of(QUESTIONS, texts, alone=["Paris", "7", "London", "= 7"])
    assert found.pairs.tolist() == [True, True, False, False]
    assert found.memorisation_ratio("prior") == pytest.approx(2 / 3)
    assert found.memorisation_ratio("context") == 0.0
    assert found.memorisation_ratio() == pytest.approx(2 / 7)
    assert found.other_answers("prior") == 0.25
    assert found.known_share == 0.75
    assert found.on_known().pair_accuracy == pytest.approx(2 / 3)
    assert found.to_dict()["known"]["questions"] == 3


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_pair_accuracy_never_exceeds_either_accuracy(rows):
    said = np.array(rows).T.reshape(2, 2, -1).swapaxes(1, 2)
    found = Sensitivity(said)
    assert found.pair_accuracy <= min(found.accuracy("prior"), found.accuracy("context"))
    assert found.accuracy("prior") + found.accuracy("context") - 1 <= found.pair_accuracy + 1e-12
    assert found.accuracy() == pytest.approx((found.accuracy("prior") + found.accuracy("context")) / 2)


def test_what_cannot_be_scored_is_refused():
    assert math.isnan(Sensitivity(np.zeros((2, 1, 2), dtype=bool)).memorisation_ratio())
    with pytest.raises(InputError, match="is empty"):
        answered("Paris", " ")
    with pytest.raises(InputError, match="1 answers for 4 questions"):
        Sensitivity.of(QUESTIONS, {"prior": ["Paris"], "context": ["Rome"] * 4})
    with pytest.raises(InputError, match="score with alone"):
        Sensitivity(np.zeros((2, 1, 2), dtype=bool)).on_known()
