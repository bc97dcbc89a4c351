"""What a chat model gives back, and the ledger of what its replies cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1
ALTERNATIVES = 5
LOWEST = -9999.0  # stands for a log-probability of minus infinity, which JSON cannot hold; OpenAI's servers use it too


@dataclass(frozen=True)
class Token:
    """One token of a reply.

    Attributes
    ----------
    alternatives : the likeliest tokens at its place with their log-probabilities, likeliest first.
    """

    text: str
    log_probability: float
    alternatives: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, text: str, log_probability: float, alternatives: Any = ()) -> Token:
        """A token whose figures JSON can hold."""
        return cls(text, finite(log_probability), tuple((str(other), finite(value)) for other, value in alternatives))


@dataclass(frozen=True)
class Reply:
    """A reply and how it came about.

    Attributes
    ----------
    text : without special tokens; may be empty.
    finish : "stop" at its own end or a stop text, "length" at `max_new_tokens`, else what the endpoint says.
    prompt_tokens, completion_tokens : read and written.
    tokens : with log-probabilities, where they were asked for.
    seconds : from question to reply, waiting included.
    attempts : tries that it took.
    served_by : what the endpoint calls the configuration that answered.
    notes : what was changed in the conversation to fit the model.
    cached : whether it was read from the cache.
    """

    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: tuple[Token, ...] | None = None
    seconds: float = 0.0
    attempts: int = 1
    served_by: str | None = None
    notes: tuple[str, ...] = ()
    cached: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read in it."""
        return not self.text.strip()

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for caches and logs."""
        found = {key: value for key, value in vars(self).items() if key not in ("cached", "tokens", "notes")}
        tokens = None
        if self.tokens is not None:
            tokens = [[one.text, one.log_probability, [list(pair) for pair in one.alternatives]] for one in self.tokens]
        return {**found, "notes": list(self.notes), "tokens": tokens}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], cached: bool = False) -> Reply:
        """The inverse of `to_dict`; raises TypeError, ValueError or KeyError for anything else."""
        if not isinstance(given, Mapping):
            raise TypeError(f"a reply is no {type(given).__name__}")
        rest = {key: value for key, value in given.items() if key not in ("tokens", "notes")}
        tokens = given["tokens"]
        if tokens is not None:
            tokens = tuple(Token(text, value, tuple((a, b) for a, b in others)) for text, value, others in tokens)
        found = cls(**rest, tokens=tokens, notes=tuple(given["notes"]), cached=cached)
        if not isinstance(found.text, str):
            raise TypeError("a reply's text is text")
        return found


@dataclass
class Ledger:
    """What a chat handle has spent since it was made.

    Attributes
    ----------
    calls : replies that the model wrote; `cached_calls` were read from the cache instead.
    failed_calls : conversations that got no reply.
    retries : tries beyond the first.
    prompt_tokens, completion_tokens : of `calls`.
    seconds : wall time spent on waiting for the model.
    """

    calls: int = 0
    cached_calls: int = 0
    failed_calls: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        rest = f", {self.cached_calls:,} cached" if self.cached_calls else ""
        rest += f", {self.failed_calls:,} failed" if self.failed_calls else ""
        tokens = f"{self.prompt_tokens:,} tokens read, {self.completion_tokens:,} written"
        return f"{self.calls:,} calls{rest}; {tokens}; {self.seconds:.2f} s"


def finite(log_probability: float) -> float:
    """A log-probability that JSON can hold."""
    return max(float(log_probability), LOWEST) if not math.isnan(log_probability) else LOWEST
