"""Programs that reduce in a chat model's place, and make the error they are told to: known truth for the classes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import numpy as np

from explicate.benchmarks.recursion.prompts import asked_expression
from explicate.benchmarks.recursion.verdicts import (
    ERRORS,
    EXTRA,
    MALFORMED,
    RIGHT,
    SKIPPED,
    STOPPED,
    WRONG_TRACE,
    continued,
    skipped_call,
    wrong_cases,
)
from explicate.data.recursion.expressions import Call, Expression, text_of
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.reduction import trace
from explicate.errors import InputError
from explicate.models.chat import ScriptedChat
from explicate.models.chat.messages import Conversation


def wrong_trace(
    function: RecursiveFunction, start: Expression, error: str, rng: np.random.Generator
) -> list[str] | None:
    """The lines of a reduction with one error of a class; None where the expression leaves no room for it.

    The place is drawn; after it, the reduction goes on correctly from what was written.
    """
    right = [one.expression for one in trace(function, start, grain="call")]
    if error == RIGHT:
        return [text_of(one) for one in right[1:]]
    if error not in ERRORS:
        raise InputError(f"the error {error!r} is unknown; use one of {', '.join((RIGHT, *ERRORS))}")
    if error == STOPPED:
        return [text_of(one) for one in right[1 : int(rng.integers(1, len(right)))]]
    if error == EXTRA:
        further = [*right[1:], Call(function.name, (right[-1],))]
        return [text_of(one) for one in further]
    if error == MALFORMED:
        lines = [text_of(one) for one in right[1:]]
        place = int(rng.integers(len(lines)))
        return [*lines[:place], _spoiled(lines[place], function, rng)]
    for place in rng.permutation(len(right) - 1):
        others = (skipped_call if error == SKIPPED else wrong_cases)(function, right[place])
        skipped = skipped_call(function, right[place])
        usable = [one for one in others if one != right[place + 1] and (error == SKIPPED or one not in skipped)]
        for number in rng.permutation(len(usable)):
            found = [*right[1 : place + 1], usable[number]]
            if error == WRONG_TRACE:
                if place + 2 < len(right):
                    return [text_of(one) for one in [*found, *right[place + 2 :]]]
            else:
                found += continued(function, usable[number])
                if found[-1] != right[-1]:
                    return [text_of(one) for one in found]
    return None


def scripted_reducer(function: RecursiveFunction, error: str | Mapping[str, str], *, seed: int = 0) -> ScriptedChat:
    """Answers a prompt that asks for a reduction.

    Parameters
    ----------
    error : a class, "right" for none; or the class for each expression asked for. Where the expression leaves no room
        for the error, the reduction is right.
    """

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        asked = asked_expression(messages[-1].content)
        own = error if isinstance(error, str) else error.get(asked, RIGHT)
        start = function.names.parse(asked)
        lines = wrong_trace(function, start, own, rng)
        return "\n".join(lines if lines is not None else wrong_trace(function, start, RIGHT, rng) or [])

    version = error if isinstance(error, str) else str(sorted(error.items()))
    return ScriptedChat(respond, name=f"scripted reducer of {function.name}", version=version, seed=seed)


def _spoiled(line: str, function: RecursiveFunction, rng: np.random.Generator) -> str:
    """A line that is no expression any more."""
    names = function.names
    for attempt in count():
        words = line.replace("(", " ( ").replace(")", " ) ").split()
        place = int(rng.integers(len(words)))
        kind = (int(rng.integers(3)) + attempt) % 3
        if kind == 0:
            del words[place]
        elif kind == 1:
            words.insert(place, "X2")
        else:
            words.append(")")
        try:
            names.parse(" ".join(words))
        except InputError:
            if words:
                return " ".join(words)
    raise AssertionError
