"""How well probes read several labels of program states off vectors, all from the same rows.

Source: Jin, Rinard (2023), "Evidence of Meaning in Language Models Trained on Programs", arXiv 2305.11169, section 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.mechanisms.probing.probe import Probe, Problem
from explicate.runtime.seeds import generator

FEW, TOO_FEW = 1000, 100
"""Labelled states on a side of the split: below the first a warning, below the second an error."""


@dataclass(frozen=True, eq=False)
class Labels:
    """One thing to read: class numbers (row, part), -1 where a row has no label; it is right if all parts are.

    Attributes
    ----------
    values : (row, part). parts : number of classes of each part.
    """

    values: Array
    parts: tuple[int, ...]

    @property
    def there(self) -> Array:
        """(row,) bool: whether the row has a label."""
        return np.asarray((self.values >= 0).all(axis=1))


@dataclass(frozen=True)
class Reading:
    """How well one thing was read from held-out rows.

    Attributes
    ----------
    accuracy : share of the held-out labelled rows with every part right.
    majority : the same share if always the most frequent training label is given.
    rows : held-out labelled rows.
    """

    accuracy: float
    majority: float
    rows: int

    @property
    def above_majority(self) -> float:
        """Accuracy less that of the majority label."""
        return self.accuracy - self.majority


def held_out_groups(groups: Array, share: float, seed: int = 0) -> Array:
    """(row,) bool: rows to test on, in whole groups, about so large a share of them."""
    if not 0 < share < 1:
        raise InputError(f"the held-out share is {share}; give one between 0 and 1")
    names = np.unique(groups)
    chosen = generator(seed, "held out").permutation(names)[: round(share * len(names))]
    return np.asarray(np.isin(groups, chosen))


def read_labels(
    vectors: Floats,
    labels: Mapping[str, Labels],
    probe: Probe,
    groups: Array,
    held: Array,
    seed: int = 0,
) -> dict[str, Reading]:
    """Train a probe for each label (a part each, where it has several) and test it on the held-out rows.

    Parameters
    ----------
    vectors : (row, width), what is read from. groups : (row,), rows of a group are never on both sides of a split.
    held : (row,) bool, rows to test on; the others are learned from.

    Raises
    ------
    InputError : fewer than 100 labelled rows on a side; fewer than 1,000 are warned of.
    """
    jobs: dict[int, list[tuple[str, int]]] = {}
    _check_rows(labels, held)
    for name, one in labels.items():
        for part, classes in enumerate(one.parts):
            jobs.setdefault(classes, []).append((name, part))
    right: dict[str, Array] = {name: np.ones(len(vectors), dtype=bool) for name in labels}
    for classes, chosen in jobs.items():
        problems = []
        for name, part in chosen:
            one = labels[name]
            problems.append(Problem(np.where(one.there, one.values[:, part], 0), one.there & ~held, groups))
        found = probe.outputs(vectors, problems, classes, seed).argmax(axis=2)
        for (name, part), guesses in zip(chosen, found, strict=True):
            right[name] &= guesses == labels[name].values[:, part]
    return {name: _reading(one, right[name], held) for name, one in labels.items()}


def enough(labels: Labels, held: Array) -> bool:
    """Whether there are 100 labelled rows to learn from and 100 to test on: fewer are an error."""
    return min(int((labels.there & held).sum()), int((labels.there & ~held).sum())) >= TOO_FEW


def shuffled(labels: Mapping[str, Labels], seed: int = 0) -> dict[str, Labels]:
    """The same labels with nothing to learn: those of labelled rows have changed places."""
    found = {}
    for name, one in labels.items():
        values = one.values.copy()
        rows = np.flatnonzero(one.there)
        values[rows] = values[generator(seed, "shuffled", name).permutation(rows)]
        found[name] = Labels(values, one.parts)
    return found


def easy_labels(
    original: Mapping[str, Labels],
    others: Mapping[str, Labels],
    probe: Probe,
    groups: Array,
    held: Array,
    seed: int = 0,
) -> dict[str, float]:
    """How well each of the others can be read from the original labels alone: 1 if it is a simple function of them.

    Parameters
    ----------
    original : all that is known of the original state; each part is given to the probe as 0 and 1 for each class.
    """
    columns = [
        one.values[:, [part]] == np.arange(size) for one in original.values() for part, size in enumerate(one.parts)
    ]
    known = np.concatenate(columns, axis=1).astype(np.float32)
    return {name: reading.accuracy for name, reading in read_labels(known, others, probe, groups, held, seed).items()}


def _check_rows(labels: Mapping[str, Labels], held: Array) -> None:
    sides = (("to learn from", ~held), ("to test on", held))
    counts = [(int((one.there & rows).sum()), name, side) for name, one in labels.items() for side, rows in sides]
    count, name, side = min(counts)
    if count < TOO_FEW:
        raise InputError(f"{name}: only {count} labelled states {side}, {TOO_FEW} are needed; give more programs")
    if count < FEW:
        warnings.warn(f"{name}: only {count} labelled states {side}; give {FEW:,} for a figure to trust", stacklevel=3)


def _reading(labels: Labels, right: Array, held: Array) -> Reading:
    there = labels.there
    numbers = np.unique(labels.values, axis=0, return_inverse=True)[1].ravel()
    most = np.bincount(numbers[there & ~held]).argmax()
    tested = there & held
    return Reading(float(right[tested].mean()), float((numbers[tested] == most).mean()), int(tested.sum()))
