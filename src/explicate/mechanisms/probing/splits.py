"""Which rows are learned from, which are held out, and labels that hold nothing to learn: all by explicit seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError, counted
from explicate.runtime.seeds import generator


def group_numbers(groups: Sequence[Any] | Array | None, count: int) -> Array:
    """Groups as numbers from 0 (sample,), in order of appearance; each row by itself where there are none."""
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise InputError(f"{len(groups)} groups for {count} samples; give one for each")
    known: dict[Any, int] = {}
    return np.array([known.setdefault(group, len(known)) for group in np.asarray(groups, dtype=object)])


def training_rows(labels: Array, groups: Array, repeats: int, test_share: float, classes: int, seed: int = 0) -> Array:
    """Training rows of each repeat: bool (repeat, sample).

    Whole groups are held out, drawn at random until `test_share` of the rows is; rows that stand alone are drawn class
    by class, so that the classes keep their shares.

    Raises
    ------
    InputError : a class is missing on one side of a split.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test_share is {test_share}: give a share between 0 and 1, such as 0.4")
    if repeats < 1:
        raise InputError(f"repeats is {repeats}: give 1 or more")
    found = np.ones((repeats, len(labels)), dtype=bool)
    alone = len(np.unique(groups)) == len(labels)
    for repeat in range(repeats):
        rng = generator(seed, "split", repeat)
        if alone:
            strata = [np.flatnonzero(labels == c) for c in range(classes)] if classes else [np.arange(len(labels))]
            for rows in strata:
                found[repeat, rng.permutation(rows)[: round(test_share * len(rows))]] = False
        else:
            sizes = np.bincount(groups)
            order = rng.permutation(len(sizes))
            before = np.cumsum(sizes[order]) - sizes[order]
            held = order[before < test_share * len(labels)]
            found[repeat, np.isin(groups, held)] = False
        check_split(labels, found[repeat], classes)
    return found


def check_split(labels: Array, train: Array, classes: int) -> None:
    """Refuse a split that leaves a side without rows, or a class off a side."""
    for side, rows in (("training", train), ("held-out", ~train)):
        if not rows.any():
            raise InputError(f"no {side} rows; give more samples or groups, or another test_share")
        counts = np.bincount(labels[rows], minlength=classes) if classes else np.ones(1)
        if (counts == 0).any():
            raise InputError(
                f"class {int(np.argmin(counts))} has no {side} rows among {counted(int(rows.sum()), 'row')}; give more "
                "samples or groups, or another test_share"
            )


def folds(train: Array, groups: Array | None, count: int, seed: int = 0) -> list[Array]:
    """Training rows cut into parts of whole groups, to be held out one after the other: each bool (sample,)."""
    numbers = group_numbers(groups, len(train))
    own = generator(seed, "folds").permutation(np.unique(numbers[train]))
    if count < 2 or len(own) < count:
        raise InputError(f"{count} folds of {counted(len(own), 'group')}: give at least 2 folds, and a group for each")
    return [train & np.isin(numbers, own[start::count]) for start in range(count)]


def control_labels(labels: Array, kinds: Sequence[Any] | Array | None, seed: int = 0) -> Array:
    """Labels of a control task: nothing but what a probe can learn by heart.

    Without `kinds` the labels change places at random. With `kinds` (sample,), such as the word that each sample is
    about, every kind gets one label, drawn from the labels' own distribution.

    Source: Hewitt, Liang (2019), section 2.
    """
    rng = generator(seed, "control")
    if kinds is None:
        return np.asarray(rng.permutation(labels))
    numbers = group_numbers(kinds, len(labels))
    return np.asarray(rng.choice(labels, size=int(numbers.max()) + 1)[numbers])
