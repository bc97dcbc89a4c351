"""Which feature of an autoencoder stands for which class of inputs, by what the features do rather than when they fire.

Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads", section 3 (there the classes are indices modulo 10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from explicate.concepts.sparse_autoencoder import SparseAutoencoders
from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import InputError
from explicate.runtime.seeds import generator

Importance: TypeAlias = Callable[[Array, Floats], Floats]
"""From numbers of inputs (m,) and one feature's contribution to each (m, width) to its importance for it (m,)."""


@dataclass(frozen=True, eq=False)
class ResidueFeatures:
    """The feature of each class in one restart.

    Attributes
    ----------
    restart : which one. most_important : (input,), the most important feature of each input; -1 where none is active.
    modal : (class,), the feature that is the most important one most often; several classes may share it.
    features : (class,), the same but one to one: the assignment that covers most inputs; -1 where none is left.
    vectors : (class, width), the decoder's directions of `features`; zero where there is none.
    coverage : the share of inputs whose most important feature is the modal one of their class, on the inputs that the
        choice was made on; `exclusive` is the same for the assignment one to one.
    held_out, held_out_exclusive : both on the other inputs; NaN where there are none.
    shuffled : `exclusive` if the classes of the inputs are shuffled: what the choice alone gives.
    """

    restart: int
    most_important: Array
    modal: Array
    features: Array
    vectors: Floats
    coverage: float
    exclusive: float
    held_out: float
    held_out_exclusive: float
    shuffled: float

    @property
    def distinct(self) -> int:
        """How many different features are the modal one of some class."""
        return len(set(self.modal[self.modal >= 0].tolist()))


def residue_features(
    autoencoders: SparseAutoencoders,
    inputs: Floats,
    classes: Array,
    importance: Importance,
    *,
    restart: int | None = None,
    test: Masks | None = None,
    seed: int = 0,
) -> ResidueFeatures:
    """Find the feature of each class, in the sparsest of the restarts whose assignments cover most inputs.

    Most is what lies within one standard error of the best; of those, it is the one of the largest penalty.

    Parameters
    ----------
    inputs : (input, width). classes : (input,), 0, 1, ...
    importance : see `Importance`; it is asked about active features only.
    restart : None chooses one, on the inputs that are not for the test.
    test : bool (input,), inputs that nothing is chosen on. seed : of the shuffling.
    """
    inputs, classes = np.asarray(inputs), np.asarray(classes)
    if classes.shape != (len(inputs),) or classes.min() < 0:
        raise InputError("give one class, 0 or above, for each input")
    train = np.ones(len(inputs), dtype=bool) if test is None else ~np.asarray(test, dtype=bool)
    if not train.any():
        raise InputError("all inputs are for the test; none is left to choose features on")
    tried = range(len(autoencoders)) if restart is None else [restart]
    found = [_of_one(autoencoders, number, inputs, classes, importance, train, seed) for number in tried]
    best = max(each.exclusive for each in found)
    error = np.sqrt(best * (1 - best) / train.sum())
    good = [each for each in found if each.exclusive >= best - error]
    return max(good, key=lambda each: (autoencoders.penalties[each.restart], each.exclusive))


def _of_one(
    autoencoders: SparseAutoencoders,
    restart: int,
    inputs: Floats,
    classes: Array,
    importance: Importance,
    train: Masks,
    seed: int,
) -> ResidueFeatures:
    activations = autoencoders.encode(inputs, restart)
    best = _most_important(activations, autoencoders.decoder[restart] * autoencoders.scale, importance)
    count = int(classes.max()) + 1
    features = autoencoders.feature_count
    tables = _counts(best[train], classes[train], count, features)
    modal = np.where(tables.max(axis=1) > 0, tables.argmax(axis=1), -1)
    chosen = _one_to_one(tables)
    mixed = generator(seed, "shuffled classes", restart).permutation(classes[train])
    by_chance = _one_to_one(_counts(best[train], mixed, count, features))
    vectors = np.where(chosen[:, None] >= 0, autoencoders.decoder[restart][chosen], 0.0)
    return ResidueFeatures(
        restart,
        best,
        modal,
        chosen,
        vectors,
        _covered(best[train], classes[train], modal),
        _covered(best[train], classes[train], chosen),
        _covered(best[~train], classes[~train], modal),
        _covered(best[~train], classes[~train], chosen),
        _covered(best[train], mixed, by_chance),
    )


def _most_important(activations: Floats, directions: Floats, importance: Importance) -> Array:
    rows, features = np.nonzero(activations > 0)
    best = np.full(len(activations), -1, dtype=np.int64)
    if len(rows):
        values = importance(rows, activations[rows, features, None] * directions[features])
        order = np.lexsort((values, rows))  # the last of each row is its largest
        last = np.append(rows[order][1:] != rows[order][:-1], True)
        best[rows[order][last]] = features[order][last]
    return best


def _counts(best: Array, classes: Array, count: int, features: int) -> Array:
    """How often each feature is the most important one of each class: (class, feature)."""
    table = np.zeros((count, features), dtype=np.int64)
    known = best >= 0
    np.add.at(table, (classes[known], best[known]), 1)
    return table


def _one_to_one(table: Array) -> Array:
    from scipy.optimize import linear_sum_assignment

    found = np.full(len(table), -1, dtype=np.int64)
    for row, feature in zip(*linear_sum_assignment(-table), strict=True):
        if table[row, feature] > 0:
            found[row] = feature
    return found


def _covered(best: Array, classes: Array, chosen: Array) -> float:
    if not len(best):
        return float("nan")
    return float(((best >= 0) & (best == chosen[classes])).mean())
