"""A chat model behind an address: any OpenAI-compatible URL, through the `openai` client."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from explicate.errors import EndpointError, ExplicateError, InputError
from explicate.models.chat.chat_model import ChatModel, Outcome
from explicate.models.chat.credentials import Key, checked_address, variable_for
from explicate.models.chat.endpoint import (
    Endpoint,
    HopelessError,
    checked_parameters,
    lacks_key,
    libraries,
    make_client,
    one_line,
    told,
)
from explicate.models.chat.messages import Call
from explicate.models.chat.reply import Reply
from explicate.runtime.cache import CallCache
from explicate.runtime.fingerprint import digest


class RemoteChat(ChatModel):
    """Replies of an OpenAI-compatible endpoint; several calls at a time, with retries and timeouts.

    The API key comes from an environment variable: OPENAI_API_KEY for api.openai.com, EXPLICATE_API_KEY for any other
    host, so that no key is ever sent to a host that it is not for. It is in no log, cache, error, `repr` or pickle.

    Parameters
    ----------
    url : the base URL, such as `http://127.0.0.1:8000/v1`.
    model : the model's name there; may be left out where the endpoint has just one.
    api_key, key_variable : the key itself, or the name of another environment variable.
    connections : calls at a time.
    timeout, attempts, pause, patience, stream, token_limit, window : see `Endpoint`; tried again are 408, 409, 425,
        429, 5xx, timeouts and broken connections.
    parameters : further fields of every request; part of a reply's place in the cache.
    name, cache, log : see `ChatModel`. Empty replies are not cached.

    Raises
    ------
    InputError : an address or a parameter that cannot be used. EndpointError : no model was named and the endpoint
    does not say which it has.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        key_variable: str | None = None,
        connections: int = 10,
        timeout: float = 120.0,
        attempts: int = 6,
        pause: float = 1.0,
        patience: float = 120.0,
        stream: bool = False,
        window: int | None = None,
        token_limit: str = "max_tokens",
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
        cache: bool | str | Path | CallCache = True,
        log: str | Path | None = None,
    ) -> None:
        if connections < 1 or attempts < 1 or timeout <= 0:
            raise InputError("connections and attempts are 1 or more, timeout is more than 0 seconds")
        address = checked_address(url)
        key = Key(api_key, key_variable or variable_for(address))
        client = make_client(address, key, timeout)
        self.connections = connections
        self.endpoint = Endpoint(
            address,
            model or _only_model(client, address, key),
            key,
            timeout,
            attempts,
            pause,
            patience,
            stream,
            checked_parameters(parameters),
            token_limit,
            window,
            client,
        )
        super().__init__(name or self.endpoint.model, f"{address}#{self.endpoint.model}", cache, log)

    def __reduce__(self) -> Any:
        one = self.endpoint
        options = {"key_variable": one.key.variable, "connections": self.connections, "timeout": one.timeout}
        options |= {"attempts": one.attempts, "pause": one.pause, "patience": one.patience, "stream": one.stream}
        options |= {
            "window": one.window,
            "token_limit": one.token_limit,
            "parameters": dict(one.parameters),
            "name": self.name,
        }
        options |= {"cache": self.cache or False, "log": self.log}
        one.key.__reduce__()  # refuses a key that is not in the environment
        return _again, (one.address, one.model, options)

    def fingerprint(self) -> str:
        """A hash of address, model and parameters; what the endpoint calls its configuration is in each reply."""
        one = self.endpoint
        return digest("endpoint", one.address, one.model, dict(one.parameters))

    def _cachable(self, reply: Reply) -> bool:
        return not reply.empty

    def _answers(self, calls: Sequence[Call]) -> Iterator[tuple[int, Outcome]]:
        hopeless: list[ExplicateError] = []
        stopped = threading.Event()

        def ask(call: Call) -> Outcome:
            if hopeless:
                return hopeless[0]
            try:
                return self.endpoint.ask(call, lambda: bool(hopeless) or stopped.is_set(), stopped.wait)
            except HopelessError as error:
                hopeless.append(error)
                return error
            except ExplicateError as error:
                return error

        with ThreadPoolExecutor(min(self.connections, len(calls)), thread_name_prefix="explicate-chat") as pool:
            futures = {pool.submit(ask, call): number for number, call in enumerate(calls)}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)


def _again(address: str, model: str, options: dict[str, Any]) -> RemoteChat:
    return RemoteChat(address, model, **options)


def _only_model(client: Any, address: str, key: Key) -> str:
    """The name of the endpoint's model, if it has just one."""
    openai, transport = libraries()
    refused = ""
    try:
        names: list[str] = [str(one.id) for one in client.models.list()]
        problem = ""
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        names, problem = [], ""
        refused = f"{address} {lacks_key(key)} ({error.status_code}: {told(error, key)}); set {key.variable}"
    except (openai.OpenAIError, transport.HTTPError) as error:
        names, problem = [], one_line(key.hide(str(error)))
    except ValueError:
        names, problem = [], "its answer is no JSON"
    if refused:  # outside of the handler: the client's error knows the request's headers
        raise EndpointError(refused)
    if problem:
        raise EndpointError(
            f"{address} does not list its models ({problem}); is it running? Or name one: {address}#NAME"
        )
    if len(names) != 1:
        raise EndpointError(f"{address} has {len(names)} models; name one: {address}#NAME ({', '.join(names[:8])})")
    return names[0]
