"""Perturbation tests: does the score hold still when features that matter little are perturbed, and move when those
that matter most are?

Two kinds of perturbation, and both orders, because a test favours the explainers that share its perturbation: never
report one kind alone.

Source: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254, section 5.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from explicate.attribution.games import Game
from explicate.attribution.missingness.base import Missingness, Zero
from explicate.attribution.players import Each, Players
from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.kinds import Attribution
from explicate.errors import InputError
from explicate.runtime.seeds import generator

KINDS = ("binary", "continuous")
ORDERS = ("bottom", "top")
LARGEST_BLOCK = 1 << 22  # numbers of perturbed inputs held at once


def perturbation_test(
    explanation: Attribution,
    model: Any,
    *,
    kinds: Sequence[str] = KINDS,
    orders: Sequence[str] = ORDERS,
    counts: Sequence[int] | None = None,
    missingness: Missingness | None = None,
    scale: float = 0.1,
    draws: int = 100,
    seed: int = 0,
) -> xr.Dataset:
    """Perturb the features with the smallest or largest |attribution|, 1, 2, ... of them, and see how the score moves.

    Parameters
    ----------
    explanation : of a table or an image; columns, or pixels with all their channels, are ranked.
    kinds : "binary" makes features absent; "continuous" adds N(0, scale²) to them.
    orders : "bottom" perturbs those that matter least (a small change is good), "top" those that matter most (a large
        change is good). Ties go by position.
    counts : how many features; default all of 1, ..., d, or 32 evenly spread numbers for more than 32 features.
    missingness : what absent means; default 0.
    scale : of the noise, in units of the features. draws : noises per input, averaged; every count and every
        explanation of the same input and seed gets the same ones, so that differences between methods are paired.

    Returns
    -------
    `change` (kind, order, sample, count): |f(x) - f(perturbed x)| in units of the score, for "continuous" its mean
    over the draws; and `mean_change` (kind, order, sample), its mean over the counts.

    Costs `counts` evaluations per input and order for "binary" (times the draws of the missingness), `counts * draws`
    for "continuous".
    """
    _check(explanation, model, kinds, orders, scale, draws)
    inputs = np.asarray(explanation["inputs"].values)
    values = explanation.values
    players = [Each().players(model, sample) for sample in inputs]
    features = players[0].count
    numbers = _counts(counts, features)
    change = np.empty((len(kinds), len(orders), len(inputs), len(numbers)))
    for i, (sample, target, value) in enumerate(zip(inputs, explanation.targets, values, strict=True)):
        importance = np.abs(players[i].total(value))
        rising = np.argsort(importance, kind="stable")
        noise = generator(seed, "perturbation", i).normal(0.0, scale, (draws, *sample.shape))
        for a, kind in enumerate(kinds):
            for b, order in enumerate(orders):
                first = rising if order == "bottom" else rising[::-1]
                chosen = np.zeros((len(numbers), features), dtype=bool)
                for row, number in zip(chosen, numbers, strict=True):
                    row[first[:number]] = True
                if kind == "binary":
                    game = Game(model, sample, target, players[i], missingness or Zero(), generator(seed, i))
                    found = game(np.vstack([~chosen, np.ones((1, features), dtype=bool)]))
                    change[a, b, i] = np.abs(found[:-1] - found[-1])
                else:
                    change[a, b, i] = _noise_change(model, sample, target, players[i], chosen, noise)
    return xr.Dataset(
        {
            "change": (("kind", "order", "sample", "count"), change),
            "mean_change": (("kind", "order", "sample"), change.mean(axis=-1)),
        },
        coords={"kind": list(kinds), "order": list(orders), "count": numbers},
        attrs={"method": explanation.provenance.method, "scale": scale, "draws": draws, "seed": seed},
    )


def _noise_change(model: Any, sample: Array, target: Array, players: Players, chosen: Masks, noise: Array) -> Floats:
    """Mean over the draws of |f(x + noise on the chosen) - f(x)|, (count,)."""
    where = players.keep(chosen, sample.shape)
    step = max(1, LARGEST_BLOCK // max(1, noise.size))
    start = float(model.scores(sample[None], np.asarray(target)[None])[0])
    found = []
    for begin in range(0, len(where), step):
        block = where[begin : begin + step]
        points = (sample + block[:, None] * noise[None]).astype(sample.dtype).reshape(-1, *sample.shape)
        targets = np.array(np.broadcast_to(target, (len(points), *np.shape(target))))
        scores = np.asarray(model.scores(points, targets), dtype=float).reshape(len(block), len(noise))
        found.append(np.abs(scores - start).mean(axis=1))
    return np.concatenate(found)


def _counts(given: Sequence[int] | None, features: int) -> Array:
    if given is None:
        return np.unique(np.linspace(1, features, min(features, 32)).round().astype(int))
    numbers = np.asarray(given)
    if numbers.ndim != 1 or len(numbers) == 0 or numbers.min() < 1 or numbers.max() > features:
        raise InputError(f"counts must be between 1 and {features}, the number of features; given is {list(given)}")
    return numbers


def _check(
    explanation: Attribution, model: Any, kinds: Sequence[str], orders: Sequence[str], scale: float, draws: int
) -> None:
    for what, given, known in (("kind", kinds, KINDS), ("order", orders, ORDERS)):
        unknown = [item for item in given if item not in known]
        if unknown or not given:
            raise InputError(
                f"{what} {unknown[0] if unknown else 'list'!r} is unknown or empty; use {', '.join(known)}"
            )
    if not scale > 0 or draws < 1:
        raise InputError(f"scale is {scale} and draws is {draws}; both must be above 0")
    if "continuous" in kinds:
        if model.kind == "text":
            raise InputError("noise cannot be added to tokens; use kinds=('binary',) for texts")
        named = [feature.name for feature in getattr(model, "features", ()) if feature.kind == "categorical"]
        if named:
            raise InputError(f"noise cannot be added to the categorical column {named[0]!r}; use kinds=('binary',)")
