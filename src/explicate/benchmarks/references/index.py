"""Which titles exist: an index on this machine, or a search that the user brings. Only evaluation needs this.

No index and no search is asked while references are checked; a search is asked only where one is handed over.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from explicate.data.language.references import Reference, normalised
from explicate.errors import FileFormatError, InputError, first_line
from explicate.runtime.statistics import Interval, wilson_interval

COLUMNS = ("title", "gen_title")


class ReferenceIndex(Protocol):
    """Says which titles exist."""

    def found(self, titles: Sequence[str]) -> list[bool]:
        """Whether each title is known."""


class TitleIndex:
    """Titles that exist, held in memory: equal after lower-casing, without punctuation and spaces.

    Parameters
    ----------
    titles : those that exist; ones without a letter or a digit are passed over.
    """

    def __init__(self, titles: Iterable[str]) -> None:
        self.titles = frozenset(filter(None, map(normalised, titles)))
        if not self.titles:
            raise InputError("an index needs at least one title")

    def __repr__(self) -> str:
        return f"TitleIndex({len(self.titles):,} titles)"

    def found(self, titles: Sequence[str]) -> list[bool]:
        """Whether each title is in the index."""
        return [normalised(title) in self.titles for title in titles]

    @classmethod
    def from_file(cls, path: str | Path) -> TitleIndex:
        """An index from a text file with one title per line, or from a CSV file with a column "title".

        Raises
        ------
        InputError : the file cannot be read, or holds no title. FileFormatError : a CSV file without that column.
        """
        path = Path(path)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                if path.suffix != ".csv":
                    return cls(file)
                rows = list(csv.DictReader(file))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise FileFormatError(f"{path} is no list of titles: {first_line(error)}") from error
        column = next((name for name in COLUMNS if rows and name in rows[0]), None)
        if column is None:
            raise FileFormatError(f"{path} has no column {COLUMNS[0]!r}; name the column of titles so")
        return cls(row[column] or "" for row in rows)


@dataclass(frozen=True)
class SearchIndex:
    """A search engine as an index: a title exists where searching for it, as an exact phrase, finds anything.

    Parameters
    ----------
    search : gets a title in double quotes, gives the number of results. It is yours: what it asks, and how often, is up
        to it.

    Notes
    -----
    A phrase that is found is no proof: generic titles are found by accident.
    """

    search: Callable[[str], int]

    def found(self, titles: Sequence[str]) -> list[bool]:
        """Whether each title is found; equal titles are searched for once."""
        known: dict[str, bool] = {}
        for title in titles:
            if title not in known:
                phrase = title.replace('"', " ")
                known[title] = self.search(f'"{" ".join(phrase.split())}"') > 0
        return [known[title] for title in titles]


def label(references: Sequence[Reference], index: ReferenceIndex) -> list[Reference]:
    """The references with the index's word on whether they exist."""
    found = index.found([one.title for one in references])
    return [replace(one, grounded=bool(known)) for one, known in zip(references, found, strict=True)]


@dataclass(frozen=True)
class Audit:
    """Labels held against those of people.

    Attributes
    ----------
    agreement : by expert, the share of titles with the same label, with Wilson's interval.
    kappa : by expert, Cohen's, which is 0 for agreement by chance; NaN where there is one label only.
    apart : by expert, the titles with another label.
    """

    agreement: dict[str, Interval]
    kappa: dict[str, float]
    apart: dict[str, tuple[str, ...]]


def audit(references: Sequence[Reference], experts: Mapping[str, Mapping[str, bool]]) -> Audit:
    """Compare labels with what people say, title by title.

    Parameters
    ----------
    experts : by name, whether each title exists; see `read_labels`.

    Raises
    ------
    InputError : an expert who judged none of the labelled references.
    """
    from sklearn.metrics import cohen_kappa_score

    labels = {normalised(one.title): one for one in references if one.grounded is not None}
    agreement, kappa, apart = {}, {}, {}
    for name, said in experts.items():
        judged = [(title, exists) for title, exists in said.items() if normalised(title) in labels]
        if not judged:
            raise InputError(f"{name} judged none of the {len(labels)} labelled references")
        own = [bool(labels[normalised(title)].grounded) for title, _ in judged]
        theirs = [exists for _, exists in judged]
        same = sum(one == other for one, other in zip(own, theirs, strict=True))
        agreement[name] = wilson_interval(same, len(judged))
        both = {*own, *theirs}
        kappa[name] = float(cohen_kappa_score(own, theirs)) if len(both) == 2 else float("nan")
        apart[name] = tuple(title for (title, exists), one in zip(judged, own, strict=True) if exists != one)
    return Audit(agreement, kappa, apart)


def read_labels(path: str | Path) -> dict[str, bool]:
    """Labels by title, from a CSV file with "gen_title" and "Label (H/G)" or "bing_return".

    Raises
    ------
    InputError : the file cannot be read. FileFormatError : other columns, or a label that is neither.
    """
    known = {"g": True, "true": True, "h": False, "false": False}
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    named = {name.lower().replace(" ", ""): name for name in (rows[0] if rows else {}) if name}
    column = named.get("label(h/g)", named.get("bing_return"))
    if column is None or "gen_title" not in named:
        raise FileFormatError(f'{path} has no columns "gen_title" and "Label (H/G)" or "bing_return"')
    found = {}
    for number, row in enumerate(rows, 1):
        said = known.get((row[column] or "").strip().lower())
        if said is None:
            raise FileFormatError(f"{path}, row {number}: the label {row[column]!r} is neither G nor H")
        found[row[named["gen_title"]]] = said
    return found
