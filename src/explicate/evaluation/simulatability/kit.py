"""The files of a study: what readers are given, the masters with the truth, and answers read back from filled files.

A folder holds
- `study.json`: classes, methods, texts;
- `learning-METHOD`: id, context, label, model, explanation, user_rating (and `learning` without the last two);
- `forward-pre`, `forward-post-METHOD`: id, context, user;
- `counterfactual-pre`: id, context, label, model, perturbation, user_prediction; `counterfactual-post-METHOD` also has
  explanation and user_rating;
- `forward-master`, `counterfactual-master`: the truth. Readers must not have these, nor the folder that is served.

Files are CSV or xlsx; the layout is that of Hase and Bansal (2020), whose files can be read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from explicate.errors import FileFormatError, InputError, MissingDependencyError, counted, first_line
from explicate.evaluation.simulatability.answers import (
    COLUMNS,
    PERSON,
    Answer,
    checked_answers,
    read_class,
    read_rating,
)
from explicate.evaluation.simulatability.study import Item, Shown, SimulationStudy, describe
from explicate.runtime.files import make_folder, replacing, write_json, write_text

FORMAT = 1
Kind = Literal["csv", "xlsx"]
LARGEST = 64 << 20  # bytes of a file that is read
SETTINGS = "study.json"
LEARNING = ("id", "context", "label", "model")
EXPLAINED = (*LEARNING, "explanation", "user_rating")
FORWARD = ("id", "context", "user")
CHANGED = (*LEARNING, "perturbation", "user_prediction")
CHANGED_EXPLAINED = (*LEARNING, "perturbation", "explanation", "user_prediction", "user_rating")
FORWARD_MASTER = LEARNING
CHANGED_MASTER = ("id", "context", "perturbation", "label", "model", "perturbation_model")


def save_study(study: SimulationStudy, folder: str | Path, kind: Kind = "csv", seed: int = 0) -> Path:
    """Write all files of a study.

    Parameters
    ----------
    kind : "csv", or "xlsx" (needs openpyxl). seed : orders the cases of the last phases.
    """
    if kind not in ("csv", "xlsx"):
        raise InputError(f"kind {kind!r} is unknown; use csv or xlsx")
    folder = make_folder(folder)
    write_json(folder / SETTINGS, {"format": FORMAT, "kind": kind, **describe(study)})
    for name, (columns, rows) in sheets(study, seed).items():
        _write(folder / f"{name}.{kind}", columns, rows)
    return folder


def sheets(study: SimulationStudy, seed: int = 0) -> dict[str, tuple[tuple[str, ...], list[list[str]]]]:
    """Name of each file -> its columns and rows; places for answers are empty."""
    found: dict[str, tuple[tuple[str, ...], list[list[str]]]] = {}
    first = study.methods[0]
    for test in study.tests:
        if test.name == "forward":
            found["learning"] = LEARNING, _rows(test.shown("learn", first), LEARNING)
            found["forward-pre"] = FORWARD, _rows(test.shown("pre", first), FORWARD)
            found["forward-master"] = FORWARD_MASTER, [_master(item, FORWARD_MASTER) for item in study.forward]
        else:
            found["counterfactual-pre"] = CHANGED, _rows(test.shown("pre", first), CHANGED)
            found["counterfactual-master"] = (
                CHANGED_MASTER,
                [_master(item, CHANGED_MASTER) for item in study.counterfactual],
            )
        for method in study.methods:
            if test.name == "forward":
                found[f"learning-{method}"] = EXPLAINED, _rows(test.shown("explain", method), EXPLAINED)
                found[f"forward-post-{method}"] = FORWARD, _rows(test.shown("post", method, seed), FORWARD)
            else:
                shown = test.shown("post", method, seed)
                found[f"counterfactual-post-{method}"] = CHANGED_EXPLAINED, _rows(shown, CHANGED_EXPLAINED)
    return found


def load_study(place: str | Path) -> SimulationStudy:
    """Read a study from its folder, or from the `study.json` in it.

    Raises
    ------
    FileFormatError : a file that is missing or damaged, named with its line; masters and reader files whose ids differ.
    """
    place = Path(place)
    folder = place.parent if place.name == SETTINGS else place
    settings = _settings(folder / SETTINGS)
    kind = settings.pop("kind", "csv")
    methods = tuple(settings["methods"])

    def table(name: str, needed: Sequence[str]) -> dict[str, dict[str, str]] | None:
        path = folder / f"{name}.{kind}"
        return read_sheet(path, needed) if path.exists() else None

    learning: list[Item] = []
    forward: list[Item] = []
    changed: list[Item] = []
    master = table("forward-master", FORWARD_MASTER)
    if master is not None:
        forward = [_item(row) for row in master.values()]
        explained = {method: _needed(table(f"learning-{method}", EXPLAINED[:-1]), method) for method in methods}
        known = next(iter(explained.values()))
        learning = [_item(row) for row in known.values()]
        learning = [_explained(item, explained, "learning") for item in learning]
    master = table("counterfactual-master", CHANGED_MASTER)
    if master is not None:
        post = {
            method: _needed(table(f"counterfactual-post-{method}", CHANGED_EXPLAINED[:6]), method) for method in methods
        }
        for method, rows in post.items():
            _same_ids(master, rows, f"counterfactual-post-{method}")
        changed = [_explained(_item(row), post, "counterfactual-post") for row in master.values()]
    given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in settings.items()}
    try:
        return SimulationStudy(learning=tuple(learning), forward=tuple(forward), counterfactual=tuple(changed), **given)
    except (TypeError, InputError) as error:
        raise FileFormatError(f"{folder}: no study ({first_line(error)})") from error


def read_filled(
    study: SimulationStudy, test: str, phase: str, path: str | Path, participant: str, method: str
) -> list[Answer]:
    """The answers of one person from a filled file; blank and unreadable ones have the answer "".

    Parameters
    ----------
    phase : "pre" or "post", or "explain" for the ratings of the learning cases.

    Raises
    ------
    FileFormatError : ids that differ from the study's; all of them are listed.
    """
    study.checked_method(method)
    learning = phase == "explain"
    expected = [item.id for item in study.learning] if learning else list(study.truth(test))
    answer = "" if learning else {"forward": "user", "counterfactual": "user_prediction"}[test]
    rows = read_sheet(path, ("id", *([answer] if answer else ["user_rating"])))
    _same_ids(dict.fromkeys(expected), rows, str(path))
    return [
        Answer(
            participant,
            PERSON,
            method,
            test,
            phase,
            name,
            (read_class(row[answer], study.classes) or "") if answer else "",
            read_rating(row.get("user_rating", "")),
        )
        for name, row in rows.items()
    ]


def read_answers(study: SimulationStudy, path: str | Path) -> list[Answer]:
    """Answers of many readers from a CSV or xlsx file with the columns that `answers_csv` writes.

    Raises
    ------
    FileFormatError : a column that is missing, or a number that is none; the row is named.
    InputError : answers that do not fit the study, see `checked_answers`.
    """
    found = []
    for number, row in enumerate(_records(Path(path), COLUMNS), start=2):
        cells = {name: row[name].removeprefix("'") for name in COLUMNS}
        try:
            numbers: dict[str, Any] = {
                "rating": int(cells["rating"]) if cells["rating"] else None,
                "seconds": float(cells["seconds"]) if cells["seconds"] else None,
                "times_shown": int(cells["times_shown"]),
            }
            found.append(Answer(**{**cells, **numbers}))
        except ValueError as error:
            raise FileFormatError(f"{path}, row {number}: {first_line(error)}") from error
    return checked_answers(study, found)


def read_sheet(path: str | Path, needed: Sequence[str]) -> dict[str, dict[str, str]]:
    """Rows of a CSV or xlsx file by their id, all cells as text.

    Raises
    ------
    FileFormatError : no such file, a column that is missing, an id that is empty or occurs twice; the line is named.
    """
    path = Path(path)
    rows: dict[str, dict[str, str]] = {}
    for number, row in enumerate(_records(path, needed), start=2):
        name = row["id"].strip()
        if not name or name in rows:
            raise FileFormatError(f"{path}, row {number}: the id {name!r} is {'doubled' if name else 'missing'}")
        rows[name] = row | {"id": name}
    return rows


def _records(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """The rows below the first one, which names the columns; empty rows are left out."""
    table = _xlsx(path) if path.suffix == ".xlsx" else _csv(path)
    if not table:
        raise FileFormatError(f"{path} is empty; its first line must name the columns")
    columns = [cell.strip() for cell in table[0]]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise FileFormatError(f"{path}: the column {missing[0]!r} is missing; there are {', '.join(columns)}")
    return [
        dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False))
        for cells in table[1:]
        if any(cell.strip() for cell in cells)
    ]


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot read the study {path}: {first_line(error)}") from error
    if not isinstance(settings, dict) or settings.pop("format", None) != FORMAT:
        raise FileFormatError(f"{path} is no study of format {FORMAT}; make it with `explicate study make`")
    names = ("classes", "methods")
    for name in names:
        value = settings.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise FileFormatError(f"{path}: {name!r} must be a list of texts")
    bad = [name for name in settings["methods"] if not name.replace("-", "").replace("_", "").isalnum()]
    if bad or settings.get("kind", "csv") not in ("csv", "xlsx"):
        raise FileFormatError(f"{path}: {(bad or [settings.get('kind')])[0]!r} names no file; use letters and digits")
    return settings


def _rows(shown: Sequence[Shown], columns: Sequence[str]) -> list[list[str]]:
    def cell(page: Shown, column: str) -> str:
        if column.startswith("user"):
            return ""
        return str(getattr(page, "item" if column == "id" else column) or "")

    return [[cell(page, column) for column in columns] for page in shown]


def _master(item: Item, columns: Sequence[str]) -> list[str]:
    return [str(getattr(item, column)) for column in columns]


def _item(row: dict[str, str]) -> Item:
    names = ("id", "context", "label", "model", "perturbation", "perturbation_model")
    return Item(**{name: row.get(name, "") for name in names})  # type: ignore[arg-type]  # explanations come later


def _explained(item: Item, sheets_of: dict[str, dict[str, dict[str, str]]], file: str) -> Item:
    texts = {}
    for method, rows in sheets_of.items():
        if item.id not in rows:
            raise FileFormatError(f"{file}-{method}: the item {item.id!r} is missing")
        texts[method] = rows[item.id]["explanation"]
    return replace(item, explanations=texts)


def _needed(rows: dict[str, dict[str, str]] | None, method: str) -> dict[str, dict[str, str]]:
    if rows is None:
        raise FileFormatError(f"a file with the explanations of the method {method!r} is missing")
    return rows


def _same_ids(master: Any, rows: Any, name: str) -> None:
    extra, missing = sorted(set(rows) - set(master)), sorted(set(master) - set(rows))
    if extra or missing:
        parts = [f"{counted(len(missing), 'id')} missing: {', '.join(missing)}"] if missing else []
        parts += [f"{counted(len(extra), 'id')} that the master lacks: {', '.join(extra)}"] if extra else []
        raise FileFormatError(f"{name} does not belong to this study; {'; '.join(parts)}")


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if path.suffix == ".csv":
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([columns, *rows])
        write_text(path, file.getvalue())
        return
    book = _openpyxl().Workbook()
    sheet = book.active
    for row in [columns, *rows]:
        sheet.append(list(row))
    for cells in sheet.iter_rows(min_row=2):
        for cell in cells:
            cell.data_type = "s"  # a text that begins with = is no formula
    with replacing(path) as temporary:
        book.save(temporary)


def _csv(path: Path) -> list[list[str]]:
    _check_size(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise FileFormatError(f"cannot read {path}: {first_line(error)}") from error


def _xlsx(path: Path) -> list[list[str]]:
    _check_size(path)
    try:
        sheet = _openpyxl().load_workbook(path, read_only=True, data_only=True).active
        return [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    except MissingDependencyError:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers raise
        raise FileFormatError(f"cannot read {path}: {first_line(error)}; save it as xlsx or CSV again") from error


def _check_size(path: Path) -> None:
    if path.is_file() and path.stat().st_size > LARGEST:
        raise FileFormatError(f"{path} has more than {LARGEST >> 20} MiB; no study is so large")


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingDependencyError("xlsx files need openpyxl: pip install 'explicate[studies]'") from error
    return openpyxl
