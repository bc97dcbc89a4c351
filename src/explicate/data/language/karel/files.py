"""The papers' files: one JSON line for each task, and its states as arrays.

A line has `code`, and `input0`, `output0`, `input1`, ... as drawings of eight lines each. The arrays have 16 planes for
each 8 x 8 world: the hero looking up, down, left, right; walls; 0 to 10 markers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from explicate.data.language.karel.interpreter import final
from explicate.data.language.karel.programs import Program, as_array, is_straight, parse, text_of
from explicate.data.language.karel.tasks import Tasks
from explicate.data.language.karel.worlds import Worlds, read_worlds, together
from explicate.errors import FileFormatError, InputError
from explicate.runtime.files import write_text

PLANES = 16
PLANE_DIRECTIONS = (0, 2, 3, 1)  # up, down, left, right, as numbers of `DIRECTIONS`
WALL_PLANE, FIRST_COUNT = 4, 5


def read_tasks(path: str | Path, shown: int = 5, *, check: bool = True) -> Tasks:
    """Straight-line tasks from a file of JSON lines.

    Parameters
    ----------
    shown : the first so many examples are shown, the others held out.
    check : refuse a task whose program does not turn its inputs into its outputs. Markers under the hero are not drawn,
        so they are not compared.

    Raises
    ------
    FileFormatError : a line that is no JSON or lacks a field, a program that does not parse or has branches, a world
        that cannot be read, or a program and examples that do not agree; the message has the line's number.
    InputError : no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}; tasks are JSON lines with code, input0, output0, ...")
    programs: list[Program] = []
    inputs, outputs, examples = [], [], 0
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            program = parse(record["code"])
            if not is_straight(program):
                raise InputError("its program has branches; only straight-line programs make tasks")
            count = sum(f"input{i}" in record for i in range(len(record)))
            inputs.append(read_worlds([record[f"input{i}"] for i in range(count)]))
            outputs.append(read_worlds([record[f"output{i}"] for i in range(count)]))
        except (KeyError, TypeError, ValueError) as error:
            missing = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise FileFormatError(f"{path}, line {number}: {missing}") from error
        examples = examples or count
        if count != examples or count < shown or count < 1:
            raise FileFormatError(
                f"{path}, line {number}: {count} examples where {max(examples, shown)} are needed, in every task"
            )
        if check and not _agrees(program, inputs[-1], outputs[-1]):
            raise FileFormatError(f"{path}, line {number}: the program does not turn its inputs into its outputs")
        programs.append(program)
    if not programs:
        raise FileFormatError(f"{path}: there are no tasks in it")
    return Tasks(as_array(programs), together(inputs), together(outputs), shown, examples - shown)


def write_tasks(path: str | Path, tasks: Tasks) -> Path:
    """Write tasks as JSON lines; `read_tasks` undoes it but for markers under the hero."""
    lines = []
    for number, program in enumerate(tasks.programs):
        record: dict[str, Any] = {"code": text_of(program)}
        for example in range(tasks.examples):
            record[f"input{example}"] = tasks.inputs.draw(number * tasks.examples + example)
            record[f"output{example}"] = tasks.outputs.draw(number * tasks.examples + example)
        lines.append(json.dumps(record))
    return write_text(path, "\n".join(lines) + "\n")


def planes(worlds: Worlds) -> np.ndarray:
    """Worlds as the papers' arrays (world, row, column, plane) int8; more than 10 markers count as 10."""
    found = np.zeros((*worlds.walls.shape, PLANES), dtype=np.int8)
    which = np.argsort(PLANE_DIRECTIONS)[worlds.directions]
    found[np.arange(len(worlds)), worlds.rows, worlds.columns, which] = 1
    found[..., WALL_PLANE] = worlds.walls
    counts = np.minimum(worlds.markers, PLANES - FIRST_COUNT - 1)
    np.put_along_axis(found, (FIRST_COUNT + counts.astype(np.int64))[..., None], 1, axis=-1)
    return found


def from_planes(arrays: np.ndarray) -> Worlds:
    """Worlds from the papers' arrays; the inverse of `planes` up to 10 markers on a cell.

    Raises
    ------
    FileFormatError : another number of planes, or a world without exactly one hero.
    """
    arrays = np.asarray(arrays)
    if arrays.ndim != 4 or arrays.shape[-1] != PLANES:
        raise FileFormatError(f"states have the shape (world, row, column, {PLANES}), not {arrays.shape}")
    heroes = arrays[..., :WALL_PLANE].reshape(len(arrays), -1)
    if not (heroes.sum(axis=1) == 1).all():
        raise FileFormatError(f"state {int(np.argmax(heroes.sum(axis=1) != 1))} does not have exactly one hero")
    place = heroes.argmax(axis=1)
    return Worlds(
        arrays[..., WALL_PLANE].astype(bool),
        arrays[..., FIRST_COUNT:].argmax(axis=-1).astype(np.int8),
        place // WALL_PLANE,
        np.array(PLANE_DIRECTIONS)[place % WALL_PLANE],
    )


def _agrees(program: Program, inputs: Worlds, outputs: Worlds) -> bool:
    ends = final(np.repeat(as_array([program]), len(inputs), axis=0), inputs)
    return all(ends.draw(i) == outputs.draw(i) for i in range(len(inputs)))
