"""Superpixels: patches of similar colour that go in and out of a picture together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.players import Partition, Players
from explicate.core.capabilities import Array
from explicate.core.registry import register
from explicate.errors import InputError, MissingDependencyError


@register("superpixels", "parts")
@dataclass(frozen=True)
class Superpixels(Partition):
    """SLIC superpixels (Achanta et al., 2012), by scikit-image.

    Parameters
    ----------
    segments : about how many; there may be fewer.
    compactness : how much nearness counts against likeness of colour.
    """

    segments: int = 50
    compactness: float = 10.0

    def __post_init__(self) -> None:
        if self.segments < 2:
            raise InputError(f"superpixels: {self.segments} segments; take 2 or more")
        if not self.compactness > 0:
            raise InputError(f"superpixels: compactness {self.compactness} must lie above 0")

    def players(self, model: Any, sample: Array) -> Players:
        if model.kind != "image":
            raise InputError(f"superpixels are for images; {model.name!r} is a model of {model.kind}")
        try:
            from skimage.segmentation import slic
        except ImportError as error:
            raise MissingDependencyError("superpixels need scikit-image; run: pip install scikit-image") from error
        labels = slic(
            _colours(model, sample),
            n_segments=self.segments,
            compactness=self.compactness,
            start_label=0,
            channel_axis=-1,
        )
        return Players(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))


def _colours(model: Any, sample: Array) -> Array:
    """The picture (row, column, 3) as people see it, in [0, 1]; without a way back, its range stretched to [0, 1]."""
    if hasattr(model, "decode"):
        return np.asarray(model.decode(sample[None])[0]) / 255.0
    low, high = float(sample.min()), float(sample.max())
    stretched = (np.moveaxis(sample, 0, -1) - low) / max(high - low, 1e-12)
    return np.repeat(stretched, 3, axis=-1) if stretched.shape[-1] == 1 else stretched[..., :3]
