"""Which coalitions to try: distinct complement pairs, spread over the sizes, without replacement.

A coalition and its complement are always tried together: that cancels everything in the game that does not tell the
two apart, which Shapley values do not see (Covert, Lee 2021, "Improving KernelSHAP", section 4). Sizes get equal shares
of the pairs, as the leverage scores of the regression ask (Musco, Witter 2025, "Provably Accurate Shapley Value
Estimation via Leverage Score Sampling", theorem 1), and a size with few coalitions is enumerated.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from explicate.attribution.shapley.estimates import Index
from explicate.core.capabilities import Floats, Masks
from explicate.errors import InputError

ENUMERATED = 200_000  # coalitions of one size that are listed rather than drawn with rejection


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct complement pairs.

    Attributes
    ----------
    masks : (pair, player), one coalition of each pair, the smaller one; its complement is the other.
    size : (pair,), number of players of `masks`.
    share : (pair,), the sampled share of all pairs of that size; 1 where they are enumerated.
    weight : (pair,), weight in the regression whose coefficients are the values, for both coalitions of the pair.
    index : which values the pairs are for.
    """

    masks: Masks
    size: np.ndarray
    share: Floats
    weight: Floats
    index: Index = "shapley"

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def exhaustive(self) -> bool:
        """Whether every coalition is there."""
        return bool((self.share == 1).all()) and len(self) == pair_count(self.masks.shape[1])

    def both(self) -> Masks:
        """All coalitions (2 * pair, player): first `masks`, then the complements."""
        return np.concatenate([self.masks, ~self.masks])


def pair_count(players: int) -> int:
    """Complement pairs besides that of nobody and everybody."""
    return 2 ** (players - 1) - 1


def kernel_weight(players: int, size: int) -> float:
    """Total weight of all coalitions of one size in the Shapley regression: (n - 1) / (k (n - k)).

    Source: Lundberg, Lee (2017), theorem 2, summed over the coalitions of size k.
    """
    return (players - 1) / (size * (players - size))


def draw_pairs(players: int, pairs: int, rng: np.random.Generator, index: Index = "shapley") -> Pairs:
    """Draw distinct pairs.

    Parameters
    ----------
    players : at least 2.
    pairs : how many; more than there are gives all.
    index : for Shapley values the sizes get equal shares; for Banzhaf values, in which all coalitions count alike,
        shares in proportion to their numbers of coalitions.
    """
    if players < 2 or pairs < 1:
        raise InputError(f"cannot draw {pairs} pairs of coalitions of {players} players; take at least 1 and 2")
    sizes = range(1, players // 2 + 1)
    have = [_pairs_of_size(players, size) for size in sizes]
    wish = np.array([1.0 if 2 * size == players else 2.0 for size in sizes])
    if index == "banzhaf":
        wish = np.array([float(count) for count in have]) / pair_count(players)
    counts = _allot(min(pairs, pair_count(players)), have, wish, rng)
    masks, size_of, share, weight = [], [], [], []
    for size, available, count in zip(sizes, have, counts, strict=True):
        if count == 0:
            continue
        masks.append(_draw_size(players, size, count, available, rng))
        size_of.append(np.full(count, size))
        share.append(np.full(count, count / available))
        if index == "banzhaf":
            total = available / pair_count(players)
        else:  # the middle size's coalitions are in pairs among themselves, so its weight is for two of them a pair
            total = kernel_weight(players, size) * (0.5 if 2 * size == players else 1.0)
        weight.append(np.full(count, total / count))
    return Pairs(np.concatenate(masks), np.concatenate(size_of), np.concatenate(share), np.concatenate(weight), index)


def _pairs_of_size(players: int, size: int) -> int:
    return math.comb(players, size) // (2 if 2 * size == players else 1)


def _allot(total: int, have: list[int], wish: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Share `total` among sizes in proportion to `wish`, never more than there are; what is left over is drawn."""
    counts = np.zeros(len(have), dtype=np.int64)
    full = np.zeros(len(have), dtype=bool)
    while True:
        left = total - int(counts[full].sum())
        share = np.where(full, 0.0, wish)
        ideal = left * share / share.sum() if share.sum() else share
        over = ~full & np.array([ideal[i] >= have[i] for i in range(len(have))])
        if not over.any():
            break
        for i in np.flatnonzero(over):
            counts[i] = have[i]
        full |= over
    open_sizes = np.flatnonzero(~full)
    counts[open_sizes] = np.floor(ideal[open_sizes]).astype(np.int64)
    rest = total - int(counts.sum())
    if rest > 0 and len(open_sizes):
        parts = ideal[open_sizes] - np.floor(ideal[open_sizes])
        order = open_sizes[np.argsort(-(parts + 1e-9 * rng.random(len(parts))))]
        counts[order[:rest]] += 1
    return [int(count) for count in counts]


def _draw_size(players: int, size: int, count: int, available: int, rng: np.random.Generator) -> Masks:
    masks = np.zeros((count, players), dtype=bool)
    if available <= ENUMERATED and (count * 4 >= available or available <= 5000):
        chosen = _listed(players, size)
        picked = np.arange(available) if count == available else rng.permutation(available)[:count]
        masks[np.arange(count)[:, None], chosen[picked]] = True
        return masks
    seen: set[bytes] = set()
    row = 0
    while row < count:
        block = np.argsort(rng.random((2 * (count - row), players)), axis=1)[:, :size]
        for members in block:
            candidate = np.zeros(players, dtype=bool)
            candidate[members] = True
            if 2 * size == players and not candidate[0]:
                candidate = ~candidate
            key = candidate.tobytes()
            if key not in seen:
                seen.add(key)
                masks[row] = candidate
                row += 1
                if row == count:
                    break
    return masks


@functools.lru_cache(maxsize=64)
def _listed(players: int, size: int) -> np.ndarray:
    """All coalitions of one size, (coalition, size); of the middle size those with player 0 stand for their pairs."""
    return np.array([c for c in combinations(range(players), size) if 2 * size != players or c[0] == 0])
