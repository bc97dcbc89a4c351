"""Answers and reasons that were given before, elsewhere: read from the file of the items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import FileFormatError, InputError


def read_reasons(path: str | Path, items: Sequence[ChoiceItem]) -> tuple[list[str | None], list[str]] | None:
    """The letters ("answer") and reasons ("explanation") of a JSON-lines file's records; None where there is no reason.

    Raises
    ------
    FileFormatError : a record with a reason and no answer, or an answer that is none of its letters or choices.
    """
    if Path(path).suffix != ".jsonl":
        return None
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    if not any(row.get("explanation") for row in rows):
        return None
    letters, texts = [], []
    for number, (row, item) in enumerate(zip(rows, items, strict=True)):
        answer = row.get("answer")
        try:
            letters.append(None if answer is None else letter_of(item, str(answer)))
        except InputError as error:
            raise FileFormatError(f"{path}, record {number}: {error}") from error
        if letters[-1] is None and row.get("explanation"):
            raise FileFormatError(f'{path}, record {number} has an "explanation" and no "answer"; say what it explains')
        texts.append(str(row.get("explanation") or ""))
    return letters, texts


def letter_of(item: ChoiceItem, answer: str) -> str:
    """The letter of an answer given as a letter or as the text of a choice."""
    if answer in item.choices:
        return item.letters[item.choices.index(answer)]
    letter = answer.strip("() ").upper()
    if len(letter) != 1 or letter not in item.letters:
        raise InputError(f"the answer {answer!r} is none of {', '.join(item.choices)}; give a choice or its letter")
    return letter
