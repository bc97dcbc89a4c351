"""The layout in which labelled questions were published, and are exchanged: JSON lists, one file for each kind.

    [prompt, gold, wrong, gold_tokens, wrong_tokens, full_prompt, count_knowledge, -1]

Files are `<setting><kind><source>WithThreshold<threshold>_<model>.json`, where the setting is "" for bad examples and
"Alice" for the story, and the kind "Hallucinate" (HK+), "NonHallucinate" (correct) or "General" (HK- and middle).
The layout has one gold answer a row, and no answers of the model; `WackDataset.save` keeps everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.benchmarks.wack.dataset import Label, WackDataset, WackRecord
from explicate.benchmarks.wack.items import PROMPT, Item
from explicate.errors import FileFormatError, InputError, first_line
from explicate.runtime.files import write_text

KINDS: dict[str, tuple[Label, ...]] = {
    "Hallucinate": ("HK+",),
    "NonHallucinate": ("correct",),
    "General": ("HK-", "middle"),
}
SETTINGS = {"bad-shots": "", "alice-bob": "Alice"}
COLUMNS = 8
UNUSED = -1
_NAME = re.compile(
    r"(?P<setting>.*?)(?P<kind>Hallucinate|NonHallucinate|General|Static)(?P<source>.+?)"
    r"(?:WithThreshold(?P<threshold>[\d.]+)_(?P<model>.+))?\.json"
)
_BEFORE, _AFTER = PROMPT.split("{question}")


@dataclass(frozen=True)
class FileName:
    """What a file's name says. `threshold` is the share of hits that counts as knowledge; always 1 here."""

    kind: str
    source: str
    model: str = ""
    setting: str = "bad-shots"
    threshold: float = 1.0

    def __str__(self) -> str:
        start = SETTINGS.get(self.setting, self.setting.title().replace("-", ""))
        source = self.source[:1].upper() + self.source[1:]
        end = f"WithThreshold{self.threshold}_{self.model.replace('/', '_')}" if self.kind != "Static" else ""
        return f"{start}{self.kind}{source}{end}.json"

    @classmethod
    def parse(cls, path: str | Path) -> FileName:
        """Read a name; a `FileFormatError` says how names are built."""
        name = Path(path).name
        match = _NAME.fullmatch(name)
        if match is None:
            raise FileFormatError(
                f"{name} is no published file of labelled questions; names are like "
                "HallucinateTriviaWithThreshold1.0_model.json"
            )
        setting = next((key for key, start in SETTINGS.items() if start == match["setting"]), match["setting"].lower())
        threshold = float(match["threshold"] or 1.0)
        return cls(match["kind"], match["source"], match["model"] or "", setting, threshold)


def write_published(dataset: WackDataset, folder: str | Path) -> dict[str, Path]:
    """Write the three files of a data set; gives their paths by kind."""
    found = {}
    for kind, labels in KINDS.items():
        name = FileName(kind, dataset.source or "Questions", dataset.model, dataset.setting)
        rows = [_row(record) for record in dataset.of(*labels)]
        found[kind] = write_text(Path(folder) / str(name), json.dumps(rows, ensure_ascii=False))
    return found


def read_published(paths: Sequence[str | Path]) -> WackDataset:
    """Read files of one model, source and setting as one data set.

    Raises
    ------
    FileFormatError : a name or a row that is not of the layout, or a count that does not fit its file.
    InputError : files that do not belong together.
    """
    if not paths:
        raise InputError("no files given; name those of one model, source and setting")
    names = [FileName.parse(path) for path in paths]
    first = names[0]
    for path, name in zip(paths, names, strict=True):
        if name.kind == "Static":
            raise InputError(f"{Path(path).name} is a generic set; read it with read_generic_rows")
        if (name.source, name.model, name.setting) != (first.source, first.model, first.setting):
            raise InputError(
                f"{Path(path).name} and {Path(paths[0]).name} are of different models, sources or settings"
            )
    records: dict[str, WackRecord] = {}
    for path, name in zip(paths, names, strict=True):
        for row in read_rows(path):
            record = _record(row, name, path)
            records.setdefault(record.item.question, record)  # a question in two rows keeps its first
    return WackDataset(tuple(records.values()), first.model, first.setting, first.source)


def read_rows(path: str | Path) -> list[list[Any]]:
    """The rows of a published file, checked."""
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged: {first_line(error)}") from error
    if not isinstance(rows, list):
        raise FileFormatError(f"{path} holds no list of rows")
    for number, row in enumerate(rows):
        if not _fits(row):
            raise FileFormatError(
                f"{path}, row {number}: not [prompt, gold, wrong, gold_tokens, wrong_tokens, full_prompt, "
                "count_knowledge, -1]"
            )
    return rows


def question_of(prompt: str, path: str | Path) -> str:
    """The question in a prompt; a `FileFormatError` if it is built in another way."""
    if not (prompt.startswith(_BEFORE) and prompt.endswith(_AFTER)):
        raise FileFormatError(f"{path}: the prompt {prompt[:60]!r} is not of the form {PROMPT!r}")
    return " ".join(prompt[len(_BEFORE) : -len(_AFTER)].split("\n"))


def _fits(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != COLUMNS:
        return False
    texts, lists, count = [row[i] for i in (0, 1, 2, 5)], row[3:5], row[6]
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(ids, list) and all(isinstance(one, int) for one in ids) for ids in lists)
        and isinstance(count, int)
        and row[5].endswith(row[0])
    )


def _row(record: WackRecord) -> list[Any]:
    return [
        record.item.prompt,
        record.item.gold,
        record.wrong,
        list(record.gold_tokens),
        list(record.wrong_tokens),
        record.prompt,
        record.count_knowledge,
        UNUSED,
    ]


def _record(row: list[Any], name: FileName, path: str | Path) -> WackRecord:
    prompt, gold, wrong, gold_tokens, wrong_tokens, full, count, _ = row
    tests = 6
    labels = KINDS[name.kind]
    label: Label = labels[0] if len(labels) == 1 else ("HK-" if count == 0 else "middle")
    if (label in ("HK+", "correct")) != (count == tests):
        raise FileFormatError(f"{path}: {count} of {tests} hits do not belong into a file of {name.kind}")
    question = question_of(prompt, path)
    before = full[: len(full) - len(prompt)]
    item = Item(question, (gold,))
    return WackRecord(
        item, label, count, before + item.prompt, wrong=wrong, gold_tokens=tuple(gold_tokens),
        wrong_tokens=tuple(wrong_tokens),
    )  # fmt: skip
