"""Attention knockout: cut what some tokens read from others.

Source: Geva, Bastings, Filippova, Globerson (2023), "Dissecting Recall of Factual Associations in Auto-Regressive
Language Models", section 5. Scores are set to minus infinity, so what is left of the pattern adds up to 1 again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.interventions import Intervention, like
from explicate.core.sites import Site
from explicate.errors import InputError, SelectionError


@dataclass(frozen=True, eq=False)
class Knockout(Intervention):
    """At a site of kind `scores`, minus infinity for some keys.

    Parameters
    ----------
    site : its positions are the tokens that read; no head means all heads.
    keys : the tokens that are no longer read, negative ones from the last that is there.
    """

    keys: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.address.kind != "scores":
            raise InputError(f"{self.site}: attention is knocked out at scores, such as L3.scores@-1")
        if not self.keys:
            raise InputError(f"{self.site}: name at least one token that is no longer to be read")

    def apply(self, activation: Any) -> Any:
        count = int(activation.shape[-1])
        outside = [key for key in self.keys if not -count <= key < count]
        if outside:
            raise SelectionError(f"{self.site}: there is no key {outside[0]} among {count} tokens")
        cut = np.zeros(count)
        cut[list(self.keys)] = -np.inf
        return activation + like(cut, activation)


def knockout(
    layers: Iterable[int], readers: Sequence[int], keys: Sequence[int], heads: Sequence[int] | None = None
) -> tuple[Knockout, ...]:
    """Cut attention from some tokens to others in a set of layers, in all heads or some: one intervention a site.

    Parameters
    ----------
    readers : tokens that read, counted in the prompt. keys : tokens that they no longer read.

    Raises
    ------
    InputError : when applied, a token that has no key left to read.
    """
    return tuple(
        Knockout(Site("scores", layer, head, tuple(readers)), tuple(keys))
        for layer in layers
        for head in (heads if heads is not None else (None,))
    )
