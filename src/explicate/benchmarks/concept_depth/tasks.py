"""Probing tasks: texts with labels, and the instruction that a model reads with each of them.

The instruction stands where it does in Jin et al. (2025): before facts, after texts that are felt, and around stories
that must be thought through. The wording is ours. (In the paper's published script one instruction about sentiment is
used for all nine data sets; here each has its own.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.labelled_texts import LabelledTexts, capital_statements, coin_flips, sentiment_sentences
from explicate.errors import InputError, counted
from explicate.runtime.seeds import generator

Placement = Literal["before", "after", "around"]
Group = Literal["factual", "emotional", "inferential"]
GROUPS: tuple[Group, ...] = ("factual", "emotional", "inferential")
"""From what the paper takes to be easiest to what it takes to be hardest."""
FEWEST = 20
NOISE = ("aaa", "bbb")

TRUTH = "Is this statement true or false?"
SENTIMENT = "Is the emotion of this text positive or negative?"
HATE = "Is this text hate speech or not?"
COIN = "Answer with Yes or No."
SARCASM = (
    "Sarcasm says the opposite of what is meant.\n"
    "It mocks somebody or something, often in a friendly tone.\n"
    "A plain report of something odd is not sarcasm. Is this headline sarcastic, Yes or No?\n"
)
STRATEGY = (
    "Question: Can a fish climb a tree? A fish has no legs and lives in water. Answer: No.\n"
    "Answer the next question with Yes or No.\nQuestion: "
)
STEPS = "Let us think step by step."
ANSWER = "Your answer is"
ANCHORS = {
    "truth": "Is the statement true? Answer with Yes or No only.",
    "sentiment": "Is the emotion of the text positive? Answer with Yes or No only.",
    "hate": "Is the text hate speech? Answer with Yes or No only.",
    "coin": "Answer with Yes or No only.",
    "sarcasm": "Is the headline sarcastic? Answer with Yes or No only.",
    "strategy": "Answer with Yes or No only.",
}


@dataclass(frozen=True, eq=False)
class ProbingTask:
    """A binary task.

    Attributes
    ----------
    name : short name. texts : (sample,). labels : (sample,), 0 or 1.
    positive : what label 1 means.
    group : "factual", "emotional" or "inferential".
    instruction, placement : what the model is told, and whether before, after or around the text.
    cue : with "around", what follows the text.
    subjects : (sample,), what the texts are about, for splits that keep a subject on one side; None: each its own.
    anchor : the question of the zero-shot baseline. yes : the label that a "Yes" to it means.

    Raises
    ------
    InputError : fewer than 20 examples of a class, or labels and texts that do not fit.
    """

    name: str
    texts: tuple[str, ...]
    labels: Array
    positive: str
    group: Group
    instruction: str
    placement: Placement
    cue: str = ""
    subjects: tuple[str, ...] | None = None
    anchor: str = ANCHORS["truth"]
    yes: int = 0

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.shape != (len(self.texts),) or not np.isin(labels, (0, 1)).all():
            raise InputError(f"task {self.name!r}: {counted(len(self.texts), 'text')} need a label 0 or 1 each")
        counts = np.bincount(labels.astype(int), minlength=2)
        if counts.min() < FEWEST:
            raise InputError(
                f"task {self.name!r} has {counts[0]} examples of class 0 and {counts[1]} of class 1; "
                f"it needs {FEWEST} of each"
            )
        if self.subjects is not None and len(self.subjects) != len(self.texts):
            raise InputError(f"task {self.name!r}: {len(self.subjects)} subjects for {len(self.texts)} texts")
        if self.group not in GROUPS or self.placement not in ("before", "after", "around"):
            raise InputError(f"task {self.name!r}: unknown group {self.group!r} or placement {self.placement!r}")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def around(self) -> tuple[str, str]:
        """What stands before and after each text."""
        if self.placement == "before":
            return f"{self.instruction} ", ""
        if self.placement == "after":
            return "", f" {self.instruction}"
        return self.instruction, f" {self.cue}" if self.cue else ""

    def prompts(self, noise: bool = False, seed: int = 0) -> list[str]:
        """What the model reads."""
        before, after = self.around
        return [f"{before}{text}{after}" for text in self.read_texts(noise, seed)]

    def read_texts(self, noise: bool = False, seed: int = 0) -> tuple[str, ...]:
        """The texts, or the texts with noise before them."""
        return noisy(self.texts, seed) if noise else self.texts

    def take(self, rows: Sequence[int] | Array) -> ProbingTask:
        """Some of the examples."""
        own = [int(i) for i in rows]
        subjects = None if self.subjects is None else tuple(self.subjects[i] for i in own)
        labels = np.asarray(self.labels)[own]
        return replace(self, texts=tuple(self.texts[i] for i in own), labels=labels, subjects=subjects)


def noisy(texts: Sequence[str], seed: int = 0) -> tuple[str, ...]:
    """Texts with "aaa" or "bbb" before them, each with the same chance, and nothing in between."""
    drawn = generator(seed, "noise").integers(0, 2, len(texts))
    return tuple(NOISE[int(which)] + text for which, text in zip(drawn, texts, strict=True))


def capitals_task(countries_used: int | None = None, templates: int = 2, seed: int = 0) -> ProbingTask:
    """Statements about capitals, true or with a wrong capital."""
    given = capital_statements(countries_used, templates, seed)
    return _made("capitals", given, "factual", TRUTH, "before", ANCHORS["truth"], 0)


def sentiment_task(count: int = 400, seed: int = 0) -> ProbingTask:
    """Sentences that praise or blame, some by negation."""
    given = sentiment_sentences(count, seed=seed)
    return _made("sentiment", given, "emotional", SENTIMENT, "after", ANCHORS["sentiment"], 1)


def coin_task(count: int = 300, people: int = 4, seed: int = 0) -> ProbingTask:
    """Coins that are flipped, or not, by so many people."""
    return _made("coin-flips", coin_flips(count, people, seed), "inferential", COIN, "after", ANCHORS["coin"], 0)


def _made(
    name: str, given: LabelledTexts, group: Group, instruction: str, placement: Placement, anchor: str, yes: int
) -> ProbingTask:
    return ProbingTask(
        name, given.texts, given.labels, given.positive, group, instruction, placement,
        subjects=given.subjects, anchor=anchor, yes=yes,
    )  # fmt: skip


GENERATED: dict[str, Callable[..., ProbingTask]] = {
    "capitals": capitals_task,
    "sentiment": sentiment_task,
    "coin-flips": coin_task,
}
