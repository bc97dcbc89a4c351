"""Arithmetic whose context redefines a part of it: "3 + 4 = 9", what is (3 + 4) * 2?

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", section 3.2; our own generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from explicate.data.language.contradicting_contexts import ContradictedQuestion, ContradictingContexts
from explicate.errors import InputError
from explicate.runtime.seeds import generator

OPERATORS = ("+", "-", "*", "/", "**")
LARGEST_INSIDE = 1000  # of values inside an expression; larger powers are no sums for a reader
MOST_DEPTH = 2
DRAWS_PER_EXPRESSION = 100

Expression: TypeAlias = "int | Operation"


@dataclass(frozen=True)
class Operation:
    """An operator with two expressions; a number is an `int`."""

    operator: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        sides = (f"({side})" if isinstance(side, Operation) else str(side) for side in (self.left, self.right))
        return f" {self.operator} ".join(sides)


def value(expression: Expression, redefined: Expression | None = None, digit: int = 0) -> int | None:
    """The value, with `redefined` worth `digit` wherever it occurs; None where it is no whole number or too large."""
    if redefined is not None and expression == redefined:
        return digit
    if isinstance(expression, int):
        return expression
    left, right = (value(side, redefined, digit) for side in (expression.left, expression.right))
    if left is None or right is None:
        return None
    return _applied(expression.operator, left, right)


def arithmetic_contradictions(
    count: int = 1050, *, depth: int = 2, largest: int = 9, completion: bool = False, seed: int = 0
) -> ContradictingContexts:
    """Different expressions, each with a context that redefines one part of it and thereby the result.

    Parameters
    ----------
    count : how many. depth : most operators on the way to a number, 1 or 2.
    largest : both answers lie between 0 and this, 9 or 99 in the paper.
    completion : the queries are to be completed ("3 + 4 = ") instead of answered ("What is 3 + 4?").

    Returns
    -------
    ContradictingContexts : `subject` is the expression, `object` the digit put in.

    Raises
    ------
    InputError : there are not so many such expressions.
    """
    if not 1 <= depth <= MOST_DEPTH or largest < 1:
        raise InputError(f"depth {depth} and largest {largest}: give depth 1 or 2, and largest above 0")
    rng = generator(seed, "arithmetic", depth, largest)
    found: dict[str, ContradictedQuestion] = {}
    for _ in range(count * DRAWS_PER_EXPRESSION):
        if len(found) == count:
            break
        expression = _drawn(rng, int(rng.integers(1, depth + 1)))
        question = _contradicted(expression, largest, completion, rng)
        if question is not None:
            found.setdefault(str(expression), question)
    if len(found) < count:
        raise InputError(f"found {len(found)} expressions of depth {depth} up to {largest}, not {count}; ask for fewer")
    return ContradictingContexts(tuple(found.values()))


def _contradicted(
    expression: Operation, largest: int, completion: bool, rng: np.random.Generator
) -> ContradictedQuestion | None:
    known = value(expression)
    if known is None or not 0 <= known <= largest:
        return None
    parts = _parts(expression)
    part = parts[int(rng.integers(len(parts)))]
    digit = int(rng.integers(10))
    changed = value(expression, part, digit)
    if changed is None or not 0 <= changed <= largest or changed == known or value(part) == digit:
        return None
    return ContradictedQuestion(
        f"{part} = {digit}",
        f"{expression} = " if completion else f"What is {expression}?",
        str(changed),
        str(known),
        str(expression),
        str(digit),
        "arithmetic",
    )


def _drawn(rng: np.random.Generator, depth: int) -> Operation:
    """An expression of exactly this depth."""
    sides: list[Expression] = [int(rng.integers(10)), int(rng.integers(10))]
    if depth > 1:
        for side in ((0,), (1,), (0, 1))[int(rng.integers(3))]:
            sides[side] = _drawn(rng, depth - 1)
    return Operation(OPERATORS[int(rng.integers(len(OPERATORS)))], sides[0], sides[1])


def _parts(expression: Expression) -> list[Expression]:
    """The expression, its operands and theirs, each once."""
    if isinstance(expression, int):
        return [expression]
    return list(dict.fromkeys([expression, *_parts(expression.left), *_parts(expression.right)]))


def _applied(operator: str, left: int, right: int) -> int | None:
    found: int | None
    if operator == "+":
        found = left + right
    elif operator == "-":
        found = left - right
    elif operator == "*":
        found = left * right
    elif operator == "/":
        found = left // right if right != 0 and left % right == 0 else None
    else:
        found = left**right if 0 <= right <= LARGEST_INSIDE.bit_length() or (left in (0, 1) and right >= 0) else None
    return found if found is not None and abs(found) <= LARGEST_INSIDE else None
