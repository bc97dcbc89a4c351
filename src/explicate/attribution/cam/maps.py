"""The arithmetic of class-activation maps, on arrays alone.

Notation: A (sample, channel, row, column), the activations of a layer on the clean picture; g, the gradient of a class
score S with respect to A; D1, D2, D3, means of g, g^2 and g^3 over noisy copies.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks

AlphaNumerator = Literal["second", "first"]
FLAT = 1e-9  # a map whose range is below this share of its largest size counts as constant


def alpha(
    activations: Floats, first: Floats, second: Floats, third: Floats, numerator: AlphaNumerator, epsilon: float
) -> Floats:
    """Pixel coefficients: D2 / (2 D2 + s D3), s the plain sum of the channel's activations; 0 where D2 is 0.

    Chattopadhay et al. (2018), eq. 19, which holds for the output Y = exp(S) and piecewise linear networks: then the
    p-th own derivative of Y with respect to one neuron is exp(S) g^p, and exp(S) cancels. Where the second derivative
    of S is not zero, powers of the gradient only stand in for the higher derivatives.

    Parameters
    ----------
    numerator : "second" takes D2 above the line; "first" takes D1, as printed in Omeiza et al. (2019), eq. 6, which
        does not become Grad-CAM++ without noise.
    epsilon : added to the denominator with the denominator's sign.
    """
    sums = activations.sum(axis=(2, 3), keepdims=True)
    below = 2 * second + sums * third
    below = below + np.where(below < 0, -epsilon, epsilon)
    above = second if numerator == "second" else first
    with np.errstate(invalid="ignore", divide="ignore"):  # without an epsilon, 0/0 where no gradient is
        return np.asarray(np.where(second > 0, above / below, 0.0))


def combined(weights: Floats, activations: Floats, keep: Masks, channels: Array | None) -> Floats:
    """The sum over channels of weight times activation, (sample, row, column), before any ReLU.

    Parameters
    ----------
    weights : (sample, channel). keep : (channel, row, column), the neurons that count; the rest are 0.
    channels : the channels that are summed; None takes all.
    """
    chosen = slice(None) if channels is None else channels
    return np.einsum("nk,nkij,kij->nij", weights[:, chosen], activations[:, chosen], keep[chosen].astype(float))


def enlarged(maps: Floats, shape: tuple[int, int]) -> Floats:
    """Maps (sample, row, column) at the size of the picture, by bilinear interpolation between pixel centres."""
    result = np.asarray(maps, dtype=float)
    for axis, length in ((1, shape[0]), (2, shape[1])):
        result = np.moveaxis(np.tensordot(_interpolation(result.shape[axis], length), result, axes=(1, axis)), 0, axis)
    return result


def scaled(maps: Floats) -> tuple[Floats, Masks]:
    """Each map (row, column) brought to [0, 1], and which of them are empty: constant, so all 0 instead of 0/0."""
    low = maps.min(axis=(1, 2), keepdims=True)
    high = maps.max(axis=(1, 2), keepdims=True)
    size = np.maximum(np.abs(low), np.abs(high))
    empty = (high - low) <= FLAT * size
    spread = np.where(empty, 1.0, high - low)
    return np.where(empty, 0.0, (maps - low) / spread), empty[:, 0, 0]


def _interpolation(before: int, after: int) -> Floats:
    """(after, before): weights of linear interpolation, ends held; pixels are squares whose centres are compared."""
    places = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    return np.asarray(np.maximum(0.0, 1 - np.abs(places[:, None] - np.arange(before))))
