"""A rule base as a list of named clauses, each exception once: what is written to files, printed and exported.

Reading one back refuses what is no stratified program: names that are missing or doubled, and cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from explicate.errors import InputError
from explicate.glassbox.fold.normal_form import structure
from explicate.glassbox.fold.rules import Literal, Rule


@dataclass(frozen=True)
class Clause:
    """One clause of a logic program.

    Attributes
    ----------
    name : "rule1", "rule2", ... for rules with a head, "ab1", "ab2", ... for exceptions.
    head : the label; None for an exception.
    default : the literals.
    exceptions : names of the clauses of which none may hold.
    """

    name: str
    head: Any
    default: tuple[Literal, ...]
    exceptions: tuple[str, ...] = ()


def named_rules(rules: Iterable[Rule]) -> dict[str, Rule]:
    """The rules in their order, then their exceptions; exceptions that say the same have one name."""
    named = {f"rule{place}": rule for place, rule in enumerate(rules, 1)}
    distinct: dict[object, Rule] = {}
    for rule in named.values():
        for below in rule.exceptions:
            for exception in below.nested():
                distinct.setdefault(structure(exception), exception)
    return named | {f"ab{place}": exception for place, exception in enumerate(distinct.values(), 1)}


def clauses_of(rules: Iterable[Rule]) -> list[Clause]:
    """The clauses of `named_rules`, in the same order."""
    named = named_rules(rules)
    names = {structure(rule): name for name, rule in named.items() if rule.head is None}
    return [
        Clause(name, rule.head, rule.default, tuple(dict.fromkeys(names[structure(each)] for each in rule.exceptions)))
        for name, rule in named.items()
    ]


def rules_of(clauses: Sequence[Clause]) -> tuple[Rule, ...]:
    """The inverse of `clauses_of`.

    Raises
    ------
    InputError : two clauses have the same name, an exception is not defined or has a head, or clauses depend on
        themselves; then the cycle is shown.
    """
    known: dict[str, Clause] = {}
    for clause in clauses:
        if clause.name in known:
            raise InputError(f"the rule base defines {clause.name!r} twice; rename one of them")
        known[clause.name] = clause
    built: dict[str, Rule] = {}

    def build(name: str, above: tuple[str, ...]) -> Rule:
        if name in above:
            cycle = " -> ".join((*above[above.index(name) :], name))
            raise InputError(
                f"the rule base has a cycle: {cycle}; a rule must not be its own exception, cut it somewhere"
            )
        if name not in known:
            raise InputError(f"{above[-1]!r} has the exception {name!r}, which the rule base does not define")
        if name not in built:
            clause = known[name]
            if above and clause.head is not None:
                raise InputError(
                    f"{above[-1]!r} has the exception {name!r}, which is a rule with the label {clause.head!r}"
                )
            below = tuple(build(each, (*above, name)) for each in clause.exceptions)
            built[name] = Rule(clause.head, clause.default, below)
        return built[name]

    for clause in clauses:
        build(clause.name, ())
    return tuple(built[clause.name] for clause in clauses if clause.head is not None)
