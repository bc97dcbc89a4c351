"""From activations to one direction: means, differences of means, principal components. Pure arithmetic.

Source: Højer, Jarvis, Heinrich (2025), "Improving Reasoning Performance in Large Language Models via Representation
Engineering", section 3 (reading vector, contrast reading vector, PCA of contrasts); Zou et al. (2023), "Representation
Engineering: A Top-Down Approach to AI Transparency", section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explicate.errors import InputError, UnknownNameError

Floats = NDArray[np.float64]
Estimator: TypeAlias = Literal["mean", "paired-difference", "difference-of-means", "pca", "pca-of-differences"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
PAIRED = ("paired-difference", "pca-of-differences")
PRINCIPAL = ("pca", "pca-of-differences")


@dataclass(frozen=True, eq=False)
class Estimate:
    """One direction and what speaks for it.

    Attributes
    ----------
    direction : (width,).
    agreement : share of the examples on its side: of pairs, those whose difference has a positive projection; of two
        unpaired sets, those on their own set's side of the midpoint of the means; of one set, those with a positive
        projection.
    cosine : with the difference of the means; NaN without negative examples.
    """

    direction: Floats
    agreement: float
    cosine: float


def estimate(positive: ArrayLike, negative: ArrayLike | None, how: Estimator, standardize: bool = False) -> Estimate:
    """The direction of examples.

    Parameters
    ----------
    positive, negative : activations (example, width); for paired estimators row i of one belongs to row i of the other.
    how : "mean" of the positive ones; "paired-difference", the mean of positive less negative; "difference-of-means"
        of sets that need not be pairs; "pca", first principal component of the positive ones; "pca-of-differences".
        Principal components have length one, and the sign that makes the mean projection of the positive examples (of
        the differences, where there are negative ones) positive. They can be at a right angle to what separates the
        classes, for centring removes the mean difference: see `cosine`.
    standardize : a principal component gets the length of the mean difference (without negative examples: of the
        mean), so that strengths have the same unit as in the other estimators.

    Raises
    ------
    InputError : no negative examples where they are needed, pairs that do not match, too few examples.
    """
    rows, others = _checked(positive, negative, how)
    mean = rows.mean(axis=0)
    difference = None if others is None else mean - others.mean(axis=0)
    reference = mean if difference is None else difference
    if how in PRINCIPAL:
        found = _component(rows if how == "pca" or others is None else rows - others)
        found = -found if found @ reference < 0 else found
        if standardize:
            found = found * np.linalg.norm(reference)
    else:
        found = mean if how == "mean" else reference
    cosine = float("nan") if difference is None else _cosine(found, difference)
    return Estimate(found, _agreement(found, rows, others, paired=how != "difference-of-means"), cosine)


def _checked(first: ArrayLike, second: ArrayLike | None, how: Estimator) -> tuple[Floats, Floats | None]:
    if how not in ESTIMATORS:
        raise UnknownNameError(f"there is no estimator {how!r}; use one of {', '.join(ESTIMATORS)}")
    positive = np.asarray(first, dtype=np.float64)
    if positive.ndim != 2 or len(positive) == 0:
        raise InputError(f"examples are (example, width) and at least one, not {positive.shape}")
    least = 2 if how in PRINCIPAL else 1
    if len(positive) < least:
        raise InputError(f"{how} needs at least {least} examples; there is {len(positive)}")
    if second is None:
        if how not in ("mean", "pca"):
            raise InputError(f"{how} needs negative examples; without any use mean or pca")
        return positive, None
    negative = np.asarray(second, dtype=np.float64)
    if negative.ndim != 2 or negative.shape[1:] != positive.shape[1:] or len(negative) == 0:
        raise InputError(f"negative examples of shape {negative.shape} for positive ones of {positive.shape}")
    if how in PAIRED and len(positive) != len(negative):
        raise InputError(
            f"{how} takes pairs: {len(positive)} positive and {len(negative)} negative examples; give as many of each, "
            "or use difference-of-means"
        )
    return positive, negative


def _component(rows: Floats) -> Floats:
    from sklearn.decomposition import PCA

    if not np.ptp(rows, axis=0).any():
        raise InputError("the examples (or their differences) are all alike, so they have no principal component")
    return np.asarray(PCA(n_components=1, svd_solver="full").fit(rows).components_[0], dtype=np.float64)


def _agreement(direction: Floats, positive: Floats, negative: Floats | None, paired: bool) -> float:
    if negative is None:
        return float((positive @ direction > 0).mean())
    if paired and len(positive) == len(negative):
        return float(((positive - negative) @ direction > 0).mean())
    middle = (positive.mean(axis=0) + negative.mean(axis=0)) / 2
    right = np.concatenate([(positive - middle) @ direction > 0, (negative - middle) @ direction < 0])
    return float(right.mean())


def _cosine(first: Floats, second: Floats) -> float:
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 0 else float("nan")
