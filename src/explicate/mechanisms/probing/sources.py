"""Where a sweep's activations come from, and the names of the places that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.probing.shards import Shards
from explicate.runtime.progress import track

Source: TypeAlias = "Shards | Mapping[Any, Floats]"
"""Activations: shards, or by site arrays (sample, [position,] width)."""

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@dataclass(frozen=True)
class Place:
    """A site at one position; `position` is empty where the source does not say which."""

    site: Site
    position: str = ""

    def __str__(self) -> str:
        return f"{self.site}@{self.position}" if self.position else str(self.site)

    @property
    def layer(self) -> int:
        """The layer; of a module path its first number; -1 for what comes before the first block."""
        if self.site.layer is not None:
            return self.site.layer
        number = _NUMBER.search(self.site.kind)
        return int(number.group()) if number else -1

    @property
    def part(self) -> str:
        """What the site is, without its layer."""
        kind = _NUMBER.sub("*", self.site.kind, count=1) if self.site.is_module else self.site.kind
        return kind if self.site.head is None else f"{kind}.H{self.site.head}"


def sites_of(source: Source) -> list[Site]:
    """The sites, in order."""
    return source.sites if isinstance(source, Shards) else [Site.parse(site) for site in source]


def places(source: Source, sites: Sequence[Site], label: str) -> Iterator[tuple[Place, Floats]]:
    """Each place of the sites with its activations (sample, width), one site in memory at a time."""
    given = {} if isinstance(source, Shards) else {Site.parse(key): value for key, value in source.items()}
    for site in track(sites, label, total=len(sites)):
        if isinstance(source, Shards):
            values, names = source.read(site), [str(position) for position in source.positions]
        elif site in given:
            values = np.asarray(given[site])
            values = values[:, None] if values.ndim == 2 else values
            names = _names(site, values)
        else:
            raise InputError(f"{site} is missing among the {label} activations")
        for number, name in enumerate(names):
            yield Place(replace(site, positions=None), name), values[:, number]


def _names(site: Site, values: Floats) -> list[str]:
    if values.ndim != 3:
        raise InputError(f"{site}: activations of shape {values.shape}; give (sample, [position,] width)")
    if site.positions is not None:
        if len(site.positions) != values.shape[1]:
            raise InputError(f"{site}: activations at {values.shape[1]} positions for {len(site.positions)}")
        return [str(position) for position in site.positions]
    return [""] if values.shape[1] == 1 else [str(number) for number in range(values.shape[1])]
