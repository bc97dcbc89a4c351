"""Binary trees and their traversals: the order in which a node's value, left and right sub-tree are written.

Preorder over an encoding in prefix order is plain copying; inorder and postorder are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from explicate.data.recursion.encoding import CLOSE, OPEN, Encoding, Malformed
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.machines import END, HALT, Machine, Move, Rule, State
from explicate.data.recursion.types import Constructor, InductiveType, Term
from explicate.errors import InputError

LEAF = "leaf"
VALUES = tuple(f"v{number}" for number in range(1, 21))
TREE = InductiveType("tree", (Constructor(LEAF), Constructor("node", 3, (1, 2))), VALUES)
LIST = InductiveType("list", (Constructor("nil"), Constructor("cons", 2, (1,))), VALUES)
APPEND = RecursiveFunction.of(
    "append", LIST, ["append nil m = m", "append (cons x l) m = cons x (append l m)"], parameters=("m",)
)


def _traversal(name: str, body: str) -> RecursiveFunction:
    equations = [f"{name} leaf = nil", f"{name} (node x l r) = {body}"]
    return RecursiveFunction.of(name, TREE, equations, uses=(APPEND,), result=LIST)


PREORDER = _traversal("preorder", "cons x (append (preorder l) (preorder r))")
INORDER = _traversal("inorder", "append (inorder l) (cons x (inorder r))")
POSTORDER = _traversal("postorder", "append (postorder l) (append (postorder r) (cons x nil))")
TRAVERSALS = {one.name: one for one in (PREORDER, INORDER, POSTORDER)}
TREE_WORDS = Encoding(TREE, brackets=True)

Order = Literal["preorder", "inorder", "postorder"]
_ORDERS: dict[str, str] = {"preorder": "xlr", "inorder": "lxr", "postorder": "lrx"}


def node(value: str, left: Term, right: Term, unique: bool = False) -> Term:
    """A checked tree of a value and two sub-trees.

    Raises
    ------
    InputError : an unknown value; with `unique` also one that is there twice.
    """
    found = TREE.term("node", value, left, right)
    if unique:
        check_unique(found)
    return found


def check_unique(tree: Term) -> None:
    """Refuse a tree in which a value stands twice."""
    values = values_of(tree)
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise InputError(f"the value {twice!r} is in the tree twice; with unique=True each may be there once")


def values_of(term: Term) -> tuple[str, ...]:
    """The values of a tree or list, from the left as they are written in prefix order."""
    return tuple(part.head for part in term if part.head in VALUES)


def list_term(values: Sequence[str]) -> Term | Malformed:
    """The list of values that an output's words are; where a word is no value, its position."""
    found = Term("nil")
    for place, value in reversed(list(enumerate(values))):
        if value not in VALUES:
            return Malformed(place, f"{value!r} is no value")
        found = Term("cons", (Term(value), found))
    return found


def random_tree(
    rng: np.random.Generator, depth: int, values: Sequence[str] = VALUES, exact: bool = False, unique: bool = True
) -> Term:
    """A tree of at most so many levels of nodes (with `exact`: of just so many), its shape and values drawn.

    Below the root each place holds a node with probability 0.65. Trees with more nodes than values are drawn again
    where values are `unique`.

    Raises
    ------
    InputError : fewer values than a tree of `depth` levels needs.
    """
    if depth < 1 or (unique and exact and depth > len(values)):
        raise InputError(f"a tree of {depth} levels cannot be drawn with {len(values)} different values")
    while True:
        shape = _shape(rng, depth, root=True)
        count = sum(part.head == "node" for part in shape)
        if (exact and levels(shape) != depth) or (unique and count > len(values)):
            continue
        chosen = rng.permutation(len(values))[:count] if unique else rng.integers(len(values), size=count)
        return _filled(shape, iter([values[number] for number in chosen]))


def levels(tree: Term) -> int:
    """Levels of nodes: 0 of a leaf."""
    return 1 + max(levels(tree.arguments[1]), levels(tree.arguments[2])) if tree.arguments else 0


