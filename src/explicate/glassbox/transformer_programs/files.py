"""Programs in files: the Python file that people read and run, and beside it the same as JSON, with the file's hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from explicate.errors import FileFormatError, InputError
from explicate.glassbox.transformer_programs.python_source import python_source, weights_csv
from explicate.runtime.files import write_json, write_text

if TYPE_CHECKING:
    from explicate.glassbox.transformer_programs.program import Program


def save(program: Program, path: Path, *, inline: bool = True, unreachable: bool = False) -> Path:
    """Write a program.

    Writes `path` (.py), unless `inline` also the weights beside it (.csv), and beside it what `load` reads (.json): the
    program's parts and the SHA-256 of the other files.

    Raises
    ------
    InputError : a path that does not end in .py. OutputError : a place that cannot be written to.
    """
    if path.suffix != ".py":
        raise InputError(f"a program is a Python file; give a path that ends in .py, not {path.name!r}")
    texts = {path: python_source(program, inline=inline, unreachable=unreachable)}
    if not inline:
        texts[path.with_suffix(".csv")] = weights_csv(program, unreachable)
    hashes = {place.name: _hash(text.encode()) for place, text in texts.items()}
    for place, text in texts.items():
        write_text(place, text)
    write_json(path.with_suffix(".json"), {"program": json.loads(program.to_json()), "files": hashes})
    return path


def load(path: Path) -> Program:
    """Read a program by its .py or .json file. Nothing of the Python file is run.

    Raises
    ------
    FileFormatError : no program, a file missing, or one that was changed after it was exported (both hashes are named):
        what the parts say is then not what the file does. A changed file still runs by itself, with Python.
    """
    from explicate.glassbox.transformer_programs.program import Program

    parts = path.with_suffix(".json")
    if not parts.exists():
        raise FileFormatError(f"{parts} is not there; a program is read from the files that Program.save wrote")
    try:
        given = json.loads(parts.read_text(encoding="utf-8"))
        program, hashes = json.dumps(given["program"]), dict(given["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(f"{parts} is no program ({error!r}); write one with Program.save") from error
    for name, exported in hashes.items():
        place = path.with_name(name)
        if not place.exists():
            raise FileFormatError(f"{place} is not there; export the program again")
        found = _hash(place.read_bytes())
        if found != exported:
            raise FileFormatError(
                f"{place} was changed after it was exported: its SHA-256 is {found[:16]}..., exported was "
                f"{exported[:16]}...; run it with Python as it is, or export the program again"
            )
    return Program.from_json(program)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
