"""Which of four ways a completion was found by: exact recall, guesswork, heuristics, or language modelling as such.

Source: Saynova et al. (2024), "Fact Recall, Heuristics or Pure Guesswork?", section 3. Where the paper's words and its
code differ, both are offered (`require_correct`); templates are counted once each, which the published data do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from explicate.errors import InputError

EXACT, GUESS, HEURISTIC, GENERIC = "exact recall", "guesswork", "heuristics", "generic"
SCENARIOS = (EXACT, HEURISTIC, GUESS, GENERIC)
SHORTEST_ANSWER = 3
WORDS, FEWEST_WORDS, MOST_CAPITALS, SHORTEST_TITLE = 10, 5, 3, 3


@dataclass(frozen=True)
class Rules:
    """The thresholds.

    Parameters
    ----------
    consistent : exact recall is predicted after more templates than this.
    inconsistent : a guess is predicted after fewer templates than this.
    popular : above it a subject may be recalled, below it only guessed at; in the unit of the facts' popularity.
    require_correct : whether a guess must be right (the paper's words) or one of the set's objects (its code).
    invented_consistent : a heuristic is predicted after more templates than this for an invented subject.
    """

    consistent: int = 5
    inconsistent: int = 2
    popular: float = 1000.0
    require_correct: bool = False
    invented_consistent: int = 4

    def check(self, relation: str, templates: int) -> None:
        """Refuse a relation with too few templates for anything to be exact recall."""
        if templates <= self.consistent:
            raise InputError(
                f"{relation} has {templates} templates, so nothing can be predicted after more than {self.consistent}; "
                f"exact recall is impossible: set consistent to a share of them, such as {max(1, templates * 4 // 5)}"
            )

    def scenario(self, row: Mapping[str, Any], consistency: int, objects: frozenset[str]) -> str:
        """The scenario of one prediction about an existing subject, or "" for none.

        Parameters
        ----------
        row : with `correct`, `surface`, `popularity` and `candidate_prediction`.
        consistency : templates that have the prediction among their likeliest tokens.
        objects : all right answers of the set.
        """
        popularity = row["popularity"]
        if popularity is None:
            return ""
        if row["correct"] and not row["surface"] and consistency > self.consistent and popularity > self.popular:
            return EXACT
        known = bool(row["correct"]) if self.require_correct else is_correct(row["candidate_prediction"], objects)
        if consistency < self.inconsistent and known and popularity < self.popular:
            return GUESS
        return ""


def is_correct(predicted: str, objects: Collection[str]) -> bool:
    """Whether a right answer begins with the prediction, which must have three letters."""
    text = predicted.strip()
    return len(text) >= SHORTEST_ANSWER and any(found.startswith(text) for found in objects)


def is_trivial(predicted: str, relation: str, fields: frozenset[str]) -> bool:
    """Whether a prediction for an invented subject names nothing: not capitalised, or (P101) no known field."""
    text = predicted.strip()
    if relation == "P101":
        return not any(known.startswith(text) for known in fields) or len(text) < SHORTEST_ANSWER
    return not text[:1].isupper() or len(text) < SHORTEST_ANSWER


def generic_prompt(title: str, sentence: str) -> tuple[str, str] | None:
    """A prompt of ordinary language and its subject, from a page's sentence; None where the sentence does not fit.

    The sentence starts with a word of the title that has more than 3 letters; of its first 10 words (at least 5, at
    most 3 capital letters, no double spaces) the last, in lower case, is left out.
    """
    if "  " in sentence:
        return None
    words = sentence.split()[:WORDS]
    starts = {word.casefold() for word in re.findall(r"\w+", title) if len(word) > SHORTEST_TITLE}
    text = " ".join(words)
    fits = (
        len(words) >= FEWEST_WORDS
        and words[0].strip(",.").casefold() in starts
        and sum(letter.isupper() for letter in text) <= MOST_CAPITALS
        and words[-1][:1].islower()
    )
    return (" ".join(words[:-1]), words[0].strip(",.")) if fits else None
