"""Encodings are one to one, and what is no term is told with its place."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.recursion import NATURAL, REVERSED, TREE, TREE_WORDS, Encoding, Malformed, Term
from explicate.data.recursion.successor import numbers, size, term_of
from explicate.data.recursion.trees import LIST, levels, list_term, random_tree, shape_of, values_of
from explicate.errors import InputError


def test_every_number_is_read_back_in_both_orders():
    for term in numbers(7):
        assert NATURAL.decode(NATURAL.encode(term)) == term == REVERSED.decode(REVERSED.encode(term))
        assert len(NATURAL.encode(term)) == size(term) + 1


def test_just_the_sequences_that_end_in_01_are_terms():
    for length in range(1, 6):
        for words in product(("X0", "X1", "01"), repeat=length):
            found = NATURAL.decode(words)
            good = words[-1] == "01" and "01" not in words[:-1]
            assert isinstance(found, Term) == good
            if not good:
                first = words.index("01") + 1 if "01" in words else length
                assert found.position == first
            other = REVERSED.decode(words[::-1])
            assert isinstance(other, Term) == good


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_trees_are_read_back_and_cut_ones_are_malformed(seed, brackets, reverse):
    tree = random_tree(np.random.default_rng(seed), 4)
    encoding = Encoding(TREE, brackets, reverse)
    words = encoding.encode(tree)
    assert set(words) <= set(encoding.words)
    assert encoding.decode(words) == tree
    assert isinstance(encoding.decode(words[:-1]), Malformed)
    assert isinstance(encoding.decode((*words, "leaf")), Malformed)


def test_brackets_keep_the_name_where_two_constructors_could_be_meant():
    words = Encoding(NATURAL.type, brackets=True).encode(term_of(6))
    assert words == ("(", "X0", "(", "X1", "01", ")", ")")
    assert Encoding(NATURAL.type, brackets=True).decode(words) == term_of(6)
    assert TREE_WORDS.encode(TREE.term("node", "v1", "leaf", "leaf")) == ("(", "v1", "leaf", "leaf", ")")


@pytest.mark.parametrize(
    ("words", "position"),
    [
        ([], 0),
        (["("], 1),
        (["(", "v1", "leaf", ")"], 3),
        (["(", "leaf", "leaf", "leaf", ")"], 1),
        (["(", "v1", "leaf", "leaf"], 4),
    ],
)
def test_malformed_trees_say_where(words, position):
    assert TREE_WORDS.decode(words).position == position


def test_lists_of_values_and_what_is_none():
    assert values_of(list_term(["v2", "v1"])) == ("v2", "v1")
    assert list_term([]) == LIST.term("nil")
    assert list_term(["v1", "("]) == Malformed(1, "'(' is no value")


def test_random_trees_have_the_levels_asked_for_and_no_value_twice():
    rng = np.random.default_rng(0)
    for _ in range(100):
        tree = random_tree(rng, 4, exact=True)
        assert levels(tree) == 4 == levels(shape_of(tree))
        assert len(set(values_of(tree))) == len(values_of(tree))
    with pytest.raises(InputError, match="cannot be drawn"):
        random_tree(rng, 3, ("v1", "v2"), exact=True)
