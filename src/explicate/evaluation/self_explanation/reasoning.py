"""Does an answer need the reasoning before it? Cutting it short, and spoiling it.

Source: Lanham et al. (2023), "Measuring Faithfulness in Chain-of-Thought Reasoning", arXiv 2307.13702, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.evaluation.self_explanation.measured import Measured, rows_of
from explicate.evaluation.self_explanation.respondent import Respondent
from explicate.models.chat import ChatModel
from explicate.rationales import self_explanation_prompts as forms
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.feedback import messages
from explicate.runtime.seeds import generator

Rest = Literal["regenerated", "kept"]
FILLER = "..."
SYNONYMS = {
    "because": "since", "so": "thus", "therefore": "hence", "shows": "indicates", "means": "implies", "says": "states",
    "is": "is indeed", "plus": "added to",
}  # fmt: skip


def after(item: ChoiceItem, text: str) -> str:
    """The question for the answer after some reasoning; without any, the plain question."""
    if not text:
        return prompts.ANSWER.format(item=prompts.item_text(item))
    return forms.ANSWER_AFTER.format(item=prompts.item_text(item), reasoning=text)


def early_answering(respondent: Respondent, items: Sequence[ChoiceItem], texts: Sequence[str]) -> Measured:
    """The area over the curve of agreement with the full answer, as the reasoning is cut after each sentence."""
    rows: list[list[float] | None] = []
    without = []
    for item, text in zip(items, texts, strict=True):
        parts = forms.sentences(text)
        if not parts:
            rows.append(None)
            continue
        asked = [after(item, " ".join(parts[:count])) for count in range(len(parts) + 1)]
        found = respondent.letters([item] * len(asked), asked)
        same = np.array([letter == found[-1] for letter in found], dtype=float)
        without.append(float(same[0]))
        rows.append([1 - float(np.trapezoid(same, np.linspace(0, 1, len(same))))])
    notes = {"same answer without any of it": float(np.mean(without)) if without else None}
    return Measured("early-answering", rows_of(rows, 1), ("area over the curve",), notes=notes)


def paraphrased(text: str) -> str:
    """A text in slightly other words, by rule: a few connecting words exchanged, and "In other words" in front."""
    changed = re.sub(r"[A-Za-z]+", lambda match: SYNONYMS.get(match.group(0), match.group(0)), text)
    return f"In other words: {changed}"


def wrong_sentence(sentence: str, others: Sequence[str], rng: np.random.Generator) -> str:
    """The sentence with its last number changed, or where it has none, a sentence of another item's reasoning."""
    numbers = list(re.finditer(r"\d+", sentence))
    if numbers:
        last = numbers[-1]
        other = int(last.group(0)) + int(rng.choice([-3, -2, -1, 1, 2, 3]))
        return sentence[: last.start()] + str(abs(other)) + sentence[last.end() :]
    return str(others[int(rng.integers(len(others)))]) if others else ""


def corruption(
    respondent: Respondent,
    items: Sequence[ChoiceItem],
    texts: Sequence[str],
    rest: Rest,
    seed: int,
    paraphrase: Callable[[str], str] = paraphrased,
    max_new_tokens: int = 256,
) -> Measured:
    """Does the answer follow reasoning that is made wrong, miss it when it is gone, and stay when it is reworded?

    Parameters
    ----------
    rest : what comes after the wrong sentence, put in at a random place: written anew by the model, or kept.
    """
    if rest not in ("regenerated", "kept"):
        raise InputError(f"rest {rest!r} is unknown; use regenerated or kept")
    chat = respondent.chat
    split = [forms.sentences(text) for text in texts]
    there = [place for place, parts in enumerate(split) if parts]
    begun, whole = {}, {}
    for place in there:
        rng = generator(seed, "wrong sentence", items[place].to_dict(), texts[place])
        cut = int(rng.integers(len(split[place])))
        others = [one for other in there if other != place for one in split[other]]
        wrong = wrong_sentence(split[place][cut], others, rng)
        begun[place] = " ".join([*split[place][:cut], wrong])
        whole[place] = " ".join([*split[place][:cut], wrong, *split[place][cut + 1 :]])
    if rest == "regenerated" and there:
        whole = _gone_on(chat, items, begun, max_new_tokens)
    rows: list[list[float] | None] = [None] * len(items)
    for place in there:
        item, text = items[place], " ".join(split[place])
        filler = " ".join([FILLER] * len(text.split()))
        asked = [after(item, one) for one in (text, whole[place], filler, paraphrase(text))]
        full, wrong_one, empty, reworded = respondent.letters([item] * 4, asked)
        rows[place] = [float(wrong_one != full), float(empty != full), float(reworded == full)]
    columns = ("moved by a wrong sentence", "moved by filler", "same when reworded")
    return Measured("corruption", rows_of(rows, 3), columns, notes={"rest": rest})


def _gone_on(
    chat: ChatModel, items: Sequence[ChoiceItem], begun: dict[int, str], max_new_tokens: int
) -> dict[int, str]:
    """Reasoning that was begun, with what the model adds to it before its answer."""
    asked = [
        messages(forms.GO_ON.format(item=prompts.item_text(items[place]), reasoning=text))
        for place, text in begun.items()
    ]
    replies = chat.replies(asked, max_new_tokens=max_new_tokens)
    return {
        place: f"{text} {reply.text.split('Answer:', 1)[0].strip()}".strip()
        for (place, text), reply in zip(begun.items(), replies, strict=True)
    }
