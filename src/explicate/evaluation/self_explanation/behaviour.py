"""Does what a model says fit what it does next? Words put in, cues planted, its own edits, and a reader's predictions.

Sources: Atanasova et al. (2023), "Faithfulness Tests for Natural Language Explanations", for inserted words; Turpin et
al. (2023), "Language Models Don't Always Say What They Think", for planted cues; Madsen, Chandar, Reddy (2024), "Are
self-explanations from Large Language Models faithful?", for a model's own edits; Hase and Bansal (2020), "Evaluating
Explainable AI", arXiv 2005.01831, for simulatability.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.evaluation.nle_counterfactual import names
from explicate.evaluation.self_explanation.measured import Measured, rows_of
from explicate.evaluation.self_explanation.respondent import Respondent
from explicate.rationales import self_explanation_prompts as forms
from explicate.rationales.self_explanations import SelfExplainer, edited_items, listed_words, replaced_words
from explicate.runtime.seeds import generator

Pool = Callable[[ChoiceItem, int, int], list[ChoiceItem]]
"""From an item, a number and a seed to edits of it, each with one word put in (`nle_counterfactual.edited`)."""
Substitutes = Callable[[str], Sequence[str]]
Reader = Callable[["Seen", ChoiceItem], bool]
"""Says whether the answer to a changed item is another one, from what it has seen of the original."""
CUE_WORDS = ("professor",)


@dataclass(frozen=True)
class Seen:
    """What a reader has seen of one prediction.

    Attributes
    ----------
    words, text : of the explanation; empty without one.
    """

    item: ChoiceItem
    letter: str
    words: tuple[str, ...] = ()
    text: str = ""


def word_reader(seen: Seen, changed: ChoiceItem) -> bool:
    """A simulated reader: the answer changes if a word that the explanation names was changed, and else stays."""
    gone = replaced_words(seen.item, [text for _, text in changed.fields])
    return bool(set(gone) & set(seen.words))


def says(explanation: Narrative, sample: int, word: str) -> bool:
    """Whether one explanation names a word: in its text, or among the words of its list or edit."""
    if explanation.data.attrs["form"] in ("narrative", "chain-of-thought"):
        return names(str(explanation["text"].values[sample]), word, "word")
    return bare(word) in [known for known, _ in listed_words(explanation, sample)]


def inserted_words(
    respondent: Respondent,
    explainer: SelfExplainer,
    items: Sequence[ChoiceItem],
    letters: Sequence[str | None],
    pool: Pool,
    count: int,
    seed: int,
) -> Measured:
    """Of the one-word insertions that move the answer, the share that the explanation of the new answer names."""
    edits, owners = [], []
    for place, (item, letter) in enumerate(zip(items, letters, strict=True)):
        own = pool(item, count, seed) if letter is not None else []
        edits += own
        owners += [place] * len(own)
    after = respondent.letters(edits) if edits else []
    moved = [k for k, new in enumerate(after) if new is not None and new != letters[owners[k]]]
    hits, totals = np.zeros(len(items)), np.zeros(len(items))
    if moved:
        found = explainer.explain([edits[k] for k in moved], seed, letters=[after[k] for k in moved])
        for row, k in enumerate(moved):
            if str(found["status"].values[row]) == "ok":
                totals[owners[k]] += 1
                hits[owners[k]] += says(found, row, edits[k].edit_word)
    rows = [[hit, total] if total else None for hit, total in zip(hits, totals, strict=True)]
    notes = {"insertions": len(edits), "that moved the answer": len(moved), "of these explained": int(totals.sum())}
    return Measured("inserted-words", rows_of(rows, 2), ("named", "moved the answer"), "share", notes=notes)


def with_cue(item: ChoiceItem, letter: str) -> ChoiceItem:
    """The item with a sentence at the end of its last field that points to an option."""
    *rest, (name, text) = item.fields
    return replace(item, fields=(*rest, (name, f"{text} {forms.CUE.format(letter=letter)}")), eidx=f"{item.name}/cue")


def planted_cue(
    respondent: Respondent,
    explainer: SelfExplainer,
    items: Sequence[ChoiceItem],
    letters: Sequence[str | None],
    seed: int,
) -> Measured:
    """Of the items whose answer moves to an option that a cue points to, the share whose explanation mentions the cue.

    One-sided: who mentions a cue need not use it as stated.
    """
    known = [place for place, letter in enumerate(letters) if letter is not None]
    aims = {place: _next(items[place], str(letters[place])) for place in known}
    cued = [with_cue(items[place], aims[place]) for place in known]
    rows: list[list[float] | None] = [None] * len(items)
    if explainer.form == "chain-of-thought" and cued:
        everything = explainer.explain(cued, seed)
        after: list[str | None] = [str(letter) or None for letter in everything["answer"].values]
    else:
        after = respondent.letters(cued) if cued else []
    moved = [k for k, place in enumerate(known) if after[k] == aims[place]]
    if moved:
        found = explainer.explain([cued[k] for k in moved], seed, letters=[after[k] for k in moved])
        for row, k in enumerate(moved):
            if str(found["status"].values[row]) == "ok":
                rows[known[k]] = [float(any(says(found, row, word) for word in CUE_WORDS))]
    notes: dict[str, Any] = {"asked": len(known), "moved to the cue": len(moved)}
    right = [items[place].letters[items[place].gold] for place in known if items[place].gold is not None]  # type: ignore[index]
    if len(right) == len(known) and known:
        before = np.mean([letters[place] == one for place, one in zip(known, right, strict=True)])
        notes["accuracy drop"] = float(before - np.mean([new == one for new, one in zip(after, right, strict=True)]))
    return Measured("planted-cue", rows_of(rows, 1), ("mentions the cue",), notes=notes)


def _next(item: ChoiceItem, letter: str) -> str:
    return item.letters[(item.letters.index(letter) + 1) % len(item.letters)]


def edit_validity(
    respondent: Respondent, items: Sequence[ChoiceItem], letters: Sequence[str | None], explanation: Narrative
) -> Measured:
    """Does the model's own edit of the input change its answer when it is asked afresh?"""
    edits = edited_items(explanation, items)
    rows: list[list[float] | None] = [None] * len(items)
    there = [place for place, edit in enumerate(edits) if edit is not None and letters[place] is not None]
    after = respondent.letters([edits[place] for place in there]) if there else []  # type: ignore[misc]
    distances, equal = [], 0
    for place, new in zip(there, after, strict=True):
        edit = edits[place]
        assert edit is not None
        rows[place] = [float(new is not None and new != letters[place])]
        distances.append(1 - difflib.SequenceMatcher(None, items[place].words, edit.words, autojunk=False).ratio())
        equal += items[place].words == edit.words
    notes = {
        "share of words changed": float(np.mean(distances)) if distances else None,
        "edit equals the input": equal / len(there) if there else None,
    }
    return Measured("edit-validity", rows_of(rows, 1), ("changes the answer",), notes=notes)


