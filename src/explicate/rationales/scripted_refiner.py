"""A program in the place of a model that answers, explains and refines: what feedback does to it is known to the item.

It answers (A) where one of some trigger words is in the item and (B) elsewhere, never names the trigger at first, and
writes exactly the words that it is fed into its refinement. So the share of items whose refined explanation does not
name the trigger is one minus the share whose trigger was fed.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from explicate.models.chat import ScriptedChat
from explicate.models.chat.messages import Conversation
from explicate.rationales import self_refine_prompts as prompts

TRIGGERS = ("never", "falsely", "broken")
FIRST = "Explanation: It is common sense."
CRITICISM = "Feedback: nothing need change"
LISTED = "1. Man, 80\n2. never, 95\n3. man, 90"
ENDS = {
    "answer": "Answer: (X)",
    "words": "<rank>. <word>, <score>",
    "feedback": "\nFeedback: ...",
    "refinement": "\nRefined Explanation: ...",
    "explanation": "\nExplanation: ...",
}


def scripted(
    triggers: tuple[str, ...] = TRIGGERS, replies: dict[str, str] | None = None, **options: Any
) -> ScriptedChat:
    """The program.

    Parameters
    ----------
    triggers : words that make it answer (A).
    replies : what it says at a stage, whatever it is asked: "answer", "explanation", "words", "feedback", "refinement".
    options : of `ScriptedChat`.
    """
    fixed = dict(replies or {})

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        prompt = next(message.content for message in messages if message.role == "user")
        stage = next(stage for stage, end in ENDS.items() if prompt.endswith(end))
        if stage in fixed:
            return fixed[stage]
        if stage == "answer":
            words = prompt.split("Options:")[0].split()
            return prompts.ANSWER_LINE.format(letter="A" if any(word in words for word in triggers) else "B")
        if stage == "refinement":
            return f"Refined Explanation: {_refined(prompt)}"
        return {"words": LISTED, "feedback": CRITICISM, "explanation": FIRST}[stage]

    version = repr((triggers, sorted(fixed.items())))
    return ScriptedChat(respond, **{"name": "scripted refiner", "version": version, **options})


def _refined(prompt: str) -> str:
    words = re.findall(r"^\d+\. (.+)$", prompt, re.MULTILINE)
    if words:
        return f"It is so by {' '.join(words)}"
    told, before = re.search(r"Feedback on it: (.*)", prompt), re.search(r"Your explanation: (.*)", prompt)
    if told is None or before is None or "nothing need change" in told.group(1):
        return "" if before is None else before.group(1)
    return f"It is so by {told.group(1)}"
