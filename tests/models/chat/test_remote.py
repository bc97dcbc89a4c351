"""The real openai client against an endpoint that misbehaves in every way that endpoints do."""

import pickle
import time
import traceback

import pytest

from explicate.errors import CapabilityError, EndpointError, InputError, ModelError, WindowError
from explicate.models.chat import RemoteChat
from explicate.models.loading import load_model
from explicate.runtime import log


def test_a_reply_with_what_it_cost(endpoint, remote):
    chat = remote()
    reply = chat.reply([{"role": "system", "content": "Be brief."}, "Hello?"], max_new_tokens=9, stop="\n")
    assert (reply.text, reply.finish, reply.prompt_tokens, reply.completion_tokens) == ("fine", "stop", 7, 3)
    assert (reply.served_by, reply.attempts, reply.cached) == ("fp", 1, False)
    assert endpoint.requests == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
            "max_tokens": 9,
            "temperature": 0.0,
            "stop": ["\n"],
        }
    ]
    assert endpoint.keys == [f"Bearer {endpoint.key}"]
    assert (chat.ledger.calls, chat.ledger.prompt_tokens, chat.ledger.completion_tokens) == (1, 7, 3)


def test_draws_send_a_seed_of_their_repetition(endpoint, remote):
    chat = remote(parameters={"min_p": 0.1}, token_limit="max_completion_tokens")
    for repetition in (0, 1, 0):
        chat.reply("Hello?", temperature=0.7, top_p=0.9, repetition=repetition)
    first, second = endpoint.requests  # the third is the first again
    assert first["seed"] != second["seed"]
    assert (first["top_p"], first["min_p"], first["max_completion_tokens"]) == (0.9, 0.1, 256)


def test_refused_keys_are_not_tried_again_and_stop_the_rest(endpoint, remote):
    endpoint.plan = [endpoint.status(401, f"Incorrect API key provided: {endpoint.key}")]
    chat = remote(connections=1)
    with pytest.raises(EndpointError, match=r"refused the API key \(401.*set EXPLICATE_API_KEY") as caught:
        chat.replies([f"Question {number}" for number in range(20)])
    assert endpoint.key not in str(caught.value)
    assert len(endpoint.requests) == 1
    assert chat.ledger.failed_calls == 20


def test_retry_after_is_waited_for(endpoint, remote):
    endpoint.plan = [endpoint.status(429, "slow down", [("Retry-After", "0.4")]), endpoint.says("thanks")]
    start = time.perf_counter()
    reply = remote(pause=0.0).reply("Hello?")
    assert time.perf_counter() - start >= 0.4
    assert (reply.text, reply.attempts) == ("thanks", 2)


def test_retry_after_longer_than_patience_is_an_error_at_once(endpoint, remote):
    endpoint.plan = [endpoint.status(429, "quota", [("Retry-After", "3600")])]
    start = time.perf_counter()
    with pytest.raises(EndpointError, match="asks to wait 3600 s, longer than patience=120"):
        remote().reply("Hello?")
    assert time.perf_counter() - start < 30
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 503])
def test_passing_troubles_are_tried_again_a_bounded_number_of_times(endpoint, remote, code):
    endpoint.plan = [endpoint.status(code, "later"), endpoint.status(code, "later"), endpoint.says("now")]
    assert remote(attempts=3).reply("Hello?").attempts == 3
    endpoint.requests.clear()
    endpoint.plan = [endpoint.status(code, "later")]
    with pytest.raises(EndpointError, match=rf"answered {code}: later \(tried 3 times\)"):
        remote(attempts=3).reply("Another?")
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("code", [400, 404, 422])
def test_lasting_troubles_are_not(endpoint, remote, code):
    endpoint.plan = [endpoint.status(code, "no such thing")]
    with pytest.raises(EndpointError, match="no such thing"):
        remote().reply("Hello?")
    assert len(endpoint.requests) == 1


def test_a_reply_cut_in_the_middle_is_asked_again(endpoint, remote):
    endpoint.plan = [endpoint.cut, endpoint.says("whole")]
    assert remote().reply("Hello?").text == "whole"
    endpoint.plan = [endpoint.cut]
    with pytest.raises(EndpointError, match="tried 2 times"):
        remote().reply("Another?")


def test_a_stream_cut_in_the_middle_is_never_taken_for_a_reply(endpoint, remote):
    endpoint.plan = [endpoint.streams(["Half of "], whole=False), endpoint.streams(["Half of ", "it and the rest."])]
    chat = remote(stream=True)
    assert chat.reply("Hello?").text == "Half of it and the rest."
    assert endpoint.requests[0]["stream"] is True
    endpoint.requests.clear()
    endpoint.plan = [endpoint.streams(["Half of "], whole=False)]
    with pytest.raises(EndpointError, match="broke off in the middle of a reply"):
        chat.reply("Another?")
    assert chat.ledger.calls == 1
    lines = log.read(chat.log)
    assert [line["error"] is None for line in lines] == [True, False]


