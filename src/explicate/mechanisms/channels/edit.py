"""Edits of weights along a channel, as interventions: in force inside a `with` block, undone bit for bit after it.

W_O <- W_O (I + (gamma - 1) v v') for one head alone: gamma 0 takes the channel out, above 1 makes it stronger; keeping
nothing else is W_O <- W_O V V'. Source: Merullo, Eickhoff, Pavlick (2024), "Talking Heads", section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.interventions import Edit
from explicate.errors import InputError
from explicate.mechanisms.channels.channel import Channel, ChannelSubspace, Place
from explicate.mechanisms.weights.layouts import block_maps, norm_kind, weight_layout_of
from explicate.models.language import LanguageModel
from explicate.models.language.sites import linear_weight

if TYPE_CHECKING:
    import torch

GAMMAS = (0.0, 0.5, 1.5, 2.0, 3.0, 4.0)


def channel_edit(model: LanguageModel, channel: Channel, gamma: float) -> Edit:
    """Write gamma times as much along the channel; nothing else of the head changes."""
    _finite(gamma)
    layer, head = channel.head
    output = _output(model, channel.head)
    change = (gamma - 1.0) * np.outer(output @ channel.write, channel.write)
    return _edit_of_output(model, layer, head, change)


def keep_only(model: LanguageModel, subspace: ChannelSubspace, head: Place) -> Edit:
    """Let a head write inside a subspace alone."""
    output = _output(model, head)
    return _edit_of_output(model, *head, output @ subspace.basis @ subspace.basis.T - output)


def read_edit(model: LanguageModel, channel: Channel, gamma: float, *, allow_shared: bool = False) -> Edit:
    """Read gamma times as much along the channel, by the map to values: W_V <- (I + (gamma - 1) u u') W_V.

    The direction is that of the normed stream with the norm's gain folded into the map.

    Raises
    ------
    InputError : several heads share the map; they are named, as all of them would change. `allow_shared` does it.
    """
    _finite(gamma)
    layer, head = channel.head
    layout, block = weight_layout_of(model), model.blocks[layer]
    maps = block_maps(model, layer)
    size = model.head_count // len(maps.value)
    group = head // size
    if size > 1 and not allow_shared:
        others = [f"L{layer}.H{each}" for each in range(group * size, (group + 1) * size) if each != head]
        raise InputError(
            f"L{layer}.H{head} shares its map to values with {', '.join(others)}, which would change too; edit "
            "what the head writes instead (channel_edit), or give allow_shared=True"
        )
    norm = block.get_submodule(layout.norm_attention)
    value = _numbers(maps.value[group])
    gain = np.ones(len(value)) if norm_kind(norm) == "none" else _numbers(layout.gain(norm))
    folded = value * gain[:, None]
    change = (gamma - 1.0) * np.outer(channel.read, channel.read @ folded) / np.where(gain == 0, np.inf, gain)[:, None]
    path = layout.maps[-1]
    part = block.get_submodule(path)
    whole = np.zeros(linear_weight(part).T.shape)
    width = value.shape[1]
    first = (whole.shape[1] - len(maps.value) * width if len(layout.maps) == 1 else 0) + group * width
    whole[:, first : first + width] = change
    return Edit(_path_of(model, layer, path), whole.T if linear_weight(part) is part.weight else whole)


def _edit_of_output(model: LanguageModel, layer: int, head: int, change: Floats) -> Edit:
    path = model.architecture.output_projection
    part = model.blocks[layer].get_submodule(path)
    whole = np.zeros(linear_weight(part).T.shape)
    width = len(change)
    whole[head * width : (head + 1) * width] = change
    return Edit(_path_of(model, layer, path), whole.T if linear_weight(part) is part.weight else whole)


def _path_of(model: LanguageModel, layer: int, path: str) -> str:
    """The full name of a weight of one block."""
    part = model.blocks[layer].get_submodule(path)
    return next(name for name, each in model.module.named_modules() if each is part) + ".weight"


def _output(model: LanguageModel, head: Place) -> Floats:
    return _numbers(block_maps(model, head[0]).output[head[1]])


def _numbers(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().double().cpu().numpy())


def _finite(gamma: float) -> None:
    if not np.isfinite(gamma):
        raise InputError(f"gamma is {gamma}; give a finite number: 0 takes the channel out, 1 changes nothing")
