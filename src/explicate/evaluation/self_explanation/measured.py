"""Scores of tests item by item, and what they sum up to: a test's score, an axis, their intervals and movements.

Every test keeps columns of numbers, one row an item, NaN where it does not apply. Its score is a function of the means
of the columns, so that all tests are resampled together over the same items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from explicate.core.capabilities import Floats, Masks
from explicate.errors import InputError
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import Interval

RESAMPLES = 2000
ENOUGH_ITEMS = 30  # applicable items below which a test is shown, and counts for nothing
ENOUGH_READ = 0.5  # share of readable explanations below which nothing is measurable
ENOUGH_TESTS = 2
AxisName = Literal["faithfulness", "plausibility"]
Rule = Callable[[Floats], Floats]
"""From means of columns (..., column) to a score (...)."""


def average(means: Floats) -> Floats:
    """The mean of all columns, kept within 0 and 1."""
    return np.clip(means.mean(axis=-1), 0, 1)


def share(means: Floats) -> Floats:
    """The first column over the second: hits of those that could be."""
    return np.clip(_over(means[..., 0], means[..., 1]), 0, 1)


def gain(means: Floats) -> Floats:
    """What the first column gains on the second, of what there was to gain."""
    return np.clip(_over(means[..., 0] - means[..., 1], 1 - means[..., 1]), 0, 1)


def between(means: Floats) -> Floats:
    """Triples (value, that of random sets, that of the best set) as shares of the way from random to best, averaged.

    The ratio is taken of sums over items, not item by item: an item's own ratio, cut off at 0, would give random words
    a score well above 0.
    """
    triples = means.reshape(*means.shape[:-1], -1, 3)
    ways = _over(triples[..., 0] - triples[..., 1], triples[..., 2] - triples[..., 1])
    return np.clip(ways, 0, 1).mean(axis=-1)


def _over(value: Floats, by: Floats) -> Floats:
    return np.divide(value, by, out=np.full(np.shape(value), np.nan), where=np.abs(by) > 1e-12)


RULES: dict[str, Rule] = {"average": average, "share": share, "gain": gain, "between": between}


@dataclass(frozen=True)
class Measured:
    """One test on all items.

    Attributes
    ----------
    name : the test's. values : (item, column), NaN rows where it does not apply. columns : what they are.
    rule : a key of `RULES`.
    counted : False for what is reported and no part of the axis.
    notes : further figures by name.
    reason : why it could not be measured at all.
    """

    name: str
    values: Floats
    columns: tuple[str, ...]
    rule: str = "average"
    counted: bool = True
    notes: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def applies(self) -> Masks:
        """To which items: (item,)."""
        return np.asarray(np.isfinite(self.values).all(axis=1))

    @property
    def n(self) -> int:
        """Items it applies to."""
        return int(self.applies.sum())

    @property
    def used(self) -> bool:
        """Whether it is part of its axis: enough items, and a score."""
        return self.counted and self.n >= ENOUGH_ITEMS and self.score is not None

    @property
    def score(self) -> float | None:
        """Between 0 and 1; None where it is not measurable."""
        if not self.n:
            return None
        found = float(RULES[self.rule](self.values[self.applies].mean(axis=0)))
        return found if np.isfinite(found) else None

    def per_item(self) -> Floats:
        """Each item's own score (item,), NaN where there is none."""
        found = np.full(len(self.values), np.nan)
        rows = self.applies
        if rows.any():
            found[rows] = RULES[self.rule](self.values[rows])
        return found

    def resampled(self, weights: Floats) -> Floats:
        """The score under each weighting of the items: (resample, item) -> (resample,); NaN where undefined."""
        rows = self.applies
        own = weights[:, rows]
        total = own.sum(axis=1, keepdims=True)
        means = _over(own @ self.values[rows], np.broadcast_to(total, (len(own), self.values.shape[1])))
        return RULES[self.rule](means)

    def interval(self, seed: int = 0) -> Interval | None:
        """The score with its interval over items."""
        if self.score is None or self.n < 2:
            return None
        return _interval(self.score, self.resampled(_weights(len(self.values), seed)), self.n)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: figures, no rows."""
        interval = self.interval()
        means = self.values[self.applies].mean(axis=0).tolist() if self.n else [None] * len(self.columns)
        return {
            "name": self.name,
            "score": self.score,
            "interval": None if interval is None else [interval.low, interval.high],
            "n": self.n,
            "used": self.used,
            "parts": dict(zip(self.columns, means, strict=True)),
            **({"notes": self.notes} if self.notes else {}),
            **({"reason": self.reason} if self.reason else {}),
        }


def missing(name: str, items: int, reason: str) -> Measured:
    """A test that could not be made, and why."""
    return Measured(name, np.full((items, 1), np.nan), ("score",), reason=reason)


@dataclass(frozen=True)
class Axis:
    """All tests of one axis.

    Attributes
    ----------
    items : names of the items, in order. read : (item,), whether the explanation could be read.
    form : of the explanations. scripted : whether a program answered in the place of a model.
    """

    name: AxisName
    tests: tuple[Measured, ...]
    items: tuple[str, ...]
    read: Masks
    form: str = ""
    model: str = ""
    scripted: bool = False

    @property
    def parse_rate(self) -> float:
        """Share of items with a readable explanation."""
        return float(self.read.mean()) if len(self.read) else 0.0

    @property
    def used(self) -> tuple[Measured, ...]:
        """The tests that the axis is the mean of."""
        return tuple(test for test in self.tests if test.used)

    @property
    def reason(self) -> str:
        """Why there is no value; "" where there is one."""
        if self.parse_rate < ENOUGH_READ:
            return f"only {self.parse_rate:.0%} of the explanations could be read ({ENOUGH_READ:.0%} are needed)"
        if len(self.used) < ENOUGH_TESTS:
            return f"{len(self.used)} of {len(self.tests)} tests apply to {ENOUGH_ITEMS} items or more; two are needed"
        return ""

    @property
    def value(self) -> float | None:
        """The mean of the tests used; None where it is not measurable, see `reason`."""
        return None if self.reason else float(np.mean([test.score for test in self.used]))

    def resampled(self, weights: Floats) -> Floats:
        """The value under each weighting of the items."""
        return np.asarray(np.mean([test.resampled(weights) for test in self.used], axis=0))

    def interval(self, seed: int = 0) -> Interval | None:
        """The value with its interval over items; None where it is not measurable."""
        value = self.value
        if value is None:
            return None
        return _interval(value, self.resampled(_weights(len(self.items), seed)), len(self.items))

    def per_item(self) -> Floats:
        """The mean of each item's own scores over the tests used, (item,); NaN where there is none."""
        rows = [test.per_item() for test in self.used]
        if not rows:
            return np.full(len(self.items), np.nan)
        table = np.stack(rows)
        known = np.isfinite(table)
        return _over(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0).astype(float))

    @property
    def lowest(self) -> Measured | None:
        """The test used that holds the axis down most."""
        return min(self.used, key=lambda test: test.score or 0.0, default=None)

    def test(self, name: str) -> Measured:
        """One test by name."""
        for test in self.tests:
            if test.name == name:
                return test
        raise InputError(f"{self.name} has no test {name!r}; there are {', '.join(test.name for test in self.tests)}")

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        interval = self.interval()
        return {
            "axis": self.name,
            "form": self.form,
            "model": self.model,
            "scripted": self.scripted,
            "items": len(self.items),
            "parse_rate": self.parse_rate,
            "value": self.value,
            "interval": None if interval is None else [interval.low, interval.high],
            "reason": self.reason,
            "tests": [test.to_dict() for test in self.tests],
        }

    def __str__(self) -> str:
        interval = self.interval()
        head = f"{self.name}: {interval if interval is not None else 'not measurable, ' + self.reason}"
        lines = [head]
        for test in self.tests:
            own = test.interval()
            shown = str(own) if own is not None else "none" + (f" ({test.reason})" if test.reason else "")
            aside = "" if test.used or own is None else "  not counted"
            lines.append(f"  {test.name:28} {shown}  n = {test.n}{aside}")
        return "\n".join(lines)


