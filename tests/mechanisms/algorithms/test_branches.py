"""Branches: planted bounds are found, noise is not, and every input has exactly one branch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.mechanisms.algorithms import Branch, Condition
from explicate.mechanisms.algorithms.branches import grown, numbers_of


def planted(count, seed=0):
    """Which of three hypotheses agrees with the model: the first up to size 4, the others beyond, by age."""
    rng = np.random.default_rng(seed)
    measured = [{"size": int(rng.integers(10)), "age": int(rng.integers(10))} for _ in range(count)]
    right = [0 if one["size"] <= 4 else 1 if one["age"] <= 6 else 2 for one in measured]
    return np.array([[number == one for one in right] for number in range(3)]), measured, right


def test_planted_bounds_are_found():
    same, measured, right = planted(300)
    found = grown(same, measured)
    assert [(tuple(map(str, one.conditions)), one.number) for one in found.branches] == [
        (("size <= 4",), 0),
        (("size > 4", "age <= 6"), 1),
        (("size > 4", "age > 6"), 2),
    ]
    assert found.validated == 1
    assert numbers_of(found.branches, measured) == right


def test_the_share_that_is_validated_is_not_that_of_the_fit():
    rng = np.random.default_rng(1)
    coin = rng.random(120) < 0.5
    same, measured = np.array([coin, ~coin]), [{"place": place} for place in range(120)]
    free = grown(same, measured, most=40, least=1)
    assert free.validated < 0.65
    assert len(free.branches) < 40


@pytest.mark.parametrize("least", [1, 20, 60])
def test_each_branch_has_enough_probes(least):
    same, measured, _ = planted(100, seed=3)
    found = grown(same, measured, least=least)
    counts = np.bincount([[b.holds(one) for b in found.branches].index(True) for one in measured])
    assert counts.min() >= least
    assert (len(found.branches) == 1) == (least == 60)


def test_one_branch_where_nothing_is_to_be_told_apart():
    same = np.array([[True, True, False], [False, False, True]])
    assert grown(same, [{"size": 1.0}] * 3).branches == (Branch((), 0),)
    assert grown(same, [{}] * 3).branches == (Branch((), 0),)
    assert grown(same[:, :1], [{"size": 1.0}]).validated == 0  # one probe cannot be judged by others


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 60), st.integers(1, 6))
def test_exactly_one_branch_holds_for_any_input(seed, count, most):
    rng = np.random.default_rng(seed)
    same = rng.random((4, count)) < 0.4
    measured = [{"size": int(rng.integers(5)), "age": int(rng.integers(5))} for _ in range(count)]
    found = grown(same, measured, most=most, least=2)
    assert 1 <= len(found.branches) <= most
    for size in range(-1, 7):
        for age in range(-1, 7):
            assert sum(one.holds({"size": size, "age": age}) for one in found.branches) == 1
    # branches fit the probes at least as well as the best hypothesis alone
    own = numbers_of(found.branches, measured)
    assert same[own, np.arange(count)].mean() >= same.mean(axis=1).max()


def test_a_condition_says_what_it_asks():
    condition = Condition("carry", 4.0, above=True)
    assert str(condition) == "carry > 4"
    assert [condition({"carry": value}) for value in (4, 5)] == [False, True]
