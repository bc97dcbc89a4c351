"""Occlusion: how much the score falls when a window slides over the picture and hides what is under it.

Source: Zeiler, Fergus (2014), "Visualizing and Understanding Convolutional Networks", section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.defaults import default_missingness
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.games import Game
from explicate.attribution.missingness import Missingness, Zero
from explicate.attribution.players import Each
from explicate.core.capabilities import Array, Masks, Targets
from explicate.core.registry import register
from explicate.errors import InputError

WINDOWS_AT_ONCE = 64


@register("occlusion")
@dataclass(frozen=True)
class Occlusion(Explainer):
    """Attribute to each pixel the mean drop of the score over the windows that hide it.

    Of tables and texts, one column or token is hidden at a time.

    Parameters
    ----------
    window : rows and columns of the window; default: a seventh of the picture (32 x 32 of 224 x 224).
    stride : by how much it moves down and across; default: half the window. Windows at the far edges are cut off.
    missingness : what is seen in place of what is hidden; default: 0 for images (their mean colour, after
        normalisation), by kind of model for the rest.
    """

    window: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    missingness: Missingness | None = None

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        image = model.kind == "image"
        missingness = self.missingness or (Zero() if image else default_missingness(model))
        masks = self._windows(inputs.shape[-2:]) if image else None
        covered = None if masks is None else masks.astype(float)
        attributions, starts = [], []
        for sample, target in zip(inputs, targets, strict=True):
            players = Each().players(model, sample)
            game = Game(model, sample, target, players, missingness, rng)
            empty, full = game.ends()
            hidden = np.eye(players.count, dtype=bool) if masks is None else masks
            drops = np.empty(len(hidden))
            for first in range(0, len(hidden), WINDOWS_AT_ONCE):  # masks of single pixels are large
                block = hidden[first : first + WINDOWS_AT_ONCE]
                drops[first : first + len(block)] = full - game(~block)
            shares = drops if covered is None else drops @ covered / np.maximum(covered.sum(axis=0), 1)
            attributions.append(np.append(shares, 0.0)[players.labels])
            starts.append(empty)
        return Found(np.stack(attributions), baseline_score=np.array(starts))

    def _windows(self, shape: tuple[int, ...]) -> Masks:
        """What each window hides: (window, row * column)."""
        window = self.window or tuple(max(1, side // 7) for side in shape)
        stride = self.stride or tuple(max(1, side // 2) for side in window)
        for what, sides in (("window", window), ("stride", stride)):
            if (
                len(sides) != 2
                or min(sides) < 1
                or (what == "window" and any(a > b for a, b in zip(sides, shape, strict=True)))
            ):
                raise InputError(f"occlusion: a {what} of {tuple(sides)} does not fit a picture of {tuple(shape)}")
        if any(step > side for step, side in zip(stride, window, strict=True)):
            raise InputError(f"occlusion: a stride of {tuple(stride)} leaves gaps between windows of {tuple(window)}")
        places = [
            range(0, step * (-(-(length - side) // step) + 1), step)
            for length, side, step in zip(shape, window, stride, strict=True)
        ]
        masks = np.zeros((len(places[0]) * len(places[1]), *shape), dtype=bool)
        for number, (top, left) in enumerate((top, left) for top in places[0] for left in places[1]):
            masks[number, top : top + window[0], left : left + window[1]] = True
        return masks.reshape(len(masks), -1)
