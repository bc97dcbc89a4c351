"""Expressions: terms in which functions are still to be applied, and the text that people and models write for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from explicate.data.recursion.types import Term
from explicate.errors import InputError

Stage = Literal["call", "unfolded", "case"]


@dataclass(frozen=True)
class Variable:
    """A name that a pattern binds."""

    name: str


@dataclass(frozen=True)
class Build:
    """A constructor over expressions that are not all terms."""

    head: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Call:
    """A function and its arguments, the first of which is recursed on.

    Parameters
    ----------
    stage : "call" as written, "unfolded" once the name stands for its body, "case" once the argument is in it.
    """

    function: str
    arguments: tuple[Expression, ...]
    stage: Stage = "call"


Expression: TypeAlias = Term | Build | Call | Variable


def build(head: str, arguments: tuple[Expression, ...]) -> Term | Build:
    """A term where all arguments are terms, else a `Build`."""
    terms = tuple(one for one in arguments if isinstance(one, Term))
    return Term(head, terms) if len(terms) == len(arguments) else Build(head, arguments)


def substituted(body: Expression, values: Mapping[str, Expression]) -> Expression:
    """An expression with its variables replaced."""
    if isinstance(body, Variable):
        return values[body.name]
    arguments = tuple(substituted(one, values) for one in body.arguments)
    return Call(body.function, arguments, body.stage) if isinstance(body, Call) else build(body.head, arguments)


def text_of(expression: Expression) -> str:
    """The expression as it is written, with brackets around what has arguments: "X0 (s (X1 01))"."""
    if isinstance(expression, Variable):
        return expression.name
    head = expression.head if isinstance(expression, Term | Build) else expression.function
    if isinstance(expression, Call) and expression.stage != "call":
        head = f"<{head}: {'its body' if expression.stage == 'unfolded' else 'cases of'}>"
    parts = [text_of(one) for one in expression.arguments]
    inner = [
        f"({part})" if not isinstance(one, Variable) and one.arguments else part
        for one, part in zip(expression.arguments, parts, strict=True)
    ]
    return " ".join([head, *inner])


def words_of(expression: Expression) -> tuple[str, ...]:
    """The same without brackets, in prefix order; arities make it readable again."""
    if isinstance(expression, Variable):
        return (expression.name,)
    head = expression.function if isinstance(expression, Call) else expression.head
    return (head, *(word for one in expression.arguments for word in words_of(one)))


@dataclass(frozen=True)
class Names:
    """What the words of a text mean.

    Parameters
    ----------
    constructors, functions : arity of each. values : known values; any other word is a variable, where those are
        allowed.
    """

    constructors: Mapping[str, int]
    functions: Mapping[str, int]
    values: frozenset[str] = frozenset()
    variables: bool = False

    def parse(self, text: str) -> Expression:
        """Read an expression, with or without brackets.

        Raises
        ------
        InputError : with the place of the first word that does not fit.
        """
        words = text.replace("(", " ( ").replace(")", " ) ").split()
        found, end = self.read(words, 0)
        if end < len(words):
            raise InputError(f"word {end} of {text!r} is {words[end]!r}, but the expression ends before it")
        return found

    def read(self, words: list[str], place: int) -> tuple[Expression, int]:
        """The expression that begins at a place, and the place after it."""
        if place >= len(words):
            raise InputError(f"the text {' '.join(words)!r} ends where an expression is missing")
        word = words[place]
        if word == "(":
            found, end = self.read(words, place + 1)
            if end >= len(words) or words[end] != ")":
                raise InputError(f"the bracket at word {place} of {' '.join(words)!r} is not closed where it should be")
            return found, end + 1
        arity = self.constructors.get(word, self.functions.get(word))
        if arity is None:
            if word == ")" or not (self.variables or word in self.values):
                raise InputError(f"word {place} of {' '.join(words)!r} is {word!r}, which is not known")
            return (Term(word) if word in self.values else Variable(word)), place + 1
        arguments, end = [], place + 1
        for _ in range(arity):
            argument, end = self.read(words, end)
            arguments.append(argument)
        given = tuple(arguments)
        return (build(word, given) if word in self.constructors else Call(word, given)), end
