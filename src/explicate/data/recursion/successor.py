"""The successor of a binary number: how far the carry goes is how deep the recursion is.

    pos := 01 | X0 pos | X1 pos      the least significant digit outermost: 01 = 1, X0 n = 2n, X1 n = 2n + 1
    s 01 = X0 01      s (X0 b) = X1 b      s (X1 b) = X0 (s b)

In natural order the carry begins at the left; in reverse order, most significant digit first, a model has to know where
it will end before it begins to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Literal

from explicate.data.recursion.encoding import Encoding
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.machines import HALT, Machine, Move, Rule, State
from explicate.data.recursion.types import Constructor, InductiveType, Term
from explicate.errors import InputError

ONE, ZERO_DIGIT, ONE_DIGIT = "01", "X0", "X1"
POSITIVE = InductiveType("pos", (Constructor(ONE), Constructor(ZERO_DIGIT, 1, (0,)), Constructor(ONE_DIGIT, 1, (0,))))
SUCCESSOR = RecursiveFunction.of("s", POSITIVE, ["s 01 = X0 01", "s (X0 b) = X1 b", "s (X1 b) = X0 (s b)"])
NATURAL, REVERSED = Encoding(POSITIVE), Encoding(POSITIVE, reverse=True)

Words = tuple[str, ...]
Beyond = Literal["copy", "zeros", "stop", "lose"]


def number_of(term: Term) -> int:
    """The number that a term stands for."""
    if term.head == ONE:
        return 1
    return 2 * number_of(term.arguments[0]) + (term.head == ONE_DIGIT)


def term_of(number: int) -> Term:
    """The term of a number.

    Raises
    ------
    InputError : it is below 1.
    """
    if number < 1:
        raise InputError(f"{number} is no positive number; terms stand for 1, 2, 3 and so on")
    digits = [ONE_DIGIT if digit == "1" else ZERO_DIGIT for digit in reversed(f"{number:b}"[1:])]
    return _term(digits)


def numbers(digits: int, least: int = 0) -> list[Term]:
    """All terms of `least` to `digits` constructors over 01: 2^n of each length n."""
    return [
        _term(choice)
        for length in range(least, digits + 1)
        for choice in product((ZERO_DIGIT, ONE_DIGIT), repeat=length)
    ]


def carry(term: Term) -> int:
    """Recursion depth d: the leading run of X1."""
    return 1 + carry(term.arguments[0]) if term.head == ONE_DIGIT else 0


def size(term: Term) -> int:
    """Constructors over 01."""
    return 1 + size(term.arguments[0]) if term.arguments else 0


def successor_machine(
    reverse: bool = False,
    reach: int | None = None,
    beyond: Beyond = "copy",
    longer: bool = True,
    kept: int | None = None,
) -> Machine:
    """Writes the successor, or what a short-cut writes.

    Parameters
    ----------
    reach : longest carry that is followed; None: any.
    beyond : what is done once the reach is spent. "copy": the rest is copied, as if the carry had ended; "zeros": every
        digit left becomes X0; "stop": nothing more is written; "lose": the run of X1 becomes X0 to its end, but what
        is carried is put nowhere.
    longer : whether X1 ... X1 01 gets its further digit; without it, the carry is lost at its end.
    kept : so many digits next to 01 stay as they are, whatever is carried into them; then no number gets longer.
    """
    if kept is not None:
        longer = False
    rules = (_reverse_rules if reverse else _natural_rules)(reach, beyond, longer, kept)
    name = f"successor, {'reverse' if reverse else 'natural'} order"
    name += "" if reach is None else f", carry of at most {reach}, then {beyond}"
    name += f", the {kept} digits next to 01 kept" if kept is not None else "" if longer else ", never longer"
    mode = "count" if reverse else "carry" if kept is None else "measure"
    parameters = {"reverse": reverse, "reach": reach, "beyond": beyond, "longer": longer, "kept": kept}
    return Machine(name, rules, State(mode=mode), parameters)


def _natural_rules(reach: int | None, beyond: Beyond, longer: bool, kept: int | None) -> tuple[Rule, ...]:
    """The carry is written as it is read; to know which digits are kept, the head first walks to the end."""

    def spent(state: State) -> bool:
        return reach is not None and state.counter >= reach

    def on(state: State, word: str | None, mode: str) -> Move:
        return Move(replace(state, head=state.head + 1, mode=mode), word)

    def changed(state: State, word: str, new: str) -> str:
        return word if kept is not None and state.head >= state.stack[0] - kept else new

    def measured(state: State, word: str) -> Move:
        return Move(replace(state, head=0, mode="carry", stack=(state.head,)))

    def give_up(state: State, word: str) -> Move:
        return Move(replace(state, mode=HALT if beyond == "stop" else beyond))

    def carried(state: State, word: str) -> Move:
        following = replace(state, head=state.head + 1, counter=state.counter + 1)
        return Move(following, changed(state, word, ZERO_DIGIT))

    def ended(state: State, word: str) -> Move:
        return Move(replace(state, mode="copy"), ZERO_DIGIT if longer else None)

    return (
        Rule("go to the end", lambda s, w: s.mode == "measure" and w != ONE, lambda s, w: on(s, None, "measure")),
        Rule("the end is found", lambda s, w: s.mode == "measure" and w == ONE, measured),
        Rule("carry on", lambda s, w: s.mode == "carry" and w == ONE_DIGIT and not spent(s), carried),
        Rule("give up", lambda s, w: s.mode == "carry" and w == ONE_DIGIT and spent(s), give_up),
        Rule(
            "the carry ends",
            lambda s, w: s.mode == "carry" and w == ZERO_DIGIT,
            lambda s, w: on(s, changed(s, w, ONE_DIGIT), "copy"),
        ),
        Rule("one digit more", lambda s, w: s.mode == "carry" and w == ONE, ended),
        Rule("copy", lambda s, w: s.mode == "copy" and w != ONE, lambda s, w: on(s, w, "copy")),
        Rule("zero", lambda s, w: s.mode == "zeros" and w != ONE, lambda s, w: on(s, ZERO_DIGIT, "zeros")),
        Rule("lose", lambda s, w: s.mode == "lose" and w == ONE_DIGIT, lambda s, w: on(s, ZERO_DIGIT, "lose")),
        Rule(
            "it is lost",
            lambda s, w: s.mode == "lose" and w != ONE_DIGIT,
            lambda s, w: Move(replace(s, mode="copy")),
        ),
        Rule("the end", lambda s, w: s.mode in ("copy", "zeros") and w == ONE, lambda s, w: on(s, w, HALT)),
    )


def _reverse_rules(reach: int | None, beyond: Beyond, longer: bool, kept: int | None) -> tuple[Rule, ...]:
    """The carry is at the end of the words: it is counted from there, then the words are written from the start.

    What is beyond the reach stands before the run that is followed: "copy" writes all of it
    as it is, "zeros" X0 for all digits before, "stop" nothing; "lose" counts the whole run, and writes X0 for it alone.
    """

    def on(state: State, word: str | None, mode: str) -> Move:
        return Move(replace(state, head=state.head + 1, mode=mode), word)

    def spent(state: State) -> bool:
        return reach is not None and state.counter >= reach + (beyond == "lose")

    def turn(state: State, word: str) -> Move:
        kind = beyond if spent(state) and (beyond == "lose" or word == ONE_DIGIT) else "flip"
        whole = word == ONE and kind == "flip"
        return Move(replace(state, head=0, mode="write", stack=(state.head, kind, whole)))

    def write(state: State, word: str) -> Move:
        last, kind, whole = state.stack
        if whole and state.head == last:
            return on(state, word, "more" if longer else "zeros")
        if state.head < last:
            inner = ZERO_DIGIT if kind == "zeros" and word != ONE else word
            return on(state, None if kind == "stop" else inner, "write")
        new = {"flip": ONE_DIGIT, "copy": word, "zeros": ZERO_DIGIT, "stop": None, "lose": word}[kind]
        return on(state, changed(state, word, new), "zeros")

    def changed(state: State, word: str, new: str | None) -> str | None:
        return word if kept is not None and state.head <= kept else new

    def counts(state: State, word: str) -> bool:
        return state.head >= 0 and word == ONE_DIGIT and (beyond == "lose" or not spent(state))

    return (
        Rule(
            "go to the end", lambda s, w: s.mode == "count" and w != "", lambda s, w: Move(replace(s, head=s.head + 1))
        ),
        Rule(
            "turn round",
            lambda s, w: s.mode == "count" and w == "",
            lambda s, w: Move(replace(s, head=s.head - 1, mode="back")),
        ),
        Rule(
            "one more carried",
            lambda s, w: s.mode == "back" and counts(s, w),
            lambda s, w: Move(replace(s, head=s.head - 1, counter=s.counter + 1)),
        ),
        Rule("the carry ends here", lambda s, w: s.mode == "back" and not counts(s, w), turn),
        Rule("write", lambda s, w: s.mode == "write", write),
        Rule("one digit more", lambda s, w: s.mode == "more", lambda s, w: Move(replace(s, mode="zeros"), ZERO_DIGIT)),
        Rule(
            "zero",
            lambda s, w: s.mode == "zeros" and w != "",
            lambda s, w: on(s, changed(s, w, ZERO_DIGIT), "zeros"),
        ),
        Rule("the end", lambda s, w: s.mode == "zeros" and w == "", lambda s, w: Move(replace(s, mode=HALT))),
    )


def _term(digits: Sequence[str]) -> Term:
    found = Term(ONE)
    for digit in reversed(digits):
        found = Term(digit, (found,))
    return found
