"""What a model is asked about references, and how its replies are read.

The questions are those of Agrawal, Suzgun, Mackey, Kalai (2024), arXiv 2305.18248, in their meaning; each is a named
constant with slots in braces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.models.chat import Message
from explicate.models.chat.messages import Conversation

GENERATE = (
    'List {count} existing references related to "{topic}". Just output the titles. Do not mention the authors. Output '
    'format should be <num.> "<title>"'
)
AUTHORS = (
    'Who were the authors of the reference, "{title}"? Please list only the author names, formatted as AUTHORS: '
    "<firstname> <lastname>, separated by commas. Do not mention the reference in the answer."
)
EXISTS = 'Does the reference "{title}" exist? Just output yes/no.'
FAMOUS = "Give a famous reference for reading."
QUOTED = '"{title}"'
ABOVE = "Does the above reference exist? Just output yes/no."
LISTED = (
    "A language model generated references related to a research topic with the following titles:\n{listing}\nDoes the "
    "reference with title #{position} exist? Just output yes/no."
)
OVERLAP = (
    "Below are what should be two lists of authors. On a scale of 0-100%, how much overlap is there in the author "
    "names (ignore minor variations such as middle initials or accents)? Answer with a number between 0 and 100. Also, "
    "provide a justification. Note: if either of them is not a list of authors, output 0. Output format should be ANS: "
    "<ans> JUSTIFICATION: <justification>.\n1. {first}\n2. {second}"
)
LONGEST_LIST = 100
_SHARE = re.compile(r"^\s*(?:ANS(?:WER)?)?[\s:]*(\d+(?:\.\d*)?)", re.IGNORECASE)
SLOTS = {
    "generate": ("topic",),
    "authors": ("title",),
    "exists": ("title",),
    "famous": (),
    "quoted": ("title",),
    "above": (),
    "listed": ("listing", "position"),
    "overlap": ("first", "second"),
}


@register("reference-questions", "parts")
@dataclass(frozen=True)
class ReferencePrompts(Parameterised):
    """The questions about a reference, as a chat model is asked them.

    Parameters
    ----------
    generate : for {count} references on a {topic}. authors : for the authors of a {title} (IQ).
    exists : whether the {title} exists (DQ1).
    famous, quoted, above : the three turns of DQ2; the model is made to have said `quoted`.
    listed : whether number {position} of a {listing} exists (DQ3).
    overlap : how many percent of the names in {first} and {second} agree.
    yes, no : how an answer begins, for the probabilities of the first token; each form should be a token of its own.
    stop : texts that end a list of authors. line : what stands between the items of a list in the model's answers.
    """

    generate: str = GENERATE
    authors: str = AUTHORS
    exists: str = EXISTS
    famous: str = FAMOUS
    quoted: str = QUOTED
    above: str = ABOVE
    listed: str = LISTED
    overlap: str = OVERLAP
    yes: tuple[str, ...] = ("Yes", "yes")
    no: tuple[str, ...] = ("No", "no")
    stop: tuple[str, ...] = ()
    line: str = "\n"

    def __post_init__(self) -> None:
        for name, slots in SLOTS.items():
            missing = [slot for slot in slots if f"{{{slot}}}" not in getattr(self, name)]
            if missing:
                raise InputError(f"the question {name!r} has no {{{missing[0]}}} in it: {getattr(self, name)!r}")
        if not self.yes or not self.no or set(self.yes) & set(self.no):
            raise InputError(f"yes {self.yes} and no {self.no}: give at least one form of each, and none to both")

    def dialogue(self, title: str) -> Conversation:
        """The three turns of DQ2."""
        return (
            Message("user", self.famous),
            Message("assistant", _filled(self.quoted, title=title)),
            Message("user", self.above),
        )

    def asked(self, name: str, **slots: object) -> Conversation:
        """One of the questions as a user's message."""
        return (Message("user", _filled(getattr(self, name), **slots)),)


@register("reference-completions", "parts")
@dataclass(frozen=True)
class ReferenceCompletions(ReferencePrompts):
    """The same as texts to be continued, for base and small models; open the chat with template="plain"."""

    generate: str = "A reading list of {count} famous books about {topic}:\n"
    authors: str = 'The book "{title}" was written by'
    exists: str = 'Question: Does the book "{title}" exist? Answer yes or no.\nAnswer:'
    famous: str = "Question: Which famous book should I read?"
    quoted: str = 'Answer: "{title}"'
    above: str = "Question: Does the above book exist? Answer yes or no.\nAnswer:"
    listed: str = (
        "A language model gave these books:\n{listing}\nQuestion: Does the book with number {position} exist? Answer "
        "yes or no.\nAnswer:"
    )
    yes: tuple[str, ...] = (" Yes",)
    no: tuple[str, ...] = (" No",)
    stop: tuple[str, ...] = ("\n",)


def says_yes(reply: str) -> bool:
    """Whether "yes" is in a reply, in any case."""
    return "yes" in reply.lower()


def overlap_share(reply: str) -> float | None:
    """The number that a reply begins with, as a share of at most 1; None where it begins with none."""
    found = _SHARE.match(reply)
    return None if found is None else min(float(found.group(1)) / 100, 1.0)


def list_shown(reply: str) -> str:
    """A list of authors as it is shown for comparison: on one line, at most 100 characters."""
    return reply.strip()[:LONGEST_LIST].replace("\n", " ")


def _filled(text: str, **slots: object) -> str:
    """The text with its slots filled; braces in titles and elsewhere stay as they are."""
    pattern = "|".join(rf"\{{{name}\}}" for name in slots)
    return re.sub(pattern, lambda match: str(slots[match.group()[1:-1]]), text) if slots else text
