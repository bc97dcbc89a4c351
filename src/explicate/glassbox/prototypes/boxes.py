"""Where in a picture a prototype is seen."""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Array
from explicate.glassbox.prototypes.network import similarity

PERCENTILE = 95.0


def boxes(distances: Array, size: tuple[int, int]) -> Array:
    """The smallest boxes around the region above the 95th percentile of the similarity map, blown up to the picture.

    Parameters
    ----------
    distances : (map, patch) squared distances; the patches are the places of a grid of the picture's proportions.
    size : rows and columns of the picture.

    Returns
    -------
    (map, 4) int: top, bottom, left, right; bottom and right are the first ones outside.
    """
    import torch
    import torch.nn.functional as F

    rows, columns = size
    grid = round((distances.shape[1] * rows / columns) ** 0.5)
    maps = torch.from_numpy(similarity(distances)).reshape(len(distances), 1, grid, -1)
    large = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)[:, 0].numpy()
    limits = np.percentile(large.reshape(len(large), -1), PERCENTILE, axis=1)
    inside = large >= limits[:, None, None]
    sides = []
    for lines in (inside.any(axis=2), inside.any(axis=1)):
        sides += [lines.argmax(axis=1), lines.shape[1] - lines[:, ::-1].argmax(axis=1)]
    return np.stack(sides, axis=1)
