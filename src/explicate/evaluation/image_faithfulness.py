"""Faithfulness of pictures' maps, as the literature on class-activation maps measures it.

All of these work on the *probability* of the target. A pixel that is taken away is 0 after normalisation, the mean
colour. Average drop rewards diffuse maps (a map of ones has none): never read it without localisation or deletion.

Sources: Chattopadhay et al. (2018), "Grad-CAM++", section 4.1 (average drop, increase in confidence); Petsiuk, Das,
Saenko (2018), "RISE", section 4.1 (deletion, insertion).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from explicate.attribution.games import Game
from explicate.attribution.missingness.base import Missingness, Zero
from explicate.attribution.players import Each
from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.evaluation.batching import ranking
from explicate.evaluation.metric import Context, Metric, Scores

PICTURES_AT_ONCE = 64


class Masked(NamedTuple):
    """Probabilities (sample,) of the target on the whole picture, and on picture times map."""

    whole: Floats
    masked: Floats


def unit_maps(explanation: Attribution) -> Floats:
    """Maps (sample, row, column) in [0, 1]: positive attributions over pixels, each picture's largest made 1.

    A map without a positive value is 0 everywhere.
    """
    maps = np.maximum(np.asarray(explanation.over_pixels(), dtype=float), 0.0)
    largest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(largest > 0, largest, 1.0))


def masked_probabilities(explanation: Attribution, model: Any) -> Masked:
    """The target's probability with and without the mask; two evaluations per sample."""
    inputs, maps = np.asarray(explanation["inputs"].values), unit_maps(explanation)
    if maps.shape != (len(inputs), *inputs.shape[2:]):
        raise InputError(f"maps of shape {maps.shape} do not cover pictures of shape {inputs.shape}")
    whole, masked = [], []
    for first in range(0, len(inputs), PICTURES_AT_ONCE):
        block = slice(first, first + PICTURES_AT_ONCE)
        pictures, targets = inputs[block], explanation.targets[block]
        hidden = (pictures * maps[block][:, None]).astype(pictures.dtype)
        whole.append(np.asarray(model.probabilities(pictures, targets), dtype=float))
        masked.append(np.asarray(model.probabilities(hidden, targets), dtype=float))
    return Masked(np.concatenate(whole), np.concatenate(masked))


def average_drop(explanation: Attribution, model: Any) -> Floats:
    """max(0, p - p_m) / p of each sample; their mean is the average drop."""
    whole, masked = masked_probabilities(explanation, model)
    return np.asarray(np.maximum(0.0, whole - masked) / np.maximum(whole, 1e-12))


def increase_in_confidence(explanation: Attribution, model: Any) -> Floats:
    """1 where p_m > p, else 0, of each sample; their mean is the increase in confidence."""
    whole, masked = masked_probabilities(explanation, model)
    return (masked > whole).astype(float)


def pixel_curve(
    explanation: Attribution,
    model: Any,
    *,
    insertion: bool = False,
    steps: int = 10,
    missingness: Missingness | None = None,
    rngs: Sequence[np.random.Generator] | None = None,
) -> Floats:
    """The target's probability (sample, steps + 1) while pixels go, or come, in falling order of the map.

    Parameters
    ----------
    steps : equal shares of the pixels. missingness : what a pixel is before it comes; default: 0.
    rngs : one per sample, for the order of pixels of equal value; default: seeded by the sample's number.
    """
    inputs = np.asarray(explanation["inputs"].values)
    maps = np.asarray(explanation.over_pixels(), dtype=float).reshape(len(inputs), -1)
    curves = []
    for number, (sample, target) in enumerate(zip(inputs, explanation.targets, strict=True)):
        rng = rngs[number] if rngs is not None else np.random.Generator(np.random.PCG64(number))
        players = Each().players(model, sample)
        game = Game(model, sample, np.asarray(target), players, missingness or Zero(), rng, probability=True)
        ranks = np.empty(players.count, dtype=int)
        ranks[ranking(maps[number], rng)] = np.arange(players.count)
        counts = np.rint(np.linspace(0, players.count, steps + 1)).astype(int)
        first = ranks[None] < counts[:, None]
        curves.append(game(first if insertion else ~first))
    return np.stack(curves)


@dataclass(frozen=True)
class _Confidence(Metric):
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def cost(self, explanation: Attribution, model: Any) -> int:
        return 2 * len(explanation)


@register("average-drop", "metrics")
@dataclass(frozen=True)
class AverageDrop(_Confidence):
    """The share of the target's probability that is lost on picture times map. Lower is better.

    A map of ones loses nothing: read it beside localisation and deletion. Two evaluations per sample.
    """

    higher_is_better: ClassVar[bool | None] = False
    chance: ClassVar[str] = "0 for a map of ones, which explains nothing"

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        notes = ("a map of ones scores 0, the best: read it beside deletion or localisation",)
        return Scores(average_drop(explanation, model), notes=notes)


@register("increase-in-confidence", "metrics")
@dataclass(frozen=True)
class IncreaseInConfidence(_Confidence):
    """The share of pictures whose target is more probable on picture times map. Higher is better."""

    higher_is_better: ClassVar[bool | None] = True

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        return Scores(increase_in_confidence(explanation, model))


@dataclass(frozen=True)
class _PixelCurve(Metric):
    """Area under the target's probability over the share of pixels, trapezoids, both ends included.

    Parameters
    ----------
    steps : points of the curve after the first. missingness : what an absent pixel is; default: 0 after normalisation.

    Notes
    -----
    Costs steps + 1 evaluations per sample. The generic `deletion` and `insertion` work on scores and scale each
    sample's curve by its span; these work on probabilities, unscaled, so that figures compare with the literature's.
    """

    steps: int = 10
    missingness: Missingness | None = None
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"{self.name}: steps is {self.steps}; take 1 or more")

    @property
    @abstractmethod
    def inserts(self) -> bool:
        """Whether pixels come rather than go."""

    def cost(self, explanation: Attribution, model: Any) -> int:
        return (self.steps + 1) * len(explanation)

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        curves = pixel_curve(
            explanation, model, insertion=self.inserts, steps=self.steps, missingness=self.missingness, rngs=rngs
        )
        grid: Array = np.linspace(0, 1, self.steps + 1)
        return Scores(np.trapezoid(curves, grid, axis=1), details={"curve": curves, "grid_share": grid})


@register("image-deletion", "metrics")
@dataclass(frozen=True)
class ImageDeletion(_PixelCurve):
    """Area under the probability while pixels are taken away, the most important first. Lower is better."""

    higher_is_better: ClassVar[bool | None] = False

    @property
    def inserts(self) -> bool:
        return False


@register("image-insertion", "metrics")
@dataclass(frozen=True)
class ImageInsertion(_PixelCurve):
    """Area under the probability while pixels are put in, the most important first. Higher is better."""

    higher_is_better: ClassVar[bool | None] = True

    @property
    def inserts(self) -> bool:
        return True
