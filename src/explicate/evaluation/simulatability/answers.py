"""Answers of readers: read from what they wrote, compared with the model, and set apart by who gave them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from explicate.errors import InputError, counted
from explicate.evaluation.simulatability.study import RATINGS, SimulationStudy

if TYPE_CHECKING:
    import pandas as pd

SLIPS = 2  # letters in which an answer may differ from a class
SIMULATED = "simulated"
PERSON = "person"


@dataclass(frozen=True)
class Answer:
    """What one reader answered about one item in one phase.

    Attributes
    ----------
    participant : a number without a name. kind : "person" or "simulated". reader : the program, of a simulated reader.
    method, test, phase, item : what was shown, see `Shown`.
    answer : the class, or "" where nothing was asked or nothing could be read.
    rating : of the explanation, or None.
    seconds : since the page was last shown, or None; times_shown : how often it was, more than once after a break.
    """

    participant: str
    kind: str
    method: str
    test: str
    phase: str
    item: str
    answer: str = ""
    rating: int | None = None
    seconds: float | None = None
    times_shown: int = 1
    reader: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (PERSON, SIMULATED):
            raise InputError(f"the reader {self.participant!r} is a {self.kind!r}; say {PERSON} or {SIMULATED}")
        if (self.kind == SIMULATED) != bool(self.reader):
            raise InputError(
                f"the reader {self.participant!r}: simulated readers, and no others, name the program that they are"
            )


COLUMNS = tuple(field.name for field in fields(Answer))


def read_class(text: str, classes: Sequence[str]) -> str | None:
    """The class that an answer means: the nearest one within two wrong letters; None where none, or both, are.

    Upper case, blanks at the ends and quotation marks do not count.
    """
    written = _plain(text)
    if not written:
        return None
    distances = [letters_apart(written, _plain(one)) for one in classes]
    near = [one for one, distance in zip(classes, distances, strict=True) if distance == min(distances)]
    return near[0] if min(distances) <= SLIPS and len(near) == 1 else None


def letters_apart(one: str, other: str) -> int:
    """How many letters must be put in, left out or changed (Levenshtein distance)."""
    before = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        now = [number]
        for place, second in enumerate(other, start=1):
            now.append(min(before[place] + 1, now[-1] + 1, before[place - 1] + (letter != second)))
        before = now
    return before[-1]


def read_rating(text: str) -> int | None:
    """A rating from 1 to 7; None for anything else."""
    try:
        found = int(text.strip())
    except ValueError:
        return None
    return found if RATINGS[0] <= found <= RATINGS[1] else None


def checked_answers(study: SimulationStudy, answers: Sequence[Answer]) -> list[Answer]:
    """The answers, if they fit the study.

    Raises
    ------
    InputError : ids that the study does not have (all of them are listed), a reader with several methods, one that is
        both a person and simulated, an item answered twice, or an unknown class.
    """
    known: dict[str, set[str]] = {test.name: set(study.truth(test.name)) for test in study.tests}
    learned = {item.id for item in study.learning}
    foreign = sorted({one.item for one in answers if one.item not in known.get(one.test, set()) | learned})
    if foreign:
        raise InputError(f"the master has no {counted(len(foreign), 'item')} of the answers: {', '.join(foreign)}")
    seen: Counter[tuple[str, str, str, str]] = Counter()
    whose: dict[str, tuple[str, str, str]] = {}
    for one in answers:
        study.checked_method(one.method)
        own = whose.setdefault(one.participant, (one.method, one.kind, one.reader))
        if own != (one.method, one.kind, one.reader):
            raise InputError(f"the reader {one.participant!r} has several methods or natures; a reader sees one method")
        if one.answer and one.answer not in study.classes:
            raise InputError(f"the reader {one.participant!r} answers {one.answer!r}, which is no class of the study")
        seen[one.participant, one.test, one.phase, one.item] += 1
    doubled = [key for key, count in seen.items() if count > 1]
    if doubled:
        raise InputError(f"the reader {doubled[0][0]!r} answered item {doubled[0][3]!r} twice in the same phase")
    return list(answers)


def readers_are_programs(answers: Sequence[Answer]) -> bool:
    """Whether the readers are programs; people and programs are never summed up together."""
    kinds = sorted({one.kind for one in answers})
    if len(kinds) > 1:
        raise InputError("answers of people and of simulated readers are mixed; analyse them apart")
    return kinds == [SIMULATED]


def answers_frame(answers: Sequence[Answer], study: SimulationStudy | None = None) -> pd.DataFrame:
    """One row an answer; with the study also the model's prediction and whether the answer is it."""
    import pandas as pd

    frame = pd.DataFrame([asdict(one) for one in answers], columns=list(COLUMNS))
    if study is None:
        return frame
    truth: dict[str, dict[str, str]] = {test.name: study.truth(test.name) for test in study.tests}
    frame["truth"] = [truth[one.test].get(one.item, "") for one in answers]
    frame["correct"] = [
        float(own == true) if own and true else float("nan")
        for own, true in zip(frame["answer"], frame["truth"], strict=True)
    ]
    return frame


def answers_csv(answers: Sequence[Answer]) -> str:
    """Answers as CSV; what a spreadsheet would take for a formula gets an apostrophe in front."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(one, name)) for name in COLUMNS] for one in answers)
    return file.getvalue()


def answers_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Answers as JSON."""
    return [asdict(one) for one in answers]


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _number(text) else text


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(text: str) -> str:
    return " ".join(text.strip().strip("\"'").lower().split())
