"""The published table of references, labels and raw answers: read, scored again from the raw answers, and written.

One row per title: `gen_title`, `title` (the topic), `model_answer_main_query`, `bing_return`, `model_ans_1..3` (lists
of authors), `neural_ans1_list` and `neural_ans1_prob` (what the model said on their overlap, and IQ),
`neural_ans2..4_list` and `_prob` (DQ1 to DQ3). Source: the data set of arXiv 2305.18248.
"""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.kinds import Narrative
from explicate.data.language.references import Reference, clean_title, normalised, titles_in
from explicate.errors import FileFormatError, InputError, first_line
from explicate.rationales.reference_prompts import overlap_share, says_yes
from explicate.rationales.reference_scores import DIRECT, IQ, QUERIES, ensembles
from explicate.runtime.files import write_text

TITLE, TOPIC, ANSWER, LABEL = "gen_title", "title", "model_answer_main_query", "bing_return"
LISTS = ("model_ans_1", "model_ans_2", "model_ans_3")
SAID = {name: f"neural_ans{number}_list" for number, name in enumerate(QUERIES, 1)}
STORED = {name: f"neural_ans{number}_prob" for number, name in enumerate(QUERIES, 1)}
COLUMNS = (TITLE, TOPIC, ANSWER, LABEL, *LISTS, *(column[name] for name in QUERIES for column in (SAID, STORED)))
LABELS = {"true": True, "false": False, "": None}


@dataclass(frozen=True, eq=False)
class PublishedAnswers:
    """A published table.

    Attributes
    ----------
    references : with their labels, where there are any. One whose title is none of its answer's (any line with a digit
        in it was once taken for a title) has no answer and no place.
    author_replies : (row, 3), "" where a reply was held back.
    said : by query, the raw replies of each row: on the overlaps of three pairs (IQ), or to a direct query.
    stored : by query, (row,), the scores as they are in the file.
    """

    references: tuple[Reference, ...]
    author_replies: np.ndarray
    said: dict[str, tuple[tuple[str, ...], ...]]
    stored: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.references)

    def stored_scores(self) -> dict[str, Floats]:
        """The scores in the file and their ensembles."""
        return ensembles(self.stored)

    def scores(self) -> dict[str, Floats]:
        """The same from the raw replies."""
        found = {IQ: np.array([_mean([overlap_share(reply) or 0.0 for reply in row]) for row in self.said[IQ]])}
        found |= {
            name: np.array([_mean([float(says_yes(reply)) for reply in row]) for row in self.said[name]])
            for name in DIRECT
        }
        return ensembles(found)

    @property
    def unread(self) -> float:
        """The share of replies on overlaps that begin with no number."""
        replies = [reply for row in self.said[IQ] for reply in row]
        return _mean([float(overlap_share(reply) is None) for reply in replies])

    @property
    def filtered(self) -> float:
        """The share of empty lists of authors."""
        return float((self.author_replies == "").mean())


def read_published(path: str | Path) -> PublishedAnswers:
    """Read a table.

    Raises
    ------
    InputError : there is no such file, or nothing in it. FileFormatError : a missing column or an unreadable cell; the
        message names row and column.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is no text in UTF-8: {first_line(error)}") from error
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    if not rows:
        raise InputError(f"{path} has no rows")
    missing = [name for name in COLUMNS if name not in rows[0]]
    if missing:
        raise FileFormatError(f"{path} has no column {missing[0]!r}; a published table has {', '.join(COLUMNS)}")
    references, said, stored = [], {name: [] for name in QUERIES}, {name: [] for name in QUERIES}  # type: ignore[var-annotated]
    for number, row in enumerate(rows, 1):
        place = f"{path}, row {number}"
        if any(row[name] is None for name in COLUMNS):
            raise FileFormatError(f"{place}: the row is cut off")
        references.append(_reference(row, place))
        for name in QUERIES:
            said[name].append(_replies(row[SAID[name]], f"{place}, {SAID[name]}"))
            stored[name].append(_share(row[STORED[name]], f"{place}, {STORED[name]}"))
    lists = np.array([[row[name].strip() and row[name] for name in LISTS] for row in rows], dtype=object)
    return PublishedAnswers(
        tuple(references),
        lists,
        {name: tuple(found) for name, found in said.items()},
        {name: np.array(found) for name, found in stored.items()},
    )


def write_published(path: str | Path, references: Sequence[Reference], found: Narrative) -> Path:
    """Write what a checker with three lists and all four queries found as a published table.

    Raises
    ------
    InputError : another number of references or lists, or a query that was not asked in samples.
    """
    names = [str(name) for name in found["detector"].values]
    whole = set(QUERIES) <= set(names) and {"direct_reply", "author_reply"} <= set(map(str, found.data))
    if not whole or found.data.sizes["draw"] != len(LISTS) or len(references) != len(found):
        raise InputError(
            "a published table holds three lists of authors and replies to IQ, DQ1, DQ2 and DQ3 of each title"
        )
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    queries = [str(name) for name in found["query"].values]
    for row, one in enumerate(references):
        scores = dict(zip(names, found["score"].values[row].tolist(), strict=True))
        said = {IQ: found["overlap_reply"].values[row].tolist()}
        said |= {name: found["direct_reply"].values[row, queries.index(name)].tolist() for name in DIRECT}
        writer.writerow(
            {
                TITLE: one.title,
                TOPIC: one.topic,
                ANSWER: one.answer,
                LABEL: "" if one.grounded is None else str(one.grounded),
                **dict(zip(LISTS, found["author_reply"].values[row].tolist(), strict=True)),
                **{SAID[name]: repr([str(reply) for reply in said[name]]) for name in QUERIES},
                **{STORED[name]: repr(scores[name]) for name in QUERIES},
            }
        )
    return write_text(path, text.getvalue())


def _reference(row: dict[str, str], place: str) -> Reference:
    label = LABELS.get(row[LABEL].strip().lower(), "no label")
    if isinstance(label, str):
        raise FileFormatError(f"{place}, {LABEL}: {row[LABEL]!r} is neither True nor False")
    if not row[TITLE].strip():
        raise FileFormatError(f"{place}, {TITLE}: there is no title")
    own = normalised(clean_title(row[TITLE]))
    titles = [normalised(title) for title in titles_in(row[ANSWER])]
    answer = row[ANSWER] if own in titles else ""
    return Reference(row[TITLE], row[TOPIC], answer, titles.index(own) + 1 if answer else 0, label)


def _replies(cell: str, place: str) -> tuple[str, ...]:
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise FileFormatError(f"{place}: no list of replies ({first_line(error)})") from error
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise FileFormatError(f"{place}: no list of replies; it is {cell[:40]!r}")
    return tuple(found)


def _share(cell: str, place: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        found = np.nan
    if not 0 <= found <= 1:
        raise FileFormatError(f"{place}: {cell!r} is no score from 0 to 1")
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
