"""Values of pieces, each a vector over the outputs, with their standard errors: sampled, by regression, or exact."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from explicate.attribution.shapley import all_coalitions, banzhaf_values, shapley_values
from explicate.attribution.shapley.estimates import Index
from explicate.attribution.shapley.exact import LARGEST
from explicate.attribution.shapley.sampling import Pairs, draw_pairs
from explicate.attribution.shapley.solver import Estimator, estimate_from_pairs
from explicate.attribution.textgenshap.coalitions import Coalitions
from explicate.attribution.textgenshap.document_tree import ROOT, DocumentTree
from explicate.attribution.textgenshap.sampling import Plays, Sampling, permuted, play, toggled
from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError

ROUND = 10  # draws between two looks at the standard error


@dataclass(frozen=True, eq=False)
class Values:
    """What is known of each piece.

    Attributes
    ----------
    pieces : numbers of the pieces that have values.
    value, standard_error : (piece, output); the standard error is 0 where nothing was left to chance.
    include, include_error : (piece, output), the chance that the piece brings the output in.
    draws : how many were made.
    """

    pieces: tuple[int, ...]
    value: Floats
    standard_error: Floats
    include: Floats
    include_error: Floats
    draws: int

    @property
    def influence(self) -> Floats:
        """The chance that a piece changes what is written: (piece,)."""
        return np.asarray(self.include.sum(axis=1))

    def of(self, piece: int) -> int:
        """The row of a piece."""
        return self.pieces.index(piece)


def estimated(
    game: Coalitions,
    tree: DocumentTree,
    expanded: Collection[int],
    sampling: Sampling,
    draws: int,
    tolerance: float,
    probability: float,
    rng: np.random.Generator,
) -> Values:
    """Values of the frontier and of all above it.

    Parameters
    ----------
    expanded : pieces that are played by their children; the root always.
    draws : permutations, subsets or pairs at most. tolerance : a standard error of the value of every output at which
        to stop; 0: never. probability : of Banzhaf's coalitions.
    """
    if sampling == "exact":
        return exact(game, tree, expanded)
    if sampling == "pairs":
        return _regressed(game, tree, expanded, draws, tolerance, rng)
    plays: Plays | None = None
    while plays is None or len(plays) < draws:
        size = min(ROUND, draws - (0 if plays is None else len(plays))) if tolerance else draws
        if sampling == "permutations":
            drawn = [[permuted(tree, expanded, rng)] for _ in range(size)]
        else:
            chance = probability if sampling == "banzhaf" else None
            drawn = [toggled(tree, expanded, rng, chance) for _ in range(size)]
        more = play(game, drawn)
        plays = more if plays is None else plays.joined(more)
        if tolerance and len(plays) > 1 and _error(plays.gains(game)).max() <= tolerance:
            break
    gains, includes = plays.gains(game), plays.includes(game)
    return Values(plays.pieces, gains.mean(axis=0), _error(gains), includes.mean(axis=0), _error(includes), len(plays))


def _error(values: Floats) -> Floats:
    """Standard error of the mean over draws; infinite of a single one."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.inf)
    found: Floats = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return found


def exact(game: Coalitions, tree: DocumentTree, expanded: Collection[int], index: Index = "shapley") -> Values:
    """Owen's values (Shapley's where only the root is expanded) from all coalitions.

    The children of an expanded piece play a game of their own: the worth with a set of them, averaged over what may
    stand around, which are coalitions of the piece's siblings, weighted as in its own value, and so on up to the root.

    Raises
    ------
    InputError : a piece with more children than can be enumerated.
    """
    solve = shapley_values if index == "shapley" else banzhaf_values
    rows: dict[int, tuple[Floats, Floats]] = {}

    def enter(piece: int, around: list[tuple[Array, float]]) -> None:
        children = np.array(tree.children[piece])
        if len(children) > LARGEST:
            raise InputError(f"exact values of {len(children)} pieces are too many; use at most {LARGEST}, or sample")
        sets = all_coalitions(len(children))
        inside = np.asarray(sets.astype(int) @ tree.members[children].astype(int) > 0)
        worth = [game(inside | base) for base, _ in around]
        columns = [game.columns(one) for one in worth]
        mean = np.tensordot([share for _, share in around], np.stack(columns), axes=1)  # (coalition, output)
        for place, child in enumerate(children.tolist()):
            value = np.array([solve(column) for column in mean.T])
            rows[child] = (value[:, place], _included(game, worth, around, sets, place, index))
            if child in expanded:
                others = [s for s in range(len(sets)) if not sets[s, place]]
                share = _weights(len(children), index)
                enter(child, [(base | inside[s], w * share[sets[s].sum()]) for base, w in around for s in others])

    enter(ROOT, [(np.zeros(len(tree.atoms), dtype=bool), 1.0)])
    pieces = tuple(sorted(rows))
    width = 1 if game.answer is not None else len(game.outputs)
    value, include = (np.stack([_wide(rows[p][side], width) for p in pieces]) for side in (0, 1))
    nothing = np.zeros_like(value)
    return Values(pieces, value, nothing, include, nothing, 1)


