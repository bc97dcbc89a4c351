"""A program as text of a logic programming language.

Two dialects. "s(CASP)" is the paper's, for s(CASP) and Prolog: `label(X,'v') :- a(X,N1), N1=<1.2, not b(X,'x').`
"clingo" is what the answer-set solver clingo reads; it knows whole numbers only, so numbers are written in a unit that
keeps every comparison as it is (see `Unit`). clingo and Prolog's `@=<` order all numbers before all texts, so a text is
above every threshold, as in FOLD-SE.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, Literal

from explicate.errors import InputError
from explicate.glassbox.fold.clauses import Clause
from explicate.glassbox.fold.columns import AnyCells, Value
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.rules import Literal as CellTest
from explicate.glassbox.fold.rules import number_text

Dialect = Literal["s(CASP)", "clingo"]
LARGEST = 2**31 - 1  # of clingo's whole numbers
_TAKEN = re.compile(r"label|row|not|rule\d+|ab\d+")


@dataclass(frozen=True)
class Unit:
    """How clingo sees the numbers of one column: a number is at most a threshold exactly if its code is.

    Thresholds with few digits are multiplied by a power of ten, and cells rounded up to whole multiples. Where that
    would leave clingo's range, a number's code is how many of the column's thresholds are below it.
    """

    thresholds: tuple[float, ...]
    digits: int | None

    @classmethod
    def of(cls, thresholds: Iterable[float]) -> Unit:
        """The unit for a column with these thresholds."""
        distinct = tuple(sorted(set(thresholds)))
        exact = [Decimal(repr(number)).normalize() for number in distinct]
        digits = max((max(0, -int(number.as_tuple().exponent)) for number in exact), default=0)
        fits = all(abs(number.scaleb(digits)) < LARGEST for number in exact)
        return cls(distinct, digits if fits else None)

    def code(self, number: float) -> int:
        """The whole number that stands for `number`."""
        if self.digits is None:
            return sum(threshold < number for threshold in self.thresholds)
        # the shortest decimals of two different doubles are in the same order as the doubles
        scaled = Decimal(repr(float(number))).scaleb(self.digits).to_integral_value(ROUND_CEILING)
        return max(-LARGEST, min(LARGEST, int(scaled)))

    def comment(self, name: str) -> str:
        """What a reader must know about the column's numbers; empty where they are as in the table."""
        if self.digits is None:
            return f"% {name}: how many of these are below the cell: {', '.join(map(number_text, self.thresholds))}"
        return f"% {name}: in units of 1e-{self.digits}, rounded up" if self.digits else ""


def program_code(program: Program, dialect: Dialect = "s(CASP)") -> str:
    """The program as text; rows are given to it as the facts of `facts_code`.

    `label(X,V)` holds for the label of row X and no other. Where there are several labels to give, rules after the
    first are guarded by `not rule1(X)`, ..., so that the order counts.
    """
    _check(dialect)
    names, units = predicate_names(program), _units(program)
    heads = {rule.head for rule in program.rules}
    ordered = len(heads) > 1 or program.otherwise in heads
    lines = [comment for column, unit in units.items() if (comment := unit.comment(names[column]))]
    lines = lines if dialect == "clingo" else []
    before: list[str] = []
    for clause in program.clauses:
        body = _body(program, clause, dialect, names, units)
        if clause.head is None:
            lines.append(f"{clause.name}(X) :- {', '.join(body)}.")
            continue
        label = _label(clause.head, dialect)
        if ordered:
            lines.append(f"{clause.name}(X) :- {', '.join(body)}.")
            guards = [f"not {name}(X)" for name in before]
            lines.append(f"label(X,{label}) :- {', '.join([f'{clause.name}(X)', *guards])}.")
            before.append(clause.name)
        else:
            lines.append(f"label(X,{label}) :- {', '.join(body)}.")
    if program.otherwise is not None:
        none = [f"not {name}(X)" for name in before] or [f"not label(X,{_label(head, dialect)})" for head in heads]
        lines.append(f"label(X,{_label(program.otherwise, dialect)}) :- {', '.join(['row(X)', *none])}.")
    return "\n".join(lines) + "\n"


