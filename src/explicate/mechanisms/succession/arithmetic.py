"""Vector arithmetic: swap a word's residue direction for another's, and see what the successor head counts to.

Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads", section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.explanation import Explanation
from explicate.core.kinds import Direction
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.mechanisms.succession.heads import RESIDUES, SuccessorHead
from explicate.runtime.seeds import generator

SCALES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
SMALLEST = 1e-6


@dataclass(frozen=True)
class FeatureSwaps(Parameterised):
    """Swap residue directions in every word for every other residue: a full grid.

    x' = x - k f_i + k f_j with unit directions f, where k is `scale` times x's projection on its own direction f_i. A
    swap succeeds if the winning word of the task is the successor of the word with the other last digit and the same
    decade. Words whose token is ambiguous, and other words that are not there, are left out.

    Parameters
    ----------
    scales : k relative to the projection.
    centred : whether what all directions have in common is taken out first; it plays no part in a swap, but in k.
    """

    name: ClassVar[str] = "feature-swaps"

    scales: tuple[float, ...] = SCALES
    centred: bool = True

    def run(
        self, head: SuccessorHead, direction: Direction | Floats, items: Sequence[int] | None = None
    ) -> Explanation:
        """Swap in some words (default: all that can be).

        Parameters
        ----------
        direction : one for each residue, (residue, width); zeros where there is none.

        Returns
        -------
        Explanation : over (scale, swap): `success`, `answer` (a word's number, -1 for a tie); over (swap,): `item`,
            `residue` (the new one), `wanted` (a word's number), `unchanged` (whether the head is right on the word as
            it is), `task`, `index`. Attributes: `greater`, the share of failures at the first scale whose answer is
            larger than what was intended.

        Raises
        ------
        InputError : a scale that is no finite number, directions that are shorter than 1e-6, no word to swap in.
        """
        if not self.scales or not np.isfinite(self.scales).all():
            raise InputError(f"scales {self.scales}: give finite numbers")
        vectors = direction.values if isinstance(direction, Direction) else np.asarray(direction, dtype=float)
        units = unit_directions(vectors, self.centred)
        chosen, residues, wanted = self._grid(head, units, items)
        with measure() as cost:
            swapped = swap_features(head.inputs[chosen], head.residues[chosen], residues, units, self.scales)
            answers = head.answers(swapped, chosen).T
            unchanged = head.answers(head.inputs[chosen], chosen)
        success = head.is_word(answers, wanted[None])
        indices = head.data.indices
        greater = (answers >= 0) & (indices[answers] > indices[wanted][None]) & ~success
        own = head.data.task_of[chosen]
        found = xr.Dataset(
            {
                "success": (("scale", "swap"), success.astype(float)),
                "answer": (("scale", "swap"), answers),
                "greater": (("scale", "swap"), greater.astype(float)),
                "item": (("swap",), chosen),
                "residue": (("swap",), residues),
                "wanted": (("swap",), wanted),
                "unchanged": (("swap",), head.is_word(unchanged, head.data.next_to()[chosen]).astype(float)),
                "task": (("swap",), np.array([head.data.tasks[number].name for number in own], dtype=object)),
                "index": (("swap",), indices[chosen]),
            },
            coords={"scale": list(self.scales)},
            attrs={"head": str(head.site)},
        )
        return Explanation(found, Provenance.of(self, head.model, head.data.ids, cost))

    def _grid(self, head: SuccessorHead, units: Floats, items: Sequence[int] | None) -> tuple[Array, Array, Array]:
        """Words, new residues, and the words that are then wanted: three (swap,)."""
        data, following = head.data, head.data.next_to()
        known = np.linalg.norm(units, axis=1) > SMALLEST
        places = {
            (int(task), int(index)): place
            for place, (task, index) in enumerate(zip(data.task_of, data.indices, strict=True))
        }
        rows = []
        for item in range(len(data)) if items is None else items:
            task, index = int(data.task_of[item]), int(data.indices[item])
            if data.ambiguous[item] or following[item] < 0 or not known[index % RESIDUES]:
                continue
            for residue in np.flatnonzero(known):
                other = places.get((task, index - index % RESIDUES + int(residue)))
                if other is None or other == item or following[other] < 0 or data.ambiguous[following[other]]:
                    continue
                rows.append((int(item), int(residue), int(following[other])))
        if not rows:
            raise InputError("there is no word in which a residue could be swapped for another that its task has")
        first, second, third = (np.array(each, dtype=np.int64) for each in zip(*rows, strict=True))
        return first, second, third


def swap_features(
    inputs: Floats, residues: Array, others: Array, units: Floats, scales: Sequence[float] = (1.0,)
) -> Floats:
    """Inputs (m, width) with their own residue's direction swapped for another's: (m, scale, width).

    Parameters
    ----------
    residues, others : (m,), own and new residue. units : unit directions (residue, width).
    scales : relative to the inputs' projections on their own directions.
    """
    own, new = units[residues], units[others]
    size = np.einsum("mw,mw->m", inputs, own)[:, None, None] * np.asarray(scales)[None, :, None]
    return np.asarray(inputs[:, None] + size * (new - own)[:, None])


def unit_directions(vectors: Floats, centred: bool = True) -> Floats:
    """Directions (residue, width) at length 1, less what those that are there have in common; zeros stay zeros.

    Raises
    ------
    InputError : directions that are not finite, or of which fewer than two are longer than 1e-6.
    """
    vectors = np.asarray(vectors, dtype=float)
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(lengths).all():
        raise InputError("the directions hold NaN or infinite values")
    known = lengths > SMALLEST
    if known.sum() < 2:
        raise InputError(f"fewer than two of the directions are longer than {SMALLEST}; there is nothing to swap")
    if centred:
        vectors = np.where(known[:, None], vectors - vectors[known].mean(axis=0), 0.0)
        lengths = np.linalg.norm(vectors, axis=1)
        if (lengths[known] <= SMALLEST).any():
            raise InputError("all directions are the same; there is nothing to swap")
    return np.divide(vectors, lengths[:, None], out=np.zeros_like(vectors), where=known[:, None])


def random_directions(like: Floats, seed: int = 0) -> Floats:
    """A control: as many random directions, zero where there is none."""
    drawn = generator(seed, "random directions").standard_normal(np.shape(like))
    return np.where(np.linalg.norm(like, axis=1, keepdims=True) > 0, drawn, 0.0)
