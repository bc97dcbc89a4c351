"""Replies that must be readable: asked for again a bounded number of times, then given up, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from explicate.errors import ExplicateError, InputError
from explicate.models.chat.chat_model import ChatModel, Repetition
from explicate.models.chat.endpoint import HopelessError
from explicate.models.chat.messages import Asked, Conversation, Decoding, Message, conversation
from explicate.models.chat.reply import Reply

Value = TypeVar("Value")
Reader = Callable[[Reply], "tuple[Value | None, str]"]
"""Gives what a reply says, or None and what is wrong with it."""

ATTEMPTS = 3
NOTHING = "(nothing)"


@dataclass(frozen=True)
class Answer(Generic[Value]):
    """What was read from the replies to one conversation.

    Attributes
    ----------
    value : what the last reply says, or None where no reply could be read.
    problem : what was wrong with the last reply; empty where there is a value.
    replies : all replies that it took.
    asked : the conversation that the last reply answers, with the earlier replies in it.
    """

    value: Value | None
    problem: str
    replies: tuple[Reply, ...]
    asked: Conversation


def ask_in_form(
    model: ChatModel,
    conversations: Sequence[Asked],
    read: Reader[Value] | Sequence[Reader[Value]],
    *,
    again: str,
    attempts: int = ATTEMPTS,
    decoding: Decoding | None = None,
    repetition: Repetition = 0,
    **settings: object,
) -> list[Answer[Value] | ExplicateError]:
    """Ask, read, and ask those again whose reply cannot be read, all together.

    Parameters
    ----------
    read : see `Reader`; one for all conversations, or one each.
    again : what is answered to a reply that cannot be read; `{problem}` in it says why.
    attempts : most replies to one conversation.
    decoding, repetition, settings : see `ChatModel.replies`.

    Returns
    -------
    One answer per conversation; the error of a call that failed stands in its place.
    """
    if attempts < 1:
        raise InputError(f"attempts is {attempts}; ask at least once")
    readers = [read] * len(conversations) if callable(read) else list(read)
    if len(readers) != len(conversations):
        raise InputError(
            f"{len(readers)} readers for {len(conversations)} conversations: give one for all, or one each"
        )
    threads = [conversation(asked) for asked in conversations]
    replies: list[list[Reply]] = [[] for _ in threads]
    found: list[Answer[Value] | ExplicateError | None] = [None] * len(threads)
    left = list(range(len(threads)))
    for attempt in range(attempts):
        outcomes = model.outcomes([threads[number] for number in left], decoding, repetition=repetition, **settings)
        unread = []
        for number, outcome in zip(left, outcomes, strict=True):
            if isinstance(outcome, ExplicateError):
                found[number] = outcome
                continue
            replies[number].append(outcome)
            value, problem = readers[number](outcome)
            if value is not None or attempt == attempts - 1:
                found[number] = Answer(value, problem, tuple(replies[number]), threads[number])
                continue
            said = Message("assistant", NOTHING if outcome.empty else outcome.text)
            threads[number] = (*threads[number], said, Message("user", again.format(problem=problem)))
            unread.append(number)
        left = unread
        if not left:
            break
    return [one for one in found if one is not None]


def all_answers(found: Sequence[Answer[Value] | ExplicateError], about: Sequence[str] = ()) -> list[Answer[Value]]:
    """The answers, where no call failed; else the first error, now that all others are in and cached.

    Parameters
    ----------
    about : what each conversation is about, for errors that are its own.
    """
    answers = []
    for number, one in enumerate(found):
        if isinstance(one, ExplicateError):
            own = about and not isinstance(one, HopelessError)
            raise type(one)(f"{about[number]}: {one}") if own else one
        answers.append(one)
    return answers
