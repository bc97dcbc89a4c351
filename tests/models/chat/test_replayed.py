"""A log answers as the model did, knows what it does not know, and is never taken for another model's."""

import pytest

from explicate.errors import CapabilityError, FileFormatError, InputError, ModelError
from explicate.models.chat import ReplayedChat, ScriptedChat, ask_in_form, open_chat
from explicate.models.chat.scripted import constant, turns


def _drawing(path):
    return ScriptedChat(lambda messages, rng: f"{messages[-1].content} {rng.integers(1000)}", log=path)


def test_a_log_gives_the_same_replies_without_the_model(tmp_path):
    path = tmp_path / "calls.jsonl"
    chat = _drawing(path)
    first = chat.replies(["a", "b"], temperature=1.0, repetition=[0, 1])
    greedy = chat.reply("a", max_new_tokens=3)
    again = open_chat(path)
    assert again.name == chat.name
    assert again.fingerprint() == chat.fingerprint()
    assert [reply.text for reply in again.replies(["a", "b"], temperature=1.0, repetition=[0, 1])] == [
        reply.text for reply in first
    ]
    assert again.reply("a", max_new_tokens=3).text == greedy.text
    assert (again.ledger.calls, again.ledger.cached_calls, again.ledger.completion_tokens) == (0, 3, 0)
    assert again.scripted


def test_a_handle_of_ones_own_code_takes_a_log(tmp_path):
    spec = "explicate.rationales.scripted_rankers:random"
    chat = open_chat(spec, log=tmp_path / "calls.jsonl")
    prompt = "```\nInput: A: 0.100, B: 0.200\nOutput: 1\n```\nWhich 1 features matter?"
    assert chat.reply(prompt).text == open_chat(tmp_path / "calls.jsonl").reply(prompt).text
    with pytest.raises(InputError, match="is a chat handle already; give cache where it is made"):
        open_chat(spec, cache=False)


def test_what_the_log_does_not_hold_is_an_error(tmp_path):
    path = tmp_path / "calls.jsonl"
    _drawing(path).reply("a", temperature=1.0)
    again = ReplayedChat(path)
    for asked, how in [("b", {"temperature": 1.0}), ("a", {}), ("a", {"temperature": 1.0, "seed": 1})]:
        with pytest.raises(InputError, match=r"calls\.jsonl has no reply to '[ab]'"):
            again.reply(asked, **how)


def test_the_last_reply_counts_and_failed_calls_are_not_replies(tmp_path):
    path = tmp_path / "calls.jsonl"
    constant("old", name="one", version=0, log=path).reply("q")
    constant("new", name="one", version=0, log=path).reply("q")

    def broken(messages, rng):
        raise ValueError("broken")

    failing = ScriptedChat(broken, name="one", version=0, log=path)
    with pytest.raises(ModelError):
        failing.reply("q")
    assert ReplayedChat(path).reply("q").text == "new"


def test_what_the_model_could_not_do_the_log_cannot_do_either(tmp_path):
    def lacking(messages, rng):
        raise CapabilityError("no log-probabilities here")

    path = tmp_path / "calls.jsonl"
    with pytest.raises(CapabilityError):
        ScriptedChat(lacking, log=path).reply("q", logprobs=True)
    constant("fine", name="scripted", log=path, version=0).reply("q")
    again = ReplayedChat(path)
    with pytest.raises(CapabilityError, match="no log-probabilities here"):
        again.reply("q", logprobs=True)
    assert again.reply("q").text == "fine"


def test_the_log_of_several_models_asks_which(tmp_path):
    path = tmp_path / "calls.jsonl"
    for name in ("one", "two"):
        constant(name, name=name, log=path).reply("q")
    with pytest.raises(InputError, match=r"is of several models; name one of them as model=: one \(.{8}\), two"):
        open_chat(path)
    assert open_chat(path, model="two").reply("q").text == "two"
    with pytest.raises(InputError, match=r"holds nothing of 'three'"):
        open_chat(path, model="three")


@pytest.mark.parametrize("content", ["", '{"id": 1}\n', '{"model": "a"}\n[]\n'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "calls.jsonl"
    path.write_text(content)
    with pytest.raises(FileFormatError, match="no log of a chat model"):
        ReplayedChat(path)
    with pytest.raises(FileFormatError, match="cannot read the log"):
        ReplayedChat(tmp_path / "none.jsonl")


def _number(reply):
    return (int(reply.text), "") if reply.text.isdigit() else (None, f"{reply.text!r} is no number")


def test_each_reply_is_read_by_its_own_reader():
    readers = [lambda reply, wanted=wanted: (wanted if wanted in reply.text else None, "no") for wanted in "ab"]
    first, second = ask_in_form(constant("a"), ["x", "y"], readers, again="{problem}", attempts=1)
    assert (first.value, second.value, second.problem) == ("a", None, "no")
    with pytest.raises(InputError, match="1 readers for 2 conversations"):
        ask_in_form(constant("a"), ["x", "y"], readers[:1], again="{problem}")


def test_unreadable_replies_are_asked_for_again_and_never_guessed(tmp_path):
    chat = turns("x", "7", log=tmp_path / "calls.jsonl")
    (answer,) = ask_in_form(chat, ["q"], _number, again="Once more: {problem}")
    assert answer.value == 7
    assert [reply.text for reply in answer.replies] == ["x", "7"]
    assert [message.content for message in answer.asked] == ["q", "x", "Once more: 'x' is no number"]
    (once,) = ask_in_form(chat, ["q"], _number, again="Once more: {problem}", attempts=1)
    assert once.value is None
    assert once.problem == "'x' is no number"
    assert len(once.replies) == 1
    (replayed,) = ask_in_form(open_chat(tmp_path / "calls.jsonl"), ["q"], _number, again="Once more: {problem}")
    assert replayed.value == 7
