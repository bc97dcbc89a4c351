"""Reasons in words beside attributions, edits and a reader for the same answers: what of them is borne out.

The tests are those of `explicate.evaluation.self_explanation` and `explicate.attribution`; here they are joined word by
word, and held against words that the explanation does not name and against explanations of other items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.evaluation.belief.answering import OtherRespondent
from explicate.evaluation.belief.evidence import Substitutes, WordEffects, together, word_effects
from explicate.evaluation.belief.parts import NOT_TESTED, SUPPORTED, claims, named
from explicate.evaluation.belief.table import OTHER_EXPLANATION, OTHER_WORDS, BeliefTable, Part, Prediction
from explicate.evaluation.belief.verdicts import Rule
from explicate.evaluation.nle_counterfactual import insert_modifiers
from explicate.evaluation.self_explanation import Axis, FaithfulnessBattery, Respondent
from explicate.evaluation.self_explanation.behaviour import Pool, Reader, word_reader
from explicate.evaluation.self_explanation.faithfulness import checked
from explicate.models.chat import ChatModel
from explicate.rationales.asking import chat_of
from explicate.rationales.self_explanations import Form, SelfExplainer, edited_items, in_words, listed_words
from explicate.runtime.progress import track
from explicate.runtime.seeds import generator

LEFT_OUT = 3  # words that are not named and matter, most of an item


def believe(
    chat: ChatModel | str | Any,
    items: Sequence[ChoiceItem],
    explanation: Narrative | None = None,
    *,
    answers: Any = None,
    form: Form = "narrative",
    attribution: Any = "kernel-shap",
    budget: int = 64,
    substitutes: Substitutes | None = None,
    insertions: int = 10,
    pool: Pool = insert_modifiers,
    reader: Reader = word_reader,
    rule: Rule | None = None,
    draws: int = 10,
    seed: int = 0,
) -> BeliefTable:
    """Which parts of a model's reasons for its answers are supported, contradicted or not tested.

    Parameters
    ----------
    chat : the model that gave the reasons: a handle, or text that `open_chat` understands.
    items : what it answered.
    explanation : its reasons, by `SelfExplainer.explain` or `.given`; None: it is asked for them, in `form`.
    answers : what gave the answers, where that is another model: a chat model, or a function from texts to
        probabilities of the choices. The reasons then say why *it* answers so.
    attribution : a method for texts by name, or an explainer; None leaves it out, and the edits alone decide.
    budget : coalitions of words per item, for a method by name that has a budget.
    substitutes : what each word may be exchanged for; by default words are deleted and replaced by "..." only.
    insertions, pool : one-word insertions per item of the counterfactual test, and where they come from; 0: none.
    reader : predicts changed items with and without the explanation; the default is a simulated one.
    rule : the thresholds. draws : replies from which probabilities are counted, for models without log-probabilities.

    Raises
    ------
    InputError : no items, a reason for other items, a form or a method that is unknown.
    """
    if not len(items):
        raise InputError("there are no items whose explanations could be checked")
    rule, chat = rule or Rule(), chat_of(chat, None, "believe")
    blind = [replace(item, rationale=None, gold_explanation="") for item in items]
    respondent = _respondent(chat, answers, draws, seed)
    if explanation is None:
        letters = None if answers is None and form == "chain-of-thought" else respondent.letters(blind)
        explanation = SelfExplainer(form=form, chat=chat).explain(blind, seed, letters)
    checked(items, explanation)
    joined = _Joined(respondent, blind, explanation, rule, attribution, budget, substitutes, seed)
    predictions = [joined.prediction(place) for place in track(range(len(items)), "testing reasons", len(items))]
    axis = _axis(chat, blind, explanation, respondent, substitutes, insertions, pool, reader, draws, seed)
    return BeliefTable(
        tuple(_with_behaviour(one, axis, place) for place, one in enumerate(predictions)),
        model=chat.name if answers is None else f"{_name(answers)}, explained by {chat.name}",
        scripted=chat.scripted,
        form=str(explanation.data.attrs["form"]),
        rule=rule,
        axis=axis,
        attribution="" if attribution is None else attribution if isinstance(attribution, str) else attribution.name,
        reader=getattr(reader, "__name__", type(reader).__name__).replace("_", " "),
        questions=respondent.questions,
        seed=seed,
    )


def _respondent(chat: ChatModel, answers: Any, draws: int, seed: int) -> Respondent:
    if answers is None:
        return Respondent(chat, draws=draws, seed=seed)
    return OtherRespondent(chat, draws=draws, seed=seed, answers=answers)


def _name(answers: Any) -> str:
    return str(getattr(answers, "name", None) or getattr(answers, "__name__", type(answers).__name__))


class _Joined:
    """One table in the making: the evidence of each item, asked for once."""

    def __init__(
        self,
        respondent: Respondent,
        items: Sequence[ChoiceItem],
        explanation: Narrative,
        rule: Rule,
        attribution: Any,
        budget: int,
        substitutes: Substitutes | None,
        seed: int,
    ) -> None:
        self.respondent, self.items, self.explanation, self.rule = respondent, items, explanation, rule
        self.how: dict[str, Any] = {
            "attribution": attribution, "budget": budget, "substitutes": substitutes, "seed": seed
        }  # fmt: skip
        self.seed = seed
        self.claims = [claims(explanation, place, item) for place, item in enumerate(items)]
        self.plain = respondent.letters(items)
        self.edits = edited_items(explanation, items)

    def prediction(self, place: int) -> Prediction:
        """One item's row."""
        item, own = self.items[place], self.claims[place]
        letter = str(self.explanation["answer"].values[place])
        status = str(self.explanation["status"].values[place])
        bare = Prediction(
            item.name,
            " / ".join(text for _, text in item.fields),
            letter,
            item.choices[item.letters.index(letter)] if letter else "",
            in_words(self.explanation, place) if status == "ok" else "",
            status,
        )
        if status != "ok":
            return bare
        if letter != self.plain[place]:
            why = f"asked again, the model answers ({self.plain[place] or '?'})"
            return replace(bare, parts=tuple(Part(one.kind, one.text, NOT_TESTED, why) for one in own))
        effects = word_effects(self.respondent, item, letter, **self.how)
        words = named(own)
        moved = self._moved(place, letter)
        parts = tuple(self.rule.on_claim(one, effects, words, moved) for one in own)
        unnamed = [effects.words[k] for k in effects.others(words)]
        rest = [self.rule.on_word(effects, word, [*words, word]) for word in unnamed]
        return replace(
            bare,
            probability=effects.probability,
            parts=parts,
            left_out=tuple(sorted((one for one in rest if one.verdict == SUPPORTED), key=_size)[:LEFT_OUT]),
            together=together(
                self.respondent, item, letter, words, effects, self.rule.random_sets, self.rule.least, self.seed
            ),
            controls={
                OTHER_WORDS: tuple(one.verdict for one in rest),
                OTHER_EXPLANATION: self._of_another(place, words, effects),
            },
        )

    def _moved(self, place: int, letter: str) -> bool | None:
        edit = self.edits[place]
        if self.explanation.data.attrs["form"] != "counterfactual" or edit is None:
            return None
        (after,) = self.respondent.letters([edit])
        return after is not None and after != letter

    def _of_another(self, place: int, words: Sequence[str], effects: WordEffects) -> tuple[str, ...]:
        """Verdicts on the words of an explanation of another item, of the same answer first, which names none."""
        answer = self.explanation["answer"].values
        rng = generator(self.seed, "another explanation", self.items[place].to_dict())
        order = [int(k) for k in rng.permutation(len(self.items)) if k != place]
        for other in sorted(order, key=lambda k: answer[k] != answer[place]):
            theirs = [] if not self.claims[other] else [word for word, _ in listed_words(self.explanation, other)]
            if theirs and not set(theirs) & set(words):
                return tuple(self.rule.on_word(effects, word, theirs).verdict for word in theirs)
        return ()


