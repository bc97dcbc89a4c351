"""Grade-school problems (GSM8K): read from its own JSON lines, and the number that a written solution ends in.

Source: Cobbe et al. (2021), "Training Verifiers to Solve Math Word Problems". The data are not part of the package.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from explicate.errors import FileFormatError, InputError

INSTRUCTION = """\
Solve the following problem step by step. End with the answer as a number in the form #### X.

Problem: {question}"""
CLOSE = 1e-6  # numbers closer than this are equal

_NUMBER = r"(-?\$?-?\d[\d,]*(?:\.\d+)?|-?\$?-?\.\d+)"
_WAYS = (
    (rf"####\s*{_NUMBER}", 0),
    (rf"the\s+(?:final\s+)?answer\s+is:?\s*\**{_NUMBER}", -1),
    (rf"=\s*{_NUMBER}", -1),
    (_NUMBER, -1),
)
"""What is looked for in turn, and which of several finds counts."""


@dataclass(frozen=True)
class Problem:
    """One problem: `question`, `answer` as a number, and the `full_solution` that the data set gives."""

    question: str
    answer: float
    full_solution: str

    @property
    def prompt(self) -> str:
        """The question with the instruction to think step by step and to end with #### and a number."""
        return INSTRUCTION.format(question=self.question)


def read_gsm8k(path: str | Path) -> list[Problem]:
    """Problems of a file in the data set's format: JSON lines with `question` and `answer`, which ends in #### X.

    Raises
    ------
    FileFormatError : a line that is no such JSON, with its number.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; GSM8K's train.jsonl and test.jsonl are read from disk")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            question, solution = str(entry["question"]), str(entry["answer"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise FileFormatError(f"{path}, line {number}: no JSON with question and answer; is it GSM8K's?") from error
        end = solution.rsplit("####", 1)
        answer = _as_number(end[1]) if len(end) == 2 else None
        if answer is None:
            raise FileFormatError(f"{path}, line {number}: the answer does not end in #### and a number")
        found.append(Problem(question.strip(), answer, solution))
    return found


def number_in(solution: str) -> float | None:
    """The number a solution gives: after "####", else after "the answer is", else after the last "=", else the last.

    None where there is no number at all.
    """
    for pattern, which in _WAYS:
        finds = re.findall(pattern, solution, flags=re.IGNORECASE)
        if finds:
            return _as_number(finds[which])
    return None


def equal_numbers(first: float | None, second: float | None) -> bool:
    """Whether both are numbers and closer than 1e-6."""
    return first is not None and second is not None and abs(first - second) < CLOSE


def _as_number(text: str) -> float | None:
    cleaned = re.sub(r"[,$\s]", "", text)
    try:
        return float(cleaned.rstrip("."))
    except ValueError:
        return None
