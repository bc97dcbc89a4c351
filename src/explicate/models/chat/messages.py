"""What a chat model is asked: a conversation, and how its reply is to be drawn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from explicate.errors import InputError
from explicate.runtime.seeds import derive_seed

SEEDS = 1 << 31  # endpoints take seeds below it
ROLES = ("system", "user", "assistant")
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InputError(f"there is no role {self.role!r}; use one of {', '.join(ROLES)}")
        if not isinstance(self.content, str):
            raise InputError(f"the content of a message is text, not a {type(self.content).__name__}")
        try:
            self.content.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"a message holds half a character at place {error.start}: decode it properly") from None

    def to_dict(self) -> dict[str, str]:
        """As OpenAI's interface and chat templates take it."""
        return {"role": self.role, "content": self.content}


Conversation: TypeAlias = tuple[Message, ...]
Asked: TypeAlias = str | Message | Mapping[str, str] | Sequence[Message | Mapping[str, str]]


def conversation(asked: Asked) -> Conversation:
    """A conversation from what a user writes: a text (one user message), messages, or dicts with role and content.

    Raises
    ------
    InputError : no message, an empty one, a system message that is not the first, or an end that is not the user's.
    """
    given: Sequence[Any] = [asked] if isinstance(asked, str | Message | Mapping) else asked
    messages = tuple(_message(item, number) for number, item in enumerate(given))
    if not messages:
        raise InputError("a conversation needs at least one message")
    for number, message in enumerate(messages):
        if not message.content.strip():
            raise InputError(f"message {number} of the conversation is empty")
        if message.role == "system" and number:
            raise InputError(f"message {number} has the role system; only the first may")
    if messages[-1].role != "user":
        raise InputError(f"the last message has the role {messages[-1].role}; a reply is given to a user's message")
    return messages


def _message(given: Any, number: int) -> Message:
    if isinstance(given, Message):
        return given
    if isinstance(given, str):
        return Message("user", given)
    if isinstance(given, Mapping) and set(given) == {"role", "content"}:
        return Message(given["role"], given["content"])
    what = (
        f"the fields {', '.join(map(str, given)) or '(none)'}" if isinstance(given, Mapping) else type(given).__name__
    )
    raise InputError(f"message {number} has {what}; write {{'role': ..., 'content': ...}} or a text")


@dataclass(frozen=True)
class Decoding:
    """How a reply is drawn. All of it is part of a reply's place in the cache.

    Parameters
    ----------
    max_new_tokens : most tokens of the reply.
    temperature : 0 takes the likeliest token at every step; above 0 tokens are drawn.
    top_p : draw among the fewest tokens that reach this probability.
    stop : the reply ends before the first of these texts.
    seed : of the draws; without meaning at temperature 0.
    logprobs : also keep the log-probability of each token of the reply, and those of its likeliest alternatives.
    begin : what the reply begins with, given to the model as its own words; it goes on from there. Only models that run
        here can be made to; see `ChatModel.begins`.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    logprobs: bool = False
    begin: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {self.max_new_tokens}; ask for at least 1")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"temperature is {self.temperature}; give 0 or more")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}; give more than 0 and at most 1")
        if not all(isinstance(text, str) and text for text in self.stop):
            raise InputError("stop holds an empty text; a reply ends before a stop text")

    @classmethod
    def of(cls, decoding: Decoding | None, settings: Mapping[str, Any]) -> Decoding:
        """`decoding` (or the defaults) with single fields replaced."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                raise InputError(f"there is no setting {name!r} of a reply; there are {', '.join(known)}")
        return dataclasses.replace(decoding or cls(), **settings)

    def drawn(self, repetition: int | str) -> Decoding:
        """The same for one of several draws: repetition 0 has the seed as it is, the others have one of their own.

        At temperature 0 nothing is drawn, so what only draws depend on is left out.
        """
        if not self.temperature:
            return dataclasses.replace(self, temperature=0.0, top_p=1.0, seed=0)
        seed = self.seed if repetition == 0 else derive_seed(self.seed, "repetition", repetition)
        return dataclasses.replace(self, seed=seed % SEEDS)

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON; without a beginning where there is none, so that older caches and logs stay good."""
        found = {**vars(self), "stop": list(self.stop), "temperature": float(self.temperature)}
        return found if self.begin else {name: value for name, value in found.items() if name != "begin"}


@dataclass(frozen=True)
class Call:
    """One conversation to answer, and how; `decoding.seed` is already that of the repetition."""

    messages: Conversation
    decoding: Decoding

    def to_dict(self) -> dict[str, Any]:
        """As JSON: what a reply depends on besides the model."""
        return {"messages": [message.to_dict() for message in self.messages], "decoding": self.decoding.to_dict()}
