"""Do attributed sentences hold the answer? Top-1 accuracy, and F1 of the sentences above a threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError


def top_sentence(scores: Floats, supports: Sequence[int]) -> Floats:
    """1 where the sentence with the highest score is the supporting one, else 0: (sample,).

    Parameters
    ----------
    scores : (sample, sentence). supports : the supporting sentence of each.
    """
    _check(scores, len(supports))
    return np.asarray(np.asarray(scores).argmax(axis=1) == np.asarray(supports), dtype=float)


def sentence_f1(scores: Floats, supports: Sequence[set[int]], threshold: float) -> Floats:
    """F1 of the sentences whose score is at least `threshold` against the supporting ones: (sample,)."""
    _check(scores, len(supports))
    found = []
    for row, gold in zip(np.asarray(scores), supports, strict=True):
        chosen = set(np.flatnonzero(row >= threshold).tolist())
        hits = len(chosen & gold)
        found.append(2 * hits / (len(chosen) + len(gold)) if chosen or gold else 1.0)
    return np.array(found)


def best_threshold(scores: Floats, supports: Sequence[set[int]]) -> float:
    """The threshold with the highest mean F1; choose it on other questions than those that are judged."""
    values = np.unique(np.asarray(scores))
    means = [sentence_f1(scores, supports, value).mean() for value in values]
    return float(values[int(np.argmax(means))])


def _check(scores: Floats, count: int) -> None:
    if np.ndim(scores) != 2 or len(scores) != count or not count:
        raise InputError(
            f"scores of shape {np.shape(scores)} for {count} questions; give one row of sentences for each"
        )