@pytest.mark.parametrize(
    "text",
    ["<html>busy</html>", "[]", "{}", '{"choices": []}', '{"choices": [{"index": 0}]}', '{"object": "error"}'],
)
def test_what_is_no_completion_is_an_error(endpoint, remote, text):
    endpoint.plan = [endpoint.body(text)]
    with pytest.raises(ModelError, match="m at http://127"):
        remote().reply("Hello?")


def test_an_empty_reply_is_given_back_but_not_kept(endpoint, remote):
    endpoint.plan = [endpoint.says(None), endpoint.says("  "), endpoint.says("here")]
    chat = remote()
    assert [chat.reply("Hello?").text for _ in range(4)] == ["", "  ", "here", "here"]
    assert len(endpoint.requests) == 3


def test_no_reply_in_time(endpoint, remote):
    endpoint.plan = [endpoint.late(1.0, endpoint.says("late"))]
    with pytest.raises(EndpointError, match=r"no reply within 0.2 s \(tried 2 times\)"):
        remote(timeout=0.2).reply("Hello?")


def test_an_endpoint_that_is_down(endpoint, remote, tmp_path):
    chat = RemoteChat("http://127.0.0.1:9/v1", "m", attempts=2, pause=0.01, connections=1, cache=False)
    with pytest.raises(EndpointError, match=r"cannot be reached: .*is it running"):
        chat.replies([f"Question {number}" for number in range(50)])
    with pytest.raises(EndpointError, match="does not list its models"):
        load_model("http://127.0.0.1:9/v1")


def test_finished_replies_are_kept_when_others_fail(endpoint, remote):
    endpoint.plan = [endpoint.says("one"), endpoint.status(400, "bad words"), endpoint.says("three")]
    chat = remote(connections=1)
    questions = ["First?", "Second?", "Third?"]
    outcomes = chat.outcomes(questions)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Reply", "EndpointError", "Reply"]
    endpoint.plan = [endpoint.says("two")]
    assert [reply.text for reply in chat.replies(questions)] == ["one", "two", "three"]
    assert len(endpoint.requests) == 4


def test_several_calls_at_a_time_and_no_more(endpoint, remote):
    endpoint.plan = [endpoint.late(0.05, endpoint.says("fine"))]
    remote(connections=3).replies([f"Question {number}" for number in range(9)])
    assert 2 <= endpoint.most_at_once <= 3


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (("status", 400, "This model's maximum context length is 8192 tokens"), {}),
        (("status", 400, "prompt is too long: 9000 tokens"), {}),
        (("says", "fine"), {"window": 100}),
    ],
)
def test_a_conversation_longer_than_the_window(endpoint, remote, plan, options):
    endpoint.plan = [getattr(endpoint, plan[0])(*plan[1:])]
    with pytest.raises(WindowError):
        remote(**options).reply("Hello?")
    assert len(endpoint.requests) == 1


def test_a_server_that_cuts_silently_is_found_out(endpoint, remote):
    chat = remote()
    with pytest.raises(WindowError, match="read 7 tokens of a conversation of 40 words"):
        chat.reply("word " * 40)
    assert not list((chat.cache.folder).rglob("*.json"))


def test_log_probabilities_where_there_are_any(endpoint, remote):
    best = {"token": "fine", "logprob": -0.25, "bytes": None}
    entry = best | {"top_logprobs": [best, {"token": "bad", "logprob": -9999.0, "bytes": None}]}
    endpoint.plan = [endpoint.says("fine", logprobs={"content": [entry], "refusal": None})]
    token = remote().reply("Hello?", logprobs=True).tokens[0]
    assert (token.text, token.log_probability) == ("fine", -0.25)
    assert token.alternatives == (("fine", -0.25), ("bad", -9999.0))
    assert endpoint.requests[0]["top_logprobs"] == 5


