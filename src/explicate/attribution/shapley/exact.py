"""Shapley and Banzhaf values from the worth of every coalition: the truth that estimators are held against.

Sources: Shapley (1953), "A Value for n-Person Games"; Banzhaf (1965), "Weighted Voting Doesn't Work".
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import InputError

LARGEST = 16  # players whose 65,536 coalitions are enumerated


def all_coalitions(players: int) -> Masks:
    """Every coalition, (2 ** players, players); row r holds the bits of r, player 0 the lowest."""
    if not 1 <= players <= LARGEST:
        raise InputError(f"{players} players have too many coalitions to enumerate; 1 to {LARGEST} can be")
    return (np.arange(2**players)[:, None] >> np.arange(players)) % 2 == 1


def shapley_values(worth: Array) -> Floats:
    """Shapley values (player,) of a game given by its worth (2 ** players,) in the order of `all_coalitions`.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S and i) - v(S)).
    """
    return _weighted_gains(worth, lambda size, n: 1 / (n * math.comb(n - 1, size)))


def banzhaf_values(worth: Array) -> Floats:
    """Banzhaf values (player,): the mean gain over all coalitions without the player."""
    return _weighted_gains(worth, lambda size, n: 2.0 ** (1 - n))


def _weighted_gains(worth: Array, weight: Callable[[int, int], float]) -> Floats:
    worth = np.asarray(worth, dtype=float)
    players = int(worth.size).bit_length() - 1
    if worth.ndim != 1 or worth.size != 2**players or players < 1:
        raise InputError(f"the worth of all coalitions has 2, 4, 8, ... entries, not shape {worth.shape}")
    sizes = all_coalitions(players).sum(axis=1)
    weights = np.array([weight(size, players) for size in range(players)])
    found = np.empty(players)
    rows = np.arange(worth.size)
    for player in range(players):
        without = rows[(rows >> player) % 2 == 0]
        found[player] = weights[sizes[without]] @ (worth[without | (1 << player)] - worth[without])
    return found
