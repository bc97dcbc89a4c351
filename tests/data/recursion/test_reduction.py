"""Small steps and big steps give the same, and each step is the rule that it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.recursion import INORDER, POSTORDER, PREORDER, SUCCESSOR, Call, redex, reduce, text_of, trace
from explicate.data.recursion.expressions import words_of
from explicate.data.recursion.successor import carry, numbers, term_of
from explicate.data.recursion.trees import random_tree
from explicate.errors import InputError

TERMS = numbers(6)


def test_every_trace_ends_in_the_value_after_three_rules_for_each_level():
    for term in TERMS:
        steps = trace(SUCCESSOR, term)
        assert steps[-1].expression == SUCCESSOR(term)
        assert [one.rule for one in steps[1:]] == ["delta", "beta", "iota"] * (carry(term) + 1)
        assert [one.done for one in steps] == [False] * (len(steps) - 1) + [True]


def test_a_call_step_is_what_its_three_rules_come_to():
    for term in TERMS:
        calls = trace(SUCCESSOR, term, grain="call")
        rules = trace(SUCCESSOR, term)
        assert [one.expression for one in calls] == [one.expression for one in rules[::3]]


def test_three_times_two_plus_one_in_full():
    shown = [text_of(one.expression) for one in trace(SUCCESSOR, term_of(7), grain="call")]
    assert shown == ["s (X1 (X1 01))", "X0 (s (X1 01))", "X0 (X0 (s 01))", "X0 (X0 (X0 01))"]
    assert text_of(reduce(SUCCESSOR, term_of(7), 2).expression) == "<s: cases of> (X1 (X1 01))"


@given(st.integers(0, 10**6), st.sampled_from([PREORDER, INORDER, POSTORDER]))
def test_traversals_reduce_to_their_values_at_both_grains(seed, function):
    tree = random_tree(np.random.default_rng(seed), 3)
    for grain in ("rule", "call"):
        steps = trace(function, tree, grain=grain)
        assert steps[-1].expression == function(tree)
        k = seed % (len(steps) + 2)
        assert reduce(function, tree, k, grain=grain) == steps[min(k, len(steps) - 1)]
    assert sum(one.rule == "iota" for one in trace(function, tree)) == len(trace(function, tree, grain="call")) - 1
    for before in trace(function, tree, grain="call")[:-1]:
        assert function.names.parse(text_of(before.expression)) == before.expression
        assert function.names.parse(" ".join(words_of(before.expression))) == before.expression
        assert isinstance(redex(before.expression), Call)


def test_k_below_zero_is_an_error_and_beyond_the_end_is_the_normal_form():
    with pytest.raises(InputError, match="k is -1"):
        reduce(SUCCESSOR, term_of(7), -1)
    found = reduce(SUCCESSOR, term_of(7), 1000)
    assert (found.expression, found.steps, found.done) == (SUCCESSOR(term_of(7)), 9, True)
    assert not reduce(SUCCESSOR, term_of(7), 8).done


def test_an_ill_typed_call_is_an_error_with_its_text():
    with pytest.raises(InputError, match="'s leaf': s has no case for 'leaf'"):
        SUCCESSOR.body(SUCCESSOR.names.__class__({"leaf": 0}, {"s": 1}).parse("s leaf"))


@pytest.mark.parametrize(
    ("text", "words"), [("X0 (01", "not closed"), ("X0", "missing"), ("X2 01", "'X2'"), ("01 01", "ends before")]
)
def test_texts_that_are_no_expression_say_where(text, words):
    with pytest.raises(InputError, match=words):
        SUCCESSOR.names.parse(text)