def shape_of(tree: Term) -> Term:
    """The tree with all values alike."""
    if not tree.arguments:
        return tree
    return Term("node", (Term(VALUES[0]), shape_of(tree.arguments[1]), shape_of(tree.arguments[2])))


def traversal_machine(order: Order, reach: int | None = None, beyond: Literal["flat", "skip"] = "flat") -> Machine:
    """Reads a tree in brackets and writes its values in an order.

    Parameters
    ----------
    reach : levels down to which sub-trees are told apart; None: all. Below, a sub-tree is "flat" (its values as they
        are written) or "skip"ped.

    The stack holds what is left to do, as (what, place, level). To find where a right sub-tree begins, the head walks
    over the left one and counts brackets.
    """
    todo = _ORDERS[order]

    def work(state: State, word: str) -> Move:
        kind, place, level = state.stack[-1]
        return Move(replace(state, head=place, mode=kind, counter=level, stack=state.stack[:-1]))

    def opened(state: State, word: str) -> Move:
        level = state.counter + 1
        if reach is not None and level > reach:
            return Move(replace(state, mode="flat" if beyond == "flat" else "skip", counter=0))
        tasks = {"x": ("value", state.head + 1, level), "l": ("tree", state.head + 2, level),
                 "r": ("right", state.head + 2, level)}  # fmt: skip
        return Move(replace(state, mode="next", stack=(*state.stack, *(tasks[part] for part in reversed(todo)))))

    def over(state: State, word: str) -> Move:
        depth = state.counter + (word == OPEN) - (word == CLOSE)
        return Move(replace(state, head=state.head + 1, counter=depth, mode="next" if depth == 0 else state.mode))

    def over_flat(state: State, word: str) -> Move:
        found = over(state, word)
        return Move(found.state, word if word in VALUES else None)

    def right(state: State, word: str) -> Move:
        return Move(replace(state, mode="walk", counter=0, stack=(*state.stack, ("found", 0, state.counter))))

    def walk(state: State, word: str) -> Move:
        depth = state.counter + (word == OPEN) - (word == CLOSE)
        if depth:
            return Move(replace(state, head=state.head + 1, counter=depth))
        level = state.stack[-1][2]
        return Move(replace(state, head=state.head + 1, mode="tree", counter=level, stack=state.stack[:-1]))

    rules = (
        Rule("take up what is left", lambda s, w: s.mode == "next" and bool(s.stack), work),
        Rule(
            "nothing is left", lambda s, w: s.mode == "next" and not s.stack, lambda s, w: Move(replace(s, mode=HALT))
        ),
        Rule("a node", lambda s, w: s.mode == "tree" and w == OPEN, opened),
        Rule("a leaf", lambda s, w: s.mode == "tree" and w != OPEN, lambda s, w: Move(replace(s, mode="next"))),
        Rule("its value", lambda s, w: s.mode == "value", lambda s, w: Move(replace(s, mode="next"), w)),
        Rule("look for the right sub-tree", lambda s, w: s.mode == "right", right),
        Rule("walk over the left one", lambda s, w: s.mode == "walk" and w != END, walk),
        Rule("too deep: write as it stands", lambda s, w: s.mode == "flat" and w != END, over_flat),
        Rule("too deep: leave out", lambda s, w: s.mode == "skip" and w != END, over),
    )
    name = order if reach is None else f"{order} down to level {reach}, then {beyond}"
    parameters = {"order": order, "reach": reach, "beyond": beyond}
    return Machine(name, rules, State(mode="tree"), parameters)


def _shape(rng: np.random.Generator, depth: int, root: bool) -> Term:
    if depth == 0 or (not root and rng.random() >= 0.65):
        return Term(LEAF)
    return Term("node", (Term(VALUES[0]), _shape(rng, depth - 1, False), _shape(rng, depth - 1, False)))


def _filled(shape: Term, values: object) -> Term:
    if not shape.arguments:
        return shape
    value = next(values)  # type: ignore[call-overload]
    return Term("node", (Term(value), _filled(shape.arguments[1], values), _filled(shape.arguments[2], values)))
