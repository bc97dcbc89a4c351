"""How alike two models are in what they know, and in where they err despite knowing.

Two figures are easily taken for each other, so both are given. The Jaccard index of two sets of errors is low when
models err on different questions. The share of questions with the same label is high as soon as errors are rare,
however different the errors are; it is agreement, and no overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from explicate.benchmarks.wack.dataset import WackDataset
from explicate.errors import InputError


@dataclass(frozen=True)
class Similarity:
    """Two models on the questions that both were asked.

    Attributes
    ----------
    questions : asked of both. known : how many each knows. shared : how many both know.
    known_jaccard : of the two sets of known questions; NaN where neither knows any.
    errors : how many of the shared ones each gets wrong (HK+).
    error_jaccard : of these two sets; NaN where neither errs.
    agreement : share of the shared questions with the same label, correct or HK+; NaN where none is shared.
    chance_known_jaccard, chance_error_jaccard, chance_agreement : what two models with these rates would have if their
        answers had nothing to do with each other.
    """

    questions: int
    known: tuple[int, int]
    shared: int
    known_jaccard: float
    errors: tuple[int, int]
    error_jaccard: float
    agreement: float
    chance_known_jaccard: float
    chance_error_jaccard: float
    chance_agreement: float


def similarity(first: WackDataset, second: WackDataset) -> Similarity:
    """Compare two models that were asked in the same setting.

    Raises
    ------
    InputError : different settings, or no question in common.
    """
    if first.setting != second.setting:
        raise InputError(f"{first.model} was asked in {first.setting}, {second.model} in {second.setting}; use one")
    asked = {each.item.question for each in first} & {each.item.question for each in second}
    if not asked:
        raise InputError(f"{first.model} and {second.model} share no question")
    known = [each.known() & asked for each in (first, second)]
    shared = known[0] & known[1]
    errors = [each.questions("HK+") & shared for each in (first, second)]
    rates = [len(each) / len(shared) if shared else 0.0 for each in errors]
    same = len(shared) - len(errors[0] ^ errors[1])
    return Similarity(
        questions=len(asked),
        known=(len(known[0]), len(known[1])),
        shared=len(shared),
        known_jaccard=jaccard(*known),
        errors=(len(errors[0]), len(errors[1])),
        error_jaccard=jaccard(*errors),
        agreement=same / len(shared) if shared else math.nan,
        chance_known_jaccard=_by_chance(len(known[0]) / len(asked), len(known[1]) / len(asked)),
        chance_error_jaccard=_by_chance(*rates),
        chance_agreement=rates[0] * rates[1] + (1 - rates[0]) * (1 - rates[1]) if shared else math.nan,
    )


def jaccard(first: set[str], second: set[str]) -> float:
    """Size of the intersection over that of the union; NaN for two empty sets."""
    union = len(first | second)
    return len(first & second) / union if union else math.nan


def _by_chance(first: float, second: float) -> float:
    """The Jaccard index of independent sets with these shares of all, to first order."""
    union = first + second - first * second
    return first * second / union if union else math.nan