def one_word_edits(item: ChoiceItem, substitutes: Substitutes | None = None) -> list[ChoiceItem]:
    """The item with each word in turn exchanged for each of its substitutes; by default, deleted."""
    found: list[ChoiceItem] = []
    for field, (name, text) in enumerate(item.fields):
        words = text.split()
        for place, word in enumerate(words):
            others = [""] if substitutes is None else substitutes(bare(word))
            for other in others:
                new = " ".join(one for one in [*words[:place], other, *words[place + 1 :]] if one)
                if new:
                    fields = (*item.fields[:field], (name, new), *item.fields[field + 1 :])
                    found.append(replace(item, fields=fields, rationale=None, eidx=f"{item.name}/{len(found)}"))
    return found


def simulatability(
    respondent: Respondent,
    items: Sequence[ChoiceItem],
    letters: Sequence[str | None],
    explanation: Narrative,
    substitutes: Substitutes | None,
    reader: Reader,
    seed: int,
) -> Measured:
    """What a reader's predictions for changed items gain by the explanation of the original.

    Balanced: of each item one change that moves the answer and one that does not, drawn at random, so that a reader who
    never expects a change is right in half of the cases. Items without both are left out. The explainer sees no change.
    """
    rows: list[list[float] | None] = []
    tried = 0
    for place, (item, letter) in enumerate(zip(items, letters, strict=True)):
        edits = one_word_edits(item, substitutes) if letter is not None else []
        after = respondent.letters(edits) if edits else []
        tried += len(edits)
        groups = [
            [edit for edit, new in zip(edits, after, strict=True) if new is not None and (new != letter) is moved]
            for moved in (True, False)
        ]
        if letter is None or not all(groups):
            rows.append(None)
            continue
        rng = generator(seed, "changes", item.to_dict())
        chosen = [group[int(rng.integers(len(group)))] for group in groups]
        words = tuple(word for word, _ in listed_words(explanation, place))
        views = (Seen(item, letter, words, str(explanation["text"].values[place])), Seen(item, letter))
        rows.append([float(np.mean([reader(seen, chosen[0]), not reader(seen, chosen[1])])) for seen in views])
    columns = ("right with the explanation", "right without")
    notes = {"changes tried": tried, "reader": getattr(reader, "__name__", type(reader).__name__), "simulated": True}
    return Measured("simulatability", rows_of(rows, 2), columns, "gain", notes=notes)


def repeatability(
    explainer: SelfExplainer,
    items: Sequence[ChoiceItem],
    letters: Sequence[str | None],
    repeats: int,
    temperature: float,
    seed: int,
) -> Measured:
    """How much drawn explanations of equal answers overlap: Jaccard's index of their words, mean over pairs.

    Necessary and not sufficient, and no part of the axis.
    """
    drawn = [
        replace(explainer, temperature=temperature, draw=number).explain(items, seed, letters=letters)
        for number in range(repeats)
    ]
    rows: list[list[float] | None] = []
    for place in range(len(items)):
        sets = [
            {bare(word) for word in str(one["text"].values[place]).split()}
            for one in drawn
            if str(one["status"].values[place]) == "ok" and str(one["answer"].values[place]) == (letters[place] or "")
        ]
        pairs = [len(a & b) / len(a | b) for a, b in combinations(sets, 2) if a | b]
        rows.append([float(np.mean(pairs))] if pairs else None)
    notes = {"draws": repeats, "temperature": temperature}
    return Measured("repeatability", rows_of(rows, 1), ("overlap",), counted=False, notes=notes)
