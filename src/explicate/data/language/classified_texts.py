"""Texts with a class each, from the files that four public data sets come in: questions, reviews, sentences, news.

Their sources: TREC (Li, Roth, 2002, "Learning Question Classifiers"), MR (Pang, Lee, 2005, "Seeing Stars"), Subj (Pang,
Lee, 2004, "A Sentimental Education"), AG News (Zhang, Zhao, LeCun, 2015, "Character-level Convolutional Networks").
Every reader takes a local path; nothing is fetched.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

from explicate.data.language.tagged import Tagged, labelled, text_lines
from explicate.errors import FileFormatError, InputError, UnknownNameError

QUESTIONS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
NEWS = ("World", "Sports", "Business", "Sci/Tech")
REVIEWS = {"rt-polarity.neg": "negative", "rt-polarity.pos": "positive"}
SENTENCES = {"plot.tok.gt9.5000": "objective", "quote.tok.gt9.5000": "subjective"}


def text_tokens(text: str) -> tuple[str, ...]:
    """Words in lower case and single marks, with every number as @.

    Raises
    ------
    InputError : a text without any.
    """
    found = tuple(re.findall(r"[^\W_]+(?:'[^\W_]+)?|[^\w\s]", re.sub(r"\d+", "@", text.lower())))
    if not found:
        raise InputError(f"the text {text!r} has no words")
    return found


def read_trec(path: str | Path, fine: bool = False) -> list[Tagged]:
    """Questions by what they ask for: a line each, "DESC:manner How did serfdom develop ?".

    Parameters
    ----------
    path : train_5500.label or TREC_10.label. fine : the class with its part after the colon.

    Raises
    ------
    FileFormatError : a line that does not begin with one of the six classes.
    """
    found = []
    for number, line in enumerate(text_lines(Path(path), "latin-1"), 1):
        if not line.strip():
            continue
        label, _, question = line.strip().partition(" ")
        if label.split(":")[0] not in QUESTIONS or not question.strip():
            raise FileFormatError(
                f"{path}, line {number}: {line[:40]!r} is no question after one of {', '.join(QUESTIONS)}"
            )
        found.append(labelled(text_tokens(question), label if fine else label.split(":")[0]))
    return _some(found, path)


def read_reviews(folder: str | Path) -> list[Tagged]:
    """MR: sentences of film reviews, negative (rt-polarity.neg) and positive ones (rt-polarity.pos), a line each."""
    return _by_file(Path(folder), REVIEWS)


def read_subjectivity(folder: str | Path) -> list[Tagged]:
    """Subj: objective sentences (plot.tok.gt9.5000) and subjective ones (quote.tok.gt9.5000), a line each."""
    return _by_file(Path(folder), SENTENCES)


def read_ag_news(path: str | Path) -> list[Tagged]:
    """News by their section: train.csv or test.csv with the columns class (1 to 4), title, description.

    Raises
    ------
    FileFormatError : a row that is not such a one.
    """
    found = []
    try:
        rows = list(csv.reader(text_lines(Path(path)), strict=True))
    except csv.Error as error:
        raise FileFormatError(f"{path} is no table of comma-separated values: {error}") from error
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        if len(row) != 3 or row[0] not in ("1", "2", "3", "4"):
            if number == 1 and row[0].lower().startswith("class"):
                continue  # some copies have a heading
            raise FileFormatError(f"{path}, row {number}: {row[0]!r} is no class 1 to 4 before a title and a text")
        found.append(labelled(text_tokens(f"{row[1]} {row[2]}"), NEWS[int(row[0]) - 1]))
    return _some(found, path)


READERS: dict[str, Callable[[str | Path], list[Tagged]]] = {
    "trec": read_trec, "mr": read_reviews, "subj": read_subjectivity, "ag-news": read_ag_news,
}  # fmt: skip


def read_classes(name: str, path: str | Path) -> list[Tagged]:
    """One of the four by name: "trec", "mr", "subj", "ag-news". The class stands at the first token of a text.

    Raises
    ------
    UnknownNameError : another name. FileFormatError : a file that is missing, or not of its form.
    """
    if name not in READERS:
        raise UnknownNameError(f"no data set {name!r}; there are {', '.join(READERS)}")
    return READERS[name](path)


def _by_file(folder: Path, labels: dict[str, str]) -> list[Tagged]:
    found = []
    for name, label in labels.items():
        rows = [labelled(text_tokens(line), label) for line in text_lines(folder / name, "latin-1") if line.strip()]
        found += _some(rows, folder / name)
    return found


def _some(rows: list[Tagged], path: str | Path) -> list[Tagged]:
    if not rows:
        raise FileFormatError(f"{path} has no texts")
    return rows
