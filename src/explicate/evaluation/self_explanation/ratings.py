"""Ratings of explanations on a scale from 1 to 5: the form that people fill in, and what several raters agree on.

Raters see the question, the answer and the explanation only. A judge that is a chat model writes ratings too:
`explicate.benchmarks.faith_plaus.judged_ratings`. A judge of "faithfulness" that reads the text alone measures
plausibility: such grades belong here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import FileFormatError, InputError
from explicate.evaluation.self_explanation.measured import Measured, missing, rows_of
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.self_explanations import in_words
from explicate.runtime.files import write_text

CRITERIA = {
    "logical": "Does the explanation follow from what is given, without contradicting itself or the answer?",
    "complete": "Does it say everything that one needs to accept the answer?",
    "easy to follow": "Is it clear and easy to follow?",
    "convincing": "Would it convince somebody who does not know the answer?",
}
LOWEST, HIGHEST = 1, 5
FIELDS = ("item", "question", "answer", "explanation", *CRITERIA)


@dataclass(frozen=True)
class Ratings:
    """Grades from 1 to 5, by item and criterion.

    Attributes
    ----------
    grades : item -> criterion -> grade; what was not graded is left out.
    rater : who. settings : of a judge, written down.
    usable : False for a judge whose calibration failed: shown, and part of no axis.
    """

    grades: Mapping[str, Mapping[str, int]]
    rater: str = "people"
    settings: dict[str, Any] = field(default_factory=dict)
    usable: bool = True

    def __post_init__(self) -> None:
        for item, own in self.grades.items():
            for criterion, grade in own.items():
                if criterion not in CRITERIA or not LOWEST <= grade <= HIGHEST:
                    raise InputError(f"item {item!r}: {criterion} = {grade}; grade {', '.join(CRITERIA)} from 1 to 5")

    def measured(self, items: Sequence[str]) -> Measured:
        """The test: grades put on a scale from 0 to 1, for items with all criteria graded."""
        rows = [self._row(self.grades.get(item, {})) for item in items]
        if all(row is None for row in rows):
            return missing("ratings", len(items), "no item has all its grades")
        notes = {"rater": self.rater, **self.settings, **({} if self.usable else {"judge": "not calibrated"})}
        return Measured("ratings", rows_of(rows, len(CRITERIA)), tuple(CRITERIA), counted=self.usable, notes=notes)

    @staticmethod
    def _row(own: Mapping[str, int]) -> list[float] | None:
        if set(own) != set(CRITERIA):
            return None
        return [(own[name] - LOWEST) / (HIGHEST - LOWEST) for name in CRITERIA]


def write_form(path: str | Path, items: Sequence[ChoiceItem], explanation: Narrative) -> Path:
    """A CSV file for a rater to fill in: one line per readable explanation, with a column per criterion."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(FIELDS)
    for place, item in enumerate(items):
        if str(explanation["status"].values[place]) == "ok":
            answer = item.choices[item.letters.index(str(explanation["answer"].values[place]))]
            lines.writerow(
                [item.name, prompts.item_text(item), answer, in_words(explanation, place)] + [""] * len(CRITERIA)
            )
    return write_text(path, text.getvalue())


def read_form(path: str | Path, rater: str = "people") -> Ratings:
    """A form that was filled in; empty cells are not graded.

    Raises
    ------
    FileFormatError : another table, or a grade that is no whole number from 1 to 5, named with its line.
    """
    grades: dict[str, dict[str, int]] = {}
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot read {path}: {error}") from error
    for number, row in enumerate(rows, start=2):
        if not set(FIELDS) <= set(row):
            raise FileFormatError(f"{path} is no form: it lacks {', '.join(sorted(set(FIELDS) - set(row)))}")
        for criterion in CRITERIA:
            given = (row[criterion] or "").strip()
            if not given:
                continue
            if given not in map(str, range(LOWEST, HIGHEST + 1)):
                raise FileFormatError(
                    f"{path}, line {number}: {criterion} is {given!r}; write a whole number from 1 to 5"
                )
            grades.setdefault(row["item"], {})[criterion] = int(given)
    if not grades:
        raise FileFormatError(f"{path} holds no grade")
    return Ratings(grades, rater)


def agreement(first: Ratings, second: Ratings) -> dict[str, float]:
    """Cohen's kappa, weighted by the square of the distance, of two raters, by criterion; over what both graded."""
    from sklearn.metrics import cohen_kappa_score

    found = {}
    for criterion in CRITERIA:
        pairs = [
            (own[criterion], second.grades[item][criterion])
            for item, own in first.grades.items()
            if criterion in own and criterion in second.grades.get(item, {})
        ]
        if len(pairs) >= 2 and len({grade for pair in pairs for grade in pair}) > 1:
            one, two = np.array(pairs).T
            found[criterion] = float(
                cohen_kappa_score(one, two, weights="quadratic", labels=list(range(LOWEST, HIGHEST + 1)))
            )
    return found
