"""The server: asked by the real openai client, it answers what the model answers in this process, or refuses."""

import http.client
import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
openai = pytest.importorskip("openai")

from explicate.errors import InputError, WindowError  # noqa: E402
from explicate.models.chat import LocalChat, RemoteChat  # noqa: E402
from explicate.models.chat.scripted import constant  # noqa: E402
from explicate.models.chat.server import foreign, serve  # noqa: E402

QUESTIONS = ["The cat", "When John and Mary went to the store, John gave a drink to", "Anna and Tom"]


@pytest.fixture(scope="module")
def served(small, template, loopback):
    """A small chat model, and the address where it is served."""
    chat = LocalChat(small(), template=template, cache=False, name="small")
    return chat, loopback(chat)


@pytest.mark.parametrize("stream", [False, True])
def test_replies_are_those_of_the_model_in_this_process(served, stream):
    chat, url = served
    remote = RemoteChat(url, cache=False, stream=stream)
    assert remote.name == "small"
    for how in ({}, {"temperature": 0.9, "seed": 5}, {"stop": "a"}, {"logprobs": True}):
        ours = chat.replies(QUESTIONS, max_new_tokens=8, **how)
        theirs = remote.replies(QUESTIONS, max_new_tokens=8, **how)
        for one, two in zip(ours, theirs, strict=True):
            assert (one.text, one.finish) == (two.text, two.finish)
            assert (one.prompt_tokens, one.completion_tokens) == (two.prompt_tokens, two.completion_tokens)
            assert two.served_by == chat.fingerprint()
            if how.get("logprobs"):
                assert [token.text for token in one.tokens] == [token.text for token in two.tokens]
                shares = [token.log_probability for token in two.tokens]
                assert shares == pytest.approx([token.log_probability for token in one.tokens], abs=1e-4)
                assert len(two.tokens[0].alternatives) == 5


def test_a_conversation_longer_than_the_window_is_refused_by_name(served):
    _, url = served
    with pytest.raises(WindowError, match="more than the 128"):
        RemoteChat(url, "small", cache=False).reply("The cat " * 60, max_new_tokens=8)


def test_what_cannot_be_done_is_refused_and_not_ignored(served):
    _, url = served
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    question = {"model": "small", "messages": [{"role": "user", "content": "The cat"}], "max_tokens": 2}
    for extra, words in [
        ({"n": 2}, "n: Input should be 1"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"frequency_penalty": 1.0}, "frequency_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "message 0"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "text"),
        ({"messages": []}, "at least one message"),
    ]:
        with pytest.raises(openai.BadRequestError, match=words):
            client.chat.completions.create(**{**question, **extra})
    with pytest.raises(openai.NotFoundError, match="no model 'large'"):
        client.chat.completions.create(**{**question, "model": "large"})
    parts = [{"type": "text", "text": "The "}, {"type": "text", "text": "cat"}]
    both = []
    for content in ("The cat", parts):
        asked = {**question, "temperature": 0, "messages": [{"role": "user", "content": content}]}
        both.append(client.chat.completions.create(**asked))
    assert both[0].choices[0].message.content == both[1].choices[0].message.content


def test_without_a_limit_a_reply_fills_the_window_at_most(served):
    chat, url = served
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    found = client.chat.completions.create(
        model="small", messages=[{"role": "user", "content": "The cat"}], temperature=0
    )
    assert found.usage.total_tokens == chat.window


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
    ],
)
def test_other_hosts_and_pages_of_other_sites_are_refused(served, headers, code):
    address = served[1].removeprefix("http://").removesuffix("/v1")
    connection = http.client.HTTPConnection(address)
    connection.request("GET", "/v1/models", headers=headers)
    answer = connection.getresponse()
    assert answer.status == code
    assert ("small" in answer.read().decode()) == (code == 200)


def test_hosts():
    assert foreign("[::1]:8000", None) == ""
    assert foreign("localhost", "http://[::1]") == ""
    assert foreign(None, None)
    assert foreign("127.0.0.1", "http://[broken")
    with pytest.raises(InputError, match="is not loopback"):
        serve(constant("x"), host="0.0.0.0")


@pytest.mark.slow
def test_the_command_serves_smollm2_to_the_real_client(tmp_path, smollm2):
    command = [sys.executable, "-c", "from explicate.cli import main; main()"]
    words = ["serve-model", "smollm2-135m", "--port", "0", "--log", str(tmp_path / "calls.jsonl"), "--json"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            said = json.loads("".join(process.stdout.readline() for _ in range(4)))
            client = openai.OpenAI(base_url=said["address"], api_key="none", max_retries=20)
            found = client.chat.completions.create(
                model=said["model"],
                messages=[{"role": "user", "content": "What is the capital of France?"}],
                temperature=0,
                max_tokens=12,
            )
            assert "Paris" in found.choices[0].message.content
            assert found.choices[0].finish_reason == "stop"
        finally:
            process.terminate()
    assert "Paris" in (tmp_path / "calls.jsonl").read_text()


def test_the_command_serves_a_program_of_the_users_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from explicate.models.chat.scripted import constant\nclerk = constant('forty-two', name='clerk')\n"
    )
    command = [sys.executable, "-c", "from explicate.cli import main; main()", "serve-model", "mine:clerk"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        [*command, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            said = json.loads("".join(process.stdout.readline() for _ in range(4)))
            client = openai.OpenAI(base_url=said["address"], api_key="none", max_retries=20)
            found = client.chat.completions.create(
                model="clerk", messages=[{"role": "user", "content": "How many?"}], temperature=0
            )
            assert found.choices[0].message.content == "forty-two"
        finally:
            process.terminate()
