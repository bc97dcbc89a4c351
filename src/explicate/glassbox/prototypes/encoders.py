"""What turns a case into patches: a picture into the places of its last feature maps, anything else into one patch.

An encoder is a torch module from a batch of cases to (case, patch, channel), with the attribute `channels`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from explicate.errors import InputError

if TYPE_CHECKING:
    import torch

Encoder = Callable[[tuple[int, ...]], Any]
"""From the shape of one case to an untrained module."""


def vectors(shape: tuple[int, ...], width: int = 64) -> torch.nn.Module:
    """Numbers (feature,): two layers, one patch."""
    from torch import nn

    (features,) = shape
    return _with_channels(
        nn.Sequential(
            nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Unflatten(1, (1, -1))
        ),
        width,
    )


def pictures(shape: tuple[int, ...], widths: tuple[int, ...] = (32, 64)) -> torch.nn.Module:
    """Pictures (channel, row, column): two convolutions and a halving; each place of the result is a patch."""
    from torch import nn

    channels, rows, columns = shape
    if min(rows, columns) < 4:
        raise InputError(f"pictures of {rows} x {columns} pixels are too small; they need 4 x 4")
    first, second = widths
    return _with_channels(
        nn.Sequential(
            nn.Conv2d(channels, first, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(2),
            _transposed(),
        ),
        second,
    )


def graphs(shape: tuple[int, ...], width: int = 32, layers: int = 3) -> torch.nn.Module:
    """Graphs as adjacency matrices (node, node), padded with nodes without edges: graph convolutions, one patch.

    A node begins with 1 and its degree; a graph's patch is the mean and the maximum over its nodes. Source of the
    layer: Kipf and Welling (2017), arXiv 1609.02907, eq. 2.
    """
    import torch
    from torch import nn

    class GraphConvolutions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.channels = 2 * width
            sizes = [2, *[width] * layers]
            self.maps = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

        def forward(self, adjacency: torch.Tensor) -> torch.Tensor:
            degrees = adjacency.sum(dim=2)
            there = (degrees > 0).float()[..., None]
            looped = adjacency + torch.diag_embed(there[..., 0])
            root = looped.sum(dim=2).clamp(min=1).rsqrt()
            passed = root[:, :, None] * looped * root[:, None, :]
            state = torch.stack([torch.ones_like(degrees), degrees / 4], dim=2) * there
            for linear in self.maps:
                state = (passed @ linear(state)).relu() * there
            mean = state.sum(dim=1) / there.sum(dim=1).clamp(min=1)
            return torch.cat([mean, state.amax(dim=1)], dim=1)[:, None]

    return GraphConvolutions()


ENCODERS: dict[str, Encoder] = {"vectors": vectors, "pictures": pictures, "graphs": graphs}


def _with_channels(module: Any, channels: int) -> Any:
    module.channels = channels
    return module


def _transposed() -> Any:
    from torch import nn

    class Transposed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.transpose(1, 2)

    return Transposed()
