"""Two layers of attention with random weights and one channel put in by hand, as a truth for composition scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.runtime.seeds import generator


@dataclass(frozen=True, eq=False)
class PlantedChannel:
    """A model and what was put into it.

    Attributes
    ----------
    source, destination : (layer, head) that write and read. direction : along which, a unit vector.
    """

    model: LanguageModel
    source: tuple[int, int]
    destination: tuple[int, int]
    direction: Floats


def planted_channel(
    seed: int = 0,
    kind: Literal["q", "k", "v"] = "q",
    *,
    width: int = 256,
    heads: int = 8,
    write: float = 4.0,
    read: float = 6.0,
) -> PlantedChannel:
    """Draw a model whose one head of layer 0 writes along a direction that one head of layer 1 reads.

    Parameters
    ----------
    kind : by which map it is read, to queries, keys or values.
    write, read : how much larger the planted row of W_O and column of the map are than the others.
    """
    import torch

    rng = generator(seed, "planted channel", kind)
    decoder = Decoder(("a", "b", "c", "d"), 2, width, heads, mlp_width=0, positions="learned", context=16)
    module = decoder.build(seed)
    direction = rng.standard_normal(width)
    direction /= np.linalg.norm(direction)
    source, destination = int(rng.integers(heads)), int(rng.integers(heads))
    size = width // heads
    row, column = (int(head * size + rng.integers(size)) for head in (source, destination))
    unit = torch.as_tensor(direction, dtype=torch.float32)
    with torch.no_grad():
        output = module.model.layers[0].self_attn.o_proj.weight  # (width, head * head width)
        output[:, row] = write * output[:, row].norm() * unit
        reader = getattr(module.model.layers[1].self_attn, f"{kind}_proj").weight  # (head * head width, width)
        reader[column] = read * reader[column].norm() * unit
    return PlantedChannel(decoder.handle(module, "planted channel"), (0, source), (1, destination), direction)