def _included(
    game: Coalitions, worth: list[Array], around: list[tuple[Array, float]], sets: Array, place: int, index: Index
) -> Floats:
    """The chance that a child brings each output in."""
    without = np.flatnonzero(~sets[:, place])
    share = _weights(sets.shape[1], index)[sets[without].sum(axis=1)]
    found: Floats = np.zeros(1)
    for each, (_, weight) in zip(worth, around, strict=True):
        before, after = each[without], each[without | (1 << place)]
        if game.answer is not None:
            gained = np.abs(after - before)[:, None]
        else:
            gained = game.columns(after) * (after != before)[:, None]
        found = _wide(found, gained.shape[1]) + weight * (share @ gained)
    return found


def _weights(players: int, index: Index) -> Floats:
    """The weight of one coalition without a player, by its size."""
    if index == "banzhaf":
        return np.full(players, 2.0 ** (1 - players))
    return np.array([1 / (players * math.comb(players - 1, size)) for size in range(players)])


def _wide(values: Floats, width: int) -> Floats:
    """Outputs that were seen later have the value 0."""
    return np.pad(values, (0, width - len(values)))


def _regressed(
    game: Coalitions,
    tree: DocumentTree,
    expanded: Collection[int],
    draws: int,
    tolerance: float,
    rng: np.random.Generator,
) -> Values:
    """By the coalition engine's regression on pairs of complements, a game for each expanded piece.

    What stands around the children of a piece is drawn anew for each pair, evenly over the sizes of coalitions of its
    siblings; the noise is part of the standard error. Their values add up to the piece's own.
    """
    size = min(draws, max(8, draws // 8)) if tolerance else draws
    while True:
        found = _once(game, tree, expanded, size, rng)
        if not tolerance or size >= draws or found.standard_error.max() <= tolerance:
            return found
        size = min(draws, 2 * size)


def _once(
    game: Coalitions, tree: DocumentTree, expanded: Collection[int], draws: int, rng: np.random.Generator
) -> Values:
    nobody = np.zeros(len(tree.atoms), dtype=bool)
    ends = game(np.stack([nobody, ~nobody]))
    estimator: Estimator = "least-squares" if game.answer is None else "auto"
    rows: dict[int, tuple[Floats, Floats]] = {}
    asked = 0
    for piece in sorted(expanded):
        children = np.array(tree.children[piece])
        total = game.columns(ends[1]) - game.columns(ends[0]) if piece == ROOT else rows[piece][0]
        if len(children) == 1:
            error = np.zeros_like(total) if piece == ROOT else rows[piece][1]
            rows[int(children[0])] = (total, error)
            continue
        pairs = draw_pairs(len(children), draws, rng)
        if piece != ROOT:
            pairs = _repeated(pairs, draws)
        members = tree.members[children].astype(int)
        masks = np.asarray(pairs.both().astype(int) @ members > 0)
        around = np.stack([_around(tree, piece, rng) for _ in range(len(pairs))])
        worth = game.columns(game(masks | np.concatenate([around, around])))
        odd = (worth[: len(pairs)] - worth[len(pairs) :]) / 2
        total = _wide(total, odd.shape[1])
        fits = [
            estimate_from_pairs(pairs, odd[:, output], float(total[output]), rng, estimator)
            for output in range(odd.shape[1])
        ]
        above = np.zeros(len(total)) if piece == ROOT else _wide(rows[piece][1], len(total)) / len(children)
        for place, child in enumerate(children.tolist()):
            own = np.array([fit.standard_error[place] for fit in fits])
            rows[child] = (np.array([fit.values[place] for fit in fits]), np.sqrt(own**2 + above**2))
        asked += len(pairs)
    pieces = tuple(sorted(rows))
    width = 1 if game.answer is not None else len(game.outputs)
    value, error = (np.stack([_wide(rows[p][side], width) for p in pieces]) for side in (0, 1))
    return Values(pieces, value, error, np.maximum(value, 0.0) if game.answer is None else np.abs(value), error, asked)


def _repeated(pairs: Pairs, draws: int) -> Pairs:
    """Pairs as a sample of plays, each with something else around: never enumerated; few come several times."""
    times = -(-draws // len(pairs))
    return Pairs(
        np.tile(pairs.masks, (times, 1)),
        np.tile(pairs.size, times),
        np.zeros(times * len(pairs)),
        np.tile(pairs.weight, times) / times,
        pairs.index,
    )


def _around(tree: DocumentTree, piece: int, rng: np.random.Generator) -> Array:
    """What is there besides a piece: at each level above a coalition of its siblings, of a size drawn evenly."""
    found = np.zeros(len(tree.atoms), dtype=bool)
    while piece != ROOT:
        parent = tree.pieces[piece].parent
        siblings = np.array([child for child in tree.children[parent] if child != piece], dtype=np.int64)
        chosen = siblings[rng.random(len(siblings)) < rng.random()]
        found |= tree.members[chosen].any(axis=0)
        piece = parent
    return found
