"""The one call path: what is asked, cached, counted and logged, on scripted models whose every reply is known."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from explicate.core.capabilities import Generator, Predictor, require
from explicate.core.cost import measure
from explicate.errors import CapabilityError, EndpointError, InputError, ModelError, WindowError
from explicate.models.chat.reply import Reply, Token
from explicate.models.chat.scripted import ScriptedChat, constant, echo, flaky, table, turns
from explicate.runtime import log


class Counted:
    """Answers with the question and how often it was asked anything."""

    def __init__(self, change=""):
        self.times, self.change = 0, change

    def __call__(self, messages, rng):
        self.times += 1
        return f"{messages[-1].content}{self.change}: {rng.integers(1000)}"


def test_a_warm_cache_makes_no_calls(tmp_path):
    script = Counted()
    cold, warm = (ScriptedChat(script, cache=tmp_path) for _ in range(2))
    questions = [f"Question {number}" for number in range(30)]
    first = cold.replies(questions)
    second = warm.replies(questions[::-1])[::-1]
    assert [reply.text for reply in first] == [reply.text for reply in second]
    assert script.times == 30
    assert all(reply.cached for reply in second)
    assert (warm.ledger.calls, warm.ledger.cached_calls, warm.ledger.prompt_tokens) == (0, 30, 0)
    assert (cold.ledger.calls, cold.ledger.prompt_tokens, cold.ledger.completion_tokens) == (30, 60, 90)


def test_a_question_asked_twice_at_once_is_asked_once(tmp_path):
    script = Counted()
    for cache in (tmp_path, False):
        chat = ScriptedChat(script, cache=cache)
        replies = chat.replies(["same", "other", "same"])
        assert replies[0] == replies[2] != replies[1]
        assert chat.ledger.calls == 2


def test_draws_are_repeated_by_repetition_only(tmp_path):
    script = Counted()
    chat = ScriptedChat(script, cache=tmp_path)
    greedy = {chat.reply("Q", repetition=number).text for number in range(5)}
    drawn = [chat.reply("Q", temperature=1.0, repetition=number).text for number in range(5)]
    again = chat.replies(["Q"] * 5, temperature=1.0, repetition=list(range(5)))
    other = chat.reply("Q", temperature=1.0, seed=1).text
    assert len(greedy) == 1
    assert len({*drawn, other}) == 6
    assert [reply.text for reply in again] == drawn
    assert script.times == 1 + 5 + 1


def test_another_version_or_name_has_replies_of_its_own(tmp_path):
    texts = []
    for options in ({}, {"version": 2}, {"name": "other"}, {"seed": 1}, {}):
        script = Counted(change=str(options))
        texts.append(ScriptedChat(script, cache=tmp_path, **options).reply("Q").text)
    assert len(set(texts)) == 4
    assert texts[0] == texts[4]


@pytest.mark.parametrize(
    "value", [{"text": "x"}, "x", {**Reply("x").to_dict(), "mood": "good"}, {**Reply("x").to_dict(), "text": 3}]
)
def test_a_cache_written_by_another_version_is_asked_anew_with_a_warning(tmp_path, value):
    chat = ScriptedChat(Counted(), cache=tmp_path)
    expected = chat.reply("Q").text
    path = next(tmp_path.rglob("*.json"))
    entry = json.loads(path.read_text())
    path.write_text(json.dumps({**entry, "value": value}))
    with pytest.warns(UserWarning, match="a cached reply cannot be read"):
        assert chat.reply("Q").text == expected
    assert chat.reply("Q").cached
    path.write_text(json.dumps({**entry, "format": entry["format"] + 1}))
    with pytest.warns(UserWarning, match="has format"):
        assert chat.reply("Q").text == expected


def _ask_all(folder, questions, results):
    chat = ScriptedChat(Counted(), cache=folder, log=Path(folder) / "calls.jsonl")
    results.put([reply.text for question in questions for reply in chat.replies([question])])


def test_two_processes_share_one_cache_folder_and_one_log(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    questions = [f"Question {number}" for number in range(40)]
    orders = [questions, questions[::-1]]
    workers = [context.Process(target=_ask_all, args=(str(tmp_path), order, results)) for order in orders]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert answers[0] == answers[1][::-1]
    lines = log.read(tmp_path / "calls.jsonl")
    assert len(lines) == 80
    reader = ScriptedChat(Counted(), cache=tmp_path)
    reader.replies(questions)
    assert reader.ledger.calls == 0


def test_every_line_of_a_log_says_that_a_script_answered(tmp_path):
    def respond(messages, rng):
        if messages[-1].content == "break":
            raise ValueError("broken")
        return "fine"

    chat = ScriptedChat(respond, cache=tmp_path / "replies", log=tmp_path / "calls.jsonl")
    chat.outcomes(["one", "break"], max_new_tokens=4)
    chat.reply("one", max_new_tokens=4)
    lines = log.read(tmp_path / "calls.jsonl")
    assert [line["scripted"] for line in lines] == [True] * 3
    assert [line["cached"] for line in lines] == [False, False, True]
    assert lines[0]["messages"] == [{"role": "user", "content": "one"}]
    assert lines[0]["decoding"]["max_new_tokens"] == 4
    assert lines[0]["reply"]["text"] == lines[2]["reply"]["text"] == "fine"
    assert lines[1]["reply"] is None
    assert lines[1]["error"] == {
        "type": "ModelError",
        "message": "the script 'scripted' failed: ValueError: broken",
    }
    assert lines[0]["call"] == lines[2]["call"] != lines[1]["call"]
    assert "scripted" in repr(chat)


def test_calls_and_tokens_are_measured_around_a_block(tmp_path):
    chat = echo(cache=tmp_path)
    chat.reply("one two")
    with measure() as cost:
        chat.replies(["one two", "three four five"])
    assert (cost.calls, cost.cached_calls, cost.prompt_tokens, cost.completion_tokens) == (1, 1, 3, 3)
    assert cost.spent()["calls"] == 1


def test_the_first_error_is_raised_after_all_others_are_answered(tmp_path):
    script = Counted()

    def respond(messages, rng):
        if messages[-1].content.startswith("bad"):
            raise EndpointError(messages[-1].content)
        return script(messages, rng)

    chat = ScriptedChat(respond, cache=tmp_path)
    with pytest.raises(EndpointError, match="bad 1"):
        chat.replies(["good 1", "bad 1", "good 2", "bad 2"])
    assert script.times == 2
    assert (chat.ledger.calls, chat.ledger.failed_calls) == (2, 2)
    assert [reply.cached for reply in chat.replies(["good 1", "good 2"])] == [True, True]


def test_scripts_end_where_a_model_would():
    chat = constant("one two three four")
    assert chat.reply("Q", stop="three").text == "one two "
    cut = chat.reply("Q", max_new_tokens=2)
    assert (cut.text, cut.finish, cut.completion_tokens) == ("one two", "length", 2)


def test_ready_made_scripts():
    assert table({"2+2": "4"}).reply("2+2").text == "4"
    with pytest.raises(InputError, match="no reply to '3'"):
        table({"2+2": "4"}).reply("3")
    dialogue = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}, "b"]
    assert turns("first", "second").reply(dialogue).text == "second"
    assert constant("a").fingerprint() != constant("b").fingerprint()


def test_a_flaky_script_fails_as_often_as_it_says():
    chat = flaky(echo(), 0.3)
    outcomes = chat.outcomes([f"Question {number}" for number in range(600)])
    failed = sum(isinstance(outcome, EndpointError) for outcome in outcomes)
    assert abs(failed / 600 - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 600)
    worst = [f"Question {place}" for place, outcome in enumerate(outcomes) if isinstance(outcome, EndpointError)]
    again = chat.outcomes(worst)
    assert 0 < sum(isinstance(outcome, Reply) for outcome in again) < len(worst)


def test_what_is_asked_of_a_capability():
    chat = constant("x")
    require(chat, Generator, "a benchmark")
    with pytest.raises(CapabilityError, match="needs scores for inputs"):
        require(chat, Predictor, "kernel-shap")
    with pytest.raises(CapabilityError, match=r"gives no log-probabilities.*what works without them: generate"):
        chat.log_probabilities(["Q"], ["x"])
    scored = constant("x", score=lambda messages, text: [-1.0] * len(text.split()))
    assert [values.tolist() for values in scored.log_probabilities(["Q"], ["a b"])] == [[-1.0, -1.0]]
    assert chat.generate(["Q", "R"]) == ["x", "x"]


def test_bad_calls_are_named():
    chat = constant("x")
    for call, words in [
        (lambda: chat.replies("Q"), "a list of conversations"),
        (lambda: chat.replies([]), "at least one"),
        (lambda: chat.replies(["Q"], repetition=[0, 1]), "2 repetitions for 1 conversations"),
        (lambda: chat.reply("Q", tokens=3), "no setting 'tokens'"),
    ]:
        with pytest.raises(InputError, match=words):
            call()
    with pytest.raises(ModelError, match="gave a int"):
        ScriptedChat(lambda messages, rng: 7).reply("Q")
    assert issubclass(WindowError, InputError)


def test_replies_survive_json():
    tokens = (Token.of("a", float("-inf"), [("b", -1.5)]), Token.of("c", -0.5))
    reply = Reply("a c", "length", 3, 2, tokens, 0.5, 2, "fp", ("merged",))
    assert Reply.from_dict(json.loads(json.dumps(reply.to_dict(), allow_nan=False))) == reply
