"""A model explains its own answers: in a narrative, by reasoning first, by the words that mattered, or by an edit.

Source: the kinds of self-explanation of Agarwal, Tanneru, Lakkaraju (2024), "Faithfulness vs. Plausibility", arXiv
2402.04614, section 2; the prompts are ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Floats
from explicate.core.cost import measure
from explicate.core.kinds import Attribution, Counterfactuals, Narrative
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.data.language.marked_tasks import because_of
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.errors import InputError
from explicate.models.chat import Answer, ChatModel, all_answers, ask_in_form
from explicate.models.chat.asking import Reader
from explicate.rationales import self_explanation_prompts as forms
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.asking import Narrates, Step, steps_of, trace
from explicate.rationales.feedback import STOP_WORDS, Asking, messages
from explicate.rationales.self_refine import INVALID, NO_EXPLANATION, answered

Form = Literal["narrative", "chain-of-thought", "token-importance", "counterfactual"]
FORMS: tuple[Form, ...] = ("narrative", "chain-of-thought", "token-importance", "counterfactual")


@register("self-explanation")
@dataclass(frozen=True)
class SelfExplainer(Narrates):
    """Explanations of a model's own answers, asked for once.

    Parameters
    ----------
    form : "narrative" (an answer, then a text that says why), "chain-of-thought" (a text, then the answer),
        "token-importance" (the words that mattered, with scores from 1 to 100), "counterfactual" (the input edited so
        that the answer would be another one).
    answer_by : see `SelfRefiner`; an answer after a chain of thought is always read.
    temperature, draw : above 0, explanations are drawn, and `draw` says which one it is.
    begin : give the model the first words of the form ("Explanation:", "1.", "New Premise:") as its own. Small models
        that run here then keep to the form more often. Not for a chain of thought.
    chat, log, attempts, max_new_tokens : see `Asks`.
    """

    form: Form = "narrative"
    answer_by: Literal["text", "log-probability"] = "text"
    temperature: float = 0.0
    draw: int = 0
    begin: bool = False

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"self-explanation: form {self.form!r} is unknown; use one of {', '.join(FORMS)}")
        if self.begin and self.form == "chain-of-thought":
            raise InputError("self-explanation: a chain of thought has no first words of its own; leave begin off")

    def explain(
        self, items: Sequence[ChoiceItem], seed: int = 0, letters: Sequence[str | None] | None = None
    ) -> Narrative:
        """Explain the model's answers to items.

        Parameters
        ----------
        letters : answers that are known already. A chain of thought has its own.

        Returns
        -------
        `text` (sample,), as written, "" where it could not be read; `answer`, `status` and `item` (sample,); `word` and
        `word_score` (sample, rank), the words that it names in falling order; `new_text` (sample, field), of an edit;
        `step_...` (sample, step), every call.
        """
        if not len(items):
            raise InputError("self-explanation: no items to explain")
        chat = self.opened()
        with measure() as cost:
            asking = Asking(chat, self.attempts, self.max_new_tokens, seed)
            steps: list[list[Step]] = [[] for _ in items]
            if self.form == "chain-of-thought":
                known: list[str | None] = [None] * len(items)
            elif letters is not None:
                if len(letters) != len(items):
                    raise InputError(f"self-explanation: {len(letters)} answers for {len(items)} items; give one each")
                known = list(letters)
            else:
                found = answered(asking, items, self.answer_by)
                known, steps = [letter for letter, _ in found], [list(own) for _, own in found]
            there = [place for place, one in enumerate(known) if one is not None or self.form == "chain-of-thought"]
            values: list[Any] = [None] * len(items)
            for place, answer in zip(there, self._asked(asking, items, known, there), strict=True):
                values[place] = answer.value
                steps[place] += steps_of(self.form, answer)
        provenance = Provenance.of(self, chat, [item.to_dict() for item in items], cost, seed)
        return Narrative(self._dataset(chat, items, known, values, steps), provenance)

    def given(self, items: Sequence[ChoiceItem], letters: Sequence[str | None], texts: Sequence[str]) -> Narrative:
        """Narratives that were written before, elsewhere, in the form of `explain`; nobody is asked anything.

        Parameters
        ----------
        letters : the answers that they explain, None for none. texts : the explanations, "" for none.
        """
        if self.form not in ("narrative", "chain-of-thought"):
            raise InputError(f"self-explanation: texts given are narratives or chains of thought, not {self.form}")
        if not len(items) or not len(items) == len(letters) == len(texts):
            raise InputError(f"self-explanation: {len(letters)} answers, {len(texts)} texts for {len(items)} items")
        chat, known = (
            self.opened(),
            [letter if text.strip() else None for letter, text in zip(letters, texts, strict=True)],
        )
        with measure() as cost:
            values: list[Any] = [
                None if letter is None else text if self.form == "narrative" else (text, letter)
                for letter, text in zip(known, texts, strict=True)
            ]
        provenance = Provenance.of(self, chat, [item.to_dict() for item in items], cost)
        return Narrative(self._dataset(chat, items, letters, values, [[] for _ in items]), provenance)

    def prompt(self, item: ChoiceItem, letter: str) -> str:
        """What the model is asked for."""
        text = prompts.item_text(item)
        if self.form == "narrative":
            return prompts.EXPLAIN.format(item=text, letter=letter)
        if self.form == "chain-of-thought":
            return forms.REASON_FIRST.format(item=text)
        if self.form == "counterfactual":
            return forms.counterfactual(item, letter)
        return prompts.IMPORTANT_WORDS.format(item=text, letter=letter, fields=prompts.field_names(item))

    def read(self, text: str, item: ChoiceItem) -> tuple[Any, str]:
        """What a reply says, or None and what is wrong with it; depends on the item's task and letters only."""
        if self.form == "narrative":
            return prompts.parse_tagged(text, "Explanation")
        if self.form == "chain-of-thought":
            return forms.parse_reasoning(text, item.letters)
        if self.form == "counterfactual":
            return forms.parse_edit(text, item)
        return prompts.parse_words(text)

    def _reader(self, item: ChoiceItem) -> Reader[Any]:
        return lambda reply: self.read(reply.text, item)

    def _asked(
        self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str | None], places: Sequence[int]
    ) -> list[Answer[Any]]:
        begins = [forms.beginning(self.form, items[place]) if self.begin else "" for place in places]
        found: dict[int, Any] = {}
        for begin in dict.fromkeys(begins):
            alike = [place for place, own in zip(places, begins, strict=True) if own == begin]
            answers = ask_in_form(
                asking.chat,
                [messages(self.prompt(items[place], letters[place] or "")) for place in alike],
                [self._reader(items[place]) for place in alike],
                again=prompts.AGAIN,
                attempts=asking.attempts,
                repetition=self.draw,
                max_new_tokens=asking.max_new_tokens,
                temperature=self.temperature,
                seed=asking.seed,
                begin=begin,
            )
            found |= dict(zip(alike, answers, strict=True))
        return all_answers([found[place] for place in places], [f"item {items[place].name}" for place in places])

    def _dataset(
        self,
        chat: ChatModel,
        items: Sequence[ChoiceItem],
        letters: Sequence[str | None],
        values: Sequence[Any],
        steps: Sequence[Sequence[Step]],
    ) -> xr.Dataset:
        texts, answers, status, listed, edits = [], [], [], [], []
        for item, letter, value, own in zip(items, letters, values, steps, strict=True):
            words: tuple[tuple[str, float], ...] = ()
            text, edit = "", ("",) * len(item.fields)
            if value is not None and self.form == "chain-of-thought":
                text, letter = value
            elif value is not None and self.form == "narrative":
                text = value
            elif value is not None:
                text = own[-1].reply.strip()
            if self.form == "token-importance":
                words = value or ()
            elif self.form == "counterfactual" and value is not None:
                edit = value
                words = _by_order(replaced_words(item, edit))
            else:
                words = _by_order(named_words(item, text))
            texts.append(text)
            answers.append(letter or "")
            status.append("ok" if value is not None else INVALID if letter is None else NO_EXPLANATION)
            listed.append(words)
            edits.append(edit)
        most, wide = max([1, *map(len, listed)]), max(map(len, edits))
        word, score = np.full((len(items), most), "", dtype=object), np.zeros((len(items), most))
        new = np.full((len(items), wide), "", dtype=object)
        for i, (own_words, edit) in enumerate(zip(listed, edits, strict=True)):
            for j, (one, size) in enumerate(own_words):
                word[i, j], score[i, j] = one, size
            new[i, : len(edit)] = edit
        return xr.Dataset(
            {
                "text": (("sample",), np.array(texts, dtype=object)),
                "answer": (("sample",), np.array(answers, dtype=object)),
                "status": (("sample",), np.array(status, dtype=object)),
                "item": (("sample",), np.array([item.name for item in items], dtype=object)),
                "word": (("sample", "rank"), word),
                "word_score": (("sample", "rank"), score),
                "new_text": (("sample", "field"), new),
                **trace(steps),
            },
            attrs={
                "form": self.form,
                "begun": int(self.begin),
                "chat": chat.name,
                "chat_fingerprint": chat.fingerprint(),
                "scripted": int(chat.scripted),
            },
        )


