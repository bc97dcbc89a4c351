"""Directions of the last digit, third estimate: the neurons of the first MLP that matter for one residue alone.

Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.cost import measure
from explicate.core.interventions import Ablate
from explicate.core.kinds import Direction
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.errors import CapabilityError
from explicate.mechanisms.succession.heads import RESIDUES, SuccessorHead
from explicate.models.language.sites import linear_weight


@dataclass(frozen=True)
class NeuronResidues(Parameterised):
    """Mean-ablate each neuron of the first MLP and see for which residue the successor's margin falls.

    For gated MLPs a neuron is an entry of the product before the down-projection. A neuron belongs to a residue if the
    fall there is the largest of all residues' and so many standard deviations above the mean of the others.

    Parameters
    ----------
    deviations : see above. at_once : neurons ablated together, which bounds the memory.
    """

    name: ClassVar[str] = "neuron-residues"

    deviations: float = 3.0
    at_once: int = 64

    def fit(self, head: SuccessorHead, train: Masks | None = None) -> Direction:
        """Directions (residue, width), sums of what a residue's neurons write for it beyond their mean.

        Parameters
        ----------
        train : bool (item,), the words that are used; default: all. Only words with a successor ever are.

        Returns
        -------
        Direction : also `effect` (neuron, residue), the mean fall of the margin; `owner` (neuron,), the residue that a
            neuron belongs to or -1.

        Raises
        ------
        CapabilityError : a norm follows the MLP, so that what single neurons write is not known; the head reads more
            than the embedding at that place.
        """
        items = np.flatnonzero((head.data.next_to() >= 0) & (True if train is None else train))
        with measure() as cost:
            activations, written = _neurons(head, items)
            deviations = activations - activations.mean(axis=0)
            residues = head.residues[items]
            effect = self._effects(head, items, deviations, written, residues)
            owner = self._owners(effect)
            vectors = np.zeros((RESIDUES, head.inputs.shape[1]))
            for residue in range(RESIDUES):
                own, rows = owner == residue, residues == residue
                if own.any() and rows.any():
                    vectors[residue] = deviations[rows][:, own].mean(axis=0) @ written[own]
        return head.direction(self, vectors, cost, effect=(("neuron", "residue"), effect), owner=(("neuron",), owner))

    def _effects(
        self, head: SuccessorHead, items: Array, deviations: Floats, written: Floats, residues: Array
    ) -> Floats:
        inputs = head.inputs[items]
        before = head.margins(inputs, items)
        falls = np.empty((len(items), len(written)))
        for start in range(0, len(written), self.at_once):
            part = slice(start, start + self.at_once)
            ablated = inputs[:, None] - deviations[:, part, None] * written[None, part]
            falls[:, part] = before[:, None] - head.margins(ablated, items)
        means = [
            falls[residues == r].mean(axis=0) if (residues == r).any() else np.zeros(len(written))
            for r in range(RESIDUES)
        ]
        return np.stack(means, axis=1)

    def _owners(self, effect: Floats) -> Array:
        best = effect.argmax(axis=1)
        others = np.ma.array(effect, mask=np.eye(RESIDUES, dtype=bool)[best])
        spread = np.maximum(others.std(axis=1).filled(0.0), 1e-9)
        height = (effect.max(axis=1) - others.mean(axis=1).filled(0.0)) / spread
        strong = (height > self.deviations) & (effect.max(axis=1) > 0.01 * max(float(effect.max()), 1e-9))
        return np.where(strong, best, -1)


def _neurons(head: SuccessorHead, items: Array) -> tuple[Floats, Floats]:
    """Activations (item, neuron) for the embedding alone, and what each neuron writes (neuron, width)."""
    model = head.model
    layout = model.architecture
    if not layout.mlp_act.path.startswith(layout.mlp_out.path):
        raise CapabilityError(
            f"in {model.name!r} a norm follows the MLP, so what a neuron writes depends on the others"
        )
    site = Site("mlp_act", 0, None, (-1,))
    with model.intervene(Ablate(Site("attn_out", 0))):
        activations = model.capture(head.data.ids[items][:, None], [site])[site][:, 0]
    down = model.blocks[0].get_submodule(layout.mlp_act.path)
    written = linear_weight(down).detach().float().cpu().numpy().T
    return activations, written
