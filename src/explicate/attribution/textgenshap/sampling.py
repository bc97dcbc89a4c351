"""Draws from which values of pieces are averaged: nested permutations, and coalitions with each player toggled.

A draw is a list of coalitions of atoms, and for each piece two of them: the one before it comes in, and the one after.
A piece's value is the mean over draws of the worth after less the worth before. Nested draws keep the pieces of a
document together, which gives Owen's value instead of Shapley's.

Sources: Enouen and others (2024), arXiv 2312.01279, for the draws; Owen (1977), "Values of Games with a Priori Unions",
for what they estimate; Banzhaf values of unions as in Owen (1981).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.attribution.textgenshap.coalitions import Coalitions
from explicate.attribution.textgenshap.document_tree import ROOT, DocumentTree
from explicate.core.capabilities import Array, Floats, Masks

Sampling = Literal["permutations", "subsets", "banzhaf", "pairs", "exact"]


@dataclass(frozen=True, eq=False)
class Draw:
    """Coalitions, and which two of them each piece makes the difference between.

    Attributes
    ----------
    masks : (coalition, atom). pieces : the pieces that are valued. before, after : (piece,), rows of `masks`.
    """

    masks: Masks
    pieces: tuple[int, ...]
    before: Array
    after: Array


@dataclass(frozen=True, eq=False)
class Plays:
    """Worths before and after each piece.

    Attributes
    ----------
    pieces : numbers of the pieces. before, after : (draw, part, piece); the parts of a draw depend on each other.
    """

    pieces: tuple[int, ...]
    before: Array
    after: Array

    def __len__(self) -> int:
        return len(self.before)

    def joined(self, others: Plays) -> Plays:
        """These and more."""
        return Plays(
            self.pieces,
            np.concatenate([self.before, others.before]),
            np.concatenate([self.after, others.after]),
        )

    def gains(self, game: Coalitions) -> Floats:
        """What each piece adds to each output: (draw, piece, output)."""
        return np.asarray((game.columns(self.after) - game.columns(self.before)).mean(axis=1))

    def includes(self, game: Coalitions) -> Floats:
        """How often a piece brings an output in, (draw, piece, output); of log-probabilities the size of the gain."""
        if game.answer is not None:
            return np.abs(self.gains(game))
        changed = (self.after != self.before)[..., None]
        return np.asarray((game.columns(self.after) * changed).mean(axis=1))


def permuted(tree: DocumentTree, expanded: Collection[int], rng: np.random.Generator) -> Draw:
    """All pieces come in one by one, in a random order that keeps the children of an expanded piece together."""
    masks = [np.zeros(len(tree.atoms), dtype=bool)]
    spans: dict[int, tuple[int, int]] = {}

    def enter(piece: int) -> None:
        start = len(masks) - 1
        if piece in expanded:
            for child in rng.permutation(tree.children[piece]):
                enter(int(child))
        else:
            masks.append(masks[-1] | tree.members[piece])
        if piece != ROOT:
            spans[piece] = (start, len(masks) - 1)

    enter(ROOT)
    pieces = tuple(sorted(spans))
    ends = np.array([spans[piece] for piece in pieces])
    return Draw(np.stack(masks), pieces, ends[:, 0], ends[:, 1])


def toggled(
    tree: DocumentTree, expanded: Collection[int], rng: np.random.Generator, probability: float | None
) -> list[Draw]:
    """A random coalition of the children of each expanded piece, each child toggled, the rest of the text as drawn.

    Parameters
    ----------
    probability : that a piece is in; None draws it evenly from 0 to 1 for each expanded piece, which gives values of
        Shapley and Owen instead of Banzhaf's. For 1/2 the complements are drawn as well, as a second part.
    """
    coins: dict[int, Array] = {}
    for piece in sorted(expanded):
        q = rng.random() if probability is None else probability
        coins[piece] = rng.random(len(tree.children[piece])) < q
    found = [_toggled(tree, coins)]
    if probability == 0.5:
        found.append(_toggled(tree, {piece: ~coin for piece, coin in coins.items()}))
    return found


def _toggled(tree: DocumentTree, coins: dict[int, Array]) -> Draw:
    masks: list[Array] = []
    spans: dict[int, tuple[int, int]] = {}

    def add(mask: Array) -> int:
        masks.append(mask)
        return len(masks) - 1

    def toggle(piece: int, around: Array) -> None:
        """`around`: what is there besides the children of `piece`."""
        children = np.array(tree.children[piece])
        inside = around | tree.members[children[coins[piece]]].any(axis=0)
        base = add(inside)
        for child, drawn in zip(children.tolist(), coins[piece], strict=True):
            own = tree.members[child]
            spans[child] = (add(inside & ~own), base) if drawn else (base, add(inside | own))
            if child in coins:
                toggle(child, inside & ~own)

    toggle(ROOT, np.zeros(len(tree.atoms), dtype=bool))
    pieces = tuple(sorted(spans))
    ends = np.array([spans[piece] for piece in pieces])
    return Draw(np.stack(masks), pieces, ends[:, 0], ends[:, 1])


def play(game: Coalitions, draws: list[list[Draw]]) -> Plays:
    """Ask for all coalitions of some draws at once; each draw is a list of its parts."""
    parts = [part for draw in draws for part in draw]
    worth = game(np.concatenate([part.masks for part in parts]))
    starts = np.cumsum([0, *(len(part.masks) for part in parts[:-1])])
    shape = (len(draws), len(draws[0]), len(parts[0].pieces))
    before, after = (
        np.stack([worth[start + rows] for start, rows in zip(starts, sides, strict=True)]).reshape(shape)
        for sides in ([part.before for part in parts], [part.after for part in parts])
    )
    return Plays(parts[0].pieces, before, after)
