"""Redefined arithmetic against Python's own, with the redefinition written into the expression's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.contradicting_arithmetic import Operation, arithmetic_contradictions, value
from explicate.errors import InputError


def expressions(depth):
    number = st.integers(0, 9)
    below = number if depth == 1 else st.one_of(number, expressions(depth - 1))
    return st.builds(Operation, st.sampled_from(["+", "-", "*", "/", "**"]), below, below)


@given(expressions(2))
def test_values_are_pythons(expression):
    found = value(expression)
    if found is not None:
        assert eval(str(expression)) == found


@pytest.mark.parametrize(
    ("redefined", "digit", "expected"),
    [(Operation("+", 3, 4), 9, 18), (3, 1, 10), (2, 5, 35), (8, 1, 14), (None, 0, 14)],
)
def test_a_redefined_part_counts_as_its_digit_wherever_it_stands(redefined, digit, expected):
    expression = Operation("*", Operation("+", 3, 4), 2)
    assert value(expression, redefined, digit) == expected
    assert value(Operation("+", 3, 3), 3, 5) == 10


@pytest.mark.parametrize("expression", [("/", 1, 0), ("/", 3, 2), ("**", 0, -1), ("**", 9, 9)])
def test_what_is_no_small_whole_number_has_no_value(expression):
    assert value(Operation(*expression)) is None


@pytest.mark.parametrize(("depth", "largest"), [(2, 9), (1, 9), (2, 99)])
def test_questions_differ_and_both_answers_follow(depth, largest):
    count = 150 if depth == 1 else 1050
    found = arithmetic_contradictions(count, depth=depth, largest=largest)
    assert len({question.subject for question in found}) == count
    for question in found:
        part, digit = question.context.rsplit(" = ", 1)
        assert eval(question.subject) == int(question.prior_answer)
        text = f"({question.subject})".replace(f"({part})", f"({digit})") if " " in part else question.subject
        if " " not in part:
            text = " ".join(digit if word.strip("()") == part else word for word in _spread(text))
        assert eval(text) == int(question.context_answer) != int(question.prior_answer)
        assert 0 <= int(question.context_answer) <= largest
    assert arithmetic_contradictions(20, seed=1) != arithmetic_contradictions(20, seed=2)


def test_more_than_there_are_is_refused():
    with pytest.raises(InputError, match="ask for fewer"):
        arithmetic_contradictions(600, depth=1)
    with pytest.raises(InputError, match="depth 1 or 2"):
        arithmetic_contradictions(5, depth=3)


def test_queries_to_complete():
    question = arithmetic_contradictions(1, depth=1, completion=True).questions[0]
    assert question.query == f"{question.subject} = "


def _spread(text):
    return text.replace("(", "( ").replace(")", " )").split()