def _by_order(words: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Words without scores: those named first count as the first."""
    return tuple((word, float(len(words) - rank)) for rank, word in enumerate(words))


def distinct_words(item: ChoiceItem) -> list[str]:
    """The words of an item, each once, in lower case and without punctuation."""
    return [word for word in dict.fromkeys(map(bare, item.words)) if word]


def named_words(item: ChoiceItem, text: str) -> list[str]:
    """The item's words, stop words aside, that a text holds as whole words, in the order of the text."""
    lowered = text.lower()
    found = []
    for word in distinct_words(item):
        if word not in STOP_WORDS:
            match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", lowered)
            if match is not None:
                found.append((match.start(), word))
    return [word for _, word in sorted(found)]


def replaced_words(item: ChoiceItem, new: Sequence[str]) -> list[str]:
    """The item's words, without punctuation, that an edit of its fields takes out or replaces, in the item's order."""
    found = []
    for (_, text), after in zip(item.fields, new, strict=True):
        left = Counter(map(bare, after.split()))
        for word in map(bare, text.split()):
            if left[word]:
                left[word] -= 1
            elif word:
                found.append(word)
    return list(dict.fromkeys(found))


def listed_words(explanation: Narrative, sample: int) -> list[tuple[str, float]]:
    """The words that one explanation names, with their scores, the first counting most."""
    rows = zip(explanation["word"].values[sample], explanation["word_score"].values[sample], strict=True)
    return [(str(word), float(score)) for word, score in rows if word]


def in_words(explanation: Narrative, sample: int) -> str:
    """One explanation as a sentence to read: what was written, or for lists and edits, which words it is about."""
    if explanation.data.attrs["form"] in ("narrative", "chain-of-thought"):
        return str(explanation["text"].values[sample])
    return because_of([word for word, _ in listed_words(explanation, sample)])


def as_attribution(explanation: Narrative, items: Sequence[ChoiceItem]) -> Attribution:
    """The words that explanations list as an attribution over the words of their items, in the units of the list.

    Repeated words all have their score; words that are not in the item have no place (see `invented_words`). `score` is
    1: what the explanation says of is the answer given.
    """
    if not (explanation["status"].values == "ok").all():
        raise InputError("some items have no explanation; take those whose status is ok with isel(sample=...)")
    wide = max(len(item.words) for item in items)
    values: Floats = np.zeros((len(items), wide))
    texts = np.full((len(items), wide), "", dtype=object)
    for i, item in enumerate(items):
        known = dict(listed_words(explanation, i))
        for j, word in enumerate(item.words):
            values[i, j], texts[i, j] = known.get(bare(word), 0.0), f" {word}"
    letters = [item.letters.index(str(one)) for item, one in zip(items, explanation["answer"].values, strict=True)]
    data = xr.Dataset(
        {
            "attribution": (("sample", "token"), values),
            "inputs": (("sample", "token"), np.broadcast_to(np.arange(wide), values.shape).copy()),
            "input_text": (("sample", "token"), texts),
            "present": (("sample", "token"), texts != ""),
            "target": (("sample",), np.array(letters, dtype=np.int64)),
            "target_name": (
                ("sample",),
                np.array([i.choices[k] for i, k in zip(items, letters, strict=True)], dtype=object),
            ),
            "score": (("sample",), np.ones(len(items))),
        },
        attrs={"model_kind": "text"},
    )
    return Attribution(data, explanation.provenance)


def as_counterfactuals(
    explanation: Narrative, items: Sequence[ChoiceItem], shares: Sequence[Sequence[float]]
) -> Counterfactuals:
    """Edits as counterfactual inputs, one candidate each, with the share that the model gives the old answer after it.

    Parameters
    ----------
    shares : the model's probability of each choice for each edited item; see `edited_items`.
    """
    letters = [item.letters.index(str(one)) for item, one in zip(items, explanation["answer"].values, strict=True)]
    score = np.array([[float(own[letter])] for own, letter in zip(shares, letters, strict=True)])
    texts = np.array([["\n".join(map(str, row))] for row in explanation["new_text"].values], dtype=object)
    data = xr.Dataset(
        {"counterfactual": (("sample", "candidate"), texts), "score": (("sample", "candidate"), score)},
        coords={"sample": [item.name for item in items]},
    )
    return Counterfactuals(data, explanation.provenance)


def edited_items(explanation: Narrative, items: Sequence[ChoiceItem]) -> list[ChoiceItem | None]:
    """The item that each edit makes; None where there is none."""
    found: list[ChoiceItem | None] = []
    for item, new, status in zip(items, explanation["new_text"].values, explanation["status"].values, strict=True):
        fields = tuple((name, str(text)) for (name, _), text in zip(item.fields, new, strict=False))
        good = status == "ok" and all(text.strip() for _, text in fields)
        found.append(replace(item, fields=fields, rationale=None, eidx=f"{item.name}/edit") if good else None)
    return found


def invented_words(explanation: Narrative, item: ChoiceItem, sample: int) -> list[str]:
    """Listed words that the item does not hold."""
    known = set(distinct_words(item))
    return [word for word, _ in listed_words(explanation, sample) if word not in known]
