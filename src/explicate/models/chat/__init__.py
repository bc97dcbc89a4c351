"""The chat handle: text in, text out, in this process or behind any OpenAI-compatible address.

Every call takes one path (`ChatModel.replies`): checked, looked up in the cache, asked, metered, cached, logged.
"""

from explicate.models.chat.asking import Answer, all_answers, ask_in_form
from explicate.models.chat.chat_model import ChatModel
from explicate.models.chat.local import LocalChat
from explicate.models.chat.messages import Decoding, Message
from explicate.models.chat.open_chat import open_chat
from explicate.models.chat.remote import RemoteChat
from explicate.models.chat.replayed import ReplayedChat
from explicate.models.chat.reply import Ledger, Reply, Token
from explicate.models.chat.scripted import ScriptedChat
from explicate.models.chat.structured import Structured, ask_all, ask_outcomes

__all__ = [
    "Answer",
    "ChatModel",
    "Decoding",
    "Ledger",
    "LocalChat",
    "Message",
    "RemoteChat",
    "ReplayedChat",
    "Reply",
    "ScriptedChat",
    "Structured",
    "Token",
    "all_answers",
    "ask_all",
    "ask_in_form",
    "ask_outcomes",
    "open_chat",
]
