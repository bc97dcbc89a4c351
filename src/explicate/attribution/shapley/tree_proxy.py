"""Shapley and Banzhaf values by a tree proxy that is corrected by regression.

Boosted trees learn what the linear part of the regression leaves over; their Shapley values are known in closed form,
and the regression then estimates those of what the trees miss. Folds keep the two apart: what a pair adds to the
correction was predicted by trees that have not seen it, so the correction removes the trees' bias, and its standard
error is that of the whole.

Sources: Witter, Liu, Musco (2025), "Regression-adjusted Monte Carlo Estimators for Shapley Values and Probabilistic
Values", arXiv 2506.11849, section 3; folds as in Chernozhukov and others (2018), "Double/Debiased Machine Learning".
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from explicate.attribution.shapley.estimates import Estimate, Index
from explicate.attribution.shapley.least_squares import estimate_by_least_squares
from explicate.attribution.shapley.sampling import Pairs
from explicate.core.capabilities import Floats

FOLDS = 5
TREES, DEPTH, RATE = 100, 4, 0.1  # of the boosting
FEWEST = 4  # pairs a fold, below which trees have nothing to learn from


def estimate_by_tree_proxy(pairs: Pairs, odd: Floats, total: float, rng: np.random.Generator) -> Estimate | None:
    """Values and their standard errors, or None where there are too few pairs.

    Parameters
    ----------
    pairs : the coalitions tried. odd : (pair,), half of v(S) - v(not S). total : v(everybody) - v(nobody).
    """
    players = pairs.masks.shape[1]
    if len(pairs) < max(FOLDS * FEWEST, players + FOLDS):
        return None
    linear = estimate_by_least_squares(pairs, odd, total).values
    left = odd - np.where(pairs.masks, 0.5, -0.5) @ linear
    fold = rng.permutation(len(pairs)) % FOLDS
    missed, values, missed_total = np.empty(len(pairs)), linear.copy(), total - float(linear.sum())
    seed = int(rng.integers(2**31))
    for number in range(FOLDS):
        others, own = fold != number, fold == number
        trees = _fit(pairs.masks[others], left[others], pairs.weight[others], seed)
        predicted = trees.predict(pairs.masks[own].astype(float)) - trees.predict((~pairs.masks[own]).astype(float))
        missed[own] = left[own] - predicted / 2
        nobody, everybody = trees.predict(np.array([[0.0] * players, [1.0] * players]))
        missed_total -= float(everybody - nobody) / FOLDS
        values += _boosted_values(trees, players, pairs.index) / FOLDS
    # every fold misses something else, so enumerating a size leaves an error: no correction for a finite population
    sample = replace(pairs, share=np.zeros(len(pairs)))
    correction = estimate_by_least_squares(sample, missed, missed_total)
    return replace(correction, values=values + correction.values, estimator="tree-proxy")


def _fit(masks: Any, left: Floats, weight: Floats, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    both, signed = np.concatenate([masks, ~masks]).astype(float), np.concatenate([left, -left])
    boosting = GradientBoostingRegressor(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=RATE, max_features=0.5, random_state=seed
    )
    return boosting.fit(both, signed, np.concatenate([weight, weight]))


def _boosted_values(boosting: Any, players: int, index: Index) -> Floats:
    found = np.zeros(players)
    for (tree,) in boosting.estimators_:
        found += boosting.learning_rate * tree_values(tree.tree_, players, index)
    return found


def tree_values(tree: Any, players: int, index: Index = "shapley") -> Floats:
    """Shapley or Banzhaf values (player,) of scikit-learn's decision tree over absence (0) and presence (1).

    A leaf of value v is reached by the coalitions with all players P and none of N, the splits on its path: a game in
    which each of P gets v (|P| - 1)! |N|! / (|P| + |N|)! and each of N loses v |P|! (|N| - 1)! / (|P| + |N|)!. Of
    Banzhaf values either is v 2 ** (1 - |P| - |N|).
    """
    found = np.zeros(players)
    left, right, feature, value = tree.children_left, tree.children_right, tree.feature, tree.value[:, 0, 0]
    todo: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = [(0, (), ())]
    while todo:
        node, present, absent = todo.pop()
        if left[node] < 0:
            p, n = len(present), len(absent)
            if index == "banzhaf":
                gain = loss = value[node] * 2.0 ** (1 - p - n)
            else:
                share = value[node] * math.factorial(p) * math.factorial(n) / math.factorial(p + n)
                gain, loss = share / max(p, 1), share / max(n, 1)
            found[list(present)] += gain
            found[list(absent)] -= loss
            continue
        player = int(feature[node])
        todo.append((left[node], present, (*absent, player)))
        todo.append((right[node], (*present, player), absent))
    return found
