"""The shortest way to write a rule that gives the same predictions, and how long a rule base is.

Source: FOLD-SE, arXiv 2208.07912: single-literal exceptions become literals, thresholds of one column an interval, and
equal exceptions share one predicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from explicate.glassbox.fold.rules import Comparison, Literal, Rule


@dataclass(frozen=True)
class Counts:
    """How long a rule base is.

    Attributes
    ----------
    rules : top rules, and exception predicates.
    literals : tests of a cell in all of them.
    predicates : different tests of a cell.
    """

    rules: int
    literals: int
    predicates: int


def normal_form(rule: Rule, comparison: Comparison = "complementary") -> Rule:
    """Fold and merge, exceptions first; the result fires on exactly the same rows.

    An exception that is one literal and nothing else becomes its complement in the parent's default. With the strict
    comparison that would change what happens to texts in a numeric column, so there only `==` and `!=` are folded.
    """
    default = list(rule.default)
    kept: dict[object, Rule] = {}
    for exception in (normal_form(each, comparison) for each in rule.exceptions):
        if _foldable(exception, comparison):
            default.append(exception.default[0].complement())
        else:
            kept.setdefault(structure(exception), exception)
    return Rule(rule.head, _merged(default), tuple(kept.values()))


def structure(rule: Rule) -> object:
    """What is equal for two rules that say the same in another order."""
    return rule.head, frozenset(rule.default), frozenset(structure(each) for each in rule.exceptions)


def raw_counts(rules: Iterable[Rule]) -> Counts:
    """The length of rules as they were learned: every exception counts wherever it occurs."""
    return _counted([each for rule in rules for each in rule.nested()])


def folded_counts(rules: Iterable[Rule], comparison: Comparison = "complementary") -> Counts:
    """The length of rules in normal form: equal exceptions count once."""
    top = [normal_form(rule, comparison) for rule in rules]
    exceptions = {structure(each): each for rule in top for each in rule.nested() if each is not rule}
    return _counted([*top, *exceptions.values()])


def _counted(rules: list[Rule]) -> Counts:
    literals = [literal for rule in rules for literal in rule.default]
    return Counts(len(rules), len(literals), len(set(literals)))


def _foldable(exception: Rule, comparison: Comparison) -> bool:
    if len(exception.default) != 1 or exception.exceptions:
        return False
    return comparison == "complementary" or exception.default[0].operator in ("==", "!=")


def _merged(default: list[Literal]) -> tuple[Literal, ...]:
    """Without repeated literals, and with one threshold per column and direction, the tightest."""
    tightest: dict[tuple[str, str, object], Literal] = {}
    for literal in default:
        threshold = literal.operator in ("<=", ">")
        key = (literal.column, literal.operator, None if threshold else literal.value)
        before = tightest.get(key)
        if before is None or (threshold and _tighter(literal, before)):
            tightest[key] = literal
    return tuple(tightest.values())


def _tighter(literal: Literal, other: Literal) -> bool:
    if literal.operator == "<=":
        return float(literal.value) < float(other.value)
    return float(literal.value) > float(other.value)