def difference(after: Axis, before: Axis, seed: int = 0) -> Interval:
    """How far an axis moved between two sets of explanations of the same items, by the tests that both used.

    Raises
    ------
    InputError : other items, or fewer than two tests in common.
    """
    if after.items != before.items:
        raise InputError(f"{before.name} before and after are of other items; explain the same ones")
    names = [test.name for test in before.used if test.name in {own.name for own in after.used}]
    if len(names) < ENOUGH_TESTS:
        raise InputError(f"before and after have {len(names)} tests of {before.name} in common; two are needed")
    weights = _weights(len(before.items), seed)

    def drawn(axis: Axis) -> Floats:
        return np.asarray(np.mean([axis.test(name).resampled(weights) for name in names], axis=0))

    def value(axis: Axis) -> float:
        return float(np.mean([axis.test(name).score for name in names]))

    return _interval(value(after) - value(before), drawn(after) - drawn(before), len(before.items))


def _weights(items: int, seed: int) -> Floats:
    rng = generator(seed, "items", items)
    return rng.multinomial(items, np.full(items, 1 / items), size=RESAMPLES).astype(float)


def _interval(value: float, drawn: Floats, n: int) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if len(known) < 2:
        return Interval(value, value, value, float("nan"), n, n, "bootstrap")
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high), float(known.std(ddof=1)), n, n, "bootstrap")


def rows_of(values: Sequence[Sequence[float] | None], columns: int) -> Floats:
    """Rows as an array (item, column), NaN for None."""
    return np.array([[np.nan] * columns if row is None else list(row) for row in values], dtype=float).reshape(
        -1, columns
    )
