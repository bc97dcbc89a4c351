"""Reductions that someone wrote down, checked step by step; the first wrong step says what kind of error it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from explicate.data.recursion.expressions import Build, Call, Expression, Variable, build, substituted, text_of
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.reduction import is_normal, redex, step, trace
from explicate.data.recursion.types import Term
from explicate.errors import InputError

RIGHT = "right"
WRONG_CASE = "wrong case selected"
SKIPPED = "skipped recursive call"
STOPPED = "stopped early"
EXTRA = "extra step"
MALFORMED = "malformed term"
WRONG_TRACE = "right answer with a wrong trace"
OTHER = "another wrong step"
ERRORS = (WRONG_CASE, SKIPPED, STOPPED, EXTRA, MALFORMED, WRONG_TRACE)
"""The classes of errors; `OTHER` takes what is none of them, for example steps left out without the right answer."""

_NUMBERING = re.compile(r"^\s*(?:(?:step\s*)?\d+\s*[.:)]|=>|->|=|-|\*)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class TraceVerdict:
    """What is wrong with a reduction.

    Attributes
    ----------
    kind : "right", one of `ERRORS`, or "another wrong step".
    step : number of the first line that is wrong, from 0; None where there is none.
    right_steps : lines before it that are right. reason : in words.
    """

    kind: str
    step: int | None
    right_steps: int
    reason: str


def lines_of(reply: str) -> list[str]:
    """The lines of a reply without numbers, arrows and equals signs at their start, up to the first empty one."""
    found: list[str] = []
    for line in reply.strip().splitlines():
        bare = _NUMBERING.sub("", line.strip(" `")).strip(" `")
        if not bare:
            break
        found.append(bare)
    return found


def check_trace(function: RecursiveFunction, start: Expression, lines: Sequence[str]) -> TraceVerdict:
    """Check a reduction in steps of one call each; the start may be repeated as its first line.

    A reduction that ends in the right normal form after a wrong step is "right answer with a wrong trace", whatever the
    step; otherwise the first wrong step counts.
    """
    expected = [one.expression for one in trace(function, start, grain="call")]
    read = [_read(function, line) for line in lines]
    if read and read[0] == expected[0]:
        read, lines, offset = read[1:], lines[1:], 1
    else:
        offset = 0
    for place, found in enumerate(read):
        if place + 1 >= len(expected):
            return TraceVerdict(EXTRA, place + offset, place, "the reduction had ended before this line")
        if found == expected[place + 1]:
            continue
        if read[-1] == expected[-1]:
            return TraceVerdict(WRONG_TRACE, place + offset, place, "the answer is right, this line is not")
        kind, reason = _kind(function, expected[place], expected[place + 1], found, lines[place])
        return TraceVerdict(kind, place + offset, place, reason)
    if len(read) + 1 < len(expected):
        left = len(expected) - 1 - len(read)
        return TraceVerdict(STOPPED, None, len(read), f"{left} of {len(expected) - 1} steps are missing")
    return TraceVerdict(RIGHT, None, len(read), "")


def wrong_cases(function: RecursiveFunction, expression: Expression) -> list[Expression]:
    """What the next step gives if another constructor's equation is taken for the argument's.

    An argument that the other equation has and the term lacks is the term itself.
    """
    found: list[Expression] = []
    call = redex(expression)
    if call is None:
        return found
    own = function.known[call.function]
    term = call.arguments[0]
    assert isinstance(term, Term | Build)
    for equation in own.equations:
        if equation.constructor != term.head:
            constructor = own.type.by_name[equation.constructor]
            mine = own.type.by_name[term.head]
            recursive = [term.arguments[place] for place in mine.recursive] or [term]
            values = [one for place, one in enumerate(term.arguments) if place not in mine.recursive]
            bound: dict[str, Expression] = dict(zip(own.parameters, call.arguments[1:], strict=True))
            for place, name in enumerate(equation.variables):
                pool = recursive if place in constructor.recursive else values or recursive
                bound[name] = (
                    pool[min(list(constructor.recursive).index(place), len(pool) - 1)]
                    if (place in constructor.recursive)
                    else pool[0]
                )
            found.append(_instead(expression, call, substituted(equation.body, bound)))
    return found


def skipped_call(function: RecursiveFunction, expression: Expression) -> list[Expression]:
    """What the next step gives if one, or all, of its recursive calls are replaced by their arguments."""
    call = redex(expression)
    if call is None:
        return []
    own = function.known[call.function]
    body = own.by_constructor[call.arguments[0].head].body  # type: ignore[union-attr]
    bound = own.bound(own.by_constructor[call.arguments[0].head], call)  # type: ignore[union-attr]
    return [
        _instead(expression, call, substituted(shorter, bound))
        for shorter in _fewer_calls(own.name, body)
        if shorter != body
    ]


def _kind(
    function: RecursiveFunction, before: Expression, right: Expression, found: Expression | str, line: str
) -> tuple[str, str]:
    if isinstance(found, str):
        return MALFORMED, found
    if found in skipped_call(function, before):
        return SKIPPED, f"{line!r} leaves a recursive call out; {text_of(right)!r} follows"
    if found in wrong_cases(function, before):
        return WRONG_CASE, f"{line!r} takes another constructor's equation; {text_of(right)!r} follows"
    return OTHER, f"{line!r} does not follow; {text_of(right)!r} does"


def _read(function: RecursiveFunction, line: str) -> Expression | str:
    try:
        return function.names.parse(line)
    except InputError as error:
        return str(error)


def _fewer_calls(name: str, body: Expression) -> list[Expression]:
    """The body with any choice of its calls of `name` replaced by their first arguments, itself included."""
    if isinstance(body, Variable):
        return [body]
    choices: list[tuple[Expression, ...]] = [()]
    for argument in body.arguments:
        choices = [(*one, other) for one in choices for other in _fewer_calls(name, argument)]
    if isinstance(body, Call):
        found: list[Expression] = [Call(body.function, one) for one in choices]
        return found + [one[0] for one in choices] if body.function == name else found
    return [build(body.head, one) for one in choices]


def _instead(expression: Expression, call: Call, new: Expression) -> Expression:
    """The expression with the call that a step replaces, the left-most outer-most one, replaced by something else."""
    if expression is call:
        return new
    if isinstance(expression, Term | Variable):
        return expression
    arguments = list(expression.arguments)
    for place, argument in enumerate(arguments):
        if redex(argument) is call:
            arguments[place] = _instead(argument, call, new)
            break
    given = tuple(arguments)
    return Call(expression.function, given) if isinstance(expression, Call) else build(expression.head, given)


def continued(function: RecursiveFunction, expression: Expression, most: int = 200) -> list[Expression]:
    """The steps that follow, to the normal form or to where an ill-typed expression allows none."""
    found: list[Expression] = []
    while not is_normal(expression) and len(found) < most:
        try:
            following = step(function, expression, "call")
        except InputError:
            break
        if following is None:
            break
        expression = following[0]
        found.append(expression)
    return found
