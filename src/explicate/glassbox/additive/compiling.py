"""Trained networks of one column become curves, exactly.

A network of ReLU units (or of ExU units, which are ReLU units with a lid) in one number is made of straight pieces. The
ends of the pieces are where some unit begins or ceases to be active, and those are found layer by layer.
"""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Array
from explicate.glassbox.additive.networks import Term


def member_outputs(term: Term, member: int, cells: tuple[tuple[Array, Array], ...]) -> Array:
    """What one member's network gives: (cell, output).

    Parameters
    ----------
    cells : for each column of the term the scaled numbers and the categories (-1: it is a number), each (cell,).
    """
    return _forward(term, member, _before(term, member, cells), len(term.deeper) + 1)


def straight_pieces(term: Term, member: int, low: float, high: float) -> Array:
    """The scaled numbers between which a member's network of one numeric column is straight, with both ends: (end,)."""
    ends = np.array([low, high])
    for depth in range(len(term.deeper) + 1):
        for lid in (0.0, 1.0) if term.exu and depth == 0 else (0.0,):
            numbers = np.full(len(ends), -1)
            units = _forward(term, member, _before(term, member, ((ends, numbers),)), depth) - lid
            piece, unit = np.nonzero(units[:-1] * units[1:] < 0)
            left, right = units[piece, unit], units[piece + 1, unit]
            crossings = ends[piece] + left / (left - right) * (ends[piece + 1] - ends[piece])
            ends = np.unique(np.concatenate([ends, crossings]))
    return ends


def _before(term: Term, member: int, cells: tuple[tuple[Array, Array], ...]) -> Array:
    """Input of the first layer's units: (cell, unit)."""
    total = np.zeros(())
    for (weight, bias, categories), (numbers, codes) in zip(term.first, cells, strict=True):
        wide = numbers[:, None]
        found = np.exp(weight[member]) * (wide - bias[member]) if term.exu else wide * weight[member] + bias[member]
        total = total + np.where(codes[:, None] >= 0, categories[member][np.maximum(codes, 0)], found)
    return np.asarray(total)


def _forward(term: Term, member: int, before: Array, depth: int) -> Array:
    """From the first layer's input to that of layer `depth`; beyond the last hidden one, to the outputs."""
    state = before
    for layer in range(depth):
        state = np.clip(state, 0, 1) if term.exu and layer == 0 else np.maximum(state, 0)
        if layer < len(term.deeper):
            weights, biases = term.deeper[layer]
            state = state @ weights[member] + biases[member]
        else:
            state = state @ term.last[member]
    return state
