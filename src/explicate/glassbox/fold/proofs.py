"""Why a program decides one row as it does: which rule fired, and what was tried before, as a tree.

Evaluation goes through rules, literals and exceptions in their order and stops as soon as the answer is known; what was
never reached is tagged as not evaluated.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from explicate.glassbox.fold.clauses import Clause
from explicate.glassbox.fold.columns import AnyCells, ColumnKind, Value
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.rules import Comparison, Literal
from explicate.glassbox.fold.wording import clause_name, label_text, literal_text, value_text

_TAGS = {True: "true", False: "false", None: "not evaluated"}


@dataclass(frozen=True)
class Check:
    """A literal on one row: the cell, and whether the literal holds (None: not evaluated)."""

    literal: Literal
    cell: Value
    holds: bool | None


@dataclass(frozen=True)
class Attempt:
    """A clause on one row.

    Attributes
    ----------
    name : the clause.
    checks : its literals.
    exceptions : its exceptions.
    fires : whether the clause holds; None where it was not evaluated.
    """

    name: str
    checks: tuple[Check, ...]
    exceptions: tuple[Attempt, ...]
    fires: bool | None

    def nested(self) -> Iterator[Attempt]:
        """The attempt and all those under it."""
        yield self
        for exception in self.exceptions:
            yield from exception.nested()


@dataclass(frozen=True)
class Proof:
    """How a program came to the label of one row.

    Attributes
    ----------
    label : the prediction; None for undecided.
    rule : the name of the rule that fired, or None.
    attempts : one per top rule, in order; those after the rule that fired are not evaluated.
    """

    label: Any
    rule: str | None
    attempts: tuple[Attempt, ...]
    target: str
    kinds: Mapping[str, ColumnKind]
    comparison: Comparison = "complementary"

    def failures(self) -> dict[str, str]:
        """Of each rule that was tried and did not fire: the literal that failed, or the exception that holds."""
        return {one.name: self._reason(one) for one in self.attempts if one.fires is False}

    def __str__(self) -> str:
        """The proof tree in plain English, with the row's values."""
        decision = f"{self.target} is {label_text(self.label)}"
        lines = [f"{decision}, because " + (f"{clause_name(self.rule)} applies:" if self.rule else "no rule applies.")]
        for attempt in self.attempts:
            if attempt.name == self.rule:
                lines[1:1] = self._tree(attempt, "  ")
            elif attempt.fires is False:
                lines.append(f"  {clause_name(attempt.name)} does not apply: {self._reason(attempt)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def _tree(self, attempt: Attempt, indent: str) -> list[str]:
        lines = [f"{indent}{_TAGS[check.holds]}: {self._check(check)}" for check in attempt.checks]
        for exception in attempt.exceptions:
            state = {True: "applies", False: "does not apply", None: "is not evaluated"}[exception.fires]
            lines.append(f"{indent}{clause_name(exception.name)} {state}{':' if exception.fires is not None else ''}")
            if exception.fires is not None:
                lines += self._tree(exception, indent + "  ")
        return lines or [f"{indent}true: it has no condition"]

    def _reason(self, attempt: Attempt) -> str:
        for check in attempt.checks:
            if check.holds is False:
                return f"{self._text(check)} is false (it is {value_text(check.cell)})"
        caught = next(exception for exception in attempt.exceptions if exception.fires)
        because = " and ".join(self._check(check) for check in caught.checks)
        return f"{clause_name(caught.name)} applies" + (f": {because}" if because else "")

    def _check(self, check: Check) -> str:
        return f"{self._text(check)} (it is {value_text(check.cell)})"

    def _text(self, check: Check) -> str:
        return literal_text(check.literal, self.kinds.get(check.literal.column), self.comparison)


def prove(program: Program, cells: AnyCells, row: int = 0) -> Proof:
    """The proof of one row of `cells`."""
    clauses = {clause.name: clause for clause in program.clauses}
    attempts: list[Attempt] = []
    fired: Clause | None = None
    for clause in clauses.values():
        if clause.head is None:
            continue
        attempt = _attempt(clause, clauses, cells, row, program.comparison, fired is None)
        attempts.append(attempt)
        if attempt.fires:
            fired = clause
    label = program.otherwise if fired is None else fired.head
    name = None if fired is None else fired.name
    return Proof(label, name, tuple(attempts), program.target, program.kinds, program.comparison)


def _attempt(
    clause: Clause,
    clauses: Mapping[str, Clause],
    cells: AnyCells,
    row: int,
    comparison: Comparison,
    evaluate: bool,
) -> Attempt:
    checks: list[Check] = []
    alive = evaluate
    for literal in clause.default:
        cell = cells[literal.column].cell(row)
        holds = literal.holds_for(cell, comparison) if alive else None
        alive = alive and bool(holds)
        checks.append(Check(literal, cell, holds))
    exceptions: list[Attempt] = []
    for name in clause.exceptions:
        exception = _attempt(clauses[name], clauses, cells, row, comparison, alive)
        alive = alive and not exception.fires
        exceptions.append(exception)
    return Attempt(clause.name, tuple(checks), tuple(exceptions), alive if evaluate else None)
