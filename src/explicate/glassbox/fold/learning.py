"""Learning default rules with exceptions: the recursion of FOLD-SE, on row indices.

Source: Wang and Gupta (2022), "FOLD-SE", arXiv 2208.07912; the skeleton is that of FOLD-R++ (binary) and of FOLD-RM
(multi-category, arXiv 2202.06913).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.glassbox.fold.rules import OPERATORS, Literal, Rule
from explicate.glassbox.fold.search import Search, Test


@dataclass(frozen=True)
class Draft:
    """A rule on codes: tests that must all hold, and drafts of which none may fire."""

    tests: tuple[Test, ...]
    exceptions: tuple[Draft, ...] = ()


@dataclass(eq=False)
class Learner:
    """Learns rules on one encoded table.

    Parameters
    ----------
    search : finds literals.
    ratio : highest false over true positives at which a rule stops to be narrowed and exceptions are learned.
    tail : rules that cover fewer rows are dropped, and end the set that they are in.
    """

    search: Search
    ratio: float = 0.5
    tail: float = 0.0
    _used: set[tuple[int, int]] = field(default_factory=set, init=False)

    def learn_set(self, positives: Array, negatives: Array) -> list[Draft]:
        """Rules that together cover the positives; `negatives` stay as they are from rule to rule."""
        found: list[Draft] = []
        while len(positives):
            draft = self.learn_rule(positives, negatives)
            if draft is None:
                break
            covered = self.fires(draft, positives)
            count = int(covered.sum())
            if count == 0 or count < self.tail:
                break
            found.append(draft)
            positives = positives[~covered]
        return found

    def learn_rule(self, positives: Array, negatives: Array) -> Draft | None:
        """One rule; None where it would be dropped whatever came next.

        A rule without literals is learned only when there are no negatives at all ("otherwise").
        """
        if not len(negatives):
            return Draft(())
        tests: list[Test] = []
        exceptions: list[Draft] = []
        try:
            while True:
                test = self.search.best(positives, negatives, self._used)
                if test is None:  # nothing is left that splits the rows
                    # what holds for all rows changes nothing, and what holds for none ends the rule: see `Search.best`
                    return Draft(tuple(tests)) if tests and len(positives) >= len(negatives) else None
                tests.append(test)
                self._used.add((test.column, test.code))
                positives, negatives = self._keep(test, positives), self._keep(test, negatives)
                if len(positives) < self.tail or not len(positives):
                    return None
                if len(negatives) <= self.ratio * len(positives):
                    break
            if len(negatives):
                exceptions = self.learn_set(negatives, positives)
            return Draft(tuple(tests), tuple(exceptions))
        finally:
            self._used.difference_update((test.column, test.code) for test in tests)

    def learn_list(self, rows: Array, labels: Array) -> list[tuple[int, Draft]]:
        """Rules for several labels, to be tried in order: (label, rule).

        The most frequent label among the rows that are left is the positive one; what a rule covers is taken out,
        whatever its label.

        Parameters
        ----------
        rows : indices. labels : (row of the table,) whole numbers from 0.
        """
        found: list[tuple[int, Draft]] = []
        while len(rows):
            label = int(np.argmax(np.bincount(labels[rows])))
            right = labels[rows] == label
            draft = self.learn_rule(rows[right], rows[~right])
            if draft is None:
                break
            covered = self.fires(draft, rows)
            count = int((covered & right).sum())
            if count == 0 or count < self.tail:
                break
            found.append((label, draft))
            rows = rows[~covered]
        return found

    def fires(self, draft: Draft, rows: Array) -> Array:
        """(row,) which of `rows` the draft fires on."""
        fires = np.ones(len(rows), dtype=bool)
        left = np.arange(len(rows))
        for test in draft.tests:
            holds = self._holds(test, rows[left])
            fires[left[~holds]] = False
            left = left[holds]
        for exception in draft.exceptions:
            caught = self.fires(exception, rows[left])
            fires[left[caught]] = False
            left = left[~caught]
        return fires

    def rule(self, draft: Draft, head: Any) -> Rule:
        """The draft in the words of the table."""
        encoding = self.search.encoding
        literals = tuple(
            Literal(encoding.names[test.column], OPERATORS[test.operator], encoding.value(test.column, test.code))
            for test in draft.tests
        )
        return Rule(head, literals, tuple(self.rule(exception, None) for exception in draft.exceptions))

    def _holds(self, test: Test, rows: Array) -> Array:
        return test.holds(self.search.encoding, rows, self.search.comparison)

    def _keep(self, test: Test, rows: Array) -> Array:
        return np.asarray(rows[self._holds(test, rows)])
