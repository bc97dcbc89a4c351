"""Conversations and decodings: what is taken, what is refused, and what makes two calls the same."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.models.chat.messages import Call, Decoding, Message, conversation
from explicate.models.chat.scripted import echo


def test_ways_to_write_a_conversation():
    alone = (Message("user", "Hello?"),)
    assert conversation("Hello?") == conversation(["Hello?"]) == conversation(Message("user", "Hello?")) == alone
    assert conversation({"role": "user", "content": "Hello?"}) == alone
    whole = conversation([{"role": "system", "content": "Be brief."}, "Hello?", Message("assistant", "Hi."), "Bye?"])
    assert [message.role for message in whole] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "at least one message"),
        ("  ", "message 0 of the conversation is empty"),
        (["Hello?", Message("system", "Be brief.")], "message 1 has the role system"),
        ([Message("assistant", "Hi.")], "the last message has the role assistant"),
        ([{"role": "tool", "content": "x"}], "no role 'tool'"),
        ([{"role": "user"}], "message 0 has the fields role"),
        ([{"role": "user", "content": ["x"]}], "is text, not a list"),
        ([7], "message 0 has int"),
        ("half \ud800", "half a character"),
    ],
)
def test_what_is_no_conversation(asked, words):
    with pytest.raises(InputError, match=words):
        conversation(asked)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_new_tokens": 0}, "at least 1"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"stop": ("a", "")}, "stop holds an empty text"),
        ({"max_tokens": 5}, "no setting 'max_tokens'.*max_new_tokens"),
    ],
)
def test_what_is_no_decoding(settings, words):
    with pytest.raises(InputError, match=words):
        Decoding.of(None, settings)


decodings = st.builds(
    Decoding,
    max_new_tokens=st.integers(1, 3),
    temperature=st.sampled_from([0.0, 0.5]),
    top_p=st.sampled_from([0.5, 1.0]),
    stop=st.lists(st.text("ab", min_size=1, max_size=2), max_size=2).map(tuple),
    seed=st.integers(0, 2),
    logprobs=st.booleans(),
)
calls = st.builds(
    lambda texts, decoding: Call(conversation(texts), decoding),
    st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3),
    decodings,
)


def place(call, repetition):
    """Where a call lies in the cache, and what it depends on, told apart by hand."""
    chat = echo(cache="unused")
    drawn = call.decoding.drawn(repetition)
    key = {"model": chat.fingerprint(), **Call(call.messages, drawn).to_dict(), "repetition": repetition}
    if not drawn.temperature:
        key["repetition"] = 0
    content = [(m.role, m.content) for m in call.messages], dataclasses.replace(call.decoding, seed=0, top_p=1.0)
    draw = (call.decoding.seed, call.decoding.top_p, repetition) if call.decoding.temperature else None
    return chat.cache.path(key), (content, draw)


@given(one=calls, two=calls, first=st.integers(0, 2), second=st.integers(0, 2))
def test_calls_share_a_place_exactly_when_their_replies_must_be_equal(one, two, first, second):
    (path, facts), (other_path, other_facts) = place(one, first), place(two, second)
    assert (path == other_path) == (facts == other_facts)


@given(call=calls, first=st.integers(0, 5), second=st.integers(0, 5))
def test_repetitions_have_seeds_of_their_own(call, first, second):
    seeds = [call.decoding.drawn(repetition).seed for repetition in (first, second)]
    assert (seeds[0] == seeds[1]) == (first == second or not call.decoding.temperature)
    assert all(0 <= seed < 2**31 for seed in seeds)
