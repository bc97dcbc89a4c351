"""Which structures to show of a phenomenon: few that leave no other rule, or pairs that differ in little.

Structures are given by their ids, their places in `all_structures`.

Source: Norelli et al. (2022), arXiv 2201.10222, section 4 and appendix.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.odeen.semantics import TruthTable, unpacked
from explicate.data.odeen.world import CELLS, PLACES, STRUCTURES, SYMBOLS, all_structures, piece_counts, symbol_features
from explicate.errors import InputError

MOST_PAIRED = 4  # pairs are looked for among so many times more structures than are asked for


class TableMaker:
    """Draws tables for the rules of a language.

    Parameters
    ----------
    rules : the language. rng : all draws come from it.
    pool : structures among which a minimal table is looked for, drawn anew for every rule from eight times as many.
    """

    def __init__(self, rules: TruthTable, rng: np.random.Generator, pool: int = 512) -> None:
        self.rules, self.rng, self.pool = rules, rng, pool

    @cached_property
    def _shown(self) -> tuple[Array, Array]:
        """Structures to choose from, and the truth of each meaning on them: bits of uint64 (structure, word)."""
        ids = self.rng.choice(STRUCTURES, size=8 * self.pool, replace=False)
        return ids, _as_words(self.rules.matrix(ids)[self.rules.meanings].T)

    def minimal(self, row: int, most: int = 32) -> Array:
        """Structures whose tags leave no meaning but the rule's: (structure,), at most `most`.

        Greedy: each is the one that rules out most of the meanings that are left. Where the pool cannot tell some of
        them from the rule, all structures are searched.
        """
        ids, bits = self._shown
        chosen = self.rng.choice(len(ids), size=self.pool, replace=False)
        own = self.rules.tags(np.array(row), ids[chosen])
        differs = np.where(own[:, None], ~bits[chosen], bits[chosen])
        others = self.rules.meanings != self.rules.meaning[row]
        left = _as_words(others[None])[0]
        found: list[int] = []
        while left.any() and len(found) < most:
            counts = np.bitwise_count(differs & left).sum(axis=1, dtype=np.int64)
            best = int(counts.argmax())
            if counts[best]:
                found.append(int(ids[chosen[best]]))
                left = left & ~differs[best]
            else:
                rows = self.rules.meanings[np.unpackbits(left.view(np.uint8), count=len(others)).astype(bool)]
                return np.array([*found, *self._apart(row, rows, most - len(found))], dtype=np.int64)
        return np.array(found, dtype=np.int64)

    def _apart(self, row: int, others: Array, most: int) -> list[int]:
        """Structures that tell a rule from few others, greedily among all."""
        apart = unpacked(self.rules.packed(others) ^ self.rules.packed([row]))
        found: list[int] = []
        while len(apart) and len(found) < most:
            counts = apart.sum(axis=0)
            found.append(int(self.rng.choice(np.flatnonzero(counts == counts.max()))))
            apart = apart[~apart[:, found[-1]]]
        return found

    def near_misses(self, row: int, pairs: int) -> Array:
        """Pairs of structures that differ in one cell and in their tag, (pair, 2); fewer where there are no more.

        Simple structures are preferred (each piece more halves the chance), and small changes: see `change_costs`.
        """
        truth = self.rules.truth(row)
        rarer = np.flatnonzero(truth if truth.mean() <= 0.5 else ~truth)
        keys = self.rng.gumbel(size=len(rarer)) - np.log(2) * piece_counts()[rarer]
        most = min(MOST_PAIRED * pairs, len(rarer))
        starts = rarer[np.argpartition(-keys, most - 1)[:most]] if most else rarer
        starts = starts[np.argsort(-keys[np.isin(rarer, starts)])] if most < len(rarer) else starts
        others, costs = _neighbours(starts)
        costs = costs + self.rng.uniform(size=costs.shape)  # ties fall at random
        costs[truth[others] == truth[starts][:, None]] = np.inf
        best = costs.argmin(axis=1)
        there = np.flatnonzero(np.isfinite(costs[np.arange(len(starts)), best]))[:pairs]
        return np.stack([starts[there], others[there, best[there]]], axis=1)

    def informative(self, row: int, size: int = 32) -> Array:
        """A minimal table, filled up with random structures: (structure,), no two alike, in random order."""
        return self.filled(self.minimal(row, size), size)

    def paired(self, row: int, size: int = 32) -> Array:
        """A table of near misses, filled up with random structures where there are too few."""
        return self.filled(self.near_misses(row, -(-size // 2)).ravel(), size)

    def various(self, row: int, first: Array, size: int) -> Array:
        """Many structures of a phenomenon: the given ones, two minimal tables, near misses up to three quarters, and
        random ones."""
        known = np.unique(np.concatenate([first, *(self.minimal(row, size // 4) for _ in range(2))]))
        pairs = self.near_misses(row, max(0, (3 * size // 4 - len(known)) // 2))
        return self.filled(np.concatenate([known, pairs.ravel()]), size)

    def filled(self, ids: Array, size: int) -> Array:
        """So many different structures: the given ones first, then random ones; shuffled."""
        if not 0 < size <= STRUCTURES:
            raise InputError(f"a table of {size} structures cannot be drawn; give 1 to {STRUCTURES}")
        found = np.array(list(dict.fromkeys(ids.tolist()))[:size], dtype=np.int64)
        while len(found) < size:
            more = self.rng.integers(STRUCTURES, size=size)
            found = np.array(list(dict.fromkeys([*found.tolist(), *more.tolist()]))[:size], dtype=np.int64)
        return self.rng.permutation(found)


def change_costs() -> Array:
    """What it costs to change one symbol into another, (symbol, symbol).

    1 for each of colour, shape and direction that changes, 3 for a piece that comes or goes.
    """
    features = symbol_features()
    pyramid, block, blue, red, up, down = features.T
    colour = (blue[:, None] != blue) | (red[:, None] != red)
    shape = (pyramid[:, None] != pyramid) | (block[:, None] != block)
    direction = (up[:, None] != up) | (down[:, None] != down)
    empty = features.sum(axis=1) == 0
    costs = colour.astype(float) + shape + (direction & ~shape)
    costs[empty[:, None] != empty] = 3.0
    return costs


def _neighbours(ids: Array) -> tuple[Array, Array]:
    """All structures that differ in one cell, (structure, neighbour), and what the change costs."""
    codes = all_structures()[ids].astype(np.int64)
    costs = change_costs()
    found, spent = [], []
    for cell in range(CELLS):
        for step in range(1, len(SYMBOLS)):
            other = (codes[:, cell] + step) % len(SYMBOLS)
            found.append(ids + (other - codes[:, cell]) * PLACES[cell])
            spent.append(costs[codes[:, cell], other])
    return np.stack(found, axis=1), np.stack(spent, axis=1)


def _as_words(truths: Array) -> Array:
    """Booleans (row, bit) as uint64 (row, word); missing bits are 0."""
    packed = np.packbits(truths, axis=1)
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))).view(np.uint64)
