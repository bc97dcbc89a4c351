"""A small chat model, and an endpoint on loopback that behaves as badly as it is told to."""

import importlib.util
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("openai")

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
KEY = "sk-secret-0123456789-never-to-be-seen"


def _language_models():
    """The small models of the language tests."""
    place = Path(__file__).parents[1] / "language" / "conftest.py"
    spec = importlib.util.spec_from_file_location("small_language_models", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def template():
    return TEMPLATE


@pytest.fixture(scope="session")
def small():
    """Makes a small Llama with random weights."""
    return lambda: _language_models().handle("llama")


@pytest.fixture(scope="module")
def llama(small):
    return small()


@pytest.fixture
def chat(llama, tmp_path):
    from explicate.models.chat import LocalChat

    return LocalChat(llama, template=TEMPLATE, cache=tmp_path / "replies", log=tmp_path / "calls.jsonl")


def completion(text, read=7, **fields):
    """The body of a whole reply to so many tokens."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": read, "completion_tokens": 3, "total_tokens": read + 3}
    head = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "system_fingerprint": "fp"}
    return {**head, "choices": [choice | fields], "usage": usage}


def says(text, **fields):
    """A whole reply."""
    return lambda handler: _send(handler, 200, json.dumps(completion(text, **fields)))


def status(code, message="no", headers=(), **error):
    """An error in OpenAI's form."""
    body = json.dumps({"error": {"message": message, **error}})
    return lambda handler: _send(handler, code, body, headers)


def body(text):
    """Status 200 with any body."""
    return lambda handler: _send(handler, 200, text)


def cut(handler):
    """Half of a reply, then the connection is closed."""
    content = json.dumps(completion("a reply that never arrives whole")).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])


def streams(pieces, whole=True):
    """Pieces of a reply as events; without an end if not `whole`."""

    def send(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for place, piece in enumerate([*pieces, None]):
            if piece is None and not whole:
                return
            choice = {"index": 0, "delta": {"content": piece} if piece else {}, "finish_reason": None}
            choice["finish_reason"] = "stop" if place == len(pieces) else None
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")

    return send


def late(seconds, then):
    """`then`, but late."""

    def send(handler):
        time.sleep(seconds)
        then(handler)

    return send


def _send(handler, code, text, headers=()):
    content = text.encode()
    handler.send_response(code)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


class Endpoint:
    """Does what `plan` says, one entry a request, the last one for ever; keeps what it was sent."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        self.plan = [says("fine")]
        self.requests = []
        self.keys = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def next(self, request, key):
        with self.lock:
            act = self.plan[min(len(self.requests), len(self.plan) - 1)]
            self.requests.append(request)
            self.keys.append(key)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        return act


@pytest.fixture
def endpoint():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            act = found.next(request, self.headers.get("Authorization"))
            try:
                act(self)
            finally:
                with found.lock:
                    found.at_once -= 1
                self.close_connection = True

        def do_GET(self):
            act = found.next({"path": self.path}, self.headers.get("Authorization"))
            found.at_once -= 1
            act(self)
            self.close_connection = True

        def end_headers(self):
            self.send_header("Connection", "close")  # unsaid, the client may send its next call on the closing one
            super().end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Endpoint(server)
    found.says, found.status, found.body, found.cut = says, status, body, cut
    found.streams, found.late, found.key = streams, late, KEY
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def remote(endpoint, tmp_path, monkeypatch):
    """Makes handles on the endpoint that try twice, without long pauses."""
    from explicate.models.chat import RemoteChat

    monkeypatch.setenv("EXPLICATE_API_KEY", KEY)

    def make(**options):
        settings = {"attempts": 2, "pause": 0.01, "cache": tmp_path / "replies", "log": tmp_path / "calls.jsonl"}
        return RemoteChat(endpoint.url, "m", **{**settings, **options})

    return make
