"""Grade-school problems (GSM8K): read from its own JSON lines, and the number that a written solution ends in.

Source: Cobbe et al. (2021), "Training Verifiers to Solve Math Word Problems". The data are not part of the package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
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


def sorted_by_success(problems: Sequence[Problem], solutions: Sequence[str]) -> tuple[list[str], list[str]]:
    """A model's own solutions as contrast texts: each prompt with its solution, the right ones and the wrong ones.

    Source: Højer, Jarvis, Heinrich (2025), arXiv 2504.19483, section 3: run the model once over the set.

    Parameters
    ----------
    solutions : what the model wrote after each problem's `prompt`.

    Raises
    ------
    InputError : not one solution for each problem; all right or all wrong, so that there is nothing to contrast.
    """
    if len(problems) != len(solutions):
        raise InputError(f"{len(solutions)} solutions for {len(problems)} problems; give one for each")
    right: list[str] = []
    wrong: list[str] = []
    for problem, solution in zip(problems, solutions, strict=True):
        own = right if equal_numbers(number_in(solution), problem.answer) else wrong
        own.append(f"{problem.prompt}\n{solution}")
    if not right or not wrong:
        raise InputError(f"{len(right)} solutions are right and {len(wrong)} wrong; a contrast needs some of both")
    return right, wrong


def equal_numbers(first: float | None, second: float | None) -> bool:
    """Whether both are numbers and closer than 1e-6."""
    return first is not None and second is not None and abs(first - second) < CLOSE


def _as_number(text: str) -> float | None:
    cleaned = re.sub(r"[,$\s]", "", text)
    try:
        return float(cleaned.rstrip("."))
    except ValueError:
        return None
