"""What the command line takes as inputs: tables, pictures and texts, by file, by name, or as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from explicate.core.targets import Contrast, Target
from explicate.errors import InputError

TABLES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")


def read_inputs(model: Any, given: str, rows: str | None = None) -> Any:
    """Inputs for `model`.

    Parameters
    ----------
    given : for tables a CSV, Parquet or Arrow file; for images a picture file or the name of a bundled picture; for
        texts a text, or `@file` with one text per line.
    rows : part of a table, "3", "0:20" or "1,5,9".
    """
    if model.kind == "table":
        return _rows(model, Path(given), rows)
    if model.kind == "image":
        from explicate.data import IMAGES, image_from_file, picture

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


def _rows(model: Any, path: Path, rows: str | None) -> Any:
    from explicate.data import table_from_file

    if path.suffix not in TABLES:
        raise InputError(f"{path} is no table; give a file ending in {', '.join(TABLES)}")
    frame = table_from_file(path).frame
    if rows is not None:
        try:
            if ":" in rows:
                first, last = rows.split(":")
                picked = list(range(len(frame)))[int(first or 0) : int(last) if last else None]
            else:
                picked = [int(part) for part in rows.split(",")]
            frame = frame.iloc[picked]
        except (ValueError, IndexError) as error:
            raise InputError(f"cannot take rows {rows!r} of {len(frame)}; write 3, 0:20 or 1,5,9") from error
    if frame.empty:
        raise InputError(f"{path}: no rows to explain")
    return frame[list(model.feature_names)] if set(model.feature_names) <= set(frame.columns) else frame
