"""A conversation as the text that a local model reads: its own chat template, checked to leave nothing out."""

from __future__ import annotations

from typing import Any

from explicate.errors import CapabilityError, InputError
from explicate.models.chat.messages import Conversation, Message

PLAIN = "plain"
MERGED = "the system message was put in front of the first user message, because the template takes none"


class ChatTemplate:
    """Turns conversations into token ids.

    Parameters
    ----------
    tokenizer : of the model.
    template : None for the tokenizer's own; a Jinja template; or "plain" for models without one: the messages' texts,
        separated by empty lines.

    Raises
    ------
    CapabilityError : the tokenizer has no template and none is given.
    """

    def __init__(self, tokenizer: Any, name: str, template: str | None = None) -> None:
        self.tokenizer = tokenizer
        self.name = name
        self.text = template or getattr(tokenizer, "chat_template", None)
        if not self.text:
            raise CapabilityError(
                f"{name!r} has no chat template: pass template='plain' to send texts as they are, or a Jinja template"
            )

    def ids(self, messages: Conversation) -> tuple[list[int], tuple[str, ...]]:
        """Token ids up to where the reply begins, and notes on what was changed in the conversation."""
        if self.text == PLAIN:
            text = "\n\n".join(message.content for message in messages)
            return list(self.tokenizer(text)["input_ids"]), ()
        notes: tuple[str, ...] = ()
        if messages[0].role == "system" and not self._takes_system(messages):
            merged = Message("user", f"{messages[0].content}\n\n{messages[1].content}")
            messages, notes = (merged, *messages[2:]), (MERGED,)
        return list(self.tokenizer(self._rendered(messages), add_special_tokens=False)["input_ids"]), notes

    def _takes_system(self, messages: Conversation) -> bool:
        """Whether the template neither refuses a system message nor leaves it out."""
        try:
            return messages[0].content.strip() in self._rendered(messages)
        except InputError:
            return False

    def _rendered(self, messages: Conversation) -> str:
        from jinja2 import TemplateError

        try:
            found = self.tokenizer.apply_chat_template(
                [message.to_dict() for message in messages],
                chat_template=self.text,
                tokenize=False,
                add_generation_prompt=True,
            )
        except TemplateError as error:
            raise InputError(f"the chat template of {self.name!r} refuses the conversation: {error}") from error
        last = messages[-1].content.strip()
        if last not in found:
            raise InputError(f"the chat template of {self.name!r} leaves out the last message; pass another template=")
        return str(found)
