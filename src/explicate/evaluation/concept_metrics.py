"""How pure, right and steady concepts are: purity of what attends to them most, F1 on annotated places, agreement.

Source: Hong, Park, Pavlic (2024), "Concept-Centric Transformers", arXiv 2305.15775, and for consistency Wang et al.
(2023), "Learning Bottleneck Concepts in Image Classification" (BotCL), arXiv 2304.10131, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError


@dataclass(frozen=True, eq=False)
class Purity:
    """How much the cases that attend most to a concept have in common.

    Attributes
    ----------
    values : (concept,), the largest share of one attribute among the concept's top cases; NaN where it is not used.
    attributes : (concept,), which attribute that is. used : (concept,).
    """

    values: Floats
    attributes: Array
    used: Array

    @property
    def mean(self) -> float:
        """Over the used concepts; NaN where there are none."""
        return float(self.values[self.used].mean()) if self.used.any() else float("nan")


def purity(attention: Any, attributes: Any, top: int = 30, least: float = 0.01) -> Purity:
    """The largest share of one attribute among the `top` cases that attend most to each concept.

    Parameters
    ----------
    attention : (case, concept), or (case, place, concept): then a case counts by its total, and what it shows is the
        attribute at the place that attends most.
    attributes : (case, attribute) zeros and ones, or (case, place, attribute) for places.
    top : cases looked at. least : a concept is used where it is the most attended one in this share of cases or places.

    Raises
    ------
    InputError : attention and attributes of other cases or places; fewer cases than `top`.
    """
    scores, truth = np.asarray(attention, dtype=float), np.asarray(attributes, dtype=float)
    if scores.ndim not in (2, 3) or scores.shape[:-1] != truth.shape[:-1]:
        raise InputError(f"attention of shape {scores.shape} and attributes of shape {truth.shape} are of other cases")
    if not 1 <= top <= len(scores):
        raise InputError(f"top is {top} of {len(scores)} cases; give 1 to {len(scores)}")
    concepts = scores.shape[-1]
    chosen = np.bincount(scores.reshape(-1, concepts).argmax(axis=1), minlength=concepts)
    used = chosen >= least * chosen.sum()
    values, names = np.full(concepts, np.nan), np.full(concepts, -1)
    for concept in np.flatnonzero(used):
        own = scores[..., concept]
        cases = np.argsort(-(own if own.ndim == 1 else own.sum(axis=1)), kind="stable")[:top]
        shown = truth[cases] if own.ndim == 1 else truth[cases, own[cases].argmax(axis=1)]
        shares = np.nan_to_num(shown).mean(axis=0)
        values[concept], names[concept] = shares.max(), shares.argmax()
    return Purity(values, names, used)


def shuffled(attention: Any, rng: np.random.Generator) -> Floats:
    """The control: the same rows of attention, handed to other cases and places."""
    rows = np.asarray(attention, dtype=float)
    flat = rows.reshape(-1, rows.shape[-1])
    return np.asarray(flat[rng.permutation(len(flat))].reshape(rows.shape))


def concept_f1(attention: Any, targets: Any) -> float:
    """F1 of the most attended concept of each annotated place, the mean over the concepts that are annotated.

    Where a place shows several concepts, any of them is right, and the place counts for the one that was said, or for
    the first it shows where none was.

    Parameters
    ----------
    attention : (case, place, concept), or (case, concept). targets : the same shape, zeros and ones; a row with NaN, or
        that sums to 0, is no annotation.

    Raises
    ------
    InputError : other shapes, or nothing annotated.
    """
    said, truth = _annotated(attention, targets)
    right = truth[np.arange(len(said)), said] > 0
    shown = np.where(right, said, truth.argmax(axis=1))
    scores = []
    for concept in np.unique(shown):
        hits = float(((said == concept) & (shown == concept)).sum())
        scores.append(2 * hits / ((said == concept).sum() + (shown == concept).sum()))
    return float(np.mean(scores))


def concept_accuracy(attention: Any, targets: Any) -> float:
    """The share of annotated places whose most attended concept is one that they show; shapes as in `concept_f1`."""
    said, truth = _annotated(attention, targets)
    return float((truth[np.arange(len(said)), said] > 0).mean())


def consistency(attention: Any, again: Any) -> float:
    """The share of places whose most attended concept is the same in two readings, such as of a picture and its copy.

    Parameters
    ----------
    attention, again : (case, [place,] concept) alike.
    """
    one, two = np.asarray(attention), np.asarray(again)
    if one.shape != two.shape or not one.size:
        raise InputError(f"attention of shapes {one.shape} and {two.shape}; give two readings of the same cases")
    return float((one.argmax(axis=-1) == two.argmax(axis=-1)).mean())


def _annotated(attention: Any, targets: Any) -> tuple[Array, Array]:
    """Of the annotated rows, the most attended concept and the targets."""
    rows, truth = np.asarray(attention, dtype=float), np.asarray(targets, dtype=float)
    if rows.shape != truth.shape:
        raise InputError(f"attention of shape {rows.shape}, targets of shape {truth.shape}; give the same places")
    known = truth.sum(axis=-1) > 0  # NaN is not
    if not known.any():
        raise InputError("no place is annotated, so there is nothing to score")
    return rows[known].argmax(axis=-1), truth[known]
