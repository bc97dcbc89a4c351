"""Greedy answers in a model's own words, right where the gold text is in them or where their number is the gold one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Generator, Masks, require
from explicate.data.language.gsm8k import Problem, equal_numbers, number_in
from explicate.errors import InputError

ANSWER_TOKENS = 10
SOLUTION_TOKENS = 512


def exact_match(
    model: Any, prompts: Sequence[str], gold: Sequence[str], *, max_new_tokens: int = ANSWER_TOKENS
) -> Masks:
    """Whether the first line that the model writes holds the gold text, letter case aside: (sample,).

    Put it inside `model.intervene(steer(...))` to score a steered model.
    """
    require(model, Generator, "exact_match")
    if len(prompts) != len(gold):
        raise InputError(f"{len(gold)} gold texts for {len(prompts)} prompts; give one each")
    written = model.generate(list(prompts), max_new_tokens=max_new_tokens, stop=("\n",))
    return np.array([one.strip().lower() in text.lower() for one, text in zip(gold, written, strict=True)], dtype=bool)


@dataclass(frozen=True)
class Attempt:
    """A problem and what a model wrote about it.

    Attributes
    ----------
    solution : the text. number : what it gives, or None. right : whether that is the answer.
    """

    problem: Problem
    solution: str
    number: float | None
    right: bool


def attempts(
    model: Any, problems: Sequence[Problem], *, max_new_tokens: int = SOLUTION_TOKENS, **options: Any
) -> list[Attempt]:
    """Let a model solve problems; its own right and wrong solutions are positive and negative texts for directions.

    Parameters
    ----------
    model : for chat models a handle whose `generate` puts the prompt into its template.
    options : passed on to `generate`.
    """
    require(model, Generator, "attempts")
    prompts = [problem.prompt for problem in problems]
    written = model.generate(prompts, max_new_tokens=max_new_tokens, **options)
    found = []
    for problem, text in zip(problems, written, strict=True):
        number = number_in(text)
        found.append(Attempt(problem, text, number, equal_numbers(number, problem.answer)))
    return found


def by_correctness(tried: Sequence[Attempt]) -> tuple[list[str], list[str]]:
    """Prompts with the model's right solutions, and with its wrong ones.

    Raises
    ------
    InputError : none of one sort, so that there is no contrast.
    """
    right = [f"{one.problem.prompt} {one.solution}" for one in tried if one.right]
    wrong = [f"{one.problem.prompt} {one.solution}" for one in tried if not one.right]
    if not right or not wrong:
        raise InputError(f"{len(right)} right and {len(wrong)} wrong solutions are no contrast; try more problems")
    return right, wrong
