"""A model that answers, where another one puts the reasons into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import CapabilityError, InputError, ModelError
from explicate.evaluation.self_explanation import Respondent
from explicate.models.chat import ChatModel

Classify = Callable[[list[str]], Any]
"""From texts, the fields of each item a line each, to the probability of each choice: (text, choice)."""


@dataclass
class OtherRespondent(Respondent):
    """Answers of a classifier or of another chat model; `chat` is the model that explains them.

    Parameters
    ----------
    answers : a chat model, or a function from texts to probabilities (`Classify`).
    """

    answers: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.answers, ChatModel):
            self._inner = Respondent(self.answers, self.by, self.draws, self.seed, self.max_new_tokens)
        elif not callable(self.answers):
            raise CapabilityError(
                f"a {type(self.answers).__name__} answers nothing; give a chat model, or a function from texts to "
                "probabilities of the choices"
            )

    def shares(self, items: Sequence[ChoiceItem], asked: Sequence[str] | None = None) -> list[Floats]:
        """The probability of each choice, (choice,) each."""
        if isinstance(self.answers, ChatModel):
            found = self._inner.shares(items, asked)
            self.by, self.questions = self._inner.by, self._inner.questions
            return found
        if asked is not None:
            raise CapabilityError("a classifier answers the plain question only; leave out tests of reasoning and cues")
        texts = ["\n".join(text for _, text in item.fields) for item in items]
        keys = [(text, item.letters) for text, item in zip(texts, items, strict=True)]
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            self.questions += len(new)
            for key, row in zip(new, self._classified([text for text, _ in new]), strict=True):
                if len(row) != len(key[1]):
                    raise InputError(
                        f"the classifier has {len(row)} classes, the item {len(key[1])} choices; give as many"
                    )
                self._known[key] = row
        return [self._known[key] for key in keys]

    def _classified(self, texts: list[str]) -> Floats:
        scores = np.asarray(self.answers(texts), float)
        if scores.ndim == 1:
            scores = np.stack([1 - scores, scores], axis=1)
        if scores.shape[:1] != (len(texts),) or not np.isfinite(scores).all() or (scores < 0).any():
            raise ModelError(
                f"the classifier gave an array {scores.shape} for {len(texts)} texts; it must give a probability of "
                "each choice: (text, choice)"
            )
        return scores
