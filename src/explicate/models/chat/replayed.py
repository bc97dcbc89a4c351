"""A log in the place of a chat model: what was asked before is answered as it was then, without the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explicate.errors import CapabilityError, FileFormatError, InputError
from explicate.models.chat.chat_model import ChatModel, Outcome
from explicate.models.chat.messages import Call
from explicate.models.chat.reply import Reply
from explicate.runtime import log as log_file
from explicate.runtime.fingerprint import canonical_json, digest


class ReplayedChat(ChatModel):
    """Answers from the log of a chat model, with its name and fingerprint; no model is called, and none is needed.

    A conversation that the log has no reply to is an `InputError`; what the model could not do (a `CapabilityError`) it
    cannot do here either. Where the log has several replies, the last one counts. Replies count as cached calls.

    Parameters
    ----------
    path : a file that a chat model wrote as its `log`.
    model : the name or the fingerprint of one of several models that wrote to it.
    log : a file of its own that the replay is logged to.

    Raises
    ------
    FileFormatError : the file is missing, or is no log of a chat model.
    InputError : the log is of several models, or of no model of that name.
    """

    begins = True

    def __init__(self, path: str | Path, *, model: str | None = None, log: str | Path | None = None) -> None:
        lines = log_file.read(path)
        written = {(str(line["model"]), str(line["fingerprint"])) for line in lines if _is_call(line)}
        if not written or not all(map(_is_call, lines)):
            raise FileFormatError(f"{path} is no log of a chat model; give the file that was its log=")
        fitting = sorted(pair for pair in written if model is None or model in pair)
        if len(fitting) != 1:
            named = ", ".join(f"{name} ({fingerprint[:8]})" for name, fingerprint in sorted(written))
            problem = f"holds nothing of {model!r}" if not fitting else "is of several models"
            raise InputError(f"the log {path} {problem}; name one of them as model=: {named}")
        name, self._fingerprint = fitting[0]
        super().__init__(name, str(path), cache=False, log=log)
        own = [line for line in lines if line["fingerprint"] == self._fingerprint]
        self.scripted = any(line["scripted"] for line in own)  # type: ignore[misc]  # as the model that wrote it was
        self._replies = {
            _place(line["messages"], line["decoding"]): Reply.from_dict(line["reply"])
            for line in own
            if line["reply"] is not None
        }
        self._lacking = {
            _place(line["messages"], line["decoding"]): str(line["error"]["message"])
            for line in own
            if line["reply"] is None and (line.get("error") or {}).get("type") == CapabilityError.__name__
        }

    def fingerprint(self) -> str:
        """That of the model that wrote the log."""
        return self._fingerprint

    def _answers(self, calls: Sequence[Call]) -> Iterator[tuple[int, Outcome]]:
        for number, call in enumerate(calls):
            asked = call.to_dict()
            place = _place(asked["messages"], asked["decoding"])
            reply = self._replies.get(place)
            if reply is None and place in self._lacking:
                yield number, CapabilityError(self._lacking[place])
            elif reply is None:
                shown = " ".join(call.messages[-1].content.split())[:80]
                yield number, InputError(f"the log {self.source} has no reply to {shown!r}, asked in this way")
            else:
                yield number, replace(reply, cached=True)


def _is_call(line: Any) -> bool:
    known = {"model", "fingerprint", "scripted", "messages", "decoding", "reply"}
    return isinstance(line, dict) and known <= line.keys()


def _place(messages: Any, decoding: Any) -> str:
    return digest(canonical_json([messages, decoding]))
