"""The one path that every call of a chat model takes: checked, looked up, asked, metered, cached, logged."""

from __future__ import annotations

import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from explicate.core.capabilities import Floats
from explicate.core.cost import spend
from explicate.errors import CapabilityError, ExplicateError, InputError, ModelError
from explicate.models.chat.messages import Asked, Call, Decoding, conversation
from explicate.models.chat.reply import FORMAT, Ledger, Reply
from explicate.runtime import log as log_file
from explicate.runtime.cache import CallCache
from explicate.runtime.files import cache_folder
from explicate.runtime.fingerprint import canonical_json, digest

if TYPE_CHECKING:
    from pydantic import BaseModel

    Record = TypeVar("Record", bound=BaseModel)

Repetition = int | str
Outcome = Reply | ExplicateError
STILL_WORKS = (
    "what works without them: generate, replies and ask (choices by the letter written, judges, structured replies)"
)


class ChatModel(ABC):
    """Text in, text out; offers `Generator`. Subclasses implement `_answers` and `fingerprint`.

    Parameters
    ----------
    name : how reports and logs call it.
    source : text that loads it again, or None.
    cache : where replies are kept: True for the user's cache folder, False for nowhere, a folder, or a `CallCache`.
        A reply's place depends on the model's fingerprint (weights, precision, template and interventions in force, or
        address and parameters), the messages, the decoding and, where tokens are drawn, the repetition.
    log : a file that gets one JSON line per call, cached and failed ones included; `ReplayedChat` answers from it.

    Attributes
    ----------
    ledger : what was spent so far.
    scripted : whether a program answers in the place of a model; every line of the log says so.
    begins : whether replies can be made to begin with given words; see `Decoding.begin`.
    """

    kind: ClassVar[Literal["text"]] = "text"
    scripted: ClassVar[bool] = False
    begins: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        source: str | None = None,
        cache: bool | str | Path | CallCache = True,
        log: str | Path | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.cache = _cache(cache)
        self.log = None if log is None else Path(log)
        self.ledger = Ledger()
        self._counting = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}{', scripted' if self.scripted else ''}: {self.ledger}>"

    # -- what a subclass must say --------------------------------------------------------------------------------

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that a reply depends on besides the call; never of a key."""

    @abstractmethod
    def _answers(self, calls: Sequence[Call]) -> Iterator[tuple[int, Outcome]]:
        """Number and reply (or error) of each call, in any order, as they come."""

    def _cachable(self, reply: Reply) -> bool:
        """Whether asking again would give the same."""
        return True

    def log_probabilities(self, prompts: Sequence[str], continuations: Sequence[str]) -> list[Floats]:
        """Log-probability of each token of each continuation as the reply to its prompt, (token,) each."""
        raise CapabilityError(f"{self.name!r} gives no log-probabilities of given texts; {STILL_WORKS}")

    # -- the call path -------------------------------------------------------------------------------------------

    def reply(
        self, asked: Asked, decoding: Decoding | None = None, *, repetition: Repetition = 0, **settings: Any
    ) -> Reply:
        """The reply to one conversation; see `replies`."""
        return self.replies([asked], decoding, repetition=repetition, **settings)[0]

    def replies(
        self,
        conversations: Sequence[Asked],
        decoding: Decoding | None = None,
        *,
        repetition: Repetition | Sequence[Repetition] = 0,
        **settings: Any,
    ) -> list[Reply]:
        """Replies to many conversations, in their order; the handle batches and orders the work.

        Parameters
        ----------
        conversations : texts, or lists of messages.
        decoding : how replies are drawn; `settings` replace single fields, as in `max_new_tokens=20`.
        repetition : which draw it is, one for all or one each; where tokens are drawn, each repetition has a seed and
            a place in the cache of its own.

        Raises
        ------
        InputError, WindowError, EndpointError, ModelError, CapabilityError : the first error, once all other replies
            are in (and cached).
        """
        found: list[Reply] = []
        for outcome in self.outcomes(conversations, decoding, repetition=repetition, **settings):
            if isinstance(outcome, ExplicateError):
                raise outcome
            found.append(outcome)
        return found

    def outcomes(
        self,
        conversations: Sequence[Asked],
        decoding: Decoding | None = None,
        *,
        repetition: Repetition | Sequence[Repetition] = 0,
        **settings: Any,
    ) -> list[Outcome]:
        """As `replies`, with the error of a call that failed in the place of its reply."""
        if isinstance(conversations, str) or not len(conversations):
            raise InputError(f"give {self.name!r} a list of conversations, at least one")
        chosen = Decoding.of(decoding, settings)
        if chosen.begin and not self.begins:
            raise CapabilityError(
                f"{self.name!r} begins its replies itself; only a model that runs here can be given the first words"
            )
        repetitions = _each(repetition, len(conversations))
        drawn = {number: chosen.drawn(number) for number in set(repetitions)}
        calls = [Call(conversation(a), drawn[r]) for a, r in zip(conversations, repetitions, strict=True)]
        return self._found(calls, [r if chosen.temperature else 0 for r in repetitions])

    def _found(self, calls: Sequence[Call], repetitions: Sequence[Repetition]) -> list[Outcome]:
        fingerprint = self.fingerprint()
        keys = [
            {"model": fingerprint, **call.to_dict(), "repetition": repetition, "reply_format": FORMAT}
            for call, repetition in zip(calls, repetitions, strict=True)
        ]
        names = [digest(canonical_json(key)) for key in keys]
        first = {
            name: place for place, name in reversed(list(enumerate(names)))
        }  # a question asked twice is asked once
        found: dict[str, Outcome] = {}
        for name in dict.fromkeys(names):
            stored = self._stored(keys[first[name]])
            if stored is not None:
                found[name] = stored
        self._count(found.values(), 0.0)
        self._log((name, keys[first[name]], outcome) for name, outcome in found.items())
        asked = {name: first[name] for name in dict.fromkeys(names) if name not in found}
        if asked:
            self._ask(found, asked, keys, calls)
        return [found[name] for name in names]

    def _ask(
        self, found: dict[str, Outcome], asked: dict[str, int], keys: Sequence[dict[str, Any]], calls: Sequence[Call]
    ) -> None:
        """Put what the model answers into `found`; a reply is cached and logged before the next is awaited."""
        names = list(asked)
        start = time.perf_counter()
        answers = self._answers([calls[asked[name]] for name in names])
        with closing(answers):  # type: ignore[type-var]  # generators have a close
            for number, outcome in answers:
                name = names[number]
                found[name] = outcome
                if isinstance(outcome, Reply) and self.cache is not None and self._cachable(outcome):
                    self.cache.put(keys[asked[name]], outcome.to_dict())
                now = time.perf_counter()
                self._count([outcome], now - start)
                self._log([(name, keys[asked[name]], outcome)])
                start = now
        missing = [name for name in names if name not in found]
        if missing:
            raise ModelError(f"{self.name!r} left {len(missing)} of {len(names)} conversations without a reply")

    def _stored(self, key: dict[str, Any]) -> Reply | None:
        value = None if self.cache is None else self.cache.get(key)
        if value is None:
            return None
        try:
            return Reply.from_dict(value, cached=True)
        except (TypeError, ValueError, KeyError) as error:
            warnings.warn(f"a cached reply cannot be read ({error}); the call is made again", UserWarning, stacklevel=5)
            return None

    def _count(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        with self._counting:
            self.ledger.seconds += seconds
            for outcome in outcomes:
                if not isinstance(outcome, Reply):
                    self.ledger.failed_calls += 1
                elif outcome.cached:
                    self.ledger.cached_calls += 1
                    spend(cached_calls=1)
                else:
                    self.ledger.calls += 1
                    self.ledger.retries += outcome.attempts - 1
                    self.ledger.prompt_tokens += outcome.prompt_tokens
                    self.ledger.completion_tokens += outcome.completion_tokens
                    spend(
                        calls=1,
                        prompt_tokens=outcome.prompt_tokens,
                        completion_tokens=outcome.completion_tokens,
                    )

    def _line(self, name: str, key: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
        reply, error = (outcome, None) if isinstance(outcome, Reply) else (None, outcome)
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "model": self.name,
            "fingerprint": key["model"],
            "scripted": self.scripted,
            "call": name,
            "messages": key["messages"],
            "decoding": key["decoding"],
            "cached": reply is not None and reply.cached,
            "reply": None if reply is None else reply.to_dict(),
            "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
        }

    def _log(self, outcomes: Iterable[tuple[str, dict[str, Any], Outcome]]) -> None:
        if self.log is not None:
            lines = [self._line(*one) for one in outcomes]
            if lines:
                log_file.append(self.log, *lines)

    # -- what follows ----------------------------------------------------------------------------------------------

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int = 64, **options: Any) -> list[str]:
        """The text of the reply to each prompt as a user's message; `options` are fields of `Decoding`."""
        asked = [prompts] if isinstance(prompts, str) else prompts
        return [reply.text for reply in self.replies(asked, max_new_tokens=max_new_tokens, **options)]

    def ask(self, asked: Asked, schema: type[Record], **options: Any) -> Record:
        """A reply that `schema`, a pydantic model, accepts; see `explicate.models.chat.structured.ask_all`."""
        from explicate.models.chat.structured import ask_all

        return ask_all(self, [asked], schema, **options)[0].value


def _cache(given: bool | str | Path | CallCache) -> CallCache | None:
    if isinstance(given, CallCache):
        return given
    if given is True:
        return CallCache(cache_folder("replies"))
    return None if given is False else CallCache(given)


def _each(repetition: Repetition | Sequence[Repetition], count: int) -> list[Repetition]:
    if isinstance(repetition, int | str):
        return [repetition] * count
    if len(repetition) != count:
        raise InputError(f"{len(repetition)} repetitions for {count} conversations: give one for all, or one each")
    return list(repetition)
