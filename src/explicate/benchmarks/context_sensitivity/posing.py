"""Questions with contradicting contexts as token ids, and their answers as the tokens that would come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.context_prompts import ContextPrompt, spaced, without_context
from explicate.data.language.contradicting_contexts import ContradictedQuestion, ContradictingContexts, Intent
from explicate.errors import InputError
from explicate.models.chat.messages import conversation
from explicate.models.chat.template import ChatTemplate
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator

Way = Literal["chat", "text"]


@dataclass(frozen=True)
class Posing:
    """How questions are put to models.

    Parameters
    ----------
    prompt : the form of the words.
    way : "chat" through the model's own chat template, "text" for models without one.
    demonstrations : answered questions that stand before each; `pool` is where they come from, drawn anew for each
        question with `seed`, never the question's own subject.
    """

    prompt: ContextPrompt = field(default_factory=ContextPrompt)
    way: Way = "chat"
    demonstrations: int = 0
    pool: tuple[ContradictedQuestion, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.demonstrations and len(self.pool) <= self.demonstrations:
            raise InputError(f"{self.demonstrations} demonstrations need a pool of more than as many questions")

    def ids(self, model: LanguageModel, questions: ContradictingContexts, intent: Intent) -> Array:
        """Prompts (question, token), -1 on the right where one is shorter."""
        if self.way == "text":
            return model.encode([self.prompt.text(q, intent, self._shown(q)) for q in questions])
        return self._conversations(
            model, questions, [self.prompt.messages(q, intent, self._shown(q)) for q in questions]
        )

    def without_context(self, model: LanguageModel, questions: ContradictingContexts) -> Array:
        """Prompts that ask the queries alone."""
        if self.way == "text":
            start = "" if self.prompt.completion else "\nAnswer:"
            return model.encode([f"{self.prompt.system}\n\nQuery: {q.query}{start}" for q in questions])
        return self._conversations(model, questions, [without_context(q, self.prompt.system) for q in questions])

    def answers(self, model: LanguageModel, prompts: Array, answers: Sequence[str]) -> list[list[int]]:
        """The tokens that spell each answer after its prompt, as they come out when both are encoded together."""
        begun = self.way == "text" or self.prompt.completion
        found = []
        for row, answer in zip(prompts, answers, strict=True):
            prompt = [int(i) for i in row[row >= 0]]
            text = str(model.tokenizer.decode(prompt))
            told = spaced(text, answer) if begun else f"{text}{answer}"
            whole = model.tokenizer(told, add_special_tokens=False)["input_ids"]
            alone = model.tokenizer(told[len(text) :], add_special_tokens=False)["input_ids"]
            found.append([int(i) for i in (whole[len(prompt) :] if whole[: len(prompt)] == prompt else alone)])
        return found

    def first_tokens(self, model: LanguageModel, prompts: Array, answers: Sequence[str]) -> Array:
        """The first token of each answer, int64 (question,)."""
        return np.array([tokens[0] for tokens in self.answers(model, prompts, answers)], dtype=np.int64)

    def distinguishable(self, model: LanguageModel, questions: ContradictingContexts) -> ContradictingContexts:
        """Without the questions whose answers are equal or begin with the same token of this model."""
        prompts = self.ids(model, questions, "context") if len(questions) else np.zeros((0, 1), dtype=np.int64)
        place = {id(question): number for number, question in enumerate(questions)}

        def first(question: ContradictedQuestion, answer: str) -> int:
            number = place[id(question)]
            return int(self.first_tokens(model, prompts[number : number + 1], [answer])[0])

        return questions.distinguishable(first)

    def _conversations(
        self, model: LanguageModel, questions: ContradictingContexts, conversations: Sequence[Sequence[dict[str, str]]]
    ) -> Array:
        template = ChatTemplate(model.tokenizer, model.name)
        ids = [template.ids(conversation(one))[0] for one in conversations]
        if self.prompt.completion:
            begun = [model.tokenizer(q.query, add_special_tokens=False)["input_ids"] for q in questions]
            ids = [[*one, *start] for one, start in zip(ids, begun, strict=True)]
        return model.encode(ids)

    def _shown(self, asked: ContradictedQuestion) -> list[ContradictedQuestion]:
        if not self.demonstrations:
            return []
        others = [q for q in self.pool if q.subject != asked.subject or q.relation != asked.relation]
        rng = generator(self.seed, "demonstrations", asked.query, asked.context)
        return [others[int(i)] for i in rng.choice(len(others), self.demonstrations, replace=False)]
