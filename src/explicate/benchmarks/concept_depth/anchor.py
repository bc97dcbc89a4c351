"""The zero-shot anchor: does the model say Yes or No, where a probe can read it off?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.benchmarks.concept_depth.tasks import ANSWER, ProbingTask
from explicate.core.capabilities import Array
from explicate.errors import TargetError
from explicate.models.language import LanguageModel

YES = (" yes", " Yes", " YES")
NO = (" no", " No", " NO")


@dataclass(frozen=True)
class Anchor:
    """How well the model's own Yes or No tells the labels.

    Attributes
    ----------
    accuracy : share of right answers.
    true_positive_rate, false_positive_rate : of label 1.
    said_yes : share of Yes.
    answered : mean probability of all the words that were counted.
    """

    accuracy: float
    true_positive_rate: float
    false_positive_rate: float
    said_yes: float
    answered: float


def anchor(model: LanguageModel, task: ProbingTask, noise: bool = False, seed: int = 0) -> Anchor:
    """Compare the next token's summed probability of yes, Yes, YES with that of no, No, NO.

    Spellings that are not one token of the model are left out.
    """
    prompts = [f"{text} {task.anchor} {ANSWER}" for text in task.read_texts(noise, seed)]
    ids = model.encode(prompts)
    with model.scored_by("probability"):
        chances = model.predict(ids)
    yes, no = (chances[:, _tokens(model, words)].sum(axis=1) for words in (YES, NO))
    said = yes > no
    guess = np.where(said, task.yes, 1 - task.yes)
    labels = np.asarray(task.labels)
    return Anchor(
        float(np.mean(guess == labels)),
        float(np.mean(guess[labels == 1] == 1)),
        float(np.mean(guess[labels == 0] == 1)),
        float(said.mean()),
        float((yes + no).mean()),
    )


def _tokens(model: LanguageModel, words: tuple[str, ...]) -> Array:
    """The spellings that are one token."""
    rows = [model.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    unknown = model.tokenizer.unk_token_id
    found = {int(row[0]) for row in rows if len(row) == 1 and row[0] != unknown}
    if not found:
        raise TargetError(
            f"none of {', '.join(map(repr, words))} is one token of {model.name!r}; it cannot be anchored"
        )
    return np.array(sorted(found))
