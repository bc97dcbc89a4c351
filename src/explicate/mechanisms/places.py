"""The places that a sweep goes through, and the values that it writes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.interventions import Ablate, Patch
from explicate.core.sites import GLOBAL, HEADED, LAYERED, Site
from explicate.errors import InputError, SiteError
from explicate.mechanisms import runs
from explicate.mechanisms.restart import Variant
from explicate.mechanisms.rows import columns_of
from explicate.models.language import LanguageModel, sites, tokens

if TYPE_CHECKING:
    import torch

Positions: TypeAlias = Literal["each", "all"] | int | Sequence[int]
Captured: TypeAlias = "Mapping[Site, torch.Tensor]"
PAIRS = ("scores", "pattern")


@dataclass(frozen=True)
class Places:
    """A grid of places: kinds x layers x heads x positions.

    Attributes
    ----------
    heads : each by itself; None: all heads at once, or kinds without heads.
    positions : each by itself; None: all positions at once.
    """

    kinds: tuple[str, ...]
    layers: tuple[int, ...]
    heads: tuple[int, ...] | None
    positions: tuple[int, ...] | None

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        kinds: str | Sequence[str],
        layers: Sequence[int] | None,
        heads: Literal["each", "all"] | Sequence[int],
        positions: Positions,
        lengths: Array,
    ) -> Places:
        """The places that a user named; a `SiteError` says what there is."""
        kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        for kind in kinds:
            if kind not in LAYERED:
                raise SiteError(
                    f"{kind!r} is no kind of site in the layers of {model.name!r}; there are {', '.join(LAYERED)} "
                    f"(and {', '.join(GLOBAL)} and module paths, for interventions named one by one)"
                )
        headed = {kind in HEADED for kind in kinds}
        if len(headed) > 1:
            raise InputError(
                f"some of {', '.join(kinds)} have heads and some have none; sweep them one after the other"
            )
        chosen_heads: tuple[int, ...] | None = None
        if headed == {True} and heads != "all":
            chosen_heads = tuple(range(model.head_count)) if heads == "each" else tuple(int(h) for h in heads)
        chosen_layers = tuple(range(model.layer_count)) if layers is None else tuple(int(i) for i in layers)
        chosen: tuple[int, ...] | None
        if isinstance(positions, str):
            if positions not in ("each", "all"):
                raise InputError(f"positions {positions!r} is unknown; use 'each', 'all' or numbers")
            if positions == "each" and lengths.min() < lengths.max():
                raise InputError(
                    f"the prompts have {lengths.min()} to {lengths.max()} tokens, so their positions do not "
                    "correspond; give prompts of equal length, or positions from the end, such as positions=(-1, -2)"
                )
            chosen = tuple(range(int(lengths.max()))) if positions == "each" else None
        else:
            chosen = (positions,) if isinstance(positions, int | np.integer) else tuple(int(p) for p in positions)
        found = cls(kinds, chosen_layers, chosen_heads, chosen)
        if not (found.layers and found.kinds and found.heads != () and found.positions != ()):
            raise InputError("a sweep needs at least one kind, layer, head and position")
        for kind, layer, head in product(found.kinds, found.layers, found.heads or (None,)):
            columns_of(sites.check(model, Site(kind, layer, head, found.positions)), int(lengths.min()))
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of kinds, layers, heads and positions; 1 where they are not told apart."""
        heads = 1 if self.heads is None else len(self.heads)
        return (len(self.kinds), len(self.layers), heads, 1 if self.positions is None else len(self.positions))

    def sources(self) -> tuple[Site, ...]:
        """The sites whose activations are written, all heads and the positions asked for."""
        return tuple(
            Site(written_as(kind), layer, None, self.positions) for kind in self.kinds for layer in self.layers
        )

    def variants(self, values: Captured | None) -> list[Variant]:
        """One patch a place, from activations (sample, [head,] position, width); None: zeros."""
        found: list[Variant] = []
        for kind, layer in product(self.kinds, self.layers):
            whole = None if values is None else values[Site(written_as(kind), layer, None, self.positions)]
            for head in self.heads or (None,):
                part = whole if whole is None or head is None else whole[:, head]
                for i, position in enumerate(self.positions or (None,)):
                    site = Site(written_as(kind), layer, head, None if position is None else (position,))
                    if part is None:
                        found.append((Ablate(site),))
                    elif position is None or part.shape[-2] == 1:
                        found.append((Patch(site, part),))
                    else:
                        found.append((Patch(site, part[..., i : i + 1, :]),))
        return found


def written_as(kind: str) -> str:
    """What a head writes is linear in `z`, so its output is changed there: the same, and cheaper."""
    return "z" if kind == "head_out" else kind


def means(model: LanguageModel, reference: Array, wanted: Sequence[Site], per_position: bool) -> dict[Site, Any]:
    """Mean activations over reference prompts: (1, [head,] position, width), one position where not `per_position`.

    Parameters
    ----------
    reference : encoded prompts (sample, token).
    """
    lengths = tokens.lengths_of(reference)
    if per_position and len(np.unique(lengths)) > 1:
        raise InputError(
            f"means for each position need reference prompts of equal length; they have {lengths.min()} to "
            f"{lengths.max()} tokens: choose others, or per_position=False"
        )
    if not per_position and any(site.kind in PAIRS for site in wanted):
        raise InputError("scores and patterns belong to pairs of positions; their means need per_position=True")
    sums: dict[Site, Any] = {}
    counts = dict.fromkeys(wanted, 0)
    seen_at = {site: site if per_position else replace(site, positions=None) for site in wanted}
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        size = max(1, 2048 // int(length))
        for start in range(0, len(same), size):
            ids = runs.compact(reference, same[start : start + size])
            seen = runs.run(model, ids, tuple(seen_at.values()), cache=False).recorded
            for site in wanted:
                values = seen[seen_at[site]]
                over = values.double() if per_position else values.double().sum(dim=-2, keepdim=True)
                sums[site] = sums.get(site, 0.0) + over.sum(dim=0, keepdim=True)
                counts[site] += len(values) * (1 if per_position else values.shape[-2])
    dtype = next(model.module.parameters()).dtype
    return {site: (total / counts[site]).to(dtype) for site, total in sums.items()}
