"""A chat model in this process: any Hugging Face causal language model with its chat template, batched."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.cost import spend
from explicate.errors import ExplicateError, InputError, WindowError
from explicate.models.chat.batching import SharedBatches
from explicate.models.chat.chat_model import ChatModel, Outcome
from explicate.models.chat.messages import Asked, Call, Decoding, conversation
from explicate.models.chat.precision import PROBES, Agreement, Precision, agreement, converted
from explicate.models.chat.reply import ALTERNATIVES, Reply, Token
from explicate.models.chat.template import ChatTemplate
from explicate.runtime.cache import CallCache
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    from explicate.models.language import LanguageModel
    from explicate.models.language.sampling import Written


@dataclass(frozen=True)
class _Task:
    ids: tuple[int, ...]
    notes: tuple[str, ...]
    decoding: Decoding


class LocalChat(ChatModel):
    """Replies written by a `LanguageModel`; what intervenes on it acts on the replies, and on their place in the cache.

    Calls are ordered by length, padded and batched, those of several threads together. Greedy replies are those of one
    call after another; drawn ones depend on their seed and not on their batch.

    Parameters
    ----------
    model : the language model; stays open for interventions and gradients as `chat.model`.
    template : the tokenizer's own chat template by default; "plain" or Jinja text otherwise, see `ChatTemplate`.
    precision : "float32", or "bfloat16" and "int8", which are faster and write other replies: how far they agree with
        float32 is printed on standard error and kept as `agreement`.
    name, cache, log : see `ChatModel`.
    """

    begins = True

    def __init__(
        self,
        model: LanguageModel,
        *,
        template: str | None = None,
        precision: Precision = "float32",
        name: str | None = None,
        cache: bool | str | Path | CallCache = True,
        log: str | Path | None = None,
    ) -> None:
        label = name or (model.name if precision == "float32" else f"{model.name} ({precision})")
        super().__init__(label, model.source, cache, log)
        self.template = ChatTemplate(model.tokenizer, model.name, template)
        self.precision: Precision = precision
        self.model = converted(model, precision)
        self.agreement: Agreement | None = None
        if self.model is not model:
            prompts = [self.template.ids(conversation(text))[0] for text in PROBES]
            self.agreement = agreement(model, self.model, precision, prompts)
            print(f"{model.name}: {self.agreement}", file=sys.stderr, flush=True)
        self._tokens_fingerprint: str | None = None
        self._batches: SharedBatches[_Task, Outcome] = SharedBatches(self._chosen, self._written)

    @property
    def window(self) -> int | None:
        """Most tokens of a conversation and its reply together."""
        return self.model.window

    def fingerprint(self) -> str:
        """A hash of weights, precision, adapters, interventions in force, tokenizer and template."""
        if self._tokens_fingerprint is None:
            tokenizer = self.model.tokenizer
            fast = getattr(tokenizer, "backend_tokenizer", None)
            words = fast.to_str() if fast is not None else dict(sorted(tokenizer.get_vocab().items()))
            self._tokens_fingerprint = digest(words, self.template.text)
        return digest("chat", self.model.fingerprint(), self.precision, self._tokens_fingerprint)

    def prompt_tokens(self, asked: Asked) -> int:
        """How many tokens a conversation is, its template included."""
        return len(self.template.ids(conversation(asked))[0])

    def log_probabilities(self, prompts: Sequence[Asked], continuations: Sequence[str]) -> list[Floats]:
        """Log-probability of each token of each continuation as the reply to its conversation, (token,) each."""
        if isinstance(prompts, str) or len(prompts) != len(continuations):
            raise InputError("give as many continuations as prompts, each a list")
        ids = [self.template.ids(conversation(asked))[0] for asked in prompts]
        return self.model.log_probabilities(ids, continuations)

    def _answers(self, calls: Sequence[Call]) -> Iterator[tuple[int, Outcome]]:
        start = time.perf_counter()
        tasks: list[_Task] = []
        numbers: list[int] = []
        for number, call in enumerate(calls):
            try:
                tasks.append(self._task(call))
                numbers.append(number)
            except InputError as error:
                yield number, error
        for place, outcome in self._batches.answers(tasks):
            if isinstance(outcome, Reply):
                spend(evaluations=outcome.completion_tokens)
                outcome = replace(outcome, seconds=time.perf_counter() - start)
            yield numbers[place], outcome

    def _task(self, call: Call) -> _Task:
        ids, notes = self.template.ids(call.messages)
        ids += self.model.tokenizer(call.decoding.begin, add_special_tokens=False)["input_ids"]
        room = call.decoding.max_new_tokens
        if self.window is not None and len(ids) + room > self.window:
            raise WindowError(
                f"a conversation of {len(ids)} tokens and a reply of up to {room} are more than the {self.window} that "
                f"{self.name!r} takes; shorten it or lower max_new_tokens (nothing is cut)"
            )
        return _Task(tuple(ids), notes, call.decoding)

    def _chosen(self, waiting: Sequence[_Task]) -> Sequence[int]:
        """The places of one batch: tasks drawn in the same way as the first, of similar length."""
        way = replace(waiting[0].decoding, seed=0)
        alike = [place for place, task in enumerate(waiting) if replace(task.decoding, seed=0) == way]
        lengths = np.array([len(waiting[place].ids) for place in alike])
        *_, last = self.model.batches(lengths, way.max_new_tokens)  # the longest first: memory runs out early or never
        return [alike[int(row)] for row in last]

    def _written(self, tasks: Sequence[_Task]) -> Sequence[Outcome]:
        how = tasks[0].decoding
        try:
            written = self.model.write(
                [list(task.ids) for task in tasks],
                max_new_tokens=how.max_new_tokens,
                temperature=how.temperature,
                top_p=how.top_p,
                stop=how.stop,
                seed=[task.decoding.seed for task in tasks],
                alternatives=ALTERNATIVES if how.logprobs else 0,
            )
        except ExplicateError as error:
            return [error] * len(tasks)
        return [self._reply(task, one) for task, one in zip(tasks, written, strict=True)]

    def _reply(self, task: _Task, one: Written) -> Reply:
        tokens = None
        if task.decoding.logprobs:
            tokens = tuple(
                Token.of(self._text(token), share, [(self._text(other), value) for other, value in others])
                for token, share, others in zip(one.ids, one.log_probabilities, one.alternatives, strict=True)
            )
        return Reply(
            text=task.decoding.begin + self.model.written_text(one.ids, task.decoding.stop),
            finish="stop" if one.ended else "length",
            prompt_tokens=len(task.ids),
            completion_tokens=len(one.ids),
            tokens=tokens,
            notes=task.notes,
        )

    def _text(self, token: Any) -> str:
        return str(self.model.tokenizer.decode([token]))
