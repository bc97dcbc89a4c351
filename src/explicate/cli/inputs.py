"""What the command line takes as inputs: tables, pictures and texts, by file, by name, or as they are."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.targets import Contrast, Target
from explicate.errors import InputError

TABLES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")


def read_inputs(model: Any, given: str, rows: str | None = None, known: Collection[str] = ()) -> Any:
    """Inputs for `model`.

    Parameters
    ----------
    given : for tables a CSV, Parquet or Arrow file; for images a picture file, a folder of pictures, or the name of a
        bundled picture; for texts a text, or `@file` with one text per line.
    rows : part of a table, "3", "0:20" or "1,5,9".
    known : columns that are no features and known to be there: the labels.
    """
    if model.kind == "table":
        return _rows(model, Path(given), rows, known)
    if rows is not None:
        raise InputError(f"--rows takes part of a table; {model.name!r} is a model of {model.kind}s: leave it out")
    if model.kind == "image":
        from explicate.data import IMAGES, image_from_file, picture

        if Path(given).is_dir():
            return [image_from_file(path).pixels for path in _files(Path(given), "pictures")]
        return [picture(given).pixels if given in IMAGES else image_from_file(given).pixels]
    if given.startswith("@"):
        path = Path(given[1:])
        if not path.is_file():
            raise InputError(f"there is no file {path}")
        texts = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not texts:
            raise InputError(f"{path} holds no text")
        return texts
    return [given]


def read_target(text: str | None) -> Target:
    """An output index, an output's name, or a contrast "Mary|John" (Mary rather than John)."""
    if text is None:
        return None
    parts: list[int | str] = [int(part) if part.lstrip("-").isdigit() else part for part in text.split("|")]
    if len(parts) > 2:
        raise InputError(f"the target {text!r} has {len(parts)} parts; write one output, or two as A|B")
    return parts[0] if len(parts) == 1 else Contrast(parts[0], parts[1])


def read_settings(settings: list[str]) -> dict[str, Any]:
    """`--set steps=32 --set missingness=mean` as {"steps": 32, "missingness": "mean"}; values may be JSON."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"cannot read the setting {setting!r}; write NAME=VALUE")
        try:
            found[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            found[name.strip()] = value
    return found


def read_labels(given: str, inputs: str, rows: str | None = None) -> np.ndarray:
    """True labels (sample,): a column of the table `inputs`, a table of one column, or an .npy file.

    Labels for all rows of the table are cut to `rows`.
    """
    from explicate.data import table_from_file

    table, path = Path(inputs), Path(given)
    frame = table_from_file(table).frame if table.suffix in TABLES and table.is_file() else None
    if frame is not None and given in frame.columns:
        return np.asarray(_picked(frame, rows)[given])
    if not path.is_file():
        raise InputError(f"--labels: {given!r} is neither a column of {inputs} nor a file")
    if path.suffix == ".npy":
        labels = _array(path)
    else:
        found = table_from_file(path).frame
        if found.shape[1] != 1:
            raise InputError(f"--labels: {path} has {found.shape[1]} columns; give a table of one column")
        labels = np.asarray(found.iloc[:, 0])
    if rows is not None and frame is not None and len(labels) == len(frame):
        labels = labels[chosen(len(frame), rows)]
    return labels


def read_masks(given: Path, model: Any) -> np.ndarray:
    """Where the object is, (sample, row, column): an .npy file, or a folder of pictures, light where the object is.

    Pictures of another size than the model's inputs go through its own preprocessing. Of a folder, the order is that of
    the names.
    """
    if given.is_dir():
        from explicate.data import image_from_file
        from explicate.evaluation.localisation import mask_as_seen

        drawn = [image_from_file(path).pixels.mean(axis=2) > 127 for path in _files(given, "masks")]
        return np.stack([mask_as_seen(model, mask) for mask in drawn])
    if given.suffix != ".npy":
        raise InputError(f"--masks: {given} is neither an .npy file nor a folder of pictures")
    masks = _array(given)
    if masks.ndim != 3:
        raise InputError(f"--masks: {given} has the shape {masks.shape}; (sample, row, column) is needed")
    return masks


def _array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as an array ({error}); save it with numpy.save") from error


def _files(folder: Path, what: str) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not found:
        raise InputError(f"the folder {folder} holds no {what}")
    return found


def _rows(model: Any, path: Path, rows: str | None, known: Collection[str]) -> Any:
    from explicate.data import table_from_file

    if path.suffix not in TABLES:
        raise InputError(f"{path} is no table; give a file ending in {', '.join(TABLES)}")
    frame = _picked(table_from_file(path).frame, rows)
    if frame.empty:
        raise InputError(f"{path}: no rows to explain")
    if not set(model.feature_names) <= set(frame.columns):
        return frame  # the model says what is missing
    surplus = [name for name in frame.columns if name not in {*model.feature_names, *known}]
    if surplus:
        print(f"note: {path}: no features of the model, left out: {', '.join(surplus)}", file=sys.stderr)
    return frame[list(model.feature_names)]


def _picked(frame: Any, rows: str | None) -> Any:
    return frame if rows is None else frame.iloc[chosen(len(frame), rows)]


def chosen(count: int, text: str, what: str = "rows") -> list[int]:
    """Some of `count` things: "3", "0:20" or "1,5,9"."""
    try:
        if ":" in text:
            first, last = text.split(":")
            return list(range(count))[int(first or 0) : int(last) if last else None]
        return [range(count)[int(part)] for part in text.split(",")]
    except (ValueError, IndexError) as error:
        raise InputError(f"cannot take {what} {text!r} of {count}; write 3, 0:20 or 1,5,9") from error
