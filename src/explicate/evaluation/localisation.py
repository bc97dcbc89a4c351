"""Localisation: does a picture's attribution lie on the object? Needs masks of where the object is.

A mask says where a person sees the object, not where the model looks: a model that uses the background is rightly
explained by the background. Attributions are summed over the channels; masks are (sample, row, column), booleans or 0
for the background and 1, 2, ... for the instances.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.evaluation.metric import Context, Metric, Scores


@dataclass(frozen=True)
class Localisation(Metric):
    """Base: one value from one map (row, column) and one mask (row, column). NaN where the mask is empty."""

    needs: ClassVar[type | None] = None
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs_masks: ClassVar[bool] = True

    @abstractmethod
    def of(self, map: Floats, mask: Array) -> float:
        """The metric of one sample; NaN where it is not defined."""

    def by_chance(self, map: Floats, mask: Array) -> float:
        """What a map without information gets: the object's share of the area."""
        return float((mask > 0).mean())

    def maps(self, explanation: Attribution) -> Floats:
        """What is laid over the mask, (sample, row, column)."""
        return np.asarray(explanation.over_pixels(), dtype=float)

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        maps, masks = self.maps(explanation), np.asarray(context.masks)
        if masks.shape != maps.shape:
            raise InputError(f"{self.name}: masks of shape {masks.shape} for maps of shape {maps.shape}")
        masks = masks.astype(int)
        empty = [not mask.any() for mask in masks]
        values = [np.nan if e else self.of(m, k) for m, k, e in zip(maps, masks, empty, strict=True)]
        chances = np.array([self.by_chance(m, k) for m, k in zip(maps, masks, strict=True)])
        return Scores(np.array(values), chance=None if np.isnan(chances).any() else chances)


@register("energy-share", "metrics")
@dataclass(frozen=True)
class EnergyShare(Localisation):
    """The share of the positive attribution that lies on the object.

    Source: Wang et al. (2020), "Score-CAM", section 4.3 (energy-based pointing game).
    """

    def of(self, map: Floats, mask: Array) -> float:
        return _share(np.maximum(map, 0), mask)


@register("relevance-mass", "metrics")
@dataclass(frozen=True)
class RelevanceMass(Localisation):
    """Relevance mass accuracy: the share of the pooled relevance that lies on the object.

    Source: Arras, Osman, Samek (2022), "CLEVR-XAI", section 3.2, eq. 3.

    Parameters
    ----------
    pooling : over the channels: "squares" (l2-norm squared), "absolute" (sum of sizes), "maximum" (largest size), or
        "positive" (positive part of the sum), which makes it the energy share.
    """

    pooling: Literal["squares", "absolute", "maximum", "positive"] = "squares"

    def __post_init__(self) -> None:
        if self.pooling not in ("squares", "absolute", "maximum", "positive"):
            raise InputError(
                f"{self.name}: pooling {self.pooling!r} is unknown; use squares, absolute, maximum, positive"
            )

    def maps(self, explanation: Attribution) -> Floats:
        return pooled(explanation, self.pooling)

    def of(self, map: Floats, mask: Array) -> float:
        return _share(map, mask)


@register("relevance-rank", "metrics")
@dataclass(frozen=True)
class RelevanceRank(RelevanceMass):
    """Relevance rank accuracy: of the K most relevant pixels, K being the object's size, the share on the object.

    Source: Arras, Osman, Samek (2022), "CLEVR-XAI", section 3.2, eqs. 4 to 6. Pooling as for `RelevanceMass`.
    """

    def of(self, map: Floats, mask: Array) -> float:
        if np.ptp(map) == 0:
            return float("nan")
        size = int((mask > 0).sum())
        top = np.argsort(-map.ravel(), kind="stable")[:size]
        return float((mask.ravel()[top] > 0).mean())


