"""A chat model from one line of text, as the command line takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from explicate.errors import CapabilityError
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
    CapabilityError : what it names does not write text. Others: see `load_model`.
    """
    text = str(spec)
    if text.endswith(".jsonl"):
        return ReplayedChat(text, **options)
    found = load_model(text, **options) if "://" in text else load_model(text)
    if isinstance(found, ChatModel):
        return found
    if not hasattr(found, "write"):
        raise CapabilityError(f"{text} is a {type(found).__name__}, which writes no text; name a causal language model")
    return LocalChat(found, **options)
