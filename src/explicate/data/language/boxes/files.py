"""Boxes in files: one JSON object a line, each with its sentence, objects, labels and the box asked for.

`{"sentence": "... Box T contains the pot.", "objects": ["document", "pot"], "labels": ["X", "T"], "query_index": 1}`;
consecutive rows share the boxes and ask for each in turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explicate.data.language.boxes.prompts import BoxesPrompt
from explicate.errors import FileFormatError, InputError, TargetError
from explicate.runtime.files import write_text

FIELDS = ("sentence", "objects", "labels", "query_index")


def read_boxes(path: str | Path, model: Any = None) -> list[BoxesPrompt]:
    """Read a file, and check it.

    Parameters
    ----------
    model : with one, objects and labels must be single tokens of it (see `check_boxes`).

    Raises
    ------
    FileFormatError : a line that is no such object, or whose sentence tells something else than its other fields.
    InputError : no such file; a label or object that is there twice or is several tokens. All name the row, counted
        from 0.
    """
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}; give one with a JSON object of {', '.join(FIELDS)} on each line")
    found = []
    with Path(path).open(encoding="utf-8") as lines:
        for row, line in enumerate(line for line in lines if line.strip()):
            found.append(_read(row, line, str(path)))
    if not found:
        raise FileFormatError(f"{path} has no rows")
    if model is not None:
        check_boxes(found, model)
    return found


def write_boxes(path: str | Path, prompts: Sequence[BoxesPrompt]) -> Path:
    """Write prompts; one that asks for a box which is not there cannot be written."""
    lines = []
    for prompt in prompts:
        row = {
            "sentence": f"{prompt.text()} {prompt.answer}.",
            "objects": list(prompt.objects),
            "labels": list(prompt.labels),
            "query_index": prompt.query_index,
        }
        lines.append(json.dumps(row) + "\n")
    return write_text(path, "".join(lines))


def each_box(prompt: BoxesPrompt) -> list[BoxesPrompt]:
    """The same boxes, each asked for in turn."""
    return [replace(prompt, query=label) for label in prompt.labels]


def check_boxes(prompts: Sequence[BoxesPrompt], model: Any) -> None:
    """Refuse objects and labels that are not one token each, by row."""
    known: dict[str, bool] = {}
    for row, prompt in enumerate(prompts):
        for name, parts in (("object", prompt.objects), ("label", (*prompt.labels, prompt.query))):
            for part in parts:
                if part not in known:
                    known[part] = _single(model, part)
                if not known[part]:
                    raise InputError(
                        f"row {row}: the {name} {part!r} is not one token of {model.name!r}; choose another"
                    )


def _single(model: Any, word: str) -> bool:
    try:
        model.token_index(word)
    except TargetError:
        return False
    return True


def _read(row: int, line: str, path: str) -> BoxesPrompt:
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise FileFormatError(f"{path}, row {row}: no JSON object ({error})") from error
    if not isinstance(given, dict) or not set(FIELDS) <= given.keys():
        lacking = sorted(set(FIELDS) - set(given if isinstance(given, dict) else ()))
        raise FileFormatError(f"{path}, row {row}: {', '.join(lacking)} missing; a row has {', '.join(FIELDS)}")
    objects, labels, index = given["objects"], given["labels"], given["query_index"]
    for name in ("objects", "labels"):
        if not isinstance(given[name], list) or not all(isinstance(part, str) for part in given[name]):
            raise FileFormatError(f"{path}, row {row}: {name} is no list of texts")
    if not isinstance(index, int) or not 0 <= index < len(labels):
        raise FileFormatError(f"{path}, row {row}: query_index is {index!r}; give a number from 0 to {len(labels) - 1}")
    try:
        prompt = BoxesPrompt(tuple(objects), tuple(labels), labels[index])
    except InputError as error:
        raise InputError(f"{path}, row {row}: {error}") from error
    told = _words(str(given["sentence"]))
    if told != _words(f"{prompt.text()} {prompt.answer}."):
        raise FileFormatError(f"{path}, row {row}: the sentence does not tell what objects, labels and query_index say")
    return prompt


def _words(sentence: str) -> list[str]:
    return re.findall(r"[\w-]+|[,.]", sentence.lower())
