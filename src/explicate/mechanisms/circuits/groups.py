"""A circuit as named groups of heads, each at one named position of every prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.models.language import LanguageModel, sites
from explicate.runtime.seeds import generator

Head: TypeAlias = tuple[int, int]
"""Layer and number of a head."""
Slot: TypeAlias = tuple[int, int, str]
"""Layer and number of a head, and the position at which it matters."""
Places: TypeAlias = Mapping[str, Array]
"""For each named position the token column of every prompt, (prompt,), counted from the first."""


@dataclass(frozen=True)
class HeadGroup:
    """Heads that do the same thing at the same position.

    Parameters
    ----------
    name : what they do ("value fetchers"). position : the name of the position at which they do it ("last").
    heads : (layer, head), the most important first.
    """

    name: str
    position: str
    heads: tuple[Head, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The heads with their position."""
        return tuple((layer, head, self.position) for layer, head in self.heads)

    def without(self, heads: Iterable[Head]) -> HeadGroup:
        """The group less some heads."""
        gone = set(heads)
        return replace(self, heads=tuple(head for head in self.heads if head not in gone))


@dataclass(frozen=True)
class HeadCircuit:
    """Groups of heads; no head is in two groups at the same position."""

    groups: tuple[HeadGroup, ...]

    def __post_init__(self) -> None:
        slots = [slot for group in self.groups for slot in group.slots]
        twice = [slot for slot in slots if slots.count(slot) > 1]
        if twice:
            layer, head, position = twice[0]
            raise InputError(f"head {layer}.{head} is in the circuit twice at the position {position!r}; leave one")

    def __getitem__(self, name: str) -> HeadGroup:
        for group in self.groups:
            if group.name == name:
                return group
        raise InputError(f"the circuit has no group {name!r}; it has {', '.join(g.name for g in self.groups)}")

    def __iter__(self) -> Iterator[HeadGroup]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def slots(self) -> frozenset[Slot]:
        """All heads with their positions."""
        return frozenset(slot for group in self.groups for slot in group.slots)

    @property
    def sites(self) -> list[Site]:
        """The heads' outputs as sites, without their positions, which differ from prompt to prompt."""
        heads = dict.fromkeys(head for group in self.groups for head in group.heads)
        return [Site("head_out", layer, head) for layer, head in heads]

    def replacing(self, group: HeadGroup) -> HeadCircuit:
        """The circuit with another group of the same name."""
        return HeadCircuit(tuple(group if own.name == group.name else own for own in self.groups))

    def counts(self) -> dict[str, int]:
        """How many heads each group has."""
        return {group.name: len(group.heads) for group in self.groups}

    def check(self, model: LanguageModel, places: Places) -> None:
        """Refuse heads that the model lacks and positions that have no name in `places`."""
        for group in self.groups:
            if group.position not in places:
                raise InputError(
                    f"the group {group.name!r} is at the position {group.position!r}, which is none of "
                    f"{', '.join(places)}"
                )
            for layer, head in group.heads:
                sites.check(model, Site("head_out", layer, head))


def random_circuit(circuit: HeadCircuit, model: LanguageModel, seed: int = 0) -> HeadCircuit:
    """As many heads at each position, drawn at random from all heads of the model."""
    rng = generator(seed, "random circuit")
    every = [(layer, head) for layer in range(model.layer_count) for head in range(model.head_count)]
    left = {position: list(rng.permutation(len(every))) for position in {group.position for group in circuit}}
    groups = []
    for group in circuit:
        drawn = [left[group.position].pop() for _ in group.heads]
        groups.append(replace(group, heads=tuple(every[i] for i in drawn)))
    return HeadCircuit(tuple(groups))


@dataclass(frozen=True)
class Overlap:
    """How many heads two groups share.

    Attributes
    ----------
    shared, first, second : numbers of heads. of_first, of_second : `shared` over each; NaN where a group is empty.
    """

    group: str
    shared: int
    first: int
    second: int

    @property
    def of_first(self) -> float:
        """The share of the first circuit's group that is in the second's."""
        return self.shared / self.first if self.first else float("nan")

    @property
    def of_second(self) -> float:
        """The share of the second circuit's group that is in the first's."""
        return self.shared / self.second if self.second else float("nan")


def circuit_overlap(first: HeadCircuit, second: HeadCircuit) -> list[Overlap]:
    """Shared heads of two circuits, group by group, over the size of each."""
    found = []
    for group in first:
        others = set(second[group.name].heads)
        found.append(Overlap(group.name, len(others & set(group.heads)), len(group.heads), len(others)))
    return found


def check_places(places: Places, lengths: Array) -> None:
    """Refuse positions that are not one column of each prompt."""
    for name, columns in places.items():
        if np.shape(columns) != np.shape(lengths):
            raise InputError(f"the position {name!r} has {np.size(columns)} columns for {len(lengths)} prompts")
        outside = np.flatnonzero((np.asarray(columns) < 0) | (np.asarray(columns) >= lengths))
        if len(outside):
            row = int(outside[0])
            raise InputError(
                f"prompt {row} has no position {name!r} (column {int(columns[row])} of {int(lengths[row])} tokens); "
                "only counterfactuals may lack it"
            )


def slots_of(groups: Sequence[HeadGroup]) -> frozenset[Slot]:
    """All heads of some groups with their positions."""
    return frozenset(slot for group in groups for slot in group.slots)
