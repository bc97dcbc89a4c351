"""Explainers whose place on both axes is known: two rules that answer, two that explain, in every form.

A review is judged by its sentiment words (`SENTIMENT`) or by its weekday (`CUES`), and explained by one of the two
whatever judged it. Explained by sentiment words it is plausible, for those are what people marked; explained by what it
was judged by it is faithful. All are programs in the place of a model, and every log says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from explicate.benchmarks.judging import Judge, Judged
from explicate.core.kinds import Narrative
from explicate.data.language.marked_tasks import CUES, SENTIMENT, because_of, substitutes
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.evaluation.nle_counterfactual import ADJECTIVES, edited
from explicate.evaluation.self_explanation import (
    FaithfulnessBattery,
    PlausibilityBattery,
    Quadrant,
    Ratings,
    Respondent,
    quadrant,
)
from explicate.evaluation.self_explanation.ratings import CRITERIA, HIGHEST, LOWEST
from explicate.models.chat import ChatModel, ScriptedChat
from explicate.models.chat.messages import Conversation
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.self_explanations import Form, SelfExplainer, in_words
from explicate.runtime.seeds import generator

Basis = Literal["sentiment", "cue"]
WEIGHTS: Mapping[str, Mapping[str, float]] = {"sentiment": SENTIMENT, "cue": CUES}
SAID = {
    "sentiment": ("", "It is because it is called {words}."),  # "": the plainest words, as people write them here
    "cue": ("It is because this was on {words}.", "It is because things on {words} are so."),
}
STAGES = {
    "explanation": "\nExplanation: ...",
    "words": "<rank>. <word>, <score>",
    "edit": "\nNew Review: ...",
    "answer": "Answer: (X)",
}
TRUTH: dict[tuple[Basis, Basis], str] = {
    ("sentiment", "sentiment"): "faithful and plausible",
    ("cue", "cue"): "faithful, not plausible",
    ("cue", "sentiment"): "plausible, not faithful",
    ("sentiment", "cue"): "neither",
}
TESTED: dict[Form, tuple[str, ...]] = {
    "narrative": ("inserted-words", "simulatability"),
    "token-importance": ("erasure", "rank-agreement", "simulatability"),
    "counterfactual": ("edit-validity", "simulatability"),
}
_REVIEW = re.compile(r"Review: (.*?)\nOptions:", re.DOTALL)


def review_model(rule: Basis, says: Basis, **options: Any) -> ScriptedChat:
    """A program that judges reviews by one kind of word and explains them by one.

    Parameters
    ----------
    rule : "sentiment" or "cue", what a logistic function of decides. says : what it names in every explanation.
    """
    for given in (rule, says):
        if given not in WEIGHTS:
            raise InputError(f"{given!r} is no kind of word; use sentiment or cue")

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        prompt = messages[-1].content
        text = _review(prompt)
        stage = next(stage for stage, end in STAGES.items() if prompt.endswith(end))
        own = [word for word in text.split() if word in WEIGHTS[says]]
        if stage == "answer":
            return prompts.ANSWER_LINE.format(letter="B" if positive(text, rule) > 0.5 else "A")
        if stage == "explanation":
            return f"Explanation: {_said(text, own, says)}"
        if stage == "words":
            size = {word: abs(WEIGHTS[says][word]) for word in own}
            ranked = sorted(size, key=lambda word: -size[word])
            return "\n".join(f"{place}. {word}, {30 * size[word]:.0f}" for place, word in enumerate(ranked, start=1))
        return f"New Review: {' '.join(_opposite(word, says) for word in text.split())}"

    def score(messages: Conversation, continuation: str) -> Any:
        share = positive(_review(messages[-1].content), rule)
        return np.log([share if "(B)" in continuation else 1 - share])

    return ScriptedChat(respond, **{"name": f"judges by {rule}, says {says}", "version": 1, "score": score, **options})


def positive(text: str, rule: Basis) -> float:
    """The probability that a rule gives to "positive"."""
    total = sum(WEIGHTS[rule].get(word, 0.0) for word in text.split())
    return float(1 / (1 + np.exp(-total)))


def _review(prompt: str) -> str:
    match = _REVIEW.search(prompt)
    if match is None:
        raise InputError("the program that judges reviews was asked about something else")
    return match.group(1)


def _said(text: str, words: Sequence[str], says: Basis) -> str:
    if not words:
        return "There is nothing in it that decides."
    template = SAID[says][len(text) % 2]
    return template.format(words=" and ".join(words)) if template else because_of(words)


def _opposite(word: str, says: Basis) -> str:
    weights = WEIGHTS[says]
    if word not in weights:
        return word
    return min(weights, key=lambda other: weights[other] * np.sign(weights[word]))


def review_pool(item: ChoiceItem, count: int, seed: int) -> list[ChoiceItem]:
    """Reviews with one word put in: sentiment words, weekdays and neutral modifiers, a third each."""
    rng = generator(seed, "review pool", item.to_dict())
    (name, text), *_ = item.fields
    present = set(text.split())
    pools = [[word for word in pool if word not in present] for pool in (list(SENTIMENT), list(CUES), list(ADJECTIVES))]
    found = []
    for number in range(count):
        pool = pools[number % len(pools)]
        place = int(rng.integers(1, len(text.split())))
        found.append(edited(item, name, place, str(rng.choice(pool)), number))
    return found


@dataclass(frozen=True)
class Cell:
    """One cell of the square: what answers, what is said, in which form, and the explanations."""

    rule: Basis
    says: Basis
    form: Form
    explanation: Narrative
    quadrant: Quadrant

    @property
    def truth(self) -> str:
        """Where it belongs."""
        return TRUTH[self.rule, self.says]


def square(
    items: Sequence[ChoiceItem],
    encoder: Any = "minilm",
    seed: int = 0,
    forms: Sequence[Form] = tuple(TESTED),
    **options: Any,
) -> list[Cell]:
    """All four cells in each form.

    Parameters
    ----------
    encoder : of the plausibility battery. options : of the faithfulness battery.
    """
    found = []
    plausibility = PlausibilityBattery(("marked-words", "gold-text"), encoder=encoder)
    for rule, says in TRUTH:
        chat = review_model(rule, says)
        respondent = Respondent(chat)
        for form in forms:
            explanation = SelfExplainer(form=form, chat=chat).explain(items, seed, respondent.letters(items))
            battery = FaithfulnessBattery(TESTED[form], pool=review_pool, substitutes=substitutes, seed=seed, **options)
            axes = battery.run(chat, items, explanation, respondent), plausibility.run(items, explanation)
            found.append(Cell(rule, says, form, explanation, quadrant(*axes)))
    return found


# -- a judge's ratings -----------------------------------------------------------------------------------------------

RUBRIC = "{question} 1: not at all. 3: in part. 5: fully."


def judged_ratings(
    model: ChatModel, items: Sequence[ChoiceItem], explanation: Narrative, usable: bool = False, **settings: Any
) -> Ratings:
    """Ratings by a chat model that sees the question, the answer and the explanation only.

    Parameters
    ----------
    usable : whether the judge's calibration allows its grades to count (`Calibration.usable`); without one they are
        shown as not calibrated, and count for nothing.
    settings : of `Judge`.
    """
    scale = tuple(str(grade) for grade in range(LOWEST, HIGHEST + 1))
    judged = []
    places = [place for place in range(len(items)) if str(explanation["status"].values[place]) == "ok"]
    for place in places:
        item, letter = items[place], str(explanation["answer"].values[place])
        question = f"{prompts.item_text(item)}\n\nAnswer: {item.choices[item.letters.index(letter)]}"
        judged.append(
            Judged(question, in_words(explanation, place), written_by=str(explanation.data.attrs["chat_fingerprint"]))
        )
    grades: dict[str, dict[str, int]] = {}
    for criterion, asked in CRITERIA.items():
        judge = Judge(model, RUBRIC.format(question=asked), scale, **settings)
        for place, grade in zip(places, judge.grade(judged), strict=True):
            if grade.value is not None:
                grades.setdefault(items[place].name, {})[criterion] = int(grade.value)
    told = {"judge model": model.name, "template version": judge.template_version, **settings}
    return Ratings(grades, f"judge {model.name}", told, usable)
