"""Scores by depth, floors by enumeration, and failures that are told apart."""

import numpy as np
import pytest

from explicate.benchmarks.recursion import (
    Items,
    PartialTask,
    SuccessorTask,
    TraversalTask,
    all_numbers,
    baselines,
    score,
    scored,
)
from explicate.benchmarks.recursion.tasks import depth_weights
from explicate.data.recursion import INORDER, SUCCESSOR, Term, successor_machine
from explicate.data.recursion.successor import numbers, term_of
from explicate.data.recursion.trees import node, random_tree, values_of
from explicate.errors import InputError


class Running:
    """A machine in a model's place, with a table of positions."""

    def __init__(self, machine, longest=99):
        self.machine, self.longest = machine, longest

    def fits(self, text):
        return len(text) <= self.longest

    def answers(self, texts):
        return [self.machine(text) for text in texts]


def test_uniform_sampling_hides_deep_inputs():
    items = all_numbers(SuccessorTask(), 10, least=10)
    assert np.bincount(items.depths).tolist() == [512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1]
    weights = depth_weights(items.depths, balanced=True)
    assert np.bincount(items.depths, weights) == pytest.approx(np.ones(11))
    assert set(depth_weights(items.depths, balanced=False)) == {1.0}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_planted_short_cut_is_seen_in_the_scores_by_depth(reverse):
    task = SuccessorTask(reverse)
    items = all_numbers(task, 7)
    found = score(Running(successor_machine(reverse, 2)), items)
    assert found.by_depth() == {depth: float(depth <= 2) for depth in range(8)}
    assert found.exact(3) == 0
    assert found.exact(0, 2) == 1
    assert score(Running(task.machine()), items).exact() == 1
    assert 0 < found.tokens(3) < 1


def test_the_floors_are_low():
    items = all_numbers(SuccessorTask(), 8)
    floors = baselines(items)
    assert floors["copy the input"].exact() == 0
    # right without recursion just where the carry is of no digit, or of none but the last
    assert floors["apply the case without recursion"].by_depth() == {0: 1.0} | dict.fromkeys(range(1, 9), 0.0)


def test_copying_is_preorder_once_brackets_are_gone():
    tree = node("v1", node("v2", Term("leaf"), Term("leaf")), Term("leaf"))
    pre, inorder = TraversalTask("preorder").items([tree]), TraversalTask("inorder").items([tree])
    assert baselines(pre)["apply the case without recursion"].exact() == 1
    assert inorder.outputs == (("v2", "v1"),)
    assert baselines(pre)["copy the input"].counts() == {"malformed": 1}


def test_malformed_answers_and_inputs_out_of_range_are_outcomes():
    items = all_numbers(SuccessorTask(), 3, least=3)
    found = score(Running(lambda words: ("X0",), longest=3), items)
    assert found.counts() == {"out of range": 8}
    assert found.answers == (None,) * 8
    found = score(Running(lambda words: ("X0",)), items)
    assert found.counts() == {"malformed": 8}
    found = scored(items, [("01",)] * 7 + [items.outputs[7]])
    assert found.counts() == {"wrong": 7, "right": 1}


def test_partial_tasks_go_through_the_reduction():
    task = PartialTask(SuccessorTask(), 2)
    items = task.items([term_of(7), term_of(2)])
    assert items.inputs[0] == ("s", "X1", "X1", "01")
    assert items.outputs == (("X0", "X0", "s", "01"), ("X1", "01"))
    assert scored(items, [("X0", "s"), items.outputs[1]]).outcomes == ("malformed", "right")
    assert {word for one in (*items.inputs, *items.outputs) for word in one} <= set(task.words)
    tree = random_tree(np.random.default_rng(3), 3)
    whole = PartialTask(TraversalTask("inorder"), 1000).items([tree])
    assert tuple(word for word in whole.outputs[0] if word.startswith("v")) == values_of(INORDER(tree))
    with pytest.raises(InputError, match="at least one"):
        PartialTask(SuccessorTask(), 0)


def test_items_that_are_not_there():
    items = SuccessorTask().items(numbers(3))
    assert isinstance(items.where(items.depths == 2), Items)
    with pytest.raises(InputError, match="no item"):
        items.where(items.depths > 5)
    assert np.isnan(scored(items, items.outputs).exact(7))
    assert str(SUCCESSOR(items.terms[0])) == "X0 01"