@register("mask-iou", "metrics")
@dataclass(frozen=True)
class IntersectionOverUnion(Localisation):
    """Intersection over union of the object with where the map is at least a share of its maximum.

    Parameters
    ----------
    threshold : the share; 0.5 by convention of weakly supervised localisation.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise InputError(f"mask-iou: threshold is {self.threshold}; it lies above 0 and up to 1")

    def of(self, map: Floats, mask: Array) -> float:
        top = map.max()
        if top <= 0:
            return 0.0
        region, object_ = map >= self.threshold * top, mask > 0
        return float((region & object_).sum() / (region | object_).sum())

    def by_chance(self, map: Floats, mask: Array) -> float:
        """A region of the map's own size, placed at random: p q / (p + q - p q) for the shares p and q of the area."""
        p, q = float((mask > 0).mean()), float((map >= self.threshold * map.max()).mean()) if map.max() > 0 else 0.0
        return p * q / (p + q - p * q) if p + q > 0 else 0.0


@register("pointing-game", "metrics")
@dataclass(frozen=True)
class PointingGame(Localisation):
    """1 where the map's maximum lies on the object, else 0; of several maxima, the share on the object.

    Source: Zhang et al. (2016), "Top-down Neural Attention by Excitation Backprop", section 4.1.

    Parameters
    ----------
    tolerance : distance in pixels at which a maximum still counts; the paper takes 15.
    """

    tolerance: int = 0

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise InputError(f"pointing-game: tolerance is {self.tolerance}; it is 0 or more")

    def of(self, map: Floats, mask: Array) -> float:
        if np.ptp(map) == 0:
            return float("nan")
        return float(self._wide(mask)[map == map.max()].mean())

    def by_chance(self, map: Floats, mask: Array) -> float:
        return float(self._wide(mask).mean())

    def _wide(self, mask: Array) -> Array:
        if not self.tolerance or not mask.any():
            return mask > 0
        from scipy.ndimage import distance_transform_edt

        return np.asarray(distance_transform_edt(mask == 0) <= self.tolerance)


@register("instance-recall", "metrics")
@dataclass(frozen=True)
class InstanceRecall(Localisation):
    """The share of the instances whose mean attribution exceeds a percentile of the whole map.

    Parameters
    ----------
    percentile : of the image's own map; with 80, one instance in five of one pixel each would do so by chance.

    Notes
    -----
    Masks with instance numbers 1, 2, ...; booleans are one instance.
    """

    percentile: float = 80.0

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise InputError(f"instance-recall: percentile is {self.percentile}; it lies between 0 and 100")

    def of(self, map: Floats, mask: Array) -> float:
        bar = np.percentile(map, self.percentile)
        return float(np.mean([map[mask == label].mean() > bar for label in np.unique(mask[mask > 0])]))

    def by_chance(self, map: Floats, mask: Array) -> float:
        return float("nan")


def mask_as_seen(model: Any, mask: Array) -> Array:
    """A mask (row, column) of a picture as the model sees it: a black picture with the object in white goes through the
    model's own preprocessing."""
    white = np.full((*mask.shape, 3), 255, dtype=np.uint8)
    drawn = np.where(mask[..., None], white, 0).astype(np.uint8)
    light, seen, dark = (model.encode(picture)[0].mean(axis=0) for picture in (white, drawn, np.zeros_like(white)))
    return np.asarray(seen - dark > 0.5 * (light - dark))


def pooled(explanation: Attribution, pooling: str) -> Floats:
    """Relevance (sample, row, column), none negative, from an attribution with or without channels."""
    values = np.asarray(explanation.values, dtype=float)
    if pooling == "positive" or values.ndim == 3:
        values = np.asarray(explanation.over_pixels(), dtype=float)
        return {"squares": values**2, "positive": np.maximum(values, 0)}.get(pooling, np.abs(values))
    if pooling == "squares":
        return np.asarray((values**2).sum(axis=1))
    sizes = np.abs(values)
    return np.asarray(sizes.sum(axis=1) if pooling == "absolute" else sizes.max(axis=1))


def _share(weights: Floats, mask: Array) -> float:
    total = weights.sum()
    return float(weights[mask > 0].sum() / total) if total > 0 else float("nan")
