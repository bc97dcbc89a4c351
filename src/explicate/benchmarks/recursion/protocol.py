"""The chat protocol: a rule inferred from examples, and reductions written down and checked step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.benchmarks.recursion.prompts import answer_words, examples_prompt, reduction_prompt
from explicate.benchmarks.recursion.scoring import Scores, scored
from explicate.benchmarks.recursion.tasks import Items, RecursionTask
from explicate.benchmarks.recursion.verdicts import RIGHT, TraceVerdict, check_trace, lines_of
from explicate.data.recursion.expressions import Call
from explicate.data.recursion.types import Term
from explicate.errors import InputError, LeakageError
from explicate.models.chat.chat_model import ChatModel


@dataclass(frozen=True, eq=False)
class ReductionScores:
    """What a chat model's reductions came to.

    Attributes
    ----------
    terms : asked about. replies : as they were written. verdicts : one each.
    """

    terms: tuple[Term, ...]
    replies: tuple[str, ...]
    verdicts: tuple[TraceVerdict, ...]

    def counts(self) -> dict[str, int]:
        """How many reductions are right, or in which class of error."""
        return dict(Counter(one.kind for one in self.verdicts))

    @property
    def right(self) -> float:
        """Share without an error."""
        return float(np.mean([one.kind == RIGHT for one in self.verdicts]))


def ask_by_examples(
    chat: ChatModel, shown: Items, asked: Items, *, max_new_tokens: int = 64, each: int | None = None, seed: int = 0
) -> Scores:
    """Show inputs with outputs, ask for the output of others.

    Parameters
    ----------
    each : examples in a prompt, drawn anew for each question; None: all of `shown`.

    Raises
    ------
    LeakageError : an item that is asked is among those shown.
    """
    _check(shown.terms, asked.terms)
    rng = np.random.Generator(np.random.PCG64(seed))
    prompts = []
    for words in asked.inputs:
        rows = range(len(shown)) if each is None else rng.permutation(len(shown))[:each].tolist()
        prompts.append(examples_prompt([(shown.inputs[i], shown.outputs[i]) for i in rows], words))
    replies = chat.replies(prompts, max_new_tokens=max_new_tokens, stop=("Input:",))
    return scored(asked, [answer_words(reply.text, asked.task.words) for reply in replies])


def ask_for_reductions(
    chat: ChatModel, task: RecursionTask, shown: Sequence[Term], asked: Sequence[Term], *, max_new_tokens: int = 512
) -> ReductionScores:
    """Give the definition and full reductions of the terms shown, ask for those of others, and check every step.

    Raises
    ------
    LeakageError : a term that is asked is among those shown.
    """
    _check(shown, asked)
    function = task.function
    calls = [Call(function.name, (term,)) for term in asked]
    examples = [Call(function.name, (term,)) for term in shown]
    prompts = [reduction_prompt(function, examples, call) for call in calls]
    replies = chat.replies(prompts, max_new_tokens=max_new_tokens, stop=("Reduce:",))
    texts = tuple(reply.text for reply in replies)
    verdicts = [check_trace(function, call, lines_of(text)) for call, text in zip(calls, texts, strict=True)]
    return ReductionScores(tuple(asked), texts, tuple(verdicts))


def _check(shown: Sequence[Term], asked: Sequence[Term]) -> None:
    if not asked:
        raise InputError("nothing is asked; give at least one term")
    both = set(shown) & set(asked)
    if both:
        raise LeakageError(f"{next(iter(both))} is shown and asked; take it out of one of them")
