"""What all methods share that ask a chat model: the handle, bounded re-asking, and a trace of every stage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from explicate.core.kinds import Narrative
from explicate.core.method import Parameterised
from explicate.data.language.nle_tasks import read_items
from explicate.errors import CapabilityError, InputError
from explicate.models.chat import Answer, ChatModel, LocalChat, open_chat

ChatGiven = ChatModel | str | None


@dataclass(frozen=True)
class Asks(Parameterised):
    """Base of methods that ask a chat model.

    Parameters
    ----------
    chat : a chat handle, or text that `open_chat` understands: a name of the zoo, a folder, an address, or the log of
        an earlier run, which is replayed without the model.
    log : a file that every call is logged to, where `chat` is given as text (a handle has a log of its own).
    attempts : most replies per question; a reply that cannot be read is asked for again with what is wrong with it.
    max_new_tokens : most tokens of a reply.
    """

    chat: ChatGiven = None
    log: str | None = None
    attempts: int = 1
    max_new_tokens: int = 512

    def parameters(self) -> dict[str, Any]:
        """The fields as JSON-able values; a handle is written down by what loads it again, else by its name."""
        if self.chat is not None and not isinstance(self.chat, str):
            known = getattr(self.chat, "source", None) or getattr(self.chat, "name", type(self.chat).__name__)
            return replace(self, chat=str(known)).parameters()
        return super().parameters()

    def opened(self) -> ChatModel:
        """The chat handle."""
        return chat_of(self.chat, self.log, self.name)


@dataclass(frozen=True)
class Narrates(Asks):
    """Base of methods that explain a chat model's own answers to items: they ask `chat`, and explain no scores."""

    @abstractmethod
    def explain(self, items: Sequence[Any], seed: int = 0) -> Narrative:
        """Explain the model's answers to items."""

    def items_from(self, path: str | Path) -> Sequence[Any]:
        """The items of a file, by default questions with choices; see `read_items`."""
        return read_items(path)

    def asking(self, model: Any) -> Self:
        """The same method asking `model`, unless it has a chat already."""
        return self if self.chat is not None else replace(self, chat=model)


def chat_of(given: Any, log: str | Path | None, asking: str) -> ChatModel:
    """A chat handle from a handle, a language model, or text."""
    if given is None:
        raise InputError(f"{asking} asks a chat model; name one: chat='smollm2-135m', an address, or a folder")
    if isinstance(given, ChatModel):
        if log is not None:
            raise InputError(f"{asking}: a chat handle has a log of its own; make it with log={str(log)!r}")
        return given
    options: dict[str, Any] = {} if log is None else {"log": log}
    if isinstance(given, str):
        return open_chat(given, **options)
    if hasattr(given, "write") and hasattr(given, "tokenizer"):
        return LocalChat(given, **options)
    raise CapabilityError(f"{asking} needs a chat model; a {type(given).__name__} is none")


@dataclass(frozen=True)
class Step:
    """One call of a stage.

    Attributes
    ----------
    stage : what was asked for.
    prompt, reply : the last message, and the raw reply.
    status : "ok", or "bad reply" where it could not be read.
    """

    stage: str
    prompt: str
    reply: str
    status: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


def steps_of(stage: str, answer: Answer[Any]) -> list[Step]:
    """The calls that one answer took."""
    asked = [message.content for message in answer.asked if message.role == "user"]
    found = []
    for place, reply in enumerate(answer.replies):
        last = place == len(answer.replies) - 1
        status = "ok" if last and answer.value is not None else "bad reply"
        prompt = asked[len(asked) - len(answer.replies) + place]
        spent = (0, 0, 0.0) if reply.cached else (reply.prompt_tokens, reply.completion_tokens, reply.seconds)
        found.append(Step(stage, prompt, reply.text, status, *spent))
    return found


def trace(steps: Sequence[Sequence[Step]]) -> dict[str, Any]:
    """Variables (sample, step) of an explanation: every call of every stage, in order; empty where there is none."""
    shape = (len(steps), max([1, *map(len, steps)]))
    found: dict[str, Any] = {}
    for name in ("stage", "prompt", "reply", "status"):
        found[f"step_{name}"] = np.full(shape, "", dtype=object)
    for name, kind in (("prompt_tokens", int), ("completion_tokens", int), ("seconds", float)):
        found[f"step_{name}"] = np.zeros(shape, dtype=kind)
    for i, own in enumerate(steps):
        for j, step in enumerate(own):
            for name, value in vars(step).items():
                found[f"step_{name}"][i, j] = value
    return {name: (("sample", "step"), array) for name, array in found.items()}
