"""Rules in plain English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from explicate.glassbox.fold.columns import MISSING, ColumnKind, Value
from explicate.glassbox.fold.rules import Comparison, Literal, number_text

if TYPE_CHECKING:
    from explicate.glassbox.fold.clauses import Clause
    from explicate.glassbox.fold.program import Program


def literal_text(literal: Literal, kind: ColumnKind | None = None, comparison: Comparison = "complementary") -> str:
    """A test as a clause of a sentence: "age is at most 30"."""
    if literal.operator == "<=":
        return f"{literal.column} is at most {number_text(float(literal.value))}"
    if literal.operator == ">":
        beside = " or no number" if kind == "mixed" and comparison == "complementary" else ""
        return f"{literal.column} is above {number_text(float(literal.value))}{beside}"
    negated = "not " if literal.operator == "!=" else ""
    return f"{literal.column} is {negated}{value_text(literal.value)}"


def value_text(value: Value) -> str:
    """A cell as a reader sees it."""
    if value == MISSING:
        return "missing"
    return repr(value) if isinstance(value, str) else number_text(value)


def label_text(label: Any) -> str:
    """A label as a reader sees it."""
    return "undecided" if label is None else repr(label.item() if hasattr(label, "item") else label)


def clause_name(name: str) -> str:
    """How a clause is called in a sentence: "rule 1", "exception ab1"."""
    return f"rule {name[4:]}" if name.startswith("rule") else f"exception {name}"


def clause_text(
    clause: Clause, target: str, kinds: Mapping[str, ColumnKind], comparison: Comparison = "complementary"
) -> str:
    """One clause as a sentence without a full stop."""
    conditions = " and ".join(literal_text(one, kinds.get(one.column), comparison) for one in clause.default)
    unless = " or ".join(clause_name(name) for name in clause.exceptions)
    ending = f", unless {unless} applies" if unless else ""
    if clause.head is None:
        return f"{clause_name(clause.name)} applies if {conditions or 'anything'}{ending}"
    what = f"{target} is {label_text(clause.head)}"
    return (f"{what} if {conditions}" if conditions else f"{what} in all other cases") + ending


def program_text(program: Program) -> str:
    """The whole rule base, a line per clause, and what holds where no rule applies."""
    lines = []
    for clause in program.clauses:
        text = clause_text(clause, program.target, program.kinds, program.comparison)
        lines.append(f"{clause_name(clause.name)}: {text}" if clause.head is not None else f"  {text}")
    lines.append(f"otherwise: {program.target} is {label_text(program.otherwise)}")
    return "\n".join(lines)