def _size(part: Part) -> float:
    return -part.edits.effect if part.edits is not None else 0.0


def _axis(
    chat: ChatModel,
    items: Sequence[ChoiceItem],
    explanation: Narrative,
    respondent: Respondent,
    substitutes: Substitutes | None,
    insertions: int,
    pool: Pool,
    reader: Reader,
    draws: int,
    seed: int,
) -> Axis:
    """The tests of behaviour, of all items."""
    reasons_first = explanation.data.attrs["form"] == "chain-of-thought" and not isinstance(respondent, OtherRespondent)
    tests = (*("early-answering",) * reasons_first, *("inserted-words",) * (insertions > 0), "simulatability")
    battery = FaithfulnessBattery(
        tests, insertions=max(insertions, 1), pool=pool, substitutes=substitutes, reader=reader, draws=draws, seed=seed
    )
    return battery.run(chat, items, explanation, respondent)


def _with_behaviour(one: Prediction, axis: Axis, place: int) -> Prediction:
    rows = {test.name: test.values[place] for test in axis.tests}
    found = {name: tuple(map(float, row)) for name, row in rows.items() if np.isfinite(row).all()}
    reader, insertions = (_pair(found.get(name, ())) for name in ("simulatability", "inserted-words"))
    return replace(one, reader=reader, insertions=insertions, early=next(iter(found.get("early-answering", ())), None))


def _pair(row: tuple[float, ...]) -> tuple[float, float] | None:
    return (row[0], row[1]) if len(row) == 2 else None
