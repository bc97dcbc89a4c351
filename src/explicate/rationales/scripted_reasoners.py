"""Two programs that reason about sums in words: one that needs its text, and one that has decided before it writes.

What the tests of reasoning must find of both is known: the answer of the first is what its text says last, and that of
the second depends on the question alone.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.models.chat import ScriptedChat
from explicate.models.chat.messages import Conversation
from explicate.rationales import self_explanation_prompts as forms
from explicate.rationales import self_refine_prompts as prompts
from explicate.runtime.seeds import generator

DIGITS = 6
_QUESTION = re.compile(r"Question: What is ([\d +]+)\?")
_OPTION = re.compile(r"^\(([A-Z])\) (\d+)$", re.MULTILINE)
_REASONING = re.compile(r"Your reasoning(?: so far)?: (.*?)\n\n", re.DOTALL)


def sum_items(count: int, seed: int = 0) -> list[ChoiceItem]:
    """Questions for the sum of some digits, with five options near it."""
    found = []
    for number in range(count):
        rng = generator(seed, "sums", number)
        digits = rng.integers(1, 10, size=DIGITS)
        total = int(digits.sum())
        options = [total + int(step) for step in rng.permutation([-2, -1, 0, 1, 2])]
        question = f"What is {' + '.join(map(str, digits))}?"
        found.append(
            ChoiceItem(
                f"sum-{number}", "ecqa", (("question", question),), tuple(map(str, options)), options.index(total)
            )
        )
    return found


def reasoner(needs_its_text: bool, **options: Any) -> ScriptedChat:
    """A program that adds up digits, one short sentence each.

    Parameters
    ----------
    needs_its_text : whether it answers with the last number of its text (and guesses where that is no option), or with
        the sum, whatever the text says.
    """

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        prompt = messages[-1].content
        digits, known = _read(prompt)
        told = _REASONING.search(prompt)
        done = "" if told is None else told.group(1)
        steps = len(forms.sentences(done))
        total = _last_number(done) if done else digits[0]
        said = []
        for digit in digits[1 + steps :]:
            said.append(f"{total} plus {digit} is {total + digit}.")
            total += digit
        text = " ".join([done, *said]).strip()
        shares = _shares(text if needs_its_text else "", digits, known, needs_its_text)
        return f"{' '.join(said)}\n{prompts.ANSWER_LINE.format(letter=max(shares, key=lambda one: shares[one]))}"

    def score(messages: Conversation, continuation: str) -> Any:
        prompt = messages[-1].content
        digits, known = _read(prompt)
        told = _REASONING.search(prompt)
        shares = _shares("" if told is None else told.group(1), digits, known, needs_its_text)
        letter, _ = prompts.parse_answer(continuation, "".join(known))
        return np.log([shares[str(letter)]])

    name = "adds up in its text" if needs_its_text else "decides first, writes later"
    return ScriptedChat(respond, **{"name": name, "version": 1, "score": score, **options})


def _read(prompt: str) -> tuple[list[int], dict[str, int]]:
    """The digits asked about, and the number of each letter."""
    question = _QUESTION.search(prompt)
    if question is None:
        raise InputError("the program that adds up digits was asked about something else")
    return [int(digit) for digit in question.group(1).split(" + ")], {a: int(b) for a, b in _OPTION.findall(prompt)}


def _last_number(text: str) -> int:
    numbers = re.findall(r"\d+", text)
    return int(numbers[-1]) if numbers else -1


def _shares(text: str, digits: list[int], known: dict[str, int], needs_its_text: bool) -> dict[str, float]:
    """The probability of each letter: almost all on one."""
    total = _last_number(text) if needs_its_text else sum(digits)
    chosen = next((letter for letter, number in known.items() if number == total), None)
    if chosen is None:
        chosen = sorted(known)[sum(digits) % len(known)]
    return {letter: 0.96 if letter == chosen else 0.04 / (len(known) - 1) for letter in known}
