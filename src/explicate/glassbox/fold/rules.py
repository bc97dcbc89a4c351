"""Literals and default rules: the words of the language that FOLD learns.

Source: Wang and Gupta (2022), "FOLD-SE", arXiv 2208.07912.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from typing import Literal as OneOf

import numpy as np

from explicate.errors import InputError
from explicate.glassbox.fold.columns import AnyCells, Value

Operator = OneOf["<=", ">", "==", "!="]
OPERATORS: tuple[Operator, ...] = ("<=", ">", "==", "!=")
_COMPLEMENT: dict[Operator, Operator] = {"<=": ">", ">": "<=", "==": "!=", "!=": "=="}

Comparison = OneOf["complementary", "strict"]
"""What a text is against a threshold. complementary (FOLD-SE): not `<=`, hence `>`; of a literal and its complement
exactly one holds. strict (FOLD-R++ and FOLD-RM): neither."""


@dataclass(frozen=True)
class Literal:
    """A test of one cell.

    Parameters
    ----------
    column : the column's name.
    operator : "<=" or ">" with a number, "==" or "!=" with a text (the empty text is a missing cell).
    value : the threshold or the text.
    """

    column: str
    operator: Operator
    value: Value

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise InputError(f"literal on {self.column!r}: no operator {self.operator!r}; use one of {OPERATORS}")
        if self.operator in ("<=", ">"):
            if isinstance(self.value, str | bool) or not math.isfinite(self.value):
                raise InputError(f"literal on {self.column!r}: {self.operator} needs a number, not {self.value!r}")
            object.__setattr__(self, "value", float(self.value))
        elif not isinstance(self.value, str):
            raise InputError(f"literal on {self.column!r}: {self.operator} needs a text, not {self.value!r}")

    def complement(self) -> Literal:
        """The literal with the opposite operator."""
        return Literal(self.column, _COMPLEMENT[self.operator], self.value)

    def holds(self, cells: AnyCells, comparison: Comparison = "complementary") -> np.ndarray:
        """(row,) whether the literal is true."""
        column = cells[self.column]
        if self.operator == "<=":
            return column.at_most(float(self.value))
        if self.operator == ">":
            threshold = float(self.value)
            return column.above(threshold) if comparison == "strict" else ~column.at_most(threshold)
        equal = column.equals(str(self.value))
        return equal if self.operator == "==" else ~equal

    def holds_for(self, cell: Value, comparison: Comparison = "complementary") -> bool:
        """Whether the literal is true of one cell."""
        if self.operator in ("==", "!="):
            return (cell == self.value) == (self.operator == "==")
        if isinstance(cell, str):
            return self.operator == ">" and comparison == "complementary"
        return (cell <= float(self.value)) == (self.operator == "<=")

    def __str__(self) -> str:
        shown = repr(self.value) if isinstance(self.value, str) else f"{number_text(self.value)}"
        return f"{self.column} {self.operator} {shown}"


@dataclass(frozen=True)
class Rule:
    """A default rule: it fires on a row where every literal of `default` holds and no exception fires.

    Parameters
    ----------
    head : the label that a top rule gives; None for an exception.
    default : the conjunction; empty for a rule that always fires (but for its exceptions).
    exceptions : rules of the same form, nested to any depth (negation as failure, no recursion: stratified).
    """

    head: Any
    default: tuple[Literal, ...]
    exceptions: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "default", tuple(self.default))
        object.__setattr__(self, "exceptions", tuple(self.exceptions))
        for exception in self.exceptions:
            if exception.head is not None:
                raise InputError(f"an exception has no head, but one here has {exception.head!r}; give None")

    def fires(self, cells: AnyCells, comparison: Comparison = "complementary") -> np.ndarray:
        """(row,) whether the rule fires."""
        fires = np.ones(len(cells), dtype=bool)
        for literal in self.default:
            fires &= literal.holds(cells, comparison)
        for exception in self.exceptions:
            if not fires.any():
                break
            fires &= ~exception.fires(cells, comparison)
        return fires

    def nested(self) -> Iterator[Rule]:
        """The rule and all exceptions under it, each as often as it occurs, parents first."""
        yield self
        for exception in self.exceptions:
            yield from exception.nested()

    def __str__(self) -> str:
        parts = [str(literal) for literal in self.default]
        parts += [f"not ({exception})" for exception in self.exceptions]
        body = ", ".join(parts) or "true"
        return body if self.head is None else f"{self.head!r} if {body}"


def number_text(number: float) -> str:
    """A number as people write it: no exponent, no fraction where there is none, and nothing rounded."""
    from decimal import Decimal

    return format(Decimal(repr(float(number))), "f").removesuffix(".0")
