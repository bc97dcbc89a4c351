"""Deductions follow from their stories; random texts have their shape; splits are apart."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.data.language.babi15 import ANIMALS, ANSWERS, WORDS, apart, babi15, majority_rate
from explicate.errors import InputError


def solved(story):
    """The answer, found by reading the sentences."""
    singular = {plural: one for one, plural in ANIMALS.items()}
    fears = {singular[a.lower()]: singular[b] for a, b in re.findall(r"(\w+) are afraid of (\w+)\.", story)}
    kinds = dict(re.findall(r"(\w+) is a (\w+)\.", story))
    assert len(fears) == len(kinds) == 4
    assert all(a != b for a, b in fears.items())
    return fears[kinds[re.findall(r"What is (\w+) afraid of\?", story)[-1]]]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_answer_follows_from_the_story(seed):
    for example in babi15(4, seed=seed):
        assert solved(example.question) == example.answer
        assert example.solved.endswith(f"Answer: {example.answer}")


def test_one_shot_puts_another_solved_story_before():
    for example in babi15(5, shots=1, seed=3):
        first, second = example.question.split("\n\n")
        assert solved(first) == first.split()[-1]
        assert solved(second) == example.answer
        assert example.random.count("\n") == example.solved.count("\n")


def test_random_texts_have_the_shape_and_nothing_of_the_story():
    for example in babi15(20, seed=1):
        lines = list(zip(example.random.split("\n"), example.solved.split("\n"), strict=True))
        assert all(len(a.split()) == len(b.split()) and a.count(".") == b.count(".") for a, b in lines)
        assert {word.strip(".") for word in example.random.split()} <= set(WORDS)


def test_draws_are_the_seed_s_and_distinct():
    one = babi15(100, seed=5)
    assert one == babi15(100, seed=5)
    assert len({each.question for each in one}) == 100
    apart(one, babi15(100, seed=6))
    with pytest.raises(InputError, match="100 stories are in two splits"):
        apart(one, one)
    assert {each.answer for each in one} == set(ANSWERS)
    assert 0.25 <= majority_rate(one) < 0.45
    for count, shots in ((0, 0), (3, 2)):
        with pytest.raises(InputError):
            babi15(count, shots=shots)
