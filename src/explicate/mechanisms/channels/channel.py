"""A channel: one rank-one part of a head's W_OV, which reads along one direction and writes along another.

Source: Merullo, Eickhoff, Pavlick (2024), "Talking Heads: Understanding Inter-layer Communication in Transformer
Language Models", sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.interventions import Interchange
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.weights import HeadWeights

Place = tuple[int, int]
"""A head: (layer, head)."""


@dataclass(frozen=True, eq=False)
class Channel:
    """One component sigma read' write of a head's W_OV; the signs of `read` and `write` are free, together.

    Attributes
    ----------
    head : (layer, head). component : its number, 0 for the largest.
    read, write : unit vectors, (width,). sigma : how strong.
    """

    head: Place
    component: int
    read: Floats
    write: Floats
    sigma: float

    @property
    def site(self) -> Site:
        """Where the head writes."""
        return Site("head_out", *self.head)

    def removed(self, mean: Any = 0.0) -> Interchange:
        """Take the channel out of what the head writes, at every position: o - (o.v) v.

        Parameters
        ----------
        mean : coordinates that stand in its place, a number or (position,): o - (o.v - mean) v.
        """
        where = np.asarray(mean, dtype=float)
        value = where[..., None] * self.write
        return Interchange(self.site, value, self.write)


def channels(weights: HeadWeights, head: Place, most: int | None = None) -> list[Channel]:
    """The channels of a head, largest first; at most as many as the head is wide."""
    whole_channels_only(weights)
    found = weights.svd_components(*head)
    count = len(found.size) if most is None else most
    parts = zip(found.read[:count], found.write[:count], found.size[:count], strict=True)
    return [Channel(head, i, read, write, float(size)) for i, (read, write, size) in enumerate(parts)]


@dataclass(frozen=True, eq=False)
class ChannelSubspace:
    """A subspace of the stream that some heads write to.

    Attributes
    ----------
    heads : (layer, head) of those that write. basis : orthonormal columns, (width, dimension).
    """

    heads: tuple[Place, ...]
    basis: Floats

    @classmethod
    def of(cls, parts: Sequence[Channel], heads: Sequence[Place] = ()) -> ChannelSubspace:
        """The span of what some channels write.

        Parameters
        ----------
        heads : whose outputs have coordinates in it; default: those of the channels.

        Raises
        ------
        InputError : no channels, or channels that write along the same direction.
        """
        if not parts:
            raise InputError("a subspace needs at least one channel")
        written = np.stack([part.write for part in parts], axis=1)
        if np.linalg.matrix_rank(written, tol=1e-4) < len(parts):
            raise InputError(f"the {len(parts)} channels write along fewer directions; leave some out")
        return cls(tuple(heads) or tuple(dict.fromkeys(part.head for part in parts)), np.linalg.qr(written)[0])

    @classmethod
    def random(cls, like: ChannelSubspace, rng: np.random.Generator) -> ChannelSubspace:
        """A control: as many directions, drawn at random, for the same heads."""
        drawn = rng.standard_normal(like.basis.shape)
        return cls(like.heads, np.linalg.qr(drawn)[0])

    @property
    def dimension(self) -> int:
        """How many directions."""
        return int(self.basis.shape[1])

    def sites(self, position: int = -1) -> list[Site]:
        """Where the heads write, the earliest first."""
        return [Site("head_out", layer, head, (position,)) for layer, head in sorted(self.heads)]

    def coordinates(self, model: Any, inputs: Any) -> Floats:
        """c = V' o of each prompt, o the sum of the heads' outputs at the last token: (sample, dimension)."""
        sites = self.sites()
        seen = model.capture(inputs, sites)
        return np.asarray(sum(seen[site][:, 0] for site in sites) @ self.basis)

    def set_to(self, coordinates: Any, position: int = -1) -> tuple[Interchange, ...]:
        """Give the heads' sum other coordinates: o - V V' o + V c, at one position.

        The projection is taken out of every head, and the new one is added to the earliest, so that all later parts
        see it.

        Parameters
        ----------
        coordinates : c, (dimension,), or (sample, dimension) with one for each prompt.
        """
        given = np.asarray(coordinates, dtype=float)
        if given.shape[-1] != self.dimension:
            raise InputError(f"coordinates {given.shape} do not fit a subspace of {self.dimension} dimensions")
        value = given @ self.basis.T
        first, *others = self.sites(position)
        new = value if value.ndim == 1 else value[:, None]
        zero = np.zeros(len(self.basis))
        return (Interchange(first, new, self.basis.T), *(Interchange(site, zero, self.basis.T) for site in others))


def whole_channels_only(weights: HeadWeights) -> None:
    """Refuse heads behind a norm, whose scale couples all that they write."""
    if weights.post_norm:
        raise CapabilityError(
            f"in {weights.model!r} a norm follows the heads' output, so a channel cannot be taken out of one head alone"
        )
