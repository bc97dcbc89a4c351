"""What is seen in place of absent pixels: a blurred copy, or what their surroundings suggest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.attribution.missingness.base import Fill, Missingness, replace
from explicate.core.capabilities import Array, Masks
from explicate.core.registry import register
from explicate.errors import InputError


@register("blur", "parts")
@dataclass(frozen=True)
class Blur(Missingness):
    """Absent pixels are taken from a blurred copy of the picture (Fong, Vedaldi, 2017, "Interpretable Explanations").

    Parameters
    ----------
    spread : standard deviation of the Gaussian, as a share of the picture's shorter side (0.05: 11 of 224 pixels).
    """

    spread: float = 0.05
    kinds: ClassVar[tuple[str, ...]] = ("image",)

    def __post_init__(self) -> None:
        if not (self.spread > 0 and np.isfinite(self.spread)):
            raise InputError(f"blur: spread is {self.spread}; it must lie above 0")

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        from scipy.ndimage import gaussian_filter

        sigma = self.spread * min(sample.shape[-2:])
        substitute = gaussian_filter(sample, sigma=(0, sigma, sigma), mode="nearest")
        return lambda keep: replace(sample, keep, substitute)


@register("inpaint", "parts")
@dataclass(frozen=True)
class Inpaint(Missingness):
    """Absent pixels are filled in from the present ones, so that no edge says where something was taken away.

    With nothing present, every pixel is the mean colour of the picture.

    Parameters
    ----------
    how : "pyramid" averages what is present over ever larger squares (push-pull; Gortler et al., 1996, "The Lumigraph",
        section 3.4), milliseconds per mask; "biharmonic" continues the picture smoothly (scikit-image), seconds to
        minutes per mask.
    """

    how: Literal["pyramid", "biharmonic"] = "pyramid"
    kinds: ClassVar[tuple[str, ...]] = ("image",)

    def __post_init__(self) -> None:
        if self.how not in ("pyramid", "biharmonic"):
            raise InputError(f"inpaint: how={self.how!r} is unknown; use 'pyramid' or 'biharmonic'")

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        mean = sample.mean(axis=(1, 2), keepdims=True)

        def fill(keep: Masks) -> Array:
            present: Array = np.asarray(keep.any(axis=1))  # (mask, row, column): a pixel's channels go together
            if self.how == "pyramid":
                filled = _push_pull(sample, present, mean)
            else:
                filled = np.stack([_biharmonic(sample, mask, mean) for mask in present])
            return np.where(present[:, None], sample[None], filled).astype(sample.dtype, copy=False)

        return fill


def _push_pull(sample: Array, present: Masks, mean: Array) -> Array:
    """Fill (mask, channel, row, column): absent pixels get the mean of the smallest square with a present one."""
    weight = present[:, None].astype(sample.dtype)
    value = sample[None] * weight
    levels = [(value, weight)]
    while max(weight.shape[-2:]) > 1:
        value, weight = _halved(value), np.minimum(_halved(weight), 1)
        total = _halved(levels[-1][1])
        value = np.where(total > 0, value / np.maximum(total, 1e-12), 0) * weight
        levels.append((value, weight))
    top, weight = levels.pop()
    filled = np.where(weight > 0, top / np.maximum(weight, 1e-12), mean[None])
    while levels:
        value, weight = levels.pop()
        rows, columns = value.shape[-2:]
        coarse = filled.repeat(2, axis=-2).repeat(2, axis=-1)[..., :rows, :columns]
        filled = value + (1 - weight) * coarse
    return filled


def _halved(values: Array) -> Array:
    """Sums over squares of 2 x 2; odd sides are padded with 0."""
    rows, columns = values.shape[-2:]
    if rows % 2 or columns % 2:
        values = np.pad(values, [(0, 0), (0, 0), (0, rows % 2), (0, columns % 2)])
    return np.asarray(values[..., ::2, ::2] + values[..., 1::2, ::2] + values[..., ::2, 1::2] + values[..., 1::2, 1::2])


def _biharmonic(sample: Array, present: Masks, mean: Array) -> Array:
    from skimage.restoration import inpaint_biharmonic

    if not present.any():
        return np.broadcast_to(mean, sample.shape)
    if present.all():
        return sample
    filled = inpaint_biharmonic(np.moveaxis(sample, 0, -1).astype(float), ~present, channel_axis=-1)
    return np.moveaxis(filled, -1, 0)
