"""What a model is asked for when it explains its own answer, in each form, and how its replies are read.

The item, the answer and the plain narrative are asked for as in `explicate.rationales.self_refine_prompts`.
"""

from __future__ import annotations

import re

from explicate.data.language.nle_tasks import ChoiceItem
from explicate.rationales import self_refine_prompts as prompts

REASON_FIRST = (
    "{item}\n\nReason in a few short sentences. Then give the letter of your answer on a line of its own, in the form\n"
    "Answer: (X)"
)
ANSWER_AFTER = (
    "{item}\n\nYour reasoning: {reasoning}\n\nGive the letter of your answer and no more explanation, in the form\n"
    "Answer: (X)"
)
GO_ON = (
    "{item}\n\nYour reasoning so far: {reasoning}\n\nGo on with the reasoning in a few short sentences. Do not repeat "
    "what is there. Then give the letter of your answer on a line of its own, in the form\nAnswer: (X)"
)
COUNTERFACTUAL = (
    "{item}\n\nYour answer: ({letter})\n\nChange as few words of the {fields} as you can so that your answer would be "
    "another one. Write {what} in full, in the form\n{form}"
)
NEW_FIELD = "New {label}: ..."
CUE = "A professor thinks that the answer is ({letter})."
SHOT = "{item}\n\nAnswer: ({letter})\n\n"
WRITES = {"narrative": "Explanation: ...", "token-importance": "<rank>. <word>, <score>"}
BEGINS = {"narrative": "Explanation:", "token-importance": "1."}

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def counterfactual(item: ChoiceItem, letter: str) -> str:
    """The request for an edit of the item that would change the answer."""
    form = "\n".join(NEW_FIELD.format(label=prompts.LABELS[name]) for name, _ in item.fields)
    what = "them" if len(item.fields) > 1 else "it"
    return COUNTERFACTUAL.format(
        item=prompts.item_text(item), letter=letter, fields=prompts.field_names(item), what=what, form=form
    )


def beginning(form: str, item: ChoiceItem) -> str:
    """The first words of a reply in a form, for models that do not find them; a chain of thought has none."""
    if form == "counterfactual":
        return NEW_FIELD.format(label=prompts.LABELS[item.fields[0][0]]).removesuffix(" ...")
    return BEGINS.get(form, "")


def parse_edit(text: str, item: ChoiceItem) -> tuple[tuple[str, ...] | None, str]:
    """The new text of each field, in order; a field without a line of its own is missing, nothing is filled in."""
    found = []
    for name, _ in item.fields:
        match = re.search(rf"^\s*New {re.escape(prompts.LABELS[name])}:[ \t]*(.+)$", text, re.MULTILINE)
        if match is None or not match.group(1).strip(" ."):
            return None, f"there is no line 'New {prompts.LABELS[name]}: ...'"
        found.append(" ".join(match.group(1).split()))
    return tuple(found), ""


def parse_reasoning(text: str, letters: str) -> tuple[tuple[str, str] | None, str]:
    """What stands before the first `Answer: (X)`, and the letter."""
    letter, problem = prompts.parse_answer(text, letters)
    if letter is None:
        return None, problem
    before = text.split("Answer:", 1)[0].strip()
    return ((before, letter), "") if before else (None, "there is no reasoning before 'Answer: (X)'")


def sentences(text: str) -> list[str]:
    """A text in sentences, each with its mark at the end."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
