"""A chat model in the place of a reader: it is asked with the page that a person sees, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explicate.evaluation.simulatability.answers import read_class
from explicate.evaluation.simulatability.readers import SimulatedReader
from explicate.evaluation.simulatability.study import Shown
from explicate.models.chat.asking import all_answers, ask_in_form
from explicate.models.chat.chat_model import ChatModel
from explicate.models.chat.reply import Reply

AGAIN = "{problem} Answer with one of the two answers and nothing else."


@dataclass(frozen=True)
class ChatReader(SimulatedReader):
    """Any chat model, in this process or behind an address; its answers are marked as simulated.

    A reply means the one class that it names, or is near to (two wrong letters); a reply that names both or none is
    asked again, and then counts as unread, as a person's blank does. A reply does not depend on other pages, except
    that the forward test shows the cases learned above each question.

    Parameters
    ----------
    chat : the model. thing : what a case is. attempts : replies to one page at most. tokens : of a reply at most.
    likelier : instead of reading a reply, take the class that is the likelier one; for models that cannot keep to a
        form, and whose handle gives log-probabilities.
    """

    chat: ChatModel
    thing: str = "case"
    attempts: int = 2
    tokens: int = 12
    likelier: bool = False
    name: ClassVar[str] = "chat"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        above = "\n\n".join(shown_page(page, self.thing) for page in learned)
        asked = [
            f"{INTRODUCTION.format(*classes)}\n\n{above}\n\n{shown_page(page, self.thing)}\n"
            f"{QUESTION.format('this ' + self.thing, *classes)}"
            for page in pages
        ]
        return self._answers(asked, classes)

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        return self._answers([self.question(page, classes) for page in pages], classes)

    def question(self, page: Shown, classes: tuple[str, str]) -> str:
        """What is asked about a changed case."""
        told = f"{INTRODUCTION.format(*classes)}\n\n{shown_page(page, self.thing)}"
        return f"{told}\n{QUESTION.format('the changed ' + self.thing, *classes)}"

    def _answers(self, asked: Sequence[str], classes: tuple[str, str]) -> list[str]:
        if self.likelier:
            pairs = [(text, one) for text in asked for one in classes]
            scores = self.chat.log_probabilities([text for text, _ in pairs], [one for _, one in pairs])
            totals = np.array([float(np.sum(one)) for one in scores]).reshape(len(asked), 2)
            return [classes[int(second > first)] for first, second in totals]
        found = ask_in_form(
            self.chat, asked, lambda reply: read_answer(reply, classes), again=AGAIN, attempts=self.attempts,
            max_new_tokens=self.tokens,
        )  # fmt: skip
        about = [f"page {number} of {len(asked)}" for number in range(1, len(asked) + 1)]
        return [one.value or "" for one in all_answers(found, about)]


def shown_page(page: Shown, thing: str = "case") -> str:
    """What a page shows, as text: the case, its label, the system's answer, the explanation and the changes."""
    parts = [page.context]
    if page.label is not None:
        parts.append(f"Correct answer: {page.label}")
    if page.model is not None:
        parts.append(f"The system answered: {page.model}")
    if page.explanation is not None:
        parts.append(f"Explanation of the system's answer:\n{page.explanation}")
    if page.perturbation is not None:
        parts.append(f"Now the {thing} is changed:\n{page.perturbation}")
    return "\n".join(parts)


def read_answer(reply: Reply, classes: tuple[str, str]) -> tuple[str | None, str]:
    """The class that a reply means, or None and what is wrong with it."""
    lines = [line.strip(" .\"'*") for line in reply.text.splitlines() if line.strip()]
    near = read_class(lines[0], classes) if lines else None
    if near is not None:
        return near, ""
    words = f" {' '.join(reply.text.lower().replace('.', ' ').replace(',', ' ').split())} "
    named = [one for one in classes if f" {one.lower()} " in words]
    if len(named) == 1:
        return named[0], ""
    return None, "This names both answers." if named else "This is neither of the two answers."


INTRODUCTION = "A computer system sorts cases into two classes, {0} and {1}. Predict what the system answers."
QUESTION = "What does the system answer for {0}: {1} or {2}? Answer with one of the two and nothing else."
