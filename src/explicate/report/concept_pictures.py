"""Pictures of concepts: what each adds to a prediction, where it is seen, and which pictures attend to it most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Concepts
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.report import kinds
from explicate.report.fragments import any_kind, origin, picture
from explicate.report.pictures import LOWERS, RAISES, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THRESHOLD = 0.5  # of the attention brought to 0 to 1, from which on a pixel belongs to a concept's mask
DIMMED = 0.3  # brightness of the pixels outside


def concept_contributions(explanation: Concepts, sample: int = 0, most: int = 10, ax: Axes | None = None) -> Axes:
    """What the concepts add to the score of a case's prediction, the largest first, each with its attention.

    Parameters
    ----------
    sample : which case. most : concepts shown.

    Raises
    ------
    InputError : the explanation holds no contributions.
    """
    data = explanation.data
    if "contribution" not in data:
        raise InputError(f"{explanation.provenance.method} gives activations alone, no contributions")
    parts = data["contribution"].values[sample]
    label = int((parts.sum(axis=0) + data["intercept"].values).argmax())
    order = np.argsort(-np.abs(parts[:, label]), kind="stable")[:most]
    attention = data["activation"].values[sample]
    ax = ax or new_axes(height=1.0 + 0.3 * len(order))
    ax.barh(range(len(order)), parts[order, label], color=[RAISES if parts[n, label] > 0 else LOWERS for n in order])
    ax.set_yticks(range(len(order)), [f"{data['concept'].values[n]} (attention {attention[n]:.2f})" for n in order])
    ax.invert_yaxis()
    ax.set_xlabel(f"contribution to {data['label'].values[label]}")
    return bare(ax)


def concept_masks(explanation: Concepts, threshold: float = THRESHOLD) -> Array:
    """(sample, spatial concept, row, column): where the attention, drawn over the picture from 0 to 1, is high.

    Raises
    ------
    InputError : the explanation holds no attention over places of pictures.
    """
    from scipy.ndimage import zoom

    maps = _maps(explanation)
    size = explanation.data["inputs"].shape[2:]
    large = zoom(
        maps, (1, 1, size[0] / maps.shape[2], size[1] / maps.shape[3]), order=1, grid_mode=True, mode="nearest"
    )
    low, high = large.min(axis=(2, 3), keepdims=True), large.max(axis=(2, 3), keepdims=True)
    return np.asarray((large - low) / np.where(high > low, high - low, 1) > threshold)


def masked_picture(explanation: Concepts, sample: int = 0, most: int = 4, ax: Axes | None = None) -> Axes:
    """A picture beside itself under the masks of the concepts that add most to its prediction.

    Parameters
    ----------
    sample : which picture. most : concepts shown.
    """
    data = explanation.data
    masks = concept_masks(explanation)[sample]
    spatial = np.flatnonzero(data["stream"].values == "spatial")
    parts = data["contribution"].values[sample]
    label = int((parts.sum(axis=0) + data["intercept"].values).argmax())
    order = np.argsort(-parts[spatial, label], kind="stable")[:most]
    shown = _colours(data["inputs"].values[sample])
    tiles = [shown, *(shown * np.where(masks[n], 1, DIMMED)[..., None] for n in order)]
    names = [f"predicted: {data['label'].values[label]}", *(str(data["spatial_concept"].values[n]) for n in order)]
    return _row(tiles, names, ax)


def concept_gallery(explanation: Concepts, concept: str, most: int = 30, ax: Axes | None = None) -> Axes:
    """The pictures that attend most to a concept, the mask of a spatial one drawn over them.

    Parameters
    ----------
    concept : its name. most : pictures shown.

    Raises
    ------
    InputError : no such concept, or no pictures.
    """
    data = explanation.data
    names = [str(name) for name in data["concept"].values]
    if concept not in names:
        raise InputError(f"no concept {concept!r}; there are {', '.join(names)}")
    if "inputs" not in data or data["inputs"].ndim != 4:
        raise InputError("the explanation holds no pictures; give explain(X) of pictures")
    cases = top_cases(explanation, concept, most)
    tiles = [_colours(data["inputs"].values[case]) for case in cases]
    if "spatial_attention" in data and concept in data["spatial_concept"].values:
        own = data["spatial_concept"].values.tolist().index(concept)
        masks = concept_masks(explanation)[cases, own]
        tiles = [tile * np.where(mask, 1, DIMMED)[..., None] for tile, mask in zip(tiles, masks, strict=True)]
    across = min(10, len(tiles))
    rows = [tiles[start : start + across] for start in range(0, len(tiles), across)]
    blank = np.ones_like(tiles[0])
    grid = np.concatenate([np.concatenate([*row, *[blank] * (across - len(row))], axis=1) for row in rows])
    ax = ax or new_axes(width=0.8 * across, height=0.4 + 0.8 * len(rows))
    ax.imshow(grid)
    ax.set_axis_off()
    ax.set_title(f"the {len(tiles)} pictures that attend most to {concept}", fontsize=9)
    return ax


def top_cases(explanation: Concepts, concept: str, most: int = 30) -> Array:
    """Places of the cases with the largest total attention to a concept, the largest first."""
    values = explanation.data["activation"].sel(concept=concept).values
    return np.asarray(np.argsort(-values, kind="stable")[:most])


@register("concepts", "fragments")
def concepts_listed(explanation: Concepts, most: int = 4) -> str:
    """Of contributions: the activations, and what and where decides some cases; of activations alone, the arrays."""
    data = explanation.data
    if "contribution" not in data:
        return any_kind(explanation)
    body = picture(kinds.concepts(explanation), "activation of each concept")
    for sample in range(min(most, data.sizes["sample"])):
        body += picture(concept_contributions(explanation, sample), "contributions of concepts")
        if "spatial_attention" in data and "grid" in data.attrs:
            body += picture(masked_picture(explanation, sample), "where concepts are seen")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'


def _maps(explanation: Concepts) -> Floats:
    """(sample, spatial concept, row, column) of tokens."""
    data = explanation.data
    if "spatial_attention" not in data or "grid" not in data.attrs:
        raise InputError(f"{explanation.provenance.method}: no attention over places of pictures; explain pictures")
    rows, columns = (int(side) for side in data.attrs["grid"])
    return np.asarray(
        data["spatial_attention"].values.transpose(0, 2, 1).reshape(len(data["sample"]), -1, rows, columns)
    )


def _colours(image: Array) -> Floats:
    """(row, column, 3) in 0 to 1 of a grey or coloured picture (channel, row, column)."""
    low, high = float(image.min()), float(image.max())
    scaled = np.clip(image if low >= 0 and high <= 1 else (image - low) / max(high - low, 1e-12), 0, 1)
    grey = scaled if len(scaled) == 3 else np.repeat(scaled.mean(axis=0, keepdims=True), 3, axis=0)
    return np.asarray(grey.transpose(1, 2, 0))


def _row(tiles: list[Any], names: list[str], ax: Axes | None) -> Axes:
    gap = np.ones((tiles[0].shape[0], max(1, tiles[0].shape[1] // 16), 3))
    parts: list[Any] = []
    for tile in tiles:
        parts += [tile, gap]
    ax = ax or new_axes(width=1.5 * len(tiles), height=1.8)
    ax.imshow(np.concatenate(parts[:-1], axis=1), interpolation="nearest")
    step = tiles[0].shape[1] + gap.shape[1]
    ax.set_xticks([place * step + tiles[0].shape[1] / 2 for place in range(len(tiles))], names, fontsize=7)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax
