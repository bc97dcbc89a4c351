"""A chat model of this process as an OpenAI-compatible server, on loopback only.

Own code instead of `transformers serve`, because that one (5.23, on a local folder, offline) silently ignores
`logprobs` and, for models whose generation is greedy by default, `temperature`; answers conversations longer than the
window; fails on `/v1/models`; takes one request at a time; and answers whatever `Host` and `Origin` a browser sends.
Here requests of several clients share batches, and what cannot be done is refused.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from explicate.errors import (
    CapabilityError,
    ExplicateError,
    InputError,
    MissingDependencyError,
    WindowError,
)
from explicate.models.chat.chat_model import ChatModel
from explicate.models.chat.messages import Decoding
from explicate.models.chat.reply import Reply, Token

try:
    from fastapi import Body, FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, Response, StreamingResponse
    from pydantic import BaseModel, ConfigDict, Field
except ImportError as error:
    raise MissingDependencyError("serving a model needs FastAPI and uvicorn: pip install 'explicate[web]'") from error

HOSTS = ("127.0.0.1", "localhost", "::1")
MOST_TOKENS = 1024  # of a reply, where the client names no limit and the window leaves as much room
PIECE = 24  # characters that a streamed reply is sent in at a time


class Question(BaseModel):
    """The body of a call; any field besides these is refused, so that nothing asked for is silently left undone."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    messages: list[dict[str, Any]]
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=5)
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    n: Literal[1] = 1
    user: str | None = None


def make_app(chat: ChatModel) -> FastAPI:
    """The application: `POST /v1/chat/completions`, `GET /v1/models`, `GET /health`."""
    app = FastAPI(title=f"explicate: {chat.name}", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guarded(request: Request, forward: Any) -> Response:
        problem = foreign(request.headers.get("host"), request.headers.get("origin"))
        if problem:
            return _refusal(403, problem, "permission_error")
        response: Response = await forward(request)
        return response

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        return _refusal(400, f"{place or 'body'}: {first['msg']}", "invalid_request_error")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        one = {"id": chat.name, "object": "model", "created": 0, "owned_by": "explicate"}
        return {"object": "list", "data": [one]}

    @app.post("/v1/chat/completions")
    def complete(question: Annotated[Question, Body()]) -> Response:  # in a thread: the handle batches them
        if question.model not in (None, chat.name):
            return _refusal(404, f"there is no model {question.model!r} here, only {chat.name!r}", "model_not_found")
        try:
            reply = chat.reply(_messages(question), decoding_of(question, chat))
        except WindowError as error:
            return _refusal(400, str(error), "context_length_exceeded")
        except (InputError, CapabilityError) as error:
            return _refusal(400, str(error), "invalid_request_error")
        except ExplicateError as error:
            return _refusal(500, str(error), "model_error")
        if question.stream:
            return StreamingResponse(_pieces(chat, question, reply), media_type="text/event-stream")
        return JSONResponse(_completion(chat, question, reply))

    return app


def serve(chat: ChatModel, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted; `host` must be an address of this machine's own loopback."""
    import uvicorn

    if host not in HOSTS:
        raise InputError(f"{host} is not loopback; the server has no keys and answers on {', '.join(HOSTS)} only")
    uvicorn.run(make_app(chat), host=host, port=port, log_level="warning")


def foreign(host: str | None, origin: str | None) -> str:
    """Why a request does not come from this machine, or an empty text.

    A page of another site can let a browser send requests here: then `Origin` names that site, or (where a name was
    made to point here) `Host` does.
    """
    if _name(f"//{host or ''}") not in HOSTS:
        return "the Host header names another machine; this server answers on loopback only"
    if origin is not None and _name(origin) not in HOSTS:
        return "requests of pages of other sites are refused"
    return ""


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def decoding_of(question: Question, chat: ChatModel) -> Decoding:
    """How a reply is drawn; by default, as OpenAI's interface has it, at temperature 1 with a new seed each time."""
    most = question.max_completion_tokens or question.max_tokens
    if most is None:
        window = getattr(chat, "window", None)
        room = MOST_TOKENS
        if window is not None and hasattr(chat, "prompt_tokens"):
            room = max(1, min(room, window - chat.prompt_tokens(_messages(question))))
        most = room
    stop = question.stop or ()
    return Decoding(
        max_new_tokens=most,
        temperature=1.0 if question.temperature is None else question.temperature,
        top_p=1.0 if question.top_p is None else question.top_p,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        seed=secrets.randbits(31) if question.seed is None else question.seed,
        logprobs=question.logprobs,
    )


def _messages(question: Question) -> list[dict[str, str]]:
    """Messages with text only; content given in parts is joined."""
    found = []
    for number, message in enumerate(question.messages):
        content = message.get("content")
        if isinstance(content, list):
            if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
                raise InputError(f"message {number} holds something other than text, which this model does not read")
            content = "".join(str(part["text"]) for part in content)
        if not isinstance(content, str) or not set(message) <= {"role", "content", "name"}:
            raise InputError(f"message {number} is no text with a role")
        role = "system" if message.get("role") == "developer" else message.get("role")
        found.append({"role": str(role), "content": content})
    return found


def _completion(chat: ChatModel, question: Question, reply: Reply) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": reply.text, "refusal": None},
        "finish_reason": reply.finish,
        "logprobs": _logprobs(question, reply.tokens),
    }
    return {**_head(chat, "chat.completion"), "choices": [choice], "usage": _usage(reply)}


def _pieces(chat: ChatModel, question: Question, reply: Reply) -> Iterator[str]:
    """The whole reply in pieces, as server-sent events: it is written in a batch before the first is sent."""
    head = _head(chat, "chat.completion.chunk")

    def event(delta: dict[str, str], finish: str | None = None, logprobs: Any = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return f"data: {json.dumps({**head, 'choices': [choice], 'usage': None})}\n\n"

    yield event({"role": "assistant", "content": ""}, logprobs=_logprobs(question, reply.tokens))
    for start in range(0, len(reply.text), PIECE):
        yield event({"content": reply.text[start : start + PIECE]})
    yield event({}, reply.finish)
    if (question.stream_options or {}).get("include_usage"):
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': _usage(reply)})}\n\n"
    yield "data: [DONE]\n\n"


def _head(chat: ChatModel, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": chat.name,
        "system_fingerprint": chat.fingerprint(),
    }


def _usage(reply: Reply) -> dict[str, int]:
    both = reply.prompt_tokens + reply.completion_tokens
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": both,
    }


def _logprobs(question: Question, tokens: Sequence[Token] | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    most = question.top_logprobs or 0

    def entry(text: str, value: float) -> dict[str, Any]:
        return {"token": text, "logprob": value, "bytes": list(text.encode())}

    content = [
        {
            **entry(one.text, one.log_probability),
            "top_logprobs": [entry(*pair) for pair in one.alternatives[:most]],
        }
        for one in tokens
    ]
    return {"content": content, "refusal": None}


def _refusal(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": code, "code": code, "param": None}}, status)
