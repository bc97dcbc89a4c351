"""A small convolutional network in the manner of VGG, for pictures of 64 x 64 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.models.tiny.training import Recipe, train

if TYPE_CHECKING:
    import torch

Head = Literal["dense", "average"]
WIDTHS = (16, 32, 64, 64)
LAST_MAPS = "maps.block3.activation"
"""Site of the last feature maps: 64 maps of an eighth of the picture's side."""


def network(
    channels: int = 1, classes: int = 5, *, size: int = 64, head: Head = "dense", hidden: int = 64
) -> torch.nn.Module:
    """An untrained network: four blocks of convolution, batch norm and ReLU with a halving between them, and a head.

    Parameters
    ----------
    channels, classes : of the pictures, and outputs. size : side of the pictures, a multiple of 16.
    head : "dense" halves the last maps again, flattens them and has a hidden layer, as VGG does; "average" is a global
        average pooling and one linear layer. With "average" the gradient at the last maps is the same at every place
        and for every picture; with "dense" it is not.
    hidden : width of the dense head's hidden layer.
    """
    from collections import OrderedDict

    from torch import nn

    if head not in ("dense", "average"):
        raise InputError(f"head {head!r} is unknown; use 'dense' or 'average'")
    if size < 16 or size % 16:
        raise InputError(f"size {size} is no multiple of 16")
    blocks: list[tuple[str, nn.Module]] = []
    for number, width in enumerate(WIDTHS):
        before = channels if number == 0 else WIDTHS[number - 1]
        parts: list[tuple[str, nn.Module]] = [("halving", nn.MaxPool2d(2))] if number else []
        parts += [
            ("convolution", nn.Conv2d(before, width, 3, padding=1, bias=False)),
            ("norm", nn.BatchNorm2d(width)),
            ("activation", nn.ReLU()),
        ]
        blocks.append((f"block{number}", nn.Sequential(OrderedDict(parts))))
    last: list[tuple[str, nn.Module]]
    if head == "average":
        last = [
            ("pooling", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("classes", nn.Linear(WIDTHS[-1], classes)),
        ]
    else:
        last = [
            ("halving", nn.MaxPool2d(2)),
            ("flatten", nn.Flatten()),
            ("hidden", nn.Linear(WIDTHS[-1] * (size // 16) ** 2, hidden)),
            ("activation", nn.ReLU()),
            ("classes", nn.Linear(hidden, classes)),
        ]
    return nn.Sequential(
        OrderedDict([("maps", nn.Sequential(OrderedDict(blocks))), ("head", nn.Sequential(OrderedDict(last)))])
    )


def trained_network(
    images: Array, labels: Array, *, classes: int, head: Head = "dense", epochs: int = 5, seed: int = 0
) -> Any:
    """A network trained on pictures (sample, channel, side, side) in [0, 1], or from the cache: a `VisionModel`."""
    from explicate.models.preprocessing import Preprocessing
    from explicate.models.vision import VisionModel

    channels, size = int(images.shape[1]), int(images.shape[2])
    recipe = Recipe(epochs=epochs, batch=64, optimiser="adam", learning_rate=2e-3, schedule="cosine", seed=seed)
    module = train(
        lambda: network(channels, classes, size=size, head=head), images, labels, recipe, name="a convolutional network"
    )
    return VisionModel(
        module,
        Preprocessing(
            size=(size, size), mean=(0.0,) * channels, std=(1.0,) * channels, order="L" if channels == 1 else "RGB"
        ),
        name=f"tiny-cnn-{head}",
    )
