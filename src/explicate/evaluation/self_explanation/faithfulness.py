"""The faithfulness axis: tests of what a model says of its answer against what it computes and does.

Source: Agarwal, Tanneru, Lakkaraju (2024), "Faithfulness vs. Plausibility: On the (Un)Reliability of Explanations from
Large Language Models", arXiv 2402.04614, asks for such measurements; the choice of tests is ours, each of published
work that its module names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.evaluation.nle_counterfactual import insert_modifiers
from explicate.evaluation.self_explanation import behaviour, erasure, reasoning
from explicate.evaluation.self_explanation.measured import Axis, Measured, missing
from explicate.evaluation.self_explanation.respondent import Respondent
from explicate.models.chat import ChatModel
from explicate.rationales.self_explanations import SelfExplainer, invented_words, listed_words

FORMS_OF: dict[str, tuple[str, ...]] = {
    "erasure": ("token-importance",),
    "rank-agreement": ("token-importance",),
    "inserted-words": ("narrative", "token-importance"),
    "early-answering": ("chain-of-thought",),
    "corruption": ("chain-of-thought",),
    "planted-cue": ("narrative", "chain-of-thought", "token-importance"),
    "edit-validity": ("counterfactual",),
    "simulatability": ("narrative", "chain-of-thought", "token-importance", "counterfactual"),
    "repeatability": ("narrative", "token-importance", "counterfactual"),
}
TESTS = tuple(name for name in FORMS_OF if name != "repeatability")


@dataclass(frozen=True)
class FaithfulnessBattery:
    """All tests of faithfulness that fit the form of an explanation. None of them sees a human rationale.

    Parameters
    ----------
    tests : names, see `FORMS_OF`; by default all that count. "repeatability" is reported and no part of the axis.
    fractions, random_sets : of "erasure": shares of the words erased, and random sets that each is compared with.
    integral_steps : of "rank-agreement" where the model is in this process; 0: occlusion only.
    insertions, pool : of "inserted-words": how many an item, and where they come from; default: adjectives and adverbs.
    rest : of "corruption": what follows a wrong sentence is "regenerated" or "kept".
    substitutes, reader : of "simulatability": what each word may be exchanged for (default: it is deleted), and who
        predicts; the default is a simulated reader.
    repeats : draws of "repeatability".
    draws : replies from which probabilities are counted, for models without log-probabilities.
    limits : most items of a test, by its name; the first ones are taken.
    max_new_tokens : of explanations that are written during a test.
    """

    tests: tuple[str, ...] = TESTS
    fractions: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.5)
    random_sets: int = 20
    integral_steps: int = 20
    insertions: int = 20
    pool: behaviour.Pool = insert_modifiers
    rest: reasoning.Rest = "regenerated"
    substitutes: behaviour.Substitutes | None = None
    reader: behaviour.Reader = behaviour.word_reader
    repeats: int = 5
    draws: int = 10
    limits: dict[str, int] = field(default_factory=dict)
    max_new_tokens: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (*self.tests, *self.limits):
            if name not in FORMS_OF:
                raise InputError(f"there is no test of faithfulness {name!r}; there are {', '.join(FORMS_OF)}")
        if not self.fractions or not all(0 < fraction <= 1 for fraction in self.fractions):
            raise InputError(f"fractions of the words lie above 0 and up to 1, not {self.fractions}")
        if self.random_sets < 1 or self.insertions < 1 or self.repeats < 2:
            raise InputError("take 1 random set, 1 insertion and 2 repeats at least")

    def run(
        self,
        chat: ChatModel,
        items: Sequence[ChoiceItem],
        explanation: Narrative,
        respondent: Respondent | None = None,
    ) -> Axis:
        """Measure explanations that were written before and are frozen now.

        Parameters
        ----------
        chat : the model that wrote them. explanation : by `SelfExplainer`, of the same items in the same order.
        respondent : keeps the model's answers; give the same one to several batteries to ask nothing twice.
        """
        checked(items, explanation)
        blind = [replace(item, rationale=None, gold_explanation="") for item in items]
        asked = respondent or Respondent(chat, draws=self.draws, seed=self.seed)
        form = str(explanation.data.attrs["form"])
        read = explanation["status"].values == "ok"
        found = []
        for name in self.tests:
            if form not in FORMS_OF[name]:
                continue
            most = min(self.limits.get(name, len(items)), len(items))
            part = Measuring(self, asked, blind[:most], explanation.isel(sample=slice(0, most)))
            found.append(_filled(part.measured(name), len(items)))
        names = tuple(item.name for item in items)
        return Axis("faithfulness", tuple(found), names, np.asarray(read), form, chat.name, chat.scripted)


@dataclass(frozen=True)
class Measuring:
    """One battery on its way through the explanations of some items."""

    battery: FaithfulnessBattery
    respondent: Respondent
    items: list[ChoiceItem]
    explanation: Narrative

    def measured(self, name: str) -> Measured:
        """One test; where nothing could be read, why."""
        how, asked, items, seed = self.battery, self.respondent, self.items, self.battery.seed
        letters = self.letters(name)
        if not any(letters):
            return missing(
                name, len(items), "no readable explanation of an answer that the model gives when asked again"
            )
        listed = [listed_words(self.explanation, place) for place in range(len(items))]
        texts = [
            str(text) if letter else "" for text, letter in zip(self.explanation["text"].values, letters, strict=True)
        ]
        if name == "erasure":
            found = erasure.erasure(asked, items, letters, listed, how.fractions, how.random_sets, seed)
            return replace(found, notes={"invented words": self.invented(), **_by(asked)})
        if name == "rank-agreement":
            found = erasure.rank_agreement(asked, items, letters, listed, how.integral_steps, seed)
            return replace(found, notes={"invented words": self.invented(), **_by(asked)})
        if name == "inserted-words":
            return behaviour.inserted_words(asked, self.explainer(), items, letters, how.pool, how.insertions, seed)
        if name == "early-answering":
            return reasoning.early_answering(asked, items, texts)
        if name == "corruption":
            return reasoning.corruption(asked, items, texts, how.rest, seed, max_new_tokens=how.max_new_tokens)
        if name == "planted-cue":
            return behaviour.planted_cue(asked, self.explainer(), items, letters, seed)
        if name == "edit-validity":
            return behaviour.edit_validity(asked, items, letters, self.explanation)
        if name == "simulatability":
            return behaviour.simulatability(asked, items, letters, self.explanation, how.substitutes, how.reader, seed)
        return behaviour.repeatability(self.explainer(), items, letters, how.repeats, 1.0, seed)

    def letters(self, name: str) -> list[str | None]:
        """The answer to each item that has a readable explanation.

        Where a test asks plain questions again, the answers must be those that the model gives to them: an explanation
        of another one (drawn, or reached by reasoning) says nothing of what moves them.
        """
        rows = zip(self.explanation["status"].values, self.explanation["answer"].values, strict=True)
        found = [str(answer) if status == "ok" else None for status, answer in rows]
        reasons = self.explanation.data.attrs["form"] == "chain-of-thought"
        if name == "repeatability" or (reasons and name != "simulatability"):
            return found
        plain = self.respondent.letters(self.items)
        return [one if one == other else None for one, other in zip(found, plain, strict=True)]

    def explainer(self) -> SelfExplainer:
        """What explains edited items in the same form."""
        attributes = self.explanation.data.attrs
        return SelfExplainer(
            chat=self.respondent.chat,
            form=attributes["form"],
            begin=bool(attributes.get("begun", False)),
            max_new_tokens=self.battery.max_new_tokens,
        )

    def invented(self) -> float:
        """Listed words that the input does not hold, of all listed."""
        rows = range(len(self.items))
        total = sum(len(listed_words(self.explanation, place)) for place in rows)
        return sum(len(invented_words(self.explanation, self.items[place], place)) for place in rows) / max(total, 1)


def checked(items: Sequence[ChoiceItem], explanation: Narrative) -> None:
    """Refuse explanations of other items, or that say nothing of their form."""
    if "form" not in explanation.data.attrs or "word" not in explanation.data:
        raise InputError("these explanations do not say which words they name; make them with SelfExplainer")
    if [item.name for item in items] != [str(name) for name in explanation["item"].values]:
        raise InputError(f"the explanations are of other items than the {len(items)} given; keep both in one order")


def _filled(test: Measured, items: int) -> Measured:
    """A test of the first items only, with NaN for the others."""
    rest = np.full((items - len(test.values), test.values.shape[1]), np.nan)
    return replace(test, values=np.concatenate([test.values, rest]))


def _by(respondent: Respondent) -> dict[str, object]:
    """How probabilities were had, where they are estimates."""
    return {"probabilities": f"shares of {respondent.draws} drawn replies"} if respondent.by == "samples" else {}
