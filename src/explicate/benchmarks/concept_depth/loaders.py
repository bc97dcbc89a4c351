"""The nine data sets of Jin et al. (2025), read from local files in the formats in which they are published.

Label 1 is that of the published code: the false, or "no", items of most sets, and the positive reviews of STSA and
IMDb. Nothing is fetched; a missing file is an error that names the loader.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explicate.benchmarks.concept_depth import tasks
from explicate.benchmarks.concept_depth.tasks import ANCHORS, Group, Placement, ProbingTask
from explicate.core.registry import unknown
from explicate.errors import FileFormatError, InputError, first_line

Rows = list[tuple[str, int, str]]
Read = Callable[[Path], Rows]


@dataclass(frozen=True)
class DataSet:
    """How one data set is read and asked about.

    Attributes
    ----------
    read : path -> texts with their label and subject.
    per_class : examples of each class that the paper uses; None: all.
    """

    name: str
    read: Read
    positive: str
    group: Group
    instruction: str
    placement: Placement
    anchor: str
    per_class: int | None = None
    cue: str = ""
    yes: int = 0
    subjects: bool = False


def load_task(name: str, path: str | Path, per_class: int | None = None) -> ProbingTask:
    """A data set as a task.

    Parameters
    ----------
    name : one of `DATA_SETS`: "cities", "common-claim", "counterfact", "stsa", "imdb", "sarcasm", "hateeval",
        "strategyqa", "coinflip".
    path : its file.
    per_class : examples of each class, the first ones; default: the paper's number.

    Raises
    ------
    InputError : the file is not there. FileFormatError : it lacks a field.
    """
    if name not in DATA_SETS:
        raise unknown(name, sorted(DATA_SETS), "data set")
    entry = DATA_SETS[name]
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"the loader {name!r} found no file {file}; give the path of your copy of the data set")
    try:
        rows = entry.read(file)
    except (ValueError, KeyError, TypeError, IndexError, OSError) as error:
        raise FileFormatError(
            f"the loader {name!r} cannot read {file}: {type(error).__name__}: {first_line(error)}"
        ) from error
    kept = _first(rows, per_class or entry.per_class)
    return ProbingTask(
        name,
        tuple(text for text, _, _ in kept),
        np.array([label for _, label, _ in kept], dtype=np.int64),
        entry.positive,
        entry.group,
        entry.instruction,
        entry.placement,
        entry.cue,
        tuple(subject for _, _, subject in kept) if entry.subjects else None,
        entry.anchor,
        entry.yes,
    )


def table_task(
    path: str | Path, instruction: str = "", placement: Placement = "after", group: Group = "factual"
) -> ProbingTask:
    """A task of one's own from a CSV, TSV or Parquet file with the columns `text`, `label` and, if given, `subject`.

    There must be two labels; the one that comes later in order ("positive" after "negative", 1 after 0) is label 1.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"there is no file {file}; give one with the columns text and label")
    rows = _table(file)
    missing = [name for name in ("text", "label") if not rows or name not in rows[0]]
    if missing:
        raise FileFormatError(f"{file} has no column {missing[0]!r}; it needs text and label")
    names = sorted({str(row["label"]) for row in rows})
    if len(names) != 2:
        raise InputError(f"{file} has the labels {', '.join(names[:5])}; a task needs two")
    subjects = tuple(str(row["subject"]) for row in rows) if "subject" in rows[0] else None
    labels = np.array([names.index(str(row["label"])) for row in rows], dtype=np.int64)
    texts = tuple(str(row["text"]) for row in rows)
    return ProbingTask(file.stem, texts, labels, names[1], group, instruction, placement, subjects=subjects, yes=1)


def _first(rows: Rows, per_class: int | None) -> Rows:
    if per_class is None:
        return rows
    seen, kept = [0, 0], []
    for row in rows:
        seen[row[1]] += 1
        if seen[row[1]] <= per_class:
            kept.append(row)
    return kept


def _cities(path: Path) -> Rows:
    return [(row["statement"], 1 - int(row["label"]), row["city"]) for row in _table(path)]


