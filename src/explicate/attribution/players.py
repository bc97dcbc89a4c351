"""Players: which elementary features go in and out together."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.errors import InputError


@dataclass(frozen=True, eq=False)
class Players:
    """A partition of one sample's features.

    Attributes
    ----------
    labels : int, player of each elementary feature, (feature,), (row, column) or (token,).
        -1 marks what is never absent (padding, special tokens).
    """

    labels: Array

    @property
    def count(self) -> int:
        """Number of players."""
        return int(self.labels.max()) + 1

    def keep(self, masks: Masks, feature_shape: tuple[int, ...]) -> Masks:
        """Which elementary features stay: masks (mask, player) -> (mask, *feature_shape); channels go together."""
        padded = np.concatenate([masks, np.ones((len(masks), 1), dtype=bool)], axis=1)
        kept = padded[:, self.labels]
        missing = len(feature_shape) - self.labels.ndim
        if missing:
            kept = np.broadcast_to(kept[(slice(None), *[None] * missing)], (len(masks), *feature_shape))
        return kept

    def spread(self, values: Array) -> Array:
        """Share each player's value equally among its features, so that sums stay: (player,) -> labels' shape."""
        sizes = np.bincount(self.labels[self.labels >= 0].ravel(), minlength=self.count)
        shares = np.append(values / np.maximum(sizes, 1), 0.0)
        return np.asarray(shares[self.labels])

    def unanimous(self, marks: Masks) -> Masks:
        """Which players have all their features marked: marks (mark, *labels' shape) -> (mark, player)."""
        inside = self.labels >= 0
        members = self.labels[inside][:, None] == np.arange(self.count)
        return (~marks[:, inside]).astype(np.float32) @ members.astype(np.float32) == 0

    def total(self, attribution: Array) -> Array:
        """Sum an attribution (*feature) over each player: -> (player,). Channels in front of the labels are summed."""
        while attribution.ndim > self.labels.ndim:
            attribution = attribution.sum(axis=0)
        inside = self.labels >= 0
        return np.bincount(self.labels[inside].ravel(), weights=attribution[inside].ravel(), minlength=self.count)


@dataclass(frozen=True)
class Partition(Parameterised):
    """Base of rules that make players of a sample."""

    @abstractmethod
    def players(self, model: Any, sample: Array) -> Players:
        """The players of one encoded sample (*feature)."""


@register("each", "parts")
@dataclass(frozen=True)
class Each(Partition):
    """Every column, pixel (all channels together) or token is a player."""

    def players(self, model: Any, sample: Array) -> Players:
        shape = sample.shape[1:] if model.kind == "image" else sample.shape
        labels = np.arange(int(np.prod(shape))).reshape(shape)
        if model.kind == "text":
            present = sample >= 0
            labels = np.where(present, np.cumsum(present) - 1, -1)
        return Players(labels)


@register("grid", "parts")
@dataclass(frozen=True)
class Grid(Partition):
    """An image cut into rectangles.

    Parameters
    ----------
    rows, columns : number of rectangles down and across.
    """

    rows: int = 7
    columns: int = 7

    def players(self, model: Any, sample: Array) -> Players:
        if model.kind != "image":
            raise InputError(f"a grid is for images; {model.name!r} is a model of {model.kind}")
        height, width = sample.shape[-2:]
        if not (1 <= self.rows <= height and 1 <= self.columns <= width):
            raise InputError(f"a grid of {self.rows} x {self.columns} does not fit an image of {height} x {width}")
        down = np.arange(height) * self.rows // height
        across = np.arange(width) * self.columns // width
        return Players(down[:, None] * self.columns + across[None, :])


@register("groups", "parts")
@dataclass(frozen=True)
class Groups(Partition):
    """Given groups of columns or tokens, by index; what is in no group is never absent.

    Parameters
    ----------
    members : one tuple of indices per player.
    """

    members: tuple[tuple[int, ...], ...] = ()

    def players(self, model: Any, sample: Array) -> Players:
        labels = np.full(sample.shape[-1] if sample.ndim == 1 else sample.shape[1:], -1)
        for player, indices in enumerate(self.members):
            if any(not 0 <= index < labels.size for index in indices):
                raise InputError(f"group {player} has an index outside 0 to {labels.size - 1}")
            labels.ravel()[list(indices)] = player
        if labels.max() < 0:
            raise InputError("no groups given; name at least one")
        return Players(labels)
