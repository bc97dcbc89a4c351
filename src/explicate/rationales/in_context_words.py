"""In-context explainers for texts: a chat model ranks the words behind a decision from what deleting words does to it.

Source: Kroeger, Ley, Krishna, Agarwal, Lakkaraju (2023), "In-Context Explainers", arXiv 2310.05797, text experiments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.missingness.texts import Deletion
from explicate.attribution.words import Words
from explicate.core.capabilities import Array, Targets
from explicate.core.registry import register
from explicate.core.targets import Target
from explicate.errors import InputError, TargetError
from explicate.models.chat import Answer, Message, all_answers, ask_in_form
from explicate.models.chat.asking import Reader
from explicate.rationales import in_context_prompts as prompts
from explicate.rationales.asking import Asks, Step, steps_of, trace
from explicate.rationales.in_context_explainer import BAD_REPLY, OK, UNSOLVABLE, one_of
from explicate.rationales.neighbourhood import ORDERS, SAMPLERS, Order, Sampler, chosen
from explicate.rationales.rankings import bare_word, parse_words
from explicate.rationales.two_classes import class_one
from explicate.runtime.seeds import generator

TOO_SHORT = "too_short"


@register("in-context-words")
@dataclass(frozen=True)
class InContextWords(Explainer, Asks):
    """A chat model that sees which words were removed and how the decision changed, and ranks the words.

    The attribution says the order and no more: the first of k words gets k units, the next one fewer, all others 0; a
    word that occurs several times has its units at each place. What class 1 is: see `InContextExplainer`; a language
    model needs a `Contrast` of two continuations.

    Parameters
    ----------
    k : words asked for.
    n_icl : shots shown. Sentences of fewer than log2(n_icl) words are "too_short": nothing is asked.
    n_samples : neighbours; each lacks a uniform number, 1 to all but one, of random words.
    sampler, order : see `InContextExplainer`.
    context, reasoning, chat, log, attempts, max_new_tokens : see `InContextExplainer`.

    Notes
    -----
    Beside the attribution: `ranked_word` (sample, rank), "" where there is none; `status` (sample,), `instance`
    (sample,) and `step_...` (sample, step).
    """

    k: int = 3
    n_icl: int = 16
    n_samples: int = 1000
    sampler: Sampler = "most_confident"
    order: Order = "alternate"
    context: bool = True
    reasoning: bool = True
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    signed: ClassVar[bool] = False
    compared: ClassVar[bool] = False

    def __post_init__(self) -> None:
        one_of("sampler", self.sampler, SAMPLERS)
        one_of("order", self.order, ORDERS)
        if self.k < 1 or self.n_icl < 2 or self.n_samples < 2:
            raise InputError(
                f"in-context-words: k is {self.k}, n_icl {self.n_icl}, n_samples {self.n_samples}; ask for 1 word or "
                "more, with 2 shots and neighbours or more"
            )

    def resolved(self, model: Any, inputs: Array, target: Target) -> Targets:
        if target is None and model.output_count > 2:
            raise TargetError(
                f"in-context-words explains the choice between two classes; {model.name!r} has {model.output_count}: "
                "say which one, against the rest (target=0), or a Contrast of two"
            )
        return super().resolved(model, inputs, target)

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        seed = int(rng.integers(1 << 62))
        chat = self.opened()
        asked: list[str | None] = []
        status: list[str] = []
        sentences, labels = [], []
        for sample, target in zip(inputs, targets, strict=True):
            players = Words().players(model, sample)
            words = _words(model, sample, players.labels, players.count)
            sentences.append(words)
            labels.append(players.labels)
            if len(words) < max(2, log2(self.n_icl)):
                asked.append(None)
                status.append(TOO_SHORT)
                continue
            if self.k > len({bare_word(word) for word in words}):
                raise InputError(f"in-context-words: k is {self.k}, but the text {' '.join(words)!r} has fewer words")
            asked.append(self._prompt(model, sample, target, words, seed))
            status.append(UNSOLVABLE if asked[-1] is None else OK)
        answers = self._answers(chat, asked, sentences)
        values = np.zeros(inputs.shape)
        ranked = np.full((len(inputs), self.k), "", dtype=object)
        steps: list[list[Step]] = []
        for i, answer in enumerate(answers):
            steps.append([] if answer is None else steps_of("rank", answer))
            if answer is None:
                continue
            if answer.value is None:
                status[i] = BAD_REPLY
                continue
            ranked[i] = answer.value
            bare = [bare_word(word) for word in sentences[i]]
            units = [self.k - answer.value.index(word) if word in answer.value else 0 for word in bare]
            values[i] = np.append(units, 0)[labels[i]]
        counts = {f"count_{name}": status.count(name) for name in (OK, BAD_REPLY, UNSOLVABLE, TOO_SHORT)}
        return Found(
            values,
            extra={
                "ranked_word": (("sample", "rank"), ranked),
                "status": (("sample",), np.array(status, dtype=object)),
                "instance": (("sample",), np.arange(len(inputs))),
                **trace(steps),
            },
            flags={
                **counts,
                "chat": chat.name,
                "chat_fingerprint": chat.fingerprint(),
                "scripted": int(chat.scripted),
            },
        )

    def _prompt(self, model: Any, sample: Array, target: Any, words: Sequence[str], seed: int) -> str | None:
        rng = generator(seed, "words", sample)
        players = Words().players(model, sample)
        count = players.count
        removed = rng.integers(1, count, self.n_samples)
        ranks = rng.random((self.n_samples, count)).argsort(axis=1)
        keep = ranks >= removed[:, None]
        points = Deletion().bind(model, sample, rng)(players.keep(keep, sample.shape))
        probability = class_one(model, np.concatenate([sample[None], points]), target, self.name)
        places = chosen(probability[1:], self.n_icl, self.sampler, self.order, rng)
        if places is None:
            return None
        own = int(probability[0] >= 0.5)
        shots = [
            ([words[int(j)] for j in np.flatnonzero(~keep[place])], int(probability[1 + place] >= 0.5) - own)
            for place in places
        ]
        return prompts.words_prompt(shots, " ".join(words), self.k, context=self.context, reasoning=self.reasoning)

    def _answers(
        self, chat: Any, asked: Sequence[str | None], sentences: Sequence[Sequence[str]]
    ) -> list[Answer[tuple[str, ...]] | None]:
        """An answer for each text that there is a prompt for; each reply may name the words of its own text only."""
        places = [place for place, prompt in enumerate(asked) if prompt is not None]
        found: list[Answer[tuple[str, ...]] | None] = [None] * len(asked)
        if not places:
            return found
        answers = ask_in_form(
            chat,
            [(Message("user", asked[place] or ""),) for place in places],
            [self._reader(sentences[place]) for place in places],
            again=prompts.TEXT_AGAIN,
            attempts=self.attempts,
            max_new_tokens=self.max_new_tokens,
        )
        for place, answer in zip(places, all_answers(answers, [f"text {place}" for place in places]), strict=True):
            found[place] = answer
        return found

    def _reader(self, words: Sequence[str]) -> Reader[tuple[str, ...]]:
        return lambda reply: parse_words(reply.text, words, self.k)


def _words(model: Any, sample: Array, labels: Array, count: int) -> list[str]:
    """The text of each word."""
    return [
        "".join(model.token_text(int(index)) for index in sample[labels == player]).strip() for player in range(count)
    ]