def test_a_model_without_log_probabilities_says_what_still_works(endpoint, remote):
    chat = remote()
    for plan in (endpoint.says("fine"), endpoint.status(400, "logprobs are not supported")):
        endpoint.plan = [plan]
        with pytest.raises(CapabilityError, match="no log-probabilities; what works without them: generate"):
            chat.reply("Hello?", logprobs=True)
    with pytest.raises(CapabilityError, match="what works without them"):
        chat.log_probabilities(["Hello?"], ["fine"])
    endpoint.plan = [endpoint.says("fine")]
    assert chat.reply("Hello?").text == "fine"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1/v1", "http"),
        ("http://", "names a host"),
        ("http://me:sk-secret@127.0.0.1/v1", "user, a password or a query"),
        ("http://127.0.0.1/v1?key=sk-secret", "user, a password or a query"),
    ],
)
def test_addresses_that_cannot_be_used_or_would_tell_a_secret(url, words):
    for make in (RemoteChat, load_model):
        with pytest.raises(InputError, match=words) as caught:
            make(url)
        assert "sk-secret" not in str(caught.value)


def test_a_key_with_a_stray_line_does_not_reach_an_error(endpoint, monkeypatch):
    monkeypatch.setenv("EXPLICATE_API_KEY", f"{endpoint.key}\nHost: x")
    with pytest.raises(InputError, match="EXPLICATE_API_KEY") as caught:
        RemoteChat(endpoint.url, "m")
    assert endpoint.key not in str(caught.value)


def test_a_key_is_hidden_before_a_long_message_is_cut(endpoint, remote):
    """The cut would otherwise leave a part of it."""
    for short in range(265, 300, 5):
        endpoint.plan = [endpoint.status(400, f"{'x' * short} {endpoint.key} and so on")]
        with pytest.raises(EndpointError) as caught:
            remote(attempts=1).reply("Hello?")
        assert "secret" not in str(caught.value)
        assert endpoint.key[:6] not in str(caught.value)


@pytest.mark.parametrize("code", [401, 403])
def test_an_endpoint_that_lists_its_models_for_a_key_only_says_which_variable_to_set(endpoint, monkeypatch, code):
    endpoint.plan = [endpoint.status(code, f"no key {endpoint.key}")]
    monkeypatch.setenv("EXPLICATE_API_KEY", endpoint.key)
    with pytest.raises(EndpointError, match=rf"refused the API key \({code}: .*; set EXPLICATE_API_KEY") as caught:
        RemoteChat(endpoint.url)
    assert endpoint.key not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    monkeypatch.delenv("EXPLICATE_API_KEY")
    with pytest.raises(EndpointError, match="wants an API key"):
        RemoteChat(endpoint.url)
    assert {request["path"] for request in endpoint.requests} == {"/v1/models"}


def test_openais_key_is_for_openais_host_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-only")
    monkeypatch.delenv("EXPLICATE_API_KEY", raising=False)
    assert not RemoteChat("http://127.0.0.1:9/v1", "m", cache=False).endpoint.key
    assert RemoteChat("https://api.openai.com/v1", "m", cache=False).endpoint.key.reveal() == "sk-openai-only"


def test_the_key_is_nowhere(endpoint, remote, tmp_path):
    echo = f"you sent {endpoint.key}"
    endpoint.plan = [
        endpoint.says("fine"),
        endpoint.status(500, echo),
        endpoint.status(400, echo),
        endpoint.status(401, echo),
        endpoint.body(echo),
        endpoint.cut,
    ]
    chat = remote(attempts=1)
    shown = [repr(chat), repr(chat.endpoint), str(chat.ledger), chat.source, chat.fingerprint(), repr(chat.cache)]
    causes = []
    for number in range(7):
        try:
            shown.append(repr(chat.reply(f"Question {number}")))
        except ModelError as error:
            causes.append((error.__cause__, error.__context__))
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
    shown.append(pickle.dumps(chat).decode("latin-1"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2
    shown += [path.read_text() for path in files] + [str(path) for path in files]
    assert len(endpoint.requests) == 7
    assert causes == [(None, None)] * 6
    for text in shown:
        assert endpoint.key not in text
        assert "never-to-be-seen" not in text


def test_a_copy_in_another_process_reads_the_key_there(endpoint, remote, monkeypatch):
    copy = pickle.loads(pickle.dumps(remote(name="mine", timeout=5.0)))
    assert (copy.name, copy.endpoint.timeout, copy.endpoint.attempts) == ("mine", 5.0, 2)
    assert copy.reply("Hello?").text == "fine"
    with pytest.raises(InputError, match="is not sent to other processes"):
        pickle.dumps(remote(api_key="sk-given"))


def test_the_endpoints_configuration_is_in_the_log(endpoint, remote):
    chat = remote()
    chat.reply("Hello?")
    chat.reply("Hello?")
    first, second = log.read(chat.log)
    assert first["reply"]["served_by"] == "fp"
    assert (first["cached"], second["cached"]) == (False, True)
    assert (first["scripted"], first["model"], first["error"]) == (False, "m", None)
