"""Steering by index: the coordinates that make a model name the item at a given place of a list.

They are chosen on training lists and tried on others. The index of the right answer is given to the steering, so a
gain shows that the subspace carries an index, and is no way to better answers; results say so (`uses_oracle`). Source:
Merullo, Eickhoff, Pavlick (2024), "Talking Heads", section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Together
from explicate.data.language.laundry_lists import LaundryLists, share_by_target
from explicate.errors import InputError
from explicate.mechanisms.channels.channel import ChannelSubspace
from explicate.mechanisms.channels.traverse import Traverse, traverse
from explicate.mechanisms.sweeps import logits_of
from explicate.models.language import LanguageModel
from explicate.runtime.statistics import Interval, bootstrap_interval, paired_difference

UNEDITED, STEERED = "unedited", "steered"


@dataclass(frozen=True, eq=False)
class LaundryListResult:
    """Who answered which list rightly, untouched and under one or more changes.

    Attributes
    ----------
    length : items in a list. targets : index of each answer, (sample,).
    top1 : condition -> whether the answer is the likeliest of all tokens, (sample,).
    restricted : condition -> whether it is the likeliest of the items; chance is 1 / length.
    uses_oracle : what a change was told that a user would not know; "" where nothing.
    """

    length: int
    targets: Array
    top1: Mapping[str, Array]
    restricted: Mapping[str, Array]
    uses_oracle: str = ""

    def accuracy(self, condition: str = UNEDITED, among: str = "restricted") -> Interval:
        """The share of right answers, with a bootstrap interval."""
        return bootstrap_interval(self._hits(condition, among).astype(float))

    def gain(self, condition: str = STEERED, among: str = "restricted") -> Interval:
        """Right answers more than untouched, on the same lists."""
        after, before = (self._hits(name, among).astype(float) for name in (condition, UNEDITED))
        return paired_difference(after, before)

    def by_target(self, condition: str = UNEDITED, among: str = "restricted") -> Mapping[int, float]:
        """The share of right answers for each target index."""
        return share_by_target(self._hits(condition, among), self.targets, self.length)

    def _hits(self, condition: str, among: str) -> Array:
        found = {"restricted": self.restricted, "top1": self.top1}.get(among, {}).get(condition)
        if found is None:
            raise InputError(f"{condition!r} among {among!r} was not measured; there are {', '.join(self.restricted)}")
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class IndexSteering:
    """Coordinates for each target index of lists of one length.

    Attributes
    ----------
    subspace : where. coordinates : (target index, dimension). length : items in a list.
    training : share of right answers on the lists that they were chosen on.
    """

    subspace: ChannelSubspace
    coordinates: Floats
    length: int
    training: float
    uses_oracle: str = field(default="target_index", init=False)

    def change(self, targets: Array) -> tuple[Any, ...]:
        """The interventions that make lists give the items at these indices, one for each list."""
        return self.subspace.set_to(self.coordinates[np.asarray(targets)])


def steer_by_index(
    model: LanguageModel,
    training: LaundryLists,
    subspace: ChannelSubspace,
    *,
    validation: LaundryLists | None = None,
    steps: int = 10,
    keep: int = 30,
    walked: Traverse | None = None,
) -> IndexSteering:
    """Choose for each target index the point of the grid where its item is likeliest among the items.

    Parameters
    ----------
    validation : further training lists, on which the best `keep` points of each index are tried again.
    walked : a traverse of the training lists that is already there.
    """
    found = walked or traverse(model, training, subspace, steps=steps)
    chosen = np.empty((training.length, subspace.dimension))
    hits: list[float] = []
    for index in range(training.length):
        order = np.argsort(-_likelihood(found, training.targets, index), kind="stable")[: keep if validation else 1]
        points, picked = found.points[order], found.picked[order][:, training.targets == index]
        best = 0
        if validation is not None:
            again = traverse(model, only(validation, index), subspace, points)
            best = int(again.scores[..., index].mean(axis=1).argmax())
            picked = again.picked
        chosen[index] = points[best]
        hits += (picked[best] == index).tolist()
    return IndexSteering(subspace, chosen, training.length, float(np.mean(hits)))


def _likelihood(found: Traverse, targets: Array, index: int) -> Floats:
    mine = targets == index
    if not mine.any():
        raise InputError(f"no training list has its answer at index {index}; give at least as many lists as items")
    return np.asarray(found.scores[:, mine, index].mean(axis=1))


def only(lists: LaundryLists, index: int) -> LaundryLists:
    """The lists whose answer is at one index."""
    kept = tuple(each for each in lists.prompts if each.target_index == index)
    return LaundryLists(kept, lists.length, lists.dropped)


def try_steering(
    model: LanguageModel, lists: LaundryLists, steering: IndexSteering, rng: np.random.Generator
) -> LaundryListResult:
    """Steering on lists that it was not chosen on, with its controls.

    Conditions: "unedited"; "steered", told the right index; "wrong index", told another one drawn at random; "random
    subspace", the same coordinates along as many random directions.
    """
    if lists.length != steering.length:
        raise InputError(f"the steering is for lists of {steering.length} items, not {lists.length}")
    other = (lists.targets + rng.integers(1, lists.length, len(lists))) % lists.length
    drawn = ChannelSubspace.random(steering.subspace, rng)
    changes = {
        UNEDITED: None,
        STEERED: steering.change(lists.targets),
        "wrong index": steering.change(other),
        "random subspace": drawn.set_to(steering.coordinates[lists.targets]),
    }
    return measured_lists(model, lists, changes, steering.uses_oracle)


def measured_lists(
    model: LanguageModel,
    lists: LaundryLists,
    changes: Mapping[str, Sequence[Any] | None],
    uses_oracle: str = "",
) -> LaundryListResult:
    """Answers untouched (None) and under changes, each some interventions made at once."""
    ids, items = model.encode(lists.texts), lists.item_tokens(model)
    top1: dict[str, Array] = {}
    restricted: dict[str, Array] = {}
    made = {name: Together(tuple(change)) for name, change in changes.items() if change}
    under = iter(logits_of(model, ids, list(made.values()))) if made else iter(())
    for name in changes:
        logits = next(under) if name in made else model.predict(ids)
        top1[name], restricted[name] = answers(logits, items, lists.targets)
    return LaundryListResult(lists.length, lists.targets, top1, restricted, uses_oracle)


def answers(logits: Floats, items: Array, targets: Array) -> tuple[Array, Array]:
    """Whether the answer wins over all tokens, and over the other items; (sample,) each."""
    samples = np.arange(len(targets))
    among = logits[samples[:, None], items]
    return logits.argmax(axis=1) == items[samples, targets], among.argmax(axis=1) == targets


def best_subspace(
    model: LanguageModel,
    candidates: Mapping[str, ChannelSubspace],
    training: LaundryLists,
    validation: LaundryLists,
    *,
    steps: int = 5,
    keep: int = 5,
) -> tuple[str, dict[str, float]]:
    """The candidate whose steering is best on training lists alone, by a coarse grid; and the figures of all."""
    shares = {}
    for name, subspace in candidates.items():
        found = steer_by_index(model, training, subspace, validation=validation, steps=steps, keep=keep)
        shares[name] = found.training
    return max(shares, key=lambda name: shares[name]), shares
