"""Which head of a circuit points at the answer: the one whose attention over the context is sharpest and hits it.

Source: Basu et al. (2025), arXiv 2502.08059, section 4. Attention to the first token and outside the context is taken
out and the rest normalised anew before anything is read off it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explicate.attribution.attn_attrib import over_context
from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.runtime.cache import CallCache
from explicate.runtime.files import cache_folder

FORMAT = 1


@dataclass(frozen=True, eq=False)
class HeadRanking:
    """How sharp and how right the attention of each head is.

    Attributes
    ----------
    heads : sites of patterns. entropy : (head,), mean over the prompts, in nats, divided by the largest possible.
    hit_rate : (head,), share of prompts where the most attended context token is the answer's.
    largest : (head, prompt), the attention of that token.
    """

    heads: tuple[Site, ...]
    entropy: Floats
    hit_rate: Floats
    largest: Floats

    @property
    def quality(self) -> Floats:
        """Hit rate times (1 - entropy): the order of the heads."""
        return np.asarray(self.hit_rate * (1.0 - self.entropy))

    def best(self, most: int = 1) -> list[Site]:
        """The best heads."""
        return [self.heads[i] for i in np.argsort(-self.quality, kind="stable")[:most]]

    def floor(self, head: Site, share: float = 0.05) -> float:
        """The attention that all but a share of the prompts' answers get at least: below it nothing is supported."""
        if head not in self.heads:
            raise InputError(f"{head} was not ranked; there are {', '.join(map(str, self.heads[:5]))}, ...")
        return float(np.quantile(self.largest[self.heads.index(head)], share))


def rank_heads(
    model: LanguageModel,
    prompts: Sequence[str],
    contexts: Sequence[tuple[int, int]],
    places: Sequence[int] | Array,
    heads: Sequence[Site] = (),
    *,
    cache: bool | str | Path = False,
) -> HeadRanking:
    """Rank heads by where the last position attends to.

    Parameters
    ----------
    contexts : for each prompt the tokens of its context, the first and the one after the last.
    places : for each prompt the answer's first token in it.
    heads : any sites of heads; none: all heads.
    cache : keep what was found for this model, its weights and these prompts, so that a model is searched once: True
        for the user's cache, or a folder.
    """
    if not (len(prompts) == len(contexts) == len(places)) or not len(prompts):
        raise InputError(f"{len(prompts)} prompts, {len(contexts)} contexts and {len(places)} places; give one of each")
    chosen = [(site.layer or 0, site.head or 0) for site in heads] or [
        (layer, head) for layer in range(model.layer_count) for head in range(model.head_count)
    ]
    if cache is False:
        parts: Any = _measured(model, prompts, contexts, places, chosen)
    else:
        key = {
            "model": model.fingerprint(),
            "prompts": list(prompts),
            "contexts": [[int(end) for end in context] for context in contexts],
            "places": [int(place) for place in places],
            "heads": [list(head) for head in chosen],
            "format": FORMAT,
        }
        store = CallCache(cache_folder("head-rankings") if cache is True else cache)
        parts = store.fetch(
            key, lambda: [part.tolist() for part in _measured(model, prompts, contexts, places, chosen)]
        )
    entropy, hits, largest = (np.asarray(part, dtype=float) for part in parts)
    sites = tuple(Site("pattern", layer, head, (-1,)) for layer, head in chosen)
    return HeadRanking(sites, entropy, hits, largest)


def _measured(
    model: LanguageModel,
    prompts: Sequence[str],
    contexts: Sequence[tuple[int, int]],
    places: Sequence[int] | Array,
    chosen: Sequence[tuple[int, int]],
) -> tuple[Floats, Floats, Floats]:
    """Mean entropy and hit rate (head,), and the largest attention (head, prompt)."""
    layers = sorted({layer for layer, _ in chosen})
    entropy, hits, largest = (np.zeros((len(chosen), len(prompts))) for _ in range(3))
    for number, (prompt, context, place) in enumerate(zip(prompts, contexts, places, strict=True)):
        sites = {layer: Site("pattern", layer, None, (-1,)) for layer in layers}
        found = model.capture([prompt], list(sites.values()))
        for row, (layer, head) in enumerate(chosen):
            pattern = np.asarray(found[sites[layer]])[0, head, 0].astype(float)
            shares = over_context(pattern, context)
            entropy[row, number] = _entropy(shares)
            top = int(shares.argmax())
            hits[row, number] = context[0] + top == int(place)
            largest[row, number] = pattern[context[0] + top]
    return entropy.mean(axis=1), hits.mean(axis=1), largest


def _entropy(shares: Floats) -> float:
    inside = shares[shares > 0]
    return float(-(inside * np.log(inside)).sum() / np.log(max(2, len(shares))))
