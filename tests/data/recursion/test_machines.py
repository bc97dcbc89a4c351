"""The machines of the true recursion are the functions, on every input; short-cuts differ just where they should."""

import numpy as np
import pytest

from explicate.data.recursion import (
    NATURAL,
    REVERSED,
    SUCCESSOR,
    TREE_WORDS,
    Machine,
    Move,
    Rule,
    successor_machine,
    traversal_machine,
)
from explicate.data.recursion.successor import carry, numbers, size
from explicate.data.recursion.trees import TRAVERSALS, levels, random_tree, values_of
from explicate.errors import InputError

TERMS = numbers(7)


@pytest.mark.parametrize("encoding", [NATURAL, REVERSED], ids=["natural", "reverse"])
def test_the_true_machine_is_the_successor(encoding):
    machine = successor_machine(encoding.reverse)
    for term in TERMS:
        assert machine(encoding.encode(term)) == encoding.encode(SUCCESSOR(term))


@pytest.mark.parametrize("encoding", [NATURAL, REVERSED], ids=["natural", "reverse"])
@pytest.mark.parametrize("beyond", ["copy", "zeros", "stop"])
def test_a_short_cut_fails_on_longer_carries_alone(encoding, beyond):
    machine = successor_machine(encoding.reverse, 2, beyond)
    for term in TERMS:
        right = machine(encoding.encode(term)) == encoding.encode(SUCCESSOR(term))
        # X1 X1 X1 01 all zeroed still lacks its further digit, so zeros are wrong there too
        assert right == (carry(term) <= 2)


@pytest.mark.parametrize("encoding", [NATURAL, REVERSED], ids=["natural", "reverse"])
def test_without_the_further_digit_only_the_edge_fails(encoding):
    machine = successor_machine(encoding.reverse, longer=False)
    for term in TERMS:
        written = machine(encoding.encode(term))
        edge = carry(term) == size(term)
        assert (written == encoding.encode(SUCCESSOR(term))) == (not edge)
        assert not edge or len(written) == size(term) + 1


@pytest.mark.parametrize("encoding", [NATURAL, REVERSED], ids=["natural", "reverse"])
def test_a_lost_carry_is_a_run_of_zeros_and_nothing_else(encoding):
    machine = successor_machine(encoding.reverse, 2, "lose")
    for term in TERMS:
        digits = NATURAL.encode(term)
        lost = ("X0",) * carry(term) + digits[carry(term) :]
        right = NATURAL.encode(SUCCESSOR(term))
        wanted = right if carry(term) <= 2 else lost
        assert machine(encoding.encode(term)) == (wanted[::-1] if encoding.reverse else wanted)


@pytest.mark.parametrize("encoding", [NATURAL, REVERSED], ids=["natural", "reverse"])
@pytest.mark.parametrize("kept", [0, 2, 9])
def test_digits_that_are_kept_are_those_of_the_input(encoding, kept):
    machine = successor_machine(encoding.reverse, kept=kept)
    for term in TERMS:
        digits, right = NATURAL.encode(term)[:-1], NATURAL.encode(SUCCESSOR(term))
        free = max(len(digits) - kept, 0)
        wanted = (*right[:free], *digits[free:], "01")
        assert machine(encoding.encode(term)) == (wanted[::-1] if encoding.reverse else wanted)
    assert f"the {kept} digits next to 01 kept" in machine.name


def test_a_run_shows_its_moves():
    moves = successor_machine().run(("X1", "X0", "X1", "01"))
    assert [(move.rule, move.word) for move in moves] == [
        ("carry on", "X0"), ("the carry ends", "X1"), ("copy", "X1"), ("the end", "01")]  # fmt: skip
    assert [move.state.head for move in moves] == [0, 1, 2, 3]


@pytest.mark.parametrize("order", TRAVERSALS)
def test_traversal_machines_are_the_traversals_and_fail_only_below_their_reach(order):
    rng = np.random.default_rng(1)
    function, whole = TRAVERSALS[order], traversal_machine(order)
    for _ in range(60):
        tree = random_tree(rng, 4)
        words, right = TREE_WORDS.encode(tree), values_of(function(tree))
        assert whole(words) == right
        assert traversal_machine(order, 4, "skip")(words) == right
        for reach in (1, 2):
            flat, skip = traversal_machine(order, reach)(words), traversal_machine(order, reach, "skip")(words)
            assert sorted(flat) == sorted(right)
            assert (skip == right) == (levels(tree) <= reach)
            assert skip == tuple(value for value in flat if value in skip)
        assert traversal_machine("preorder", 0)(words) == tuple(word for word in words if word.startswith("v"))


def test_rules_that_do_not_decide_are_an_error():
    halt = Rule("a", lambda s, w: True, lambda s, w: Move(s))
    with pytest.raises(InputError, match="has 2 rules"):
        Machine("two", (halt, halt))(("X0",))
    with pytest.raises(InputError, match="has 0 rules"):
        Machine("none", ())(("X0",))
    with pytest.raises(InputError, match="does not end"):
        Machine("round", (halt,))(("X0",))
