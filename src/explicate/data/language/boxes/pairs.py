"""Pairs of prompts that tell what a part of a model carries: a position, an object, or a label.

Source: Prakash et al. (2024), "Fine-Tuning Enhances Existing Mechanisms: A Case Study on Entity Tracking", section 5.1
and appendix on the meaning of positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from explicate.data.language.boxes.prompts import FORMS, LABELS, OBJECTS, BoxesPrompt, Form, boxes_prompts, drawn
from explicate.data.language.boxes.tokens import EncodedBoxes
from explicate.errors import InputError

Desideratum: TypeAlias = Literal["position", "object", "label"]
DESIDERATA: tuple[Desideratum, ...] = ("position", "object", "label")


@dataclass(frozen=True, eq=False)
class BoxesPairs:
    """Prompts, counterfactuals, and the answer that a part of the model that carries one thing should lead to.

    Attributes
    ----------
    base, source : one counterfactual for each prompt.
    targets : the object that patching from the source should make the answer.
    in_base : (pair,), whether the target is an object of the base, else of the source; `boxes` : which one.
    """

    base: list[BoxesPrompt]
    source: list[BoxesPrompt]
    targets: list[str]
    in_base: np.ndarray
    boxes: np.ndarray

    def tokens(self, base: EncodedBoxes, source: EncodedBoxes) -> np.ndarray:
        """The targets' tokens (pair,), as they stand in the texts."""
        return np.array(
            [
                (base if own else source).token_of(row, int(box))
                for row, (own, box) in enumerate(zip(self.in_base, self.boxes, strict=True))
            ]
        )


def desideratum_pairs(
    desideratum: Desideratum,
    count: int,
    rng: np.random.Generator,
    boxes: int = 7,
    objects: Sequence[str] = OBJECTS,
    labels: Sequence[str] = LABELS,
) -> BoxesPairs:
    """Pairs of prompts that tell what a part of a model carries.

    "position": the counterfactual, of other objects and labels, asks for another box; the target is what the *base* has
    in the box at that place. "object": the same pairs; the target is the counterfactual's own answer. "label": the
    letter that the counterfactual asks for is also in the base, elsewhere; the target is what the base has in the box
    of that letter.
    """
    if desideratum not in DESIDERATA:
        raise InputError(f"desideratum {desideratum!r} is unknown; use one of {', '.join(DESIDERATA)}")
    if boxes < 3:
        raise InputError(f"desiderata need at least 3 boxes, so that place and letter can differ; not {boxes}")
    pairs: list[tuple[BoxesPrompt, BoxesPrompt, bool, int]] = []
    for base in boxes_prompts(count, rng, boxes, objects, labels):
        own = base.query_index or 0
        asked = int(rng.choice([i for i in range(boxes) if i != own]))
        things = drawn(objects, boxes, rng, base.objects)
        if desideratum == "label":
            elsewhere = int(rng.choice([i for i in range(boxes) if i not in (own, asked)]))
            letter = base.labels[elsewhere]
            others = drawn(labels, boxes - 1, rng, base.labels)
            letters = (*others[:asked], letter, *others[asked:])
            pairs.append((base, BoxesPrompt(things, letters, letter), True, elsewhere))
        else:
            letters = drawn(labels, boxes, rng, base.labels)
            pairs.append((base, BoxesPrompt(things, letters, letters[asked]), desideratum == "position", asked))
    return _pairs(pairs)


def position_pairs(
    form: Form,
    count: int,
    rng: np.random.Generator,
    boxes: int = 7,
    objects: Sequence[str] = OBJECTS,
    labels: Sequence[str] = LABELS,
) -> BoxesPairs:
    """Pairs of the positional desideratum whose counterfactual is told in another form.

    The target is always what the base has at the place of the asked box among the counterfactual's own boxes, not
    counting what the form adds. In the form "wrong index" it is an object at a place that is *not* asked for: a control
    that patching positions should fail.
    """
    plain = desideratum_pairs("position", count, rng, boxes, objects, labels)
    if form == "plain":
        return plain
    if form not in FORMS:
        raise InputError(f"form {form!r} is unknown; use one of {', '.join(FORMS)}")
    pairs: list[tuple[BoxesPrompt, BoxesPrompt, bool, int]] = []
    for base, source, box in zip(plain.base, plain.source, plain.boxes, strict=True):
        target = int(box)
        if form == "wrong index":
            target = int(rng.choice([i for i in range(boxes) if i not in (box, base.query_index)]))
            pairs.append((base, source, True, target))
            continue
        extra = None
        if form in ("segment at start", "segment at end"):
            thing = drawn(objects, 1, rng, (*base.objects, *source.objects))[0]
            extra = (thing, drawn(labels, 1, rng, (*base.labels, *source.labels))[0])
        pairs.append((base, replace(source, form=form, extra=extra), True, target))
    return _pairs(pairs)


def swapped_pairs(
    count: int,
    rng: np.random.Generator,
    boxes: int = 7,
    objects: Sequence[str] = OBJECTS,
    labels: Sequence[str] = LABELS,
) -> BoxesPairs:
    """Pairs in which the counterfactual is the same prompt with the asked box and another one exchanged.

    The question and its answer stay the same; the target is what the base has at the place where the answer went. So a
    part that carries the place moves the answer to the target, and one that carries the letter or the object leaves it.
    """
    if boxes < 2:
        raise InputError("with fewer than 2 boxes none can be exchanged")
    pairs: list[tuple[BoxesPrompt, BoxesPrompt, bool, int]] = []
    for base in boxes_prompts(count, rng, boxes, objects, labels):
        own = base.query_index or 0
        other = int(rng.choice([i for i in range(boxes) if i != own]))
        order = list(range(boxes))
        order[own], order[other] = other, own
        things, letters = (tuple(parts[i] for i in order) for parts in (base.objects, base.labels))
        pairs.append((base, replace(base, objects=things, labels=letters), True, other))
    return _pairs(pairs)


def _pairs(pairs: Sequence[tuple[BoxesPrompt, BoxesPrompt, bool, int]]) -> BoxesPairs:
    return BoxesPairs(
        [base for base, *_ in pairs],
        [source for _, source, *_ in pairs],
        [(base if own else source).objects[box] for base, source, own, box in pairs],
        np.array([own for *_, own, _ in pairs]),
        np.array([box for *_, box in pairs], dtype=np.int64),
    )
