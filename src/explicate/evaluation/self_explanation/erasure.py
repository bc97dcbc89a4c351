"""Do the words that a model lists carry its answer? Erasing them, and comparing them with occlusion and gradients.

Sources: DeYoung et al. (2020), "ERASER", section 4, for comprehensiveness and sufficiency; Carton et al. (2020),
"Evaluating and Characterizing Human Rationales", for shares of the way from random to best; Krishna et al. (2022), "The
Disagreement Problem in Explainable Machine Learning", for agreement of the first features.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from explicate.core.capabilities import Floats
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.evaluation.agreement import feature_agreement, rank_correlation
from explicate.evaluation.self_explanation.measured import Measured, rows_of
from explicate.evaluation.self_explanation.respondent import Respondent
from explicate.rationales.feedback import Asking, AttributionFeedback
from explicate.rationales.self_explanations import distinct_words
from explicate.runtime.seeds import generator

NEUTRAL = "..."
KINDS = ("deleted", "replaced")
Listed = Sequence[tuple[str, float]]


def kept(item: ChoiceItem, words: Collection[str], neutral: str | None = None) -> ChoiceItem:
    """The item with these words only: others are deleted, or replaced by `neutral`. An empty field becomes "..."."""
    fields = []
    for name, text in item.fields:
        shown = [
            word if bare(word) in words else neutral
            for word in text.split()
            if bare(word) in words or neutral is not None
        ]
        fields.append((name, " ".join(word for word in shown if word is not None) or NEUTRAL))
    return replace(item, fields=tuple(fields), rationale=None)


def without(item: ChoiceItem, words: Collection[str], neutral: str | None = None) -> ChoiceItem:
    """The item without these words."""
    return kept(item, set(map(bare, item.words)) - set(words), neutral)


def word_drops(respondent: Respondent, item: ChoiceItem, letter: str, neutral: str | None = None) -> Floats:
    """How much the probability of the answer falls when each distinct word goes: (word,)."""
    words = distinct_words(item)
    found = respondent.shares([item, *(without(item, [word], neutral) for word in words)])
    own = np.array([one[item.letters.index(letter)] for one in found])
    drops: Floats = own[0] - own[1:]
    return drops


def erasure(
    respondent: Respondent,
    items: Sequence[ChoiceItem],
    letters: Sequence[str | None],
    listed: Sequence[Listed],
    fractions: Sequence[float],
    random_sets: int,
    seed: int,
) -> Measured:
    """Comprehensiveness and sufficiency of listed words, as shares of the way from random words to the best ones."""
    columns = tuple(
        f"{what}, {kind}{which}"
        for kind in KINDS
        for what in ("comprehensiveness", "sufficiency")
        for which in ("", ", random", ", best")
    )
    rows: list[list[float] | None] = []
    for item, letter, own in zip(items, letters, listed, strict=True):
        words = distinct_words(item)
        ranked = [word for word, _ in own if word in words]
        if letter is None or not ranked:
            rows.append(None)
            continue
        sizes = [min(len(ranked), max(1, math.ceil(fraction * len(words)))) for fraction in fractions]
        rng = generator(seed, "random words", item.to_dict())
        drawn = [[words[int(j)] for j in rng.permutation(len(words))] for _ in range(random_sets)]
        row: list[float] = []
        for kind in KINDS:
            neutral = None if kind == "deleted" else NEUTRAL
            drops = word_drops(respondent, item, letter, neutral)
            best = [words[int(j)] for j in np.argsort(-drops, kind="stable")]
            for erase in (without, kept):
                value, other, top = (
                    np.mean([_drop(respondent, item, letter, order, sizes, erase, neutral) for order in orders])
                    for orders in ([ranked], drawn, [best])
                )
                row += [float(value), float(other), float(top)]
        rows.append(row)
    return Measured("erasure", rows_of(rows, len(columns)), columns, "between")


def _drop(
    respondent: Respondent,
    item: ChoiceItem,
    letter: str,
    order: Sequence[str],
    sizes: Sequence[int],
    erase: object,
    neutral: str | None,
) -> float:
    """The mean fall of the answer's probability over the sizes of the set that is erased or kept."""
    edits = [erase(item, set(order[:size]), neutral) for size in sizes]  # type: ignore[operator]
    shares = respondent.shares([item, *edits])
    own = np.array([one[item.letters.index(letter)] for one in shares])
    return float(own[0] - own[1:].mean())


def rank_agreement(
    respondent: Respondent,
    items: Sequence[ChoiceItem],
    letters: Sequence[str | None],
    listed: Sequence[Listed],
    steps: int,
    seed: int,
) -> Measured:
    """Do listed words agree with occlusion and, where the model is in this process, with integrated gradients?

    Parameters
    ----------
    steps : of the integral; 0 leaves it out.
    """
    white_box = steps > 0 and hasattr(respondent.chat, "model") and hasattr(respondent.chat, "template")
    names = ("occlusion", "integrated gradients") if white_box else ("occlusion",)
    columns = tuple(f"{what}, {name}" for name in names for what in ("first words", "order"))
    asking, how = Asking(respondent.chat, 1, 16, seed), AttributionFeedback("ig", steps=max(steps, 1))
    rows: list[list[float] | None] = []
    for item, letter, own in zip(items, letters, listed, strict=True):
        words = distinct_words(item)
        known = {word: score for word, score in own if word in words}
        if letter is None or not known:
            rows.append(None)
            continue
        said = np.array([known.get(word, 0.0) for word in words])
        measured = [np.abs(word_drops(respondent, item, letter))]
        if white_box:
            (scores,) = how.word_scores(asking, [item], [letter])
            by_word = dict(scores.words)
            measured.append(np.array([by_word.get(word, 0.0) for word in words]))
        row = [value for one in measured for value in _agreement(said, one, len(known))]
        rows.append(row if np.isfinite(row).all() else None)
    return Measured("rank-agreement", rows_of(rows, len(columns)), columns)


def _agreement(said: Floats, measured: Floats, listed: int) -> tuple[float, float]:
    firsts = [
        float(feature_agreement(said[None], measured[None], k)[0]) for k in range(1, min(5, listed, len(said)) + 1)
    ]
    return float(np.mean(firsts)), float(rank_correlation(said[None], measured[None])[0] + 1) / 2
