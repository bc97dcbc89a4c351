"""Points around a row, and the few of them that are shown to whoever is to explain the model's decision there.

Source: Kroeger, Ley, Krishna, Agarwal, Lakkaraju (2023), "In-Context Explainers", arXiv 2310.05797, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.errors import InputError

Sampler = Literal["most_confident", "random"]
Order = Literal["shuffle", "alternate"]
SAMPLERS, ORDERS = ("most_confident", "random"), ("shuffle", "alternate")


@register("noise-and-flips", "parts")
@dataclass(frozen=True)
class Neighbourhood(Parameterised):
    """Gaussian steps of continuous columns, flips of 0/1 columns; points may leave [0, 1].

    A 0/1 column flips with the mean size of a step as its probability, sqrt(2 / pi) sigma; then it moves by 1 where the
    others move by about sigma, so that rankings by coefficient and by observed effect differ.

    Parameters
    ----------
    n_samples : points per row.
    sigma : standard deviation of a step, in units of the columns.
    """

    n_samples: int = 10_000
    sigma: float = 0.1

    def __post_init__(self) -> None:
        if self.n_samples < 2 or not 0 < self.sigma <= 1:
            raise InputError(f"{self.n_samples} points with steps of {self.sigma}; take 2 or more, and 0 < sigma <= 1")

    @property
    def flip(self) -> float:
        """Probability that a 0/1 column flips."""
        return sqrt(2 / pi) * self.sigma

    def draw(self, row: Array, types: Sequence[str], rng: np.random.Generator) -> Floats:
        """Points (n_samples, feature) around a row (feature,); `types` has "c" or "d" (a 0/1 column) for each."""
        check_types(row[None], types)
        points = row + self.sigma * rng.standard_normal((self.n_samples, len(row)))
        for j in [j for j, kind in enumerate(types) if kind == "d"]:
            points[:, j] = np.where(rng.random(self.n_samples) < self.flip, 1 - row[j], row[j])
        return points


def check_types(rows: Array, types: Sequence[str]) -> None:
    """Refuse types that do not fit the columns of rows (sample, feature)."""
    if len(types) != rows.shape[1]:
        raise InputError(f"{len(types)} feature types for {rows.shape[1]} features; give one each")
    for j, kind in enumerate(types):
        if kind not in ("c", "d"):
            raise InputError(f"feature type {kind!r} is unknown; use 'c' (continuous) or 'd' (a 0/1 column)")
        if kind == "d" and not np.isin(rows[:, j], (0, 1)).all():
            raise InputError(f"feature {j} is declared a 0/1 column but holds other values; declare it 'c'")


def chosen(
    probability: Floats, count: int, sampler: Sampler, order: Order, rng: np.random.Generator
) -> list[int] | None:
    """Which points are shown, in their order; None where all of them are of one class.

    Half of them are of each class by the model's own label (probability >= 0.5); a class that has too few is taken
    whole, and the other fills up.

    Parameters
    ----------
    probability : (point,), of class 1.
    sampler : "most_confident" takes the lowest and highest probabilities, "random" any.
    order : "shuffle", or "alternate" between the classes 0, 1, 0, 1, ...
    """
    high = probability >= 0.5
    sides = [np.flatnonzero(~high), np.flatnonzero(high)]
    if not all(map(len, sides)):
        return None
    wanted = [count // 2, count - count // 2]
    for one, other in ((0, 1), (1, 0)):
        missing = wanted[one] - len(sides[one])
        if missing > 0:
            wanted[one] -= missing
            wanted[other] = min(wanted[other] + missing, len(sides[other]))
    picked = []
    for side, own, number in zip((0, 1), sides, wanted, strict=True):
        if sampler == "random":
            picked.append([int(i) for i in rng.permutation(own)[:number]])
        else:
            rising = own[np.argsort(probability[own], kind="stable")]
            picked.append([int(i) for i in (rising[:number] if side == 0 else rising[::-1][:number])])
    if order == "shuffle":
        return [int(i) for i in rng.permutation(np.array([*picked[0], *picked[1]]))]
    shared = min(map(len, picked))
    turns = [place for pair in zip(picked[0], picked[1], strict=False) for place in pair]
    return [*turns, *picked[0][shared:], *picked[1][shared:]]