def _common_claim(path: Path) -> Rows:
    labels = {"true": 0, "false": 1}
    rows = [(row["examples"], labels.get(str(row["label"]).strip().lower(), -1)) for row in _table(path)]
    return [(text, label, text) for text, label in rows if label >= 0]  # what people did not agree on is left out


def _counterfact(path: Path) -> Rows:
    return [(row["statement"], 1 - int(row["label"]), row["subject"]) for row in _table(path)]


def _stsa(path: Path) -> Rows:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            label, text = line.strip().split(" ", 1)
            rows.append((text, _bit(label), text))
    return rows


def _imdb(path: Path) -> Rows:
    names = {"pos": 1, "neg": 0, "positive": 1, "negative": 0}
    return [(row["text"], names.get(str(row["label"]), row["label"]), row["text"]) for row in _table(path)]


def _sarcasm(path: Path) -> Rows:
    return [(row["headline"], 1 - _bit(row["is_sarcastic"]), row["headline"]) for row in _objects(path)]


def _hateeval(path: Path) -> Rows:
    return [(row["text"], 1 - _bit(row["HS"]), row["text"]) for row in _table(path)]


def _strategyqa(path: Path) -> Rows:
    rows = []
    for row in _objects(path):
        scores = row["target_scores"]
        reason = str(row["target"]).strip()
        for answer in ("Yes.", "No."):
            reason = reason.removeprefix(answer).lstrip()
        rows.append((f"{row['input']} {reason}".strip(), int(scores["No"] > scores["Yes"]), row["input"]))
    return rows


def _coinflip(path: Path) -> Rows:
    answers = {"yes": 0, "no": 1}
    return [(row["question"], answers[str(row["answer"]).strip().lower()], row["question"]) for row in _objects(path)]


def _table(path: Path) -> list[dict[str, Any]]:
    """Rows of a CSV, TSV or Parquet file."""
    import pandas as pd

    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        frame = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", keep_default_na=False)
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _objects(path: Path) -> Sequence[dict[str, Any]]:
    """Objects of a JSON list, of "examples" in a JSON object, or of JSON lines."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        found: list[dict[str, Any]] = json.loads(text)
        return found
    try:
        whole = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    examples: Sequence[dict[str, Any]] = whole.get("examples", [whole])
    return examples


def _bit(value: Any) -> int:
    found = int(value)
    if found not in (0, 1):
        raise ValueError(f"label {value!r} is neither 0 nor 1")
    return found


def _about_truth(name: str, read: Read, per_class: int | None = None, subjects: bool = False) -> DataSet:
    return DataSet(
        name, read, "false", "factual", tasks.TRUTH, "before", ANCHORS["truth"], per_class, subjects=subjects
    )  # fmt: skip


def _about_sentiment(name: str, read: Read, per_class: int | None = None) -> DataSet:
    return DataSet(
        name, read, "positive", "emotional", tasks.SENTIMENT, "after", ANCHORS["sentiment"], per_class, yes=1
    )


DATA_SETS: dict[str, DataSet] = {
    entry.name: entry
    for entry in (
        _about_truth("cities", _cities, subjects=True),
        _about_truth("common-claim", _common_claim, 3000),
        _about_truth("counterfact", _counterfact, 2000, subjects=True),
        _about_sentiment("stsa", _stsa),
        _about_sentiment("imdb", _imdb, 1000),
        DataSet("sarcasm", _sarcasm, "not sarcastic", "emotional", tasks.SARCASM, "around", ANCHORS["sarcasm"], 3000,
                tasks.STEPS),
        DataSet("hateeval", _hateeval, "no hate", "emotional", tasks.HATE, "after", ANCHORS["hate"], 3000),
        DataSet("strategyqa", _strategyqa, "no", "inferential", tasks.STRATEGY, "around", ANCHORS["strategy"],
                cue=tasks.STEPS),
        DataSet("coinflip", _coinflip, "no longer heads up", "inferential", tasks.COIN, "after", ANCHORS["coin"]),
    )
}  # fmt: skip
