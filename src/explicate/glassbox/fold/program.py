"""A learned rule base: what it decides, how long it is, and its way to and from JSON."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import FileFormatError, InputError
from explicate.glassbox.fold.clauses import Clause, clauses_of, named_rules, rules_of
from explicate.glassbox.fold.columns import AnyCells, Cells, ColumnKind, as_frame
from explicate.glassbox.fold.normal_form import Counts, folded_counts, normal_form, raw_counts
from explicate.glassbox.fold.rules import Comparison, Literal, Rule
from explicate.runtime.fingerprint import digest

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Program:
    """Rules in order: the first that fires gives the label.

    For one positive label the order does not matter: a row is positive if any rule fires.

    Parameters
    ----------
    rules : the top rules.
    classes : all labels, sorted.
    otherwise : the label of rows on which no rule fires; None leaves them undecided.
    kinds : how to read each column, in the table's order.
    comparison : see `Comparison`.
    target : what the label is called.
    decided : (rule + 1, class) training rows that each rule decided, and in the last row those that none did; may be
        absent.
    covered : (clause,) training rows on which each clause of `clauses` holds; may be absent.
    correct : (clause,) those of them that have the clause's label; -1 for exceptions.

    Raises
    ------
    InputError : a rule's head is no label, or a literal's column no column.
    """

    rules: tuple[Rule, ...]
    classes: tuple[Any, ...]
    otherwise: Any
    kinds: Mapping[str, ColumnKind]
    comparison: Comparison = "complementary"
    target: str = "label"
    decided: tuple[tuple[int, ...], ...] = ()
    covered: tuple[int, ...] = ()
    correct: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.rules:
            if rule.head not in self.classes:
                raise InputError(f"a rule gives {rule.head!r}, which is none of the labels {_listed(self.classes)}")
            for literal in (literal for each in rule.nested() for literal in each.default):
                if literal.column not in self.kinds:
                    raise InputError(
                        f"a rule tests {literal.column!r}, which is no column; there are {', '.join(self.kinds)}"
                    )
        if self.otherwise is not None and self.otherwise not in self.classes:
            raise InputError(f"otherwise {self.otherwise!r}: that is none of the labels {_listed(self.classes)}")

    def cells(self, inputs: Any) -> Cells:
        """Rows as the program reads them: a data frame with all columns, one row as a mapping, or an array."""
        return Cells(as_frame(inputs, list(self.kinds)), self.kinds)

    def decide(self, cells: AnyCells) -> Array:
        """(row,) the place of the first rule that fires; -1 where none does."""
        decided = np.full(len(cells), -1)
        for place in reversed(range(len(self.rules))):
            decided[self.rules[place].fires(cells, self.comparison)] = place
        return decided

    def predict(self, cells: AnyCells) -> Array:
        """(row,) class codes; -1 for undecided."""
        return self.outcomes[self.decide(cells)]

    @cached_property
    def outcomes(self) -> Array:
        """(rule + 1,) the class code that each rule gives, and, in the last place, that of rows that none decides."""
        otherwise = -1 if self.otherwise is None else self.classes.index(self.otherwise)
        return np.array([*(self.classes.index(rule.head) for rule in self.rules), otherwise])

    def labels(self, codes: Array, known: Array | None = None) -> Array:
        """Class codes as labels (`known`, by default `classes`); undecided rows are None, in an array of objects."""
        known = np.array(self.classes) if known is None else known
        if (codes >= 0).all():
            return np.asarray(known[codes])
        return np.array([None if code < 0 else known[code] for code in codes], dtype=object)

    def probabilities(self, cells: AnyCells) -> Floats:
        """(row, class) shares of the labels among the training rows that the same rule decided, plus one row each.

        The predicted label has the highest share: where the training rows said otherwise (no rule was worth learning),
        its share is raised to the highest and all are scaled to sum to 1. Undecided rows have the shares of the
        training rows that were left over.
        """
        if not self.decided:
            raise InputError("the program does not hold the training counts that probabilities come from; fit it again")
        shares = np.array(self.decided, dtype=float) + 1
        shares /= shares.sum(axis=1, keepdims=True)
        for row, code in zip(shares, self.outcomes, strict=True):
            if code >= 0 and np.argmax(row) != code:
                row[code] = row.max() * (1 + 1e-9)
                row /= row.sum()
        return np.asarray(shares[self.decide(cells)])

    def normal_form(self) -> Program:
        """The shortest program with the same predictions, see `normal_form`."""
        rules = tuple(normal_form(rule, self.comparison) for rule in self.rules)
        return dataclasses.replace(self, rules=rules, covered=(), correct=())

    def counted_on(self, cells: AnyCells, codes: Array) -> Program:
        """The program with what each rule decided, and each clause covered, on labelled rows."""
        decided = np.zeros((len(self.rules) + 1, len(self.classes)), dtype=int)
        np.add.at(decided, (self.decide(cells), codes), 1)
        covered, correct = [], []
        for rule in named_rules(self.rules).values():
            fires = rule.fires(cells, self.comparison)
            right = -1 if rule.head is None else int((codes[fires] == self.classes.index(rule.head)).sum())
            covered.append(int(fires.sum()))
            correct.append(right)
        counts = tuple(map(tuple, decided.tolist()))
        return dataclasses.replace(self, decided=counts, covered=tuple(covered), correct=tuple(correct))

    @cached_property
    def clauses(self) -> list[Clause]:
        """The rules and their exceptions by name."""
        return clauses_of(self.rules)

    def counts(self) -> Counts:
        """Rules, literals and predicates in normal form."""
        return folded_counts(self.rules, self.comparison)

    def raw_counts(self) -> Counts:
        """Rules, literals and predicates as the rules stand."""
        return raw_counts(self.rules)

    def fingerprint(self) -> str:
        """A content hash; equal for programs that decide alike."""
        content = json.loads(self.to_json())
        return digest({key: value for key, value in content.items() if key not in ("decided", "covered", "correct")})

    def to_json(self) -> str:
        """The program as JSON that a person can read and edit."""
        content = {
            "format": "explicate-fold",
            "version": FORMAT,
            "target": self.target,
            "classes": [_plain(label) for label in self.classes],
            "otherwise": _plain(self.otherwise),
            "comparison": self.comparison,
            "columns": dict(self.kinds),
            "rules": [_written(clause) for clause in self.clauses],
            "decided": self.decided,
            "covered": self.covered,
            "correct": self.correct,
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Read what `to_json` wrote, also after an edit by hand.

        Raises
        ------
        FileFormatError : no JSON of this form. InputError : the rules are no stratified program, see `rules_of`.
        """
        try:
            content = json.loads(text)
            if content["format"] != "explicate-fold" or content["version"] > FORMAT:
                raise FileFormatError(
                    f"the text is {content['format']!r} version {content['version']}, not explicate-fold up to {FORMAT}"
                )
            clauses = [_read(entry) for entry in content["rules"]]
            decided = tuple(map(tuple, content.get("decided", ())))
            known = {name: content[name] for name in ("otherwise", "comparison", "target")}
            columns, classes = dict(content["columns"]), tuple(content["classes"])
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise FileFormatError(f"the text is no rule base in JSON ({error!r}); write one with to_json") from error
        program = cls(rules_of(clauses), classes, kinds=columns, decided=decided, **known)
        covered, correct = tuple(content.get("covered", ())), tuple(content.get("correct", ()))
        if len(covered) == len(correct) == len(program.clauses):
            program = dataclasses.replace(program, covered=covered, correct=correct)
        if len(decided) != len(program.rules) + 1:  # rules were added or taken out by hand
            program = dataclasses.replace(program, decided=())
        return program

    def __str__(self) -> str:
        from explicate.glassbox.fold.wording import program_text

        return program_text(self)

    def _repr_html_(self) -> str:
        counts = self.counts()
        caption = f"{counts.rules} rules, {counts.literals} literals"
        return f"<p>{caption}</p><pre>{html.escape(str(self))}</pre>"


def _written(clause: Clause) -> dict[str, Any]:
    return {
        "name": clause.name,
        "head": _plain(clause.head),
        "default": [{"column": one.column, "operator": one.operator, "value": one.value} for one in clause.default],
        "exceptions": list(clause.exceptions),
    }


def _read(entry: dict[str, Any]) -> Clause:
    default = tuple(Literal(one["column"], one["operator"], one["value"]) for one in entry["default"])
    return Clause(entry["name"], entry["head"], default, tuple(entry["exceptions"]))


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _listed(labels: Sequence[Any]) -> str:
    return ", ".join(repr(_plain(label)) for label in labels)
