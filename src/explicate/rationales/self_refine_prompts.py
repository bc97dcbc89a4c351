"""What self-refinement says to a model, and how its replies are read. All prompts are zero-shot, one user's message.

Source: Wang and Atanasova (2025), "Self-Critique and Refinement for Faithful Natural Language Explanations", arXiv
2505.22823, section 3 and appendix, for the stages and the forms of their replies; the words are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from explicate.data.language.nle_tasks import ChoiceItem, bare

SYSTEM = "You answer exactly in the form that is asked for."
TASKS = {
    "comve": "One of two sentences is against common sense. Say which.",
    "ecqa": "Answer the question with the option that fits best.",
    "esnli": "Say how the hypothesis relates to the premise.",
    "review": "Say whether the review is negative or positive.",
    "eraser": "Answer the query about the document.",
}
LABELS = {
    "sentence0": "Sentence 0",
    "sentence1": "Sentence 1",
    "question": "Question",
    "premise": "Premise",
    "hypothesis": "Hypothesis",
    "review": "Review",
    "document": "Document",
    "query": "Query",
}
ITEM = "{task}\n\n{fields}\nOptions:\n{options}"
FIELD = "{label}: {text}"
OPTION = "({letter}) {text}"
ANSWER_LINE = "Answer: ({letter})"
ANSWER = "{item}\n\nGive the letter of your answer and no explanation, in the form\nAnswer: (X)"
EXPLAIN = (
    "{item}\n\nYour answer: ({letter})\n\nExplain why this is your answer. Be clear, complete and concise; at most "
    "two short sentences. Use the form\nExplanation: ..."
)
CRITICISE = (
    "{item}\n\nYour answer: ({letter})\nYour explanation: {explanation}\n\nDoes the explanation say what really "
    "made you choose this answer? Point at factors that are missing, unclear or wrong, and say briefly what to "
    "change; or say that nothing need change. Use the form\nFeedback: ..."
)
IMPORTANT_WORDS = (
    "{item}\n\nYour answer: ({letter})\n\nWhich words of the {fields} made you choose this answer? List them from "
    "most to least important, each with a score from 1 to 100, one per line, in the form\n<rank>. <word>, <score>"
)
REFINE = (
    "{item}\n\nYour answer: ({letter})\nYour explanation: {explanation}\nFeedback on it: {feedback}\n\nIf the "
    "feedback says that nothing need change, repeat the explanation. Otherwise rewrite it: about as long as "
    "before, keeping what is right. Use the form\nRefined Explanation: ..."
)
REFINE_WORDS = (
    "{item}\n\nYour answer: ({letter})\nYour explanation: {explanation}\nThe words that mattered most for your "
    "answer:\n{words}\n\nIf the explanation has these words in it already, repeat it. Otherwise rewrite it so that "
    "it takes them up: about as long as before, keeping what is right, the words woven in fluently, neither quoted "
    "nor listed. Use the form\nRefined Explanation: ..."
)
AGAIN = "This answer cannot be read: {problem}. Answer again, in the form that was asked for."

_ANSWER = re.compile(r"Answer:\s*\(([A-Z])\)")
_WORD_LINE = re.compile(r"^\s*\d+\.\s*(.+?),\s*(\d+(?:\.\d+)?)\s*$", re.MULTILINE)


def item_text(item: ChoiceItem) -> str:
    """Task sentence, fields, and lettered options with a capital first."""
    fields = "\n".join(FIELD.format(label=LABELS[name], text=text) for name, text in item.fields)
    options = "\n".join(
        OPTION.format(letter=letter, text=text[:1].upper() + text[1:])
        for letter, text in zip(item.letters, item.choices, strict=True)
    )
    return ITEM.format(task=TASKS[item.task], fields=fields, options=options)


def field_names(item: ChoiceItem) -> str:
    """What the fields are called, in words."""
    return " and the ".join(LABELS[name].lower() for name, _ in item.fields)


def parse_answer(text: str, letters: str) -> tuple[str | None, str]:
    """The letter of the first `Answer: (X)`, or None and what is wrong; nothing is taken for granted."""
    found = _ANSWER.search(text)
    if found is None:
        return None, "there is no 'Answer: (X)' in it" if text.strip() else "the answer is empty"
    if found.group(1) not in letters:
        return None, f"({found.group(1)}) is none of {', '.join(letters)}"
    return found.group(1), ""


def answer_place(text: str) -> int | None:
    """Where the letter that `parse_answer` reads stands in a text."""
    found = _ANSWER.search(text)
    return None if found is None else found.start(1)


def parse_tagged(text: str, tag: str, *, untagged: bool = False) -> tuple[str | None, str]:
    """Everything after the first `tag:`; with `untagged`, the whole text where there is no tag."""
    before, found, after = text.partition(f"{tag}:")
    content = after.strip() if found else before.strip() if untagged else ""
    if content:
        return content, ""
    return None, f"nothing follows '{tag}:'" if found else "the answer is empty" if untagged else f"'{tag}:' is missing"


def parse_words(text: str) -> tuple[tuple[tuple[str, float], ...] | None, str]:
    """Lines `<rank>. <word>, <score>` as words in lower case with their best scores, the highest first."""
    best: dict[str, float] = {}
    for word, score in _WORD_LINE.findall(text):
        word = bare(word.strip().strip("\"'*`<>"))
        if word:
            best[word] = max(best.get(word, 0.0), float(score))
    if not best:
        return None, "no line has the form '<rank>. <word>, <score>'"
    return tuple(sorted(best.items(), key=lambda pair: -pair[1])), ""


def numbered(words: Sequence[str]) -> str:
    """Words as a numbered list."""
    return "\n".join(f"{number}. {word}" for number, word in enumerate(words, start=1))
