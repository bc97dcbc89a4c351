"""One call of an OpenAI-compatible endpoint through the `openai` client: tries, waits, and errors in one line."""

from __future__ import annotations

import email.utils
import importlib
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from explicate.errors import (
    CapabilityError,
    EndpointError,
    ExplicateError,
    InputError,
    MissingDependencyError,
    WindowError,
)
from explicate.models.chat.chat_model import STILL_WORKS
from explicate.models.chat.credentials import Key
from explicate.models.chat.messages import Call
from explicate.models.chat.reply import ALTERNATIVES, Reply, Token

AGAIN = frozenset({408, 409, 425, 429})  # and 500 or more: worth another try
LONGEST_WAIT = 60.0  # seconds between two tries, unless the endpoint asks for more
_WINDOW = re.compile(r"context[ _-]?(length|window|size)|maximum context|too many tokens|prompt is too long", re.I)


class HopelessError(EndpointError):
    """An error that every other call of the endpoint would meet, too."""


@dataclass(frozen=True)
class Failure:
    """A try that failed: with what, whether another may succeed, and when the endpoint wants it."""

    error: ExplicateError
    again: bool
    wait: float | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and with how much patience.

    Parameters
    ----------
    address, model : the base URL and the model's name there.
    key : see `Key`.
    timeout : seconds for one try.
    attempts : most tries of a call; between them what `Retry-After` asks for, or `pause` seconds, doubled each time
        up to 60.
    pause : seconds before the second try.
    patience : most seconds that a `Retry-After` may ask for.
    stream : read replies piece by piece; one that breaks off is asked again, never taken for whole.
    parameters : further fields of the request.
    token_limit : the name of the field for the most tokens of a reply.
    window : most tokens of a conversation and its reply, where known; servers that cut silently are found out by it.
    """

    address: str
    model: str
    key: Key
    timeout: float
    attempts: int
    pause: float
    patience: float
    stream: bool
    parameters: Mapping[str, Any]
    token_limit: str
    window: int | None
    client: Any

    @property
    def label(self) -> str:
        """How errors call it."""
        return f"{self.model} at {self.address}"

    def ask(self, call: Call, given_up: Callable[[], bool], sleep: Callable[[float], object] = time.sleep) -> Reply:
        """The reply to a call; `given_up` is asked before each further try.

        Raises
        ------
        EndpointError, WindowError, CapabilityError, InputError : without the key, and without a cause that holds it.
        """
        start = time.perf_counter()
        attempt = 1
        while True:
            outcome = self._try(call)
            if isinstance(outcome, Reply):
                return replace(outcome, attempts=attempt, seconds=time.perf_counter() - start)
            note = f" (tried {attempt} times)" if attempt > 1 else ""
            if outcome.again and outcome.wait is not None and outcome.wait > self.patience:
                note += f"; it asks to wait {outcome.wait:.0f} s, longer than patience={self.patience:.0f}"
            elif outcome.again and attempt < self.attempts and not given_up():
                jitter = random.uniform(0.75, 1.0)  # it changes when something is asked, never what: no seed
                pause = min(self.pause * 2.0 ** (attempt - 1), LONGEST_WAIT) * jitter
                sleep(pause if outcome.wait is None else outcome.wait)
                attempt += 1
                continue
            raise type(outcome.error)(f"{outcome.error}{note}")

    def _try(self, call: Call) -> Reply | Failure:
        """One try. Errors of the client are turned into ours here and dropped: they know the request's headers."""
        openai, transport = libraries()
        try:
            return self._streamed(call) if self.stream else self._whole(call)
        except openai.APIStatusError as error:
            message = told(error, self.key)
            too_long = error.code == "context_length_exceeded" or bool(_WINDOW.search(message))
            return self._refused(error.status_code, message, error.response.headers, too_long, call)
        except openai.APITimeoutError:
            return Failure(EndpointError(f"{self.label} gave no reply within {self.timeout:g} s"), again=True)
        except openai.APIConnectionError as error:
            what = one_line(self.key.hide(str(error.__cause__ or error))) or "no connection"
            return Failure(HopelessError(f"{self.label} cannot be reached: {what}; is it running?"), again=True)
        except openai.APIError as error:  # an error in the middle of a stream
            return Failure(EndpointError(f"{self.label}: {one_line(self.key.hide(str(error)))}"), again=True)
        except transport.HTTPError as error:
            what = one_line(self.key.hide(str(error))) or type(error).__name__
            return Failure(EndpointError(f"{self.label} broke off in the middle of a reply: {what}"), again=True)
        except Incomplete as error:
            return Failure(EndpointError(f"{self.label} {error}"), again=True)
        except ExplicateError as error:
            return Failure(error, again=False)
        except ValueError:  # the client's JSON reader; its message holds the whole body
            return Failure(EndpointError(f"{self.label} answered with something that is no JSON"), again=True)

    def _refused(self, status: int, message: str, headers: Mapping[str, str], too_long: bool, call: Call) -> Failure:
        if status == 401 or status == 403:
            error = HopelessError(f"{self.label} {lacks_key(self.key)} ({status}: {message}); set {self.key.variable}")
            return Failure(error, again=False)
        if status == 404:
            return Failure(HopelessError(f"{self.label}: not found (404: {message}); check address and model"), False)
        if status in AGAIN or status >= 500:
            return Failure(EndpointError(f"{self.label} answered {status}: {message}"), True, wait_asked_for(headers))
        if status in (400, 413, 422) and too_long:
            return Failure(WindowError(f"a conversation is too long for {self.label}: {message}"), False)
        if call.decoding.logprobs and "logprob" in message.lower():
            return Failure(CapabilityError(f"{self.label} gives no log-probabilities; {STILL_WORKS}"), False)
        return Failure(EndpointError(f"{self.label} refused the call ({status}): {message}"), False)

    def _request(self, call: Call) -> dict[str, Any]:
        how = call.decoding
        found: dict[str, Any] = {
            "model": self.model,
            "messages": [message.to_dict() for message in call.messages],
            self.token_limit: how.max_new_tokens,
            "temperature": how.temperature,
        }
        if how.temperature:
            found |= {"top_p": how.top_p, "seed": how.seed}
        if how.stop:
            found["stop"] = list(how.stop)
        if how.logprobs:
            found |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
        return {**found, "extra_body": dict(self.parameters)} if self.parameters else found

    def _whole(self, call: Call) -> Reply:
        answer = self.client.chat.completions.create(**self._request(call))
        choices = getattr(answer, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise Incomplete("answered with something that is no chat completion")
        choice = choices[0]
        text = choice.message.content or getattr(choice.message, "refusal", None) or ""
        entries = getattr(choice.logprobs, "content", None) if choice.logprobs else None
        return self._reply(call, text, choice.finish_reason, answer.usage, entries, answer.system_fingerprint)

    def _streamed(self, call: Call) -> Reply:
        pieces: list[str] = []
        entries: list[Any] = []
        finish = usage = fingerprint = None
        request = {**self._request(call), "stream": True, "stream_options": {"include_usage": True}}
        with self.client.chat.completions.create(**request) as stream:
            for chunk in stream:
                usage = chunk.usage or usage
                fingerprint = chunk.system_fingerprint or fingerprint
                for choice in chunk.choices or ():
                    pieces.append(choice.delta.content or "")
                    finish = choice.finish_reason or finish
                    entries += (choice.logprobs.content or ()) if choice.logprobs else ()
        if finish is None:
            raise Incomplete("broke off in the middle of a reply")
        return self._reply(call, "".join(pieces), finish, usage, entries or None, fingerprint)

    def _reply(self, call: Call, text: Any, finish: Any, usage: Any, entries: Any, fingerprint: Any) -> Reply:
        if not isinstance(text, str):
            raise Incomplete("answered with something that is no text")
        read = int(getattr(usage, "prompt_tokens", 0) or 0)
        written = int(getattr(usage, "completion_tokens", 0) or 0)
        self._check_window(call, read)
        tokens = None
        if call.decoding.logprobs:
            if entries is None and text:
                raise CapabilityError(f"{self.label} gives no log-probabilities; {STILL_WORKS}")
            tokens = tuple(
                Token.of(one.token, one.logprob, [(other.token, other.logprob) for other in one.top_logprobs or ()])
                for one in entries or ()
            )
        return Reply(text, str(finish or "stop"), read, written, tokens, served_by=fingerprint)

    def _check_window(self, call: Call, read: int) -> None:
        room = call.decoding.max_new_tokens
        if self.window is not None and read + room > self.window:
            raise WindowError(
                f"a conversation of {read} tokens and a reply of up to {room} are more than the {self.window} of "
                f"{self.label}; shorten it or lower max_new_tokens"
            )
        words = sum(len(message.content.split()) for message in call.messages)
        if 0 < read < words // 2:  # tokenizers make at least one token of a word
            raise WindowError(
                f"{self.label} read {read} tokens of a conversation of {words} words: it cuts what is too long without "
                "saying so; shorten the conversation or raise the server's window"
            )


class Incomplete(Exception):
    """An answer that is not whole; asked again."""


def make_client(address: str, key: Key, timeout: float) -> Any:
    """The `openai` client; tries are ours, so that they are counted, bounded and wait as long as they are told."""
    openai, _ = libraries()
    return openai.OpenAI(base_url=address, api_key=key.reveal(), timeout=timeout, max_retries=0)


def libraries() -> tuple[Any, Any]:
    """The client library, and the one whose transport errors it lets through."""
    try:
        import openai
    except ImportError as error:
        raise MissingDependencyError(
            "chat models behind an address need the openai client: pip install 'explicate[chat]'"
        ) from error
    try:
        transport = importlib.import_module("httpx2")
    except ImportError:  # older clients
        transport = importlib.import_module("httpx")
    return openai, transport


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` (a number or a date) asks for."""
    asked = headers.get("retry-after")
    if not asked:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        when = email.utils.parsedate_tz(asked)
    return None if when is None else max(0.0, email.utils.mktime_tz(when) - time.time())


def checked_parameters(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further fields of a request; those that a `Decoding` sets are refused."""
    found = dict(parameters or {})
    own = {"model", "messages", "temperature", "top_p", "seed", "stop", "logprobs", "top_logprobs", "stream", "n"}
    taken = sorted(own & found.keys())
    if taken:
        raise InputError(f"the parameters {', '.join(taken)} are set by the handle; give them as settings of a reply")
    return found


def told(error: Any, key: Key) -> str:
    """What an endpoint says of an error, in one line; the key is taken out before anything is cut."""
    body = error.body
    found = body.get("message") if isinstance(body, Mapping) else None
    return one_line(key.hide(str(found or error.message)))


def one_line(text: str) -> str:
    """A text in one line of at most 300 letters."""
    found = " ".join(text.split())
    return found if len(found) <= 300 else found[:299] + "…"


def lacks_key(key: Key) -> str:
    """Why an endpoint refuses a call for its key."""
    return "refused the API key" if key else "wants an API key"
