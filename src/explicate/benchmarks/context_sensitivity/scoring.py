"""Whether an answer is the expected one, and what share of questions is answered rightly under both intents.

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", section 3.3; the memorisation
ratio is that of Longpre et al. (2021), "Entity-Based Knowledge Conflicts in Question Answering".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explicate.data.language.contradicting_contexts import INTENTS, ContradictingContexts, Intent
from explicate.errors import InputError
from explicate.runtime.statistics import Interval, wilson_interval

Flags = NDArray[np.bool_]
UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
LARGEST_WORD = 99


def answered(text: str, expected: str) -> bool:
    """Whether a written answer is the expected one: it starts with it, as a whole word.

    Numbers may also be spelt out, and may stand at the end or after "=".
    """
    said = text.strip().casefold()
    wanted = expected.strip().casefold()
    if not wanted:
        raise InputError("the expected answer is empty")
    if not wanted.lstrip("-").isdigit():
        return said.startswith(wanted)
    spellings = [wanted]
    if wanted.isdigit() and int(wanted) <= LARGEST_WORD:
        spellings.append(number_word(int(wanted)))
    either = "|".join(map(re.escape, spellings))
    at_start, after_equals, at_end = (
        rf"(?:{either})(?![\w-])",
        rf".*=\s*(?:{either})(?![\w-])",
        rf".*(?<![\w-])(?:{either})\W*$",
    )
    return any(re.match(pattern, said, re.DOTALL) for pattern in (at_start, after_equals, at_end))


def number_word(number: int) -> str:
    """A number up to 99 in words: "forty-two"."""
    if number < len(UNITS):
        return UNITS[number]
    tens, unit = divmod(number, 10)
    return TENS[tens] + (f"-{UNITS[unit]}" if unit else "")


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What a model answered to questions with contradicting contexts.

    Attributes
    ----------
    said : under each intent, for each question: whether the prior and whether the context answer was given, bool
        (intent, question, answer), intents and answers in the order of `INTENTS`.
    known : (question,), whether the prior answer is given to the query alone; None where that was not asked.
    """

    said: Flags
    known: Flags | None = None

    @classmethod
    def of(
        cls,
        questions: ContradictingContexts,
        texts: dict[Intent, Sequence[str]],
        alone: Sequence[str] | None = None,
    ) -> Sensitivity:
        """Score written answers: under each intent, and to the queries alone."""
        said = np.zeros((len(INTENTS), len(questions), len(INTENTS)), dtype=bool)
        for i, intent in enumerate(INTENTS):
            if len(texts[intent]) != len(questions):
                raise InputError(f"{len(texts[intent])} answers for {len(questions)} questions; give one each")
            for j, (question, text) in enumerate(zip(questions, texts[intent], strict=True)):
                said[i, j] = [answered(text, question.answer(answer)) for answer in INTENTS]
        known = None
        if alone is not None:
            known = np.array([answered(t, q.prior_answer) for q, t in zip(questions, alone, strict=True)], dtype=bool)
        return cls(said, known)

    @property
    def right(self) -> Flags:
        """Whether each question is answered as each intent wants, (intent, question)."""
        return np.stack([self.said[i, :, i] for i in range(len(INTENTS))])

    @property
    def pairs(self) -> Flags:
        """Whether each question is answered rightly under both intents, (question,)."""
        return np.asarray(self.right.all(axis=0))

    @property
    def pair_accuracy(self) -> float:
        """Share of questions that are answered rightly under both intents; 0 for a model that ignores the intent."""
        return _share(self.pairs)

    @property
    def interval(self) -> Interval:
        """95 % interval of the pair accuracy over questions."""
        return wilson_interval(int(self.pairs.sum()), len(self.pairs))

    def accuracy(self, intent: Intent | None = None) -> float:
        """Share of right answers under one intent, or over both; one half for a model that ignores the intent."""
        return _share(self.right if intent is None else self.right[INTENTS.index(intent)])

    def memorisation_ratio(self, intent: Intent | None = None) -> float:
        """Prior answers among all prior and context answers, under one intent or over both; NaN without any."""
        part = self.said if intent is None else self.said[INTENTS.index(intent)]
        prior, context = (int(part[..., i].sum()) for i in range(len(INTENTS)))
        return prior / (prior + context) if prior + context else float("nan")

    def other_answers(self, intent: Intent | None = None) -> float:
        """Share of answers that are neither of the two."""
        part = self.said if intent is None else self.said[INTENTS.index(intent)]
        return _share(np.asarray(~part.any(axis=-1)))

    @property
    def known_share(self) -> float:
        """Share of prior answers that the query alone brings up; NaN where that was not asked."""
        return float("nan") if self.known is None else _share(self.known)

    def on_known(self) -> Sensitivity:
        """The same of the questions whose prior answer is known."""
        if self.known is None:
            raise InputError("nobody asked the queries alone, so what is known is unknown; score with alone=")
        return Sensitivity(self.said[:, self.known], self.known[self.known])

    def to_dict(self) -> dict[str, Any]:
        """All figures by name; `known` for the questions whose prior answer is known."""
        found: dict[str, Any] = {"questions": len(self.pairs), "pair_accuracy": self.pair_accuracy}
        for intent in (*INTENTS, None):
            name = intent or "overall"
            found[f"accuracy {name}"] = self.accuracy(intent)
            found[f"memorisation_ratio {name}"] = self.memorisation_ratio(intent)
            found[f"other_answers {name}"] = self.other_answers(intent)
        if self.known is not None:
            found["known_share"] = self.known_share
            found["known"] = Sensitivity(self.said[:, self.known]).to_dict()
        return found


def _share(flags: Flags) -> float:
    return float(flags.mean()) if flags.size else float("nan")
