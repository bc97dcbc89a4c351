"""Replies that must have a form: validated by pydantic, asked for again a bounded number of times, then an error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from explicate.errors import ExplicateError, InputError, MissingDependencyError, ReplyError
from explicate.models.chat.asking import ATTEMPTS, ask_in_form
from explicate.models.chat.chat_model import ChatModel, Repetition
from explicate.models.chat.messages import Asked, Conversation, Decoding, Message, conversation
from explicate.models.chat.reply import Reply

if TYPE_CHECKING:
    from pydantic import BaseModel

Record = TypeVar("Record", bound="BaseModel")

FORM = (
    "\n\nAnswer with one JSON object and nothing else, in English field names exactly as given. It must fit this JSON "
    "schema:\n{schema}"
)
AGAIN = "This is not in the form asked for: {problem}. Answer again, with the JSON object alone."


@dataclass(frozen=True)
class Structured(Generic[Record]):
    """A reply in the form asked for.

    Attributes
    ----------
    value : an instance of the schema.
    replies : all replies that it took, the last one holds the value.
    """

    value: Record
    replies: tuple[Reply, ...]


def ask_all(
    model: ChatModel,
    conversations: Sequence[Asked],
    schema: type[Record],
    **options: Any,
) -> list[Structured[Record]]:
    """Replies in the form of `schema`, one per conversation; options as in `ask_outcomes`.

    Raises
    ------
    ReplyError : no reply fits; it names the model, the form, what was wrong with the last reply, and shows it.
    """
    found: list[Structured[Record]] = []
    for outcome in ask_outcomes(model, conversations, schema, **options):
        if isinstance(outcome, ExplicateError):
            raise outcome
        found.append(outcome)
    return found


def ask_outcomes(
    model: ChatModel,
    conversations: Sequence[Asked],
    schema: type[Record],
    *,
    attempts: int = ATTEMPTS,
    decoding: Decoding | None = None,
    repetition: Repetition = 0,
    **settings: Any,
) -> list[Structured[Record] | ExplicateError]:
    """As `ask_all`, with an error in the place of a conversation that got no reply in the form.

    The schema is put under the last message. A reply that holds no fitting JSON object is answered with what is wrong
    with it, and the model is asked again, all such conversations together. Nothing is ever guessed: a choice in other
    words or another language does not fit.

    Parameters
    ----------
    schema : a pydantic model.
    attempts : most replies to one conversation.
    decoding, repetition, settings : see `ChatModel.replies`.
    """
    form = FORM.format(schema=json.dumps(_schema(schema), ensure_ascii=False))
    answers = ask_in_form(
        model,
        [_with(conversation(asked), form) for asked in conversations],
        lambda reply: read(reply, schema),
        again=AGAIN,
        attempts=attempts,
        decoding=decoding,
        repetition=repetition,
        **settings,
    )
    found: list[Structured[Record] | ExplicateError] = []
    for answer in answers:
        if isinstance(answer, ExplicateError):
            found.append(answer)
        elif answer.value is None:
            found.append(_failed(model.name, schema.__name__, answer.replies, answer.problem))
        else:
            found.append(Structured(answer.value, answer.replies))
    return found


def read(reply: Reply, schema: type[Record]) -> tuple[Record | None, str]:
    """The first JSON object in a reply that fits the schema, or None and what is wrong."""
    pydantic = _pydantic()
    if reply.empty:
        return None, "the answer is empty"
    problem = "there is no JSON object in it"
    if reply.finish == "length":
        problem = f"it was cut off after {reply.completion_tokens} tokens"
    for candidate in _objects(reply.text):
        try:
            return schema.model_validate(candidate), ""
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the object"
            problem = f"{place}: {first['msg']}"
    return None, problem


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object that stands in a text, the outermost ones only, in order."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    while place >= 0:
        try:
            found, end = decoder.raw_decode(text, place)
            yield found
        except (json.JSONDecodeError, RecursionError):
            end = place + 1
        place = text.find("{", end)


def _with(messages: Conversation, form: str) -> Conversation:
    return (*messages[:-1], Message("user", messages[-1].content + form))


def _failed(name: str, schema: str, replies: Sequence[Reply], problem: str) -> ReplyError:
    last = " ".join(replies[-1].text.split())
    shown = last if len(last) <= 120 else last[:119] + "…"
    hint = "; raise max_new_tokens" if replies[-1].finish == "length" else ""
    times = "once" if len(replies) == 1 else f"{len(replies)} times"
    return ReplyError(f"{name!r} gave no {schema} though asked {times}: {problem} (its last reply: {shown!r}){hint}")


def _schema(schema: type[BaseModel]) -> dict[str, Any]:
    pydantic = _pydantic()
    if not (isinstance(schema, type) and issubclass(schema, pydantic.BaseModel)):
        raise InputError(f"the form of a reply is a pydantic model, not {schema!r}")
    found: dict[str, Any] = schema.model_json_schema()
    return found


def _pydantic() -> Any:
    try:
        import pydantic
    except ImportError as error:
        raise MissingDependencyError(
            "replies in a form are checked by pydantic: pip install 'explicate[chat]'"
        ) from error
    return pydantic
