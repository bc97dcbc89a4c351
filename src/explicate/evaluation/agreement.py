"""Do two explanations of the same samples agree?

Each measure takes two attributions of the same samples, as `Attribution` or as arrays (sample, *feature), and gives one
value per sample. Agreement is no evidence of being right: two methods can share a mistake.

Source: Krishna et al. (2022), "The Disagreement Problem in Explainable Machine Learning", section 3, for the measures
on the k features with the largest |attribution|; Han, Srinivas, Lakkaraju (2022), section 5, for L1 and cosine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from scipy import stats

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.errors import InputError, UnknownNameError

Given: TypeAlias = Attribution | Array
Measure: TypeAlias = Callable[..., Floats]


def _without_padding(measure: Measure) -> Measure:
    """Compare texts of different lengths one by one, each without its padding."""

    @wraps(measure)
    def padded(first: Given, second: Given, *arguments: Any, **options: Any) -> Floats:
        if not isinstance(first, Attribution) or first.present.all():
            return measure(first, second, *arguments, **options)
        x, y = _pair(first, second)
        present = first.present.reshape(len(x), -1)
        rows = [
            measure(a[None, here], b[None, here], *arguments, **options)
            for a, b, here in zip(x, y, present, strict=True)
        ]
        return np.concatenate(rows)

    return padded


@_without_padding
def feature_agreement(first: Given, second: Given, k: int) -> Floats:
    """Share of the k largest features that both have. Chance: k / n."""
    a, b, _, _ = _tops(first, second, k)
    return np.asarray((a[:, :, None] == b[:, None, :]).any(axis=2).mean(axis=1))


@_without_padding
def rank_agreement(first: Given, second: Given, k: int) -> Floats:
    """Share of the k first places that hold the same feature. Chance: 1 / n."""
    a, b, _, _ = _tops(first, second, k)
    return np.asarray((a == b).mean(axis=1))


@_without_padding
def sign_agreement(first: Given, second: Given, k: int) -> Floats:
    """Share of the k largest features that both have, with the same sign. Chance: k / 2n."""
    a, b, x, y = _tops(first, second, k)
    same_sign = np.sign(np.take_along_axis(x, a, axis=1)) == np.sign(np.take_along_axis(y, a, axis=1))
    shared = (a[:, :, None] == b[:, None, :]).any(axis=2)
    return np.asarray((shared & same_sign).mean(axis=1))


@_without_padding
def signed_rank_agreement(first: Given, second: Given, k: int) -> Floats:
    """Share of the k first places that hold the same feature with the same sign. Chance: 1 / 2n."""
    a, b, x, y = _tops(first, second, k)
    same_sign = np.sign(np.take_along_axis(x, a, axis=1)) == np.sign(np.take_along_axis(y, a, axis=1))
    return np.asarray(((a == b) & same_sign).mean(axis=1))


@_without_padding
def rank_correlation(first: Given, second: Given, absolute: bool = True) -> Floats:
    """Spearman's correlation of |attribution|, or of the signed one; NaN where one of them is constant. Chance: 0."""
    x, y = _pair(first, second)
    if absolute:
        x, y = np.abs(x), np.abs(y)
    ranks = stats.rankdata(x, axis=1), stats.rankdata(y, axis=1)
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), size, out=np.full(len(a), np.nan), where=size > 0)


@_without_padding
def pairwise_rank_agreement(first: Given, second: Given) -> Floats:
    """Share of the pairs of features that both order alike by |attribution|. Chance: 0.5.

    A tie in both counts as alike, a tie in one as different. Needs n^2 numbers: for at most 4,096 features.
    """
    x, y = (np.abs(item) for item in _pair(first, second))
    count = x.shape[1]
    if count > 4096:
        raise InputError(f"pairwise rank agreement of {count} features takes too long; use rank_correlation")
    above = np.triu_indices(count, 1)
    found = [
        (np.sign(a[above[0]] - a[above[1]]) == np.sign(b[above[0]] - b[above[1]])).mean()
        for a, b in zip(x, y, strict=True)
    ]
    return np.array(found)


