"""How a question with a contradicting context is put to a model, and how it is told which answer is wanted.

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", section 3.1 and appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from explicate.data.language.contradicting_contexts import INTENTS, ContradictedQuestion, Intent
from explicate.errors import InputError

IntentFormat: TypeAlias = Literal["instruction", "float", "none"]
SYSTEM = "Answer the query considering the provided context. Answer with one word."
ANSWER_LINE = "Answer format: only the answer."
INTENT_LINES: dict[str, dict[str, str]] = {
    "instruction": {
        "prior": "Instruction: Ignore the context in answering the query.",
        "context": "Instruction: Only consider the context in answering the query.",
    },
    "float": {"prior": "Context weight: 0.00", "context": "Context weight: 1.00"},
}
FORMATS = (*INTENT_LINES, "none")


@dataclass(frozen=True)
class ContextPrompt:
    """The form of a prompt.

    Parameters
    ----------
    intent : "instruction" says in a sentence which answer is wanted, "float" as a weight of the context; "none" does
        not say it, for steering.
    place : of the intent's line, "before" or "after" the query.
    answer_line : whether a last line asks for nothing but the answer.
    completion : whether the queries are unfinished sentences ("The capital of France is") that the model goes on with:
        a text ends in them, and in a conversation they begin the reply. They come last, so the intent stands before.
    system : the first line.
    """

    intent: IntentFormat = "instruction"
    place: Literal["before", "after"] = "before"
    answer_line: bool = False
    completion: bool = False
    system: str = SYSTEM

    def __post_init__(self) -> None:
        if self.intent not in FORMATS:
            raise InputError(f"the intent format {self.intent!r} is unknown; use one of {', '.join(FORMATS)}")
        if self.place not in ("before", "after"):
            raise InputError(f"place {self.place!r} is unknown; use 'before' or 'after'")
        if self.completion and (self.place == "after" or self.answer_line):
            raise InputError("with completion the query comes last: place='before' and no answer_line")

    def question(self, asked: ContradictedQuestion, intent: Intent) -> str:
        """What the user says."""
        lines = [f"Query: {asked.query}"]
        if self.intent != "none":
            lines.insert(0 if self.place == "before" else 1, INTENT_LINES[self.intent][intent])
        lines = [f"Context: {asked.context}", *lines]
        return "\n".join([*lines, ANSWER_LINE] if self.answer_line else lines)

    def messages(
        self, asked: ContradictedQuestion, intent: Intent, shown: Sequence[ContradictedQuestion] = ()
    ) -> list[dict[str, str]]:
        """A conversation that the answer comes next in; with `completion`, after the query said once more.

        Parameters
        ----------
        shown : demonstrations; their intents take turns, so that the last one does not give the intent away.
        """
        found = [{"role": "system", "content": self.system}]
        for example, told in self._told(shown):
            found.append({"role": "user", "content": self.question(example, told)})
            found.append({"role": "assistant", "content": example.answer(told)})
        return [*found, {"role": "user", "content": self.question(asked, intent)}]

    def text(self, asked: ContradictedQuestion, intent: Intent, shown: Sequence[ContradictedQuestion] = ()) -> str:
        """The same for a model without conversations; the answer comes next, after a space."""
        start = "" if self.completion else "\nAnswer:"
        blocks = [self.system]
        blocks += [spaced(f"{self.question(one, told)}{start}", one.answer(told)) for one, told in self._told(shown)]
        return "\n\n".join([*blocks, f"{self.question(asked, intent)}{start}"])

    def _told(self, shown: Sequence[ContradictedQuestion]) -> list[tuple[ContradictedQuestion, Intent]]:
        return [(example, INTENTS[place % 2]) for place, example in enumerate(shown)]


def without_context(asked: ContradictedQuestion, system: str = SYSTEM) -> list[dict[str, str]]:
    """The conversation that asks the query alone: whether the prior answer is known at all."""
    return [{"role": "system", "content": system}, {"role": "user", "content": f"Query: {asked.query}"}]


def spaced(start: str, rest: str) -> str:
    """Two texts with a space between them, unless there is one."""
    return f"{start}{rest}" if start.endswith((" ", "\n")) else f"{start} {rest}"
