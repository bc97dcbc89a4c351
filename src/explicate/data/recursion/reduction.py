"""Step-wise reduction: a name unfolded, its argument put in, the case selected, until nothing is left to do.

The rules are those of the calculus of inductive constructions: delta (a name becomes its body), beta (the body gets its
argument), iota (the case of the argument's constructor is taken). The left-most outer-most step comes first; a case
that waits for its argument reduces that first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from explicate.data.recursion.expressions import Build, Call, Expression, Variable, build
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.types import Term
from explicate.errors import InputError

Grain = Literal["rule", "call"]


@dataclass(frozen=True)
class Reduction:
    """An expression on its way.

    Attributes
    ----------
    expression : after `steps` steps. rule : what the last one did: "delta", "beta", "iota", "call"; empty before any.
    done : whether it is in normal form.
    """

    expression: Expression
    steps: int
    rule: str
    done: bool


def reduce(function: RecursiveFunction, start: Expression, k: int, *further: Term, grain: Grain = "rule") -> Reduction:
    """The expression after k steps; in normal form with `done` where there are fewer.

    Parameters
    ----------
    start : a term, to which the function is applied (with the `further` arguments), or an expression.
    grain : "rule": a step is one delta, beta or iota; "call": all three for one call at once.

    Raises
    ------
    InputError : k below 0.
    """
    if k < 0:
        raise InputError(f"k is {k}; a reduction has 0 or more steps")
    expression: Expression = Call(function.name, (start, *further)) if isinstance(start, Term) else start
    rule, steps = "", 0
    while steps < k:
        found = step(function, expression, grain)
        if found is None:
            break
        expression, rule = found
        steps += 1
    return Reduction(expression, steps, rule, is_normal(expression))


def trace(
    function: RecursiveFunction, start: Expression, *further: Term, grain: Grain = "rule"
) -> tuple[Reduction, ...]:
    """All expressions from the call to the normal form."""
    found = [reduce(function, start, 0, *further, grain=grain)]
    while not found[-1].done:
        following = step(function, found[-1].expression, grain)
        assert following is not None
        expression, rule = following
        found.append(Reduction(expression, len(found), rule, is_normal(expression)))
    return tuple(found)


def is_normal(expression: Expression) -> bool:
    """Whether nothing is left to do."""
    return isinstance(expression, Term)


def step(function: RecursiveFunction, expression: Expression, grain: Grain = "rule") -> tuple[Expression, str] | None:
    """The next expression and the rule that led to it; None in normal form."""
    if isinstance(expression, Term | Variable):
        return None
    if isinstance(expression, Call):
        return _call(function, expression, grain)
    for place, argument in enumerate(expression.arguments):
        found = step(function, argument, grain)
        if found is not None:
            return build(expression.head, _with(expression.arguments, place, found[0])), found[1]
    return None


def redex(expression: Expression) -> Call | None:
    """The call that a step of grain "call" replaces."""
    if isinstance(expression, Term | Variable):
        return None
    if isinstance(expression, Call):
        first = expression.arguments[0]
        return expression if isinstance(first, Term | Build) else redex(first)
    return next((found for found in map(redex, expression.arguments) if found is not None), None)


def _call(function: RecursiveFunction, call: Call, grain: Grain) -> tuple[Expression, str] | None:
    if grain == "rule" and call.stage != "case":
        return (
            (Call(call.function, call.arguments, "unfolded"), "delta")
            if call.stage == "call"
            else (Call(call.function, call.arguments, "case"), "beta")
        )
    first = call.arguments[0]
    if isinstance(first, Term | Build):
        return function.known[call.function].body(call), "iota" if grain == "rule" else "call"
    found = step(function, first, grain)
    return None if found is None else (Call(call.function, _with(call.arguments, 0, found[0]), call.stage), found[1])


def _with(arguments: tuple[Expression, ...], place: int, new: Expression) -> tuple[Expression, ...]:
    return (*arguments[:place], new, *arguments[place + 1 :])
