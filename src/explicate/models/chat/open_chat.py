"""A chat model from one line of text, as the command line takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from explicate.errors import CapabilityError, InputError
from explicate.models.chat.chat_model import ChatModel
from explicate.models.chat.local import LocalChat
from explicate.models.chat.replayed import ReplayedChat
from explicate.models.loading import load_model


def open_chat(spec: str | Path, **options: Any) -> ChatModel:
    """A chat handle on what `spec` names.

    Parameters
    ----------
    spec : an address (`http://127.0.0.1:8000/v1`, with `#NAME` for one of several models), a log of a chat model
        (`calls.jsonl`), which is replayed, or whatever `explicate.models.loading.load_model` makes a language model of:
        a name of the zoo, a Hugging Face folder, or `package.module:object`, which may be a chat handle itself.
    options : of `RemoteChat`, `ReplayedChat` or `LocalChat`.

    Raises
    ------
    CapabilityError : what it names does not write text.
    InputError : options for a chat handle of your own code that it can no longer take. Others: see `load_model`.
    """
    text = str(spec)
    if text.endswith(".jsonl"):
        return ReplayedChat(text, **options)
    if "://" in text:
        options, given = {}, options
        found = load_model(text, **given)
    else:
        found = load_model(text)
    if isinstance(found, ChatModel):
        return _with(found, options)
    if not hasattr(found, "write"):
        raise CapabilityError(f"{text} is a {type(found).__name__}, which writes no text; name a causal language model")
    return LocalChat(found, **options)


def _with(found: ChatModel, options: dict[str, Any]) -> ChatModel:
    """A handle that was made elsewhere; it takes a log, if it has none of its own."""
    rest = sorted(set(options) - {"log"})
    if rest or (options and found.log is not None):
        raise InputError(
            f"{found.name!r} is a chat handle already; give {', '.join(rest) or 'its log'} where it is made"
        )
    if options:
        found.log = Path(options["log"])
    return found
