"""What a judge's grades are worth, measured on replies whose grades are known by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.benchmarks.judging.judge import Judge, Judged
from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.runtime.statistics import Interval, wilson_interval

if TYPE_CHECKING:
    from explicate.benchmarks.judging.panel import JudgePanel

FEWEST = 100  # items of a calibration set
BALANCE = 0.5  # each grade must have this part of an equal share
KAPPA, PARSED = 0.6, 0.95  # below these a judged figure is no headline


@dataclass(frozen=True)
class Known:
    """A reply with its grade, known because of how it was made."""

    item: Judged
    grade: str
    made: str


@dataclass(frozen=True)
class Calibration:
    """How a judge's grades go with known ones.

    Attributes
    ----------
    confusion : int (known grade, given grade), the last column counts replies that got no grade.
    kappa : quadratic-weighted, of the scored items. accuracy : share of right grades among all items, with interval.
    parse_rate : share of items that got a grade.
    sensitivity, specificity : of "at least the pass mark": the share of those known to pass (to fail) that the judge
        passes (fails); items without a grade are left out.
    by_making : accuracy by how the reply was made, such as "gold" or "negated".
    """

    scale: tuple[str, ...]
    pass_mark: str
    confusion: Array
    kappa: float
    accuracy: Interval
    parse_rate: float
    sensitivity: Interval
    specificity: Interval
    by_grade: Mapping[str, Interval]
    by_making: Mapping[str, Interval]

    @property
    def usable(self) -> bool:
        """Whether judged figures may be shown as such; else they are "not calibrated"."""
        return self.kappa >= KAPPA and self.parse_rate >= PARSED

    def __str__(self) -> str:
        verdict = "usable" if self.usable else f"NOT CALIBRATED (needs kappa >= {KAPPA} and {PARSED:.0%} graded)"
        return (
            f"judge on {int(self.confusion.sum())} known grades: {verdict}; kappa {self.kappa:.2f}, graded "
            f"{self.parse_rate:.1%}, accuracy {self.accuracy}, sensitivity {self.sensitivity}, specificity "
            f"{self.specificity}"
        )


def calibrate(judge: Judge | JudgePanel, known: Sequence[Known], pass_mark: str | None = None) -> Calibration:
    """Let a judge grade replies with known grades.

    Parameters
    ----------
    known : at least 100, with every grade of the scale in comparable numbers; see `known_grades`.
    pass_mark : the lowest grade that passes; by default the highest of the scale.

    Raises
    ------
    InputError : too few items, a grade that is not on the scale, or grades that are not balanced.
    """
    from sklearn.metrics import cohen_kappa_score

    scale = judge.scale
    mark = pass_mark or scale[-1]
    place = {grade: number for number, grade in enumerate(scale)}
    if mark not in place or place[mark] == 0:
        raise InputError(f"the pass mark {mark!r} is none of {', '.join(scale[1:])}")
    _check(known, scale)
    given = [grade.value for grade in judge.grade([one.item for one in known])]
    confusion = np.zeros((len(scale), len(scale) + 1), dtype=np.int64)
    for one, value in zip(known, given, strict=True):
        confusion[place[one.grade], len(scale) if value is None else place[value]] += 1
    pairs = [(place[one.grade], place[value]) for one, value in zip(known, given, strict=True) if value is not None]
    parsed = len(pairs) / len(known)
    kappa = 0.0
    if pairs and len({b for _, b in pairs}) > 1:
        first, second = zip(*pairs, strict=True)
        kappa = float(cohen_kappa_score(first, second, labels=list(range(len(scale))), weights="quadratic"))
    right = [one.grade == value for one, value in zip(known, given, strict=True)]
    level = place[mark]
    passed = confusion[level:, :-1]
    failed = confusion[:level, :-1]
    return Calibration(
        scale,
        mark,
        confusion,
        kappa,
        wilson_interval(sum(right), len(right)),
        parsed,
        _share(int(passed[:, level:].sum()), int(passed.sum())),
        _share(int(failed[:, :level].sum()), int(failed.sum())),
        _shares([one.grade for one in known], right),
        _shares([one.made for one in known], right),
    )


def _check(known: Sequence[Known], scale: Sequence[str]) -> None:
    if len(known) < FEWEST:
        raise InputError(f"{len(known)} known grades are too few to calibrate a judge; give at least {FEWEST}")
    counts = Counter(one.grade for one in known)
    strange = sorted(counts.keys() - set(scale))
    if strange:
        raise InputError(f"the known grade {strange[0]!r} is not on the scale {', '.join(scale)}")
    for grade in scale:
        if counts[grade] < BALANCE * len(known) / len(scale):
            raise InputError(f"only {counts[grade]} of {len(known)} known grades are {grade!r}; balance them")


def _share(successes: int, n: int) -> Interval:
    """A share; of no item at all anything may be true."""
    return wilson_interval(successes, n) if n else Interval(0.5, 0.0, 1.0, 0.5, 0, 0, "wilson")


def _shares(labels: Sequence[str], right: Sequence[bool]) -> dict[str, Interval]:
    found = {}
    for label in sorted(set(labels)):
        own = [one for name, one in zip(labels, right, strict=True) if name == label]
        found[label] = wilson_interval(sum(own), len(own))
    return found
