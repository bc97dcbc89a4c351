"""Types, functions and their checks: what is not structural recursion is refused with its equation."""

import pytest

from explicate.data.recursion import (
    INORDER,
    POSITIVE,
    POSTORDER,
    PREORDER,
    SUCCESSOR,
    TREE,
    Constructor,
    InductiveType,
    RecursiveFunction,
    Term,
)
from explicate.data.recursion.successor import number_of, numbers, term_of
from explicate.data.recursion.trees import LIST, node, values_of
from explicate.errors import InputError

DOUBLING = ["f 01 = X0 01", "f (X0 b) = X0 (f b)"]


def test_the_successor_adds_one_to_every_number_up_to_2047():
    terms = numbers(9)
    assert sorted(map(number_of, terms)) == list(range(1, 1024))
    assert all(number_of(SUCCESSOR(term)) == number_of(term) + 1 for term in terms)
    assert all(term_of(number_of(term)) == term for term in terms[:100])


def test_traversals_write_values_in_their_orders():
    tree = node(
        "v1", node("v2", Term("leaf"), node("v3", Term("leaf"), Term("leaf"))), node("v4", Term("leaf"), Term("leaf"))
    )
    assert values_of(PREORDER(tree)) == ("v1", "v2", "v3", "v4")
    assert values_of(INORDER(tree)) == ("v2", "v3", "v1", "v4")
    assert values_of(POSTORDER(tree)) == ("v3", "v2", "v4", "v1")


@pytest.mark.parametrize("call", ["f (X1 b)", "f (f b)", "f 01"])
def test_a_call_on_what_is_no_sub_term_is_refused_with_its_equation(call):
    with pytest.raises(InputError, match=r"f \(X1 b\) = X0 \(.*no direct sub-term"):
        RecursiveFunction.of("f", POSITIVE, [*DOUBLING, f"f (X1 b) = X0 ({call})"])


def test_a_call_on_a_value_of_the_pattern_is_no_recursion():
    with pytest.raises(InputError, match="direct sub-term of its argument; call it on l or r"):
        RecursiveFunction.of("g", TREE, ["g leaf = nil", "g (node x l r) = g x"], result=LIST)


@pytest.mark.parametrize(
    ("equations", "words"),
    [
        (DOUBLING, "no equations for the constructor X1"),
        ([*DOUBLING, "f (X1 b) = 01", "f (X1 c) = c"], "2 equations for the constructor X1"),
        ([*DOUBLING, "f (X1 b) = X0 c"], "name 'c', which nothing binds"),
        ([*DOUBLING, "f (X1 b) = X0"], "ends where an expression is missing"),
        ([*DOUBLING, "f b = X0 b"], "does not say what f gives for a constructor"),
        ([*DOUBLING, "f (X1 b) X0 b"], "does not say|ends before it"),
    ],
)
def test_other_bad_equations_are_named(equations, words):
    with pytest.raises(InputError, match=words):
        RecursiveFunction.of("f", POSITIVE, equations)


def test_types_refuse_names_twice_and_having_no_term():
    with pytest.raises(InputError, match="the name 'a' twice"):
        InductiveType("t", (Constructor("a"), Constructor("b", 1, (0,))), ("a",))
    with pytest.raises(InputError, match="has no term"):
        InductiveType("stream", (Constructor("cons", 2, (1,)),), ("v",))
    with pytest.raises(InputError, match="cannot be recursive"):
        Constructor("X0", 1, (1,))


def test_terms_are_checked():
    with pytest.raises(InputError, match="takes 1 arguments, not 0"):
        POSITIVE.term("X0")
    with pytest.raises(InputError, match="is 'v9', which is no pos"):
        POSITIVE.term("X0", "v9")
    with pytest.raises(InputError, match="'X2' builds no pos"):
        POSITIVE.term("X2", "01")
    assert POSITIVE.term("X0", "01") == term_of(2)


def test_a_value_that_is_there_twice_is_refused_where_they_are_unique():
    leaf = Term("leaf")
    inner = node("v1", leaf, leaf)
    assert node("v1", inner, leaf).arguments[1] == inner
    with pytest.raises(ValueError, match="'v1' is in the tree twice"):
        node("v1", inner, leaf, unique=True)