@_without_padding
def l1_distance(first: Given, second: Given) -> Floats:
    """sum_i |a_i - b_i|, in units of the attributions; 0 for equal ones."""
    x, y = _pair(first, second)
    return np.asarray(np.abs(x - y).sum(axis=1))


@_without_padding
def cosine_distance(first: Given, second: Given) -> Floats:
    """1 - a.b / |a||b|: 0 for one direction, 1 for chance, 2 for opposite; NaN where one of them is zero."""
    x, y = _pair(first, second)
    size = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return 1 - np.divide((x * y).sum(axis=1), size, out=np.full(len(x), np.nan), where=size > 0)


MEASURES: dict[str, Measure] = {
    "feature-agreement": feature_agreement,
    "rank-agreement": rank_agreement,
    "sign-agreement": sign_agreement,
    "signed-rank-agreement": signed_rank_agreement,
    "rank-correlation": rank_correlation,
    "pairwise-rank-agreement": pairwise_rank_agreement,
    "l1": l1_distance,
    "cosine": cosine_distance,
}
TOP = ("feature-agreement", "rank-agreement", "sign-agreement", "signed-rank-agreement")


def agreement_matrix(
    explanations: Mapping[str, Given], measure: str = "rank-correlation", **options: Any
) -> xr.DataArray:
    """A measure for every pair of methods, the mean over the samples for which it is defined: (one, other).

    Parameters
    ----------
    explanations : of the same samples, by method.
    measure : a key of `MEASURES`. options : its own; `k` is a quarter of the features, at least one, if not given.
    """
    if measure not in MEASURES:
        raise UnknownNameError(f"no measure of agreement named {measure!r}; there are: {', '.join(MEASURES)}")
    names = list(explanations)
    if measure in TOP and "k" not in options:
        first = explanations[names[0]]
        fewest = first.present.reshape(len(first), -1).sum(axis=1).min() if isinstance(first, Attribution) else None
        options["k"] = max(1, int(fewest if fewest is not None else _values(first)[0].size) // 4)
    matrix = np.full((len(names), len(names)), np.nan)
    for i, one in enumerate(names):
        for j in range(i, len(names)):
            values = MEASURES[measure](explanations[one], explanations[names[j]], **options)
            matrix[i, j] = matrix[j, i] = values[np.isfinite(values)].mean() if np.isfinite(values).any() else np.nan
    return xr.DataArray(matrix, {"one": names, "other": names}, ("one", "other"), attrs={"measure": measure, **options})


def _values(given: Given) -> Floats:
    return np.asarray(given.values if isinstance(given, Attribution) else given, dtype=float)


def _pair(first: Given, second: Given) -> tuple[Floats, Floats]:
    x, y = _values(first), _values(second)
    pictures = (
        isinstance(first, Attribution)
        and isinstance(second, Attribution)
        and {"row", "column"} <= set(first.feature_dims) & set(second.feature_dims)
    )
    if pictures and x.shape != y.shape:  # one of them has no channels
        x, y = first.over_pixels(), second.over_pixels()  # type: ignore[union-attr]
    if x.shape != y.shape:
        raise InputError(
            f"attributions of the shapes {x.shape} and {y.shape} cannot be compared; explain the same samples"
        )
    return x.reshape(len(x), -1), y.reshape(len(y), -1)


def _tops(first: Given, second: Given, k: int) -> tuple[Array, Array, Floats, Floats]:
    """The k features with the largest |attribution| of both, in falling order, (sample, k); and both attributions."""
    x, y = _pair(first, second)
    if not 1 <= k <= x.shape[1]:
        raise InputError(f"k is {k}; the attributions have {x.shape[1]} features: take 1 to {x.shape[1]}")
    a, b = (np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k] for values in (x, y))
    return a, b, x, y
