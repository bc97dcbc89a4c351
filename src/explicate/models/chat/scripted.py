"""Programs in the place of a chat model, as known truth for whatever asks one; every log says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import EndpointError, ExplicateError, InputError, ModelError
from explicate.models.chat.chat_model import ChatModel, Outcome
from explicate.models.chat.messages import Asked, Call, Conversation, conversation
from explicate.models.chat.reply import Reply
from explicate.runtime.cache import CallCache
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import generator

Responder: TypeAlias = Callable[[Conversation, np.random.Generator], "str | Reply"]
"""Gives the reply to a conversation; its randomness comes from the generator alone."""
Scorer: TypeAlias = Callable[[Conversation, str], Floats]
"""Gives the log-probabilities of a continuation, one for each word."""


class ScriptedChat(ChatModel):
    """A function that answers; the same interface, call path, cache keys and ledger as any chat model.

    Its generator is seeded by the conversation, the decoding's seed and `seed`, so a reply depends on what is asked and
    not on when. Tokens are words.

    Parameters
    ----------
    respond : see `Responder`; what it raises besides errors of explicate becomes a `ModelError`.
    version : what the fingerprint depends on besides the name and the seed; change it when `respond` changes.
    score : log-probabilities of given continuations, where the script has them.
    cache : off by default, for a function's content cannot be told.
    """

    scripted = True

    def __init__(
        self,
        respond: Responder,
        *,
        name: str = "scripted",
        version: str | int = 0,
        seed: int = 0,
        score: Scorer | None = None,
        cache: bool | str | Path | CallCache = False,
        log: str | Path | None = None,
    ) -> None:
        super().__init__(name, None, cache, log)
        self.respond = respond
        self.version = version
        self.seed = seed
        self.score = score

    def fingerprint(self) -> str:
        """A hash of name, version and seed."""
        return digest("scripted", self.name, self.version, self.seed)

    def log_probabilities(self, prompts: Sequence[Asked], continuations: Sequence[str]) -> list[Floats]:
        """What `score` gives for each pair."""
        if self.score is None:
            return super().log_probabilities([], continuations)
        pairs = zip(prompts, continuations, strict=True)
        return [np.asarray(self.score(conversation(asked), text), dtype=float) for asked, text in pairs]

    def _answers(self, calls: Sequence[Call]) -> Iterator[tuple[int, Outcome]]:
        for number, call in enumerate(calls):
            yield number, self._outcome(call)

    def _outcome(self, call: Call) -> Outcome:
        asked = [message.to_dict() for message in call.messages]
        try:
            found = self.respond(call.messages, generator(self.seed, call.decoding.seed, asked))
        except ExplicateError as error:
            return error
        except Exception as error:
            return ModelError(f"the script {self.name!r} failed: {type(error).__name__}: {error}")
        if isinstance(found, Reply):
            return found
        if not isinstance(found, str):
            return ModelError(f"the script {self.name!r} gave a {type(found).__name__}; it must give text or a Reply")
        return self._cut(found, call)

    def _cut(self, text: str, call: Call) -> Reply:
        """As a model's reply would be: up to the first stop text and the most tokens."""
        for end in call.decoding.stop:
            text = text.split(end, 1)[0]
        words = text.split()
        most = call.decoding.max_new_tokens
        read = sum(len(message.content.split()) for message in call.messages)
        if len(words) > most:
            return Reply(" ".join(words[:most]), "length", read, most)
        return Reply(text, "stop", read, len(words))


def constant(text: str, **options: Any) -> ScriptedChat:
    """Always the same reply."""
    return ScriptedChat(lambda messages, rng: text, **{"name": "constant", "version": text, **options})


def echo(**options: Any) -> ScriptedChat:
    """The last message, word for word."""
    return ScriptedChat(lambda messages, rng: messages[-1].content, **{"name": "echo", **options})


def table(replies: Mapping[str, str], **options: Any) -> ScriptedChat:
    """The reply written down for the last message; a message that is not in the table is an error."""
    known = dict(replies)

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        if messages[-1].content not in known:
            raise InputError(f"the table has no reply to {messages[-1].content[:80]!r}; it has {len(known)} others")
        return known[messages[-1].content]

    return ScriptedChat(respond, **{"name": "table", "version": digest(known), **options})


def turns(*replies: str, **options: Any) -> ScriptedChat:
    """The first reply to a conversation's first question, the second to the next one, and so on; the last for ever.

    It counts what the conversation holds, not what was asked before, so it is the same for any order of calls.
    """

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        answered = sum(message.role == "assistant" for message in messages)
        return replies[min(answered, len(replies) - 1)]

    if not replies:
        raise InputError("turns needs at least one reply")
    return ScriptedChat(respond, **{"name": "turns", "version": digest(list(replies)), **options})


def flaky(inner: ScriptedChat, error_rate: float, **options: Any) -> ScriptedChat:
    """`inner`, but a call fails with this probability, each time it is made anew (0 to 1)."""
    if not 0 <= error_rate <= 1:
        raise InputError(f"error_rate is {error_rate}; give a share between 0 and 1")
    tries: dict[str, int] = {}

    def respond(messages: Conversation, rng: np.random.Generator) -> str | Reply:
        key = digest([message.to_dict() for message in messages], int(rng.bit_generator.state["state"]["state"]))
        tries[key] = tries.get(key, 0) + 1
        if generator(inner.seed, "flaky", key, tries[key]).random() < error_rate:
            raise EndpointError(f"{inner.name!r} failed, as it is scripted to in {error_rate:.0%} of its calls")
        return inner.respond(messages, rng)

    return ScriptedChat(respond, **{"name": f"flaky {inner.name}", "version": inner.version, **options})
