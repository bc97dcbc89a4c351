"""Heads taken out one at a time, and what that does to shallow and to deep inputs.

A head whose loss damages only inputs that need the recursion is a recursion head: it marks where the recursive segment
ends, and the rest copies. Attention pictures without this are no evidence.
Source: Zhang et al. (2024), arXiv 2401.12947, "recursion heads".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError
from explicate.mechanisms.algorithms.sequence_models import SequenceModel, Words


@dataclass(frozen=True, eq=False)
class HeadEffects:
    """Exact match by depth, with all heads and without each.

    Attributes
    ----------
    heads : of the model. depths : those that occur. counts : (depth,), inputs of each.
    whole : (depth,), exact match of the untouched model. without : (head, depth).
    """

    heads: tuple[Any, ...]
    depths: tuple[int, ...]
    counts: Floats
    whole: Floats
    without: Floats

    def drop(self, least: int, most: int | None = None) -> Floats:
        """(head,), by how much exact match falls on inputs of these depths, all inputs alike."""
        inside = np.array([least <= depth and (most is None or depth <= most) for depth in self.depths])
        if not inside.any():
            raise InputError(f"no input has a depth from {least} on; there are {list(self.depths)}")
        share = self.counts[inside] / self.counts[inside].sum()
        found: Floats = (self.whole[inside] - self.without[:, inside]) @ share
        return found

    def contrast(self, deep: int = 2, shallow: int = 0) -> Floats:
        """(head,), the drop on depths from `deep` on, less that on depths up to `shallow`."""
        return self.drop(deep) - self.drop(0, shallow)

    def recursion_head(self, deep: int = 2, shallow: int = 0) -> Any:
        """The head with the largest contrast."""
        return self.heads[int(self.contrast(deep, shallow).argmax())]


def head_effects(
    model: SequenceModel,
    inputs: Sequence[Words],
    outputs: Sequence[Words],
    depths: Sequence[int],
    *,
    how: Literal["zero", "mean"] = "zero",
    reference: Sequence[Words] = (),
) -> HeadEffects:
    """Take each head out while the model answers.

    Parameters
    ----------
    outputs : the right ones. depths : (input,).
    how : the head's output is set to zero, or to its mean over what the model does on the `reference` inputs.

    Raises
    ------
    InputError : numbers that differ, an unknown way, or no reference for means.
    """
    if not len(inputs) == len(outputs) == len(depths) or not len(inputs):
        raise InputError(f"{len(inputs)} inputs, {len(outputs)} outputs and {len(depths)} depths; give one of each")
    if how not in ("zero", "mean") or (how == "mean" and not reference):
        raise InputError(f"ablation {how!r}: use 'zero', or 'mean' with reference inputs")
    values = model.head_means(reference) if how == "mean" else None
    known = sorted(set(depths))
    members = [np.array(depths) == depth for depth in known]

    def exact() -> list[float]:
        right = np.array([one == tuple(other) for one, other in zip(model.answers(inputs), outputs, strict=True)])
        return [float(right[own].mean()) for own in members]

    whole = exact()
    without = []
    for head in model.heads:
        with model.without([head], values):
            without.append(exact())
    counts = np.array([own.sum() for own in members], dtype=float)
    return HeadEffects(tuple(model.heads), tuple(known), counts, np.array(whole), np.array(without))
