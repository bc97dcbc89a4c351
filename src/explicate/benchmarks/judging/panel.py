"""Several judges: the majority's grade, and how far they agree (Krippendorff's alpha)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.benchmarks.judging.judge import Grade, Judge, Judged, majority
from explicate.errors import InputError, MissingDependencyError


@dataclass(frozen=True)
class PanelGrades:
    """Grades of a panel.

    Attributes
    ----------
    grades : the majority's; unscored where there is none.
    by_judge : each judge's own grades, (judge, item).
    alpha : Krippendorff's alpha on the scale's order: 1 all agree, 0 as by chance; None where it is undefined.
    """

    grades: list[Grade]
    by_judge: list[list[Grade]]
    alpha: float | None


@dataclass(frozen=True)
class JudgePanel:
    """Judges with one scale; at least two."""

    judges: tuple[Judge, ...]

    def __post_init__(self) -> None:
        if len(self.judges) < 2 or len({judge.scale for judge in self.judges}) > 1:
            raise InputError("a panel has at least two judges, all with the same scale")

    @property
    def scale(self) -> tuple[str, ...]:
        """The grades, from the lowest to the highest."""
        return self.judges[0].scale

    def grade(self, items: Sequence[Judged]) -> list[Grade]:
        """The majority's grade for each item."""
        return self.grades(items).grades

    def grades(self, items: Sequence[Judged]) -> PanelGrades:
        """As `grade`, with each judge's grades and their agreement."""
        by_judge = [judge.grade(items) for judge in self.judges]
        found = []
        for votes in zip(*by_judge, strict=True):
            values = tuple(vote.value for vote in votes)
            value = majority(values)
            reason = next((vote.reason for vote in votes if vote.value == value), "") if value else "no majority"
            found.append(Grade(value, reason, values, any(vote.own for vote in votes)))
        return PanelGrades(found, by_judge, alpha([[grade.value for grade in row] for row in by_judge], self.scale))


def alpha(values: Sequence[Sequence[str | None]], scale: Sequence[str]) -> float | None:
    """Krippendorff's alpha of grades (judge, item), None for missing ones, on the scale's order."""
    try:
        import krippendorff
    except ImportError as error:
        raise MissingDependencyError("agreement of judges needs: pip install 'explicate[benchmarks]'") from error
    place = {grade: float(number) for number, grade in enumerate(scale)}
    table = np.array([[np.nan if one is None else place[one] for one in row] for row in values])
    if len(np.unique(table[np.isfinite(table)])) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no item with two grades: the result is NaN
        found = float(krippendorff.alpha(table, level_of_measurement="ordinal", value_domain=list(place.values())))
    return found if np.isfinite(found) else None