def facts_code(program: Program, cells: AnyCells, dialect: Dialect = "s(CASP)") -> str:
    """The cells that the program tests as facts: `row(0). age(0,39). workclass(0,'Private').`

    For s(CASP), a text in a column that is compared with numbers only is written as the largest number there is, since
    arithmetic comparisons take no texts.
    """
    _check(dialect)
    names, units = predicate_names(program), _units(program)
    tested = sorted({literal.column for literal in _tests(program)})
    arithmetic = set(tested) - _compared_with_words(program) if dialect == "s(CASP)" else set()
    lines = []
    for row in range(len(cells)):
        facts = [f"row({row})."]
        for column in tested:
            cell = cells[column].cell(row)
            if isinstance(cell, str) and column in arithmetic:
                if program.comparison == "strict":
                    continue  # it is neither at most nor above anything
                cell = sys.float_info.max
            facts.append(f"{names[column]}({row},{_term(cell, dialect, units.get(column))}).")
        lines.append(" ".join(facts))
    return "\n".join(lines) + "\n"


def predicate_names(program: Program) -> dict[str, str]:
    """Column -> predicate: lower case letters, digits and underscores, each once."""
    found: dict[str, str] = {}
    for column in program.kinds:
        stem = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "column"
        if not stem[0].isalpha() or _TAKEN.fullmatch(stem):
            stem = f"column_{stem}"
        name, count = stem, 2
        while name in found.values():
            name, count = f"{stem}_{count}", count + 1
        found[column] = name
    return found


def _body(
    program: Program, clause: Clause, dialect: Dialect, names: Mapping[str, str], units: Mapping[str, Unit]
) -> list[str]:
    parts: list[str] = []
    variables: dict[str, str] = {}
    bound = False
    for literal in clause.default:
        name = names[literal.column]
        bound = bound or literal.operator != "!="
        if literal.operator in ("==", "!="):
            test = f"{name}(X,{_term(literal.value, dialect)})"
            parts.append(test if literal.operator == "==" else f"not {test}")
            continue
        if literal.column not in variables:
            variables[literal.column] = f"N{len(variables) + 1}"
            parts.append(f"{name}(X,{variables[literal.column]})")
        parts.append(_comparison(program, literal, variables[literal.column], dialect, units))
    if not bound:
        parts.insert(0, "row(X)")  # what only denies things must be told which rows there are
    return [*parts, *(f"not {name}(X)" for name in clause.exceptions)]


def _comparison(program: Program, literal: CellTest, variable: str, dialect: Dialect, units: Mapping[str, Unit]) -> str:
    threshold = _term(literal.value, dialect, units[literal.column])
    numbers_only = program.comparison == "strict" and literal.operator == ">"
    if dialect == "clingo":
        return f"{variable} {literal.operator} {threshold}" + (f', {variable} < ""' if numbers_only else "")
    sign = "=<" if literal.operator == "<=" else ">"
    if literal.column not in _compared_with_words(program):
        return f"{variable}{sign}{threshold}"
    return f"{variable} @{sign} {threshold}" + (f", {variable} @< ''" if numbers_only else "")


def _compared_with_words(program: Program) -> set[str]:
    return {literal.column for literal in _tests(program) if isinstance(literal.value, str)}


def _tests(program: Program) -> Iterator[CellTest]:
    for rule in program.rules:
        for each in rule.nested():
            yield from each.default


def _units(program: Program) -> dict[str, Unit]:
    thresholds: dict[str, list[float]] = {}
    for literal in _tests(program):
        if literal.operator in ("<=", ">"):
            thresholds.setdefault(literal.column, []).append(float(literal.value))
    return {column: Unit.of(numbers) for column, numbers in thresholds.items()}


def _term(value: Value, dialect: Dialect, unit: Unit | None = None) -> str:
    if isinstance(value, str):
        return _quoted(value, dialect)
    if dialect == "clingo":
        return str(unit.code(value)) if unit is not None else "0"  # its numbers are not tested, only its texts
    return number_text(value)


def _label(label: Any, dialect: Dialect) -> str:
    """Labels are texts in the program, whatever their type."""
    return _quoted(str(label), dialect)


def _quoted(text: str, dialect: Dialect) -> str:
    mark = '"' if dialect == "clingo" else "'"
    escaped = text.replace("\\", "\\\\").replace(mark, f"\\{mark}").replace("\n", "\\n")
    return f"{mark}{escaped}{mark}"


def _check(dialect: str) -> None:
    if dialect not in ("s(CASP)", "clingo"):
        raise InputError(f"no dialect {dialect!r}; use 's(CASP)' or 'clingo'")
