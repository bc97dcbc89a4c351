"""One successor head with the words that it is tried on: its answers to inputs that may have been changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import Cost
from explicate.core.kinds import Direction
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.sites import Site
from explicate.data.language.succession import SuccessionDataset
from explicate.errors import InputError
from explicate.mechanisms.succession.circuits import HeadCircuit
from explicate.mechanisms.succession.scores import winners
from explicate.mechanisms.weights import TokenState, token_states
from explicate.models.language import LanguageModel

RESIDUES = 10


@dataclass(frozen=True, eq=False)
class SuccessorHead:
    """A head, and what it reads of each word.

    Attributes
    ----------
    model : the handle. data : the words. circuit : the head's.
    inputs : what the head reads of each word, (item, width). state : which state of the word that is.
    """

    model: LanguageModel
    data: SuccessionDataset
    circuit: HeadCircuit
    inputs: Floats
    state: TokenState = "mlp0"

    @classmethod
    def of(
        cls, model: LanguageModel, data: SuccessionDataset, site: Site | str, *, state: TokenState = "mlp0"
    ) -> SuccessorHead:
        """Read weights and words; `site` is a head's output, such as L12.head_out.H0."""
        circuit = HeadCircuit.of(model, site)
        return cls(model, data, circuit, token_states(model, data.ids, state)[circuit.site.layer or 0], state)

    def on(self, data: SuccessionDataset) -> SuccessorHead:
        """The same head on other words."""
        inputs = token_states(self.model, data.ids, self.state)[self.site.layer or 0]
        return replace(self, data=data, inputs=inputs)

    @property
    def site(self) -> Site:
        """The head's output."""
        return self.circuit.site

    @property
    def residues(self) -> Array:
        """Each word's index modulo 10."""
        return np.asarray(self.data.indices % RESIDUES)

    def answers(self, inputs: Floats, items: Array) -> Array:
        """The winning word of each input's own task: inputs (m, ..., width) that belong to items (m,) -> (m, ...)."""
        items = np.asarray(items)
        found = np.empty(inputs.shape[:-1], dtype=np.int64)
        for task in np.unique(self.data.task_of[items]):
            own = self.data.task_of[items] == task
            rows = np.flatnonzero(self.data.task_of == task)
            found[own] = winners(self.data, self.circuit.logits(inputs[own], self.data.ids[rows]), int(task))
        return found

    def is_word(self, found: Array, wanted: Array) -> Array:
        """Whether words are the wanted ones, by their tokens; -1 is no word."""
        return (found >= 0) & (wanted >= 0) & (self.data.ids[found] == self.data.ids[wanted])

    def margins(self, inputs: Floats, items: Array) -> Floats:
        """The successor's logit less the mean over the words of its task: inputs (m, ..., width) -> (m, ...).

        Raises
        ------
        InputError : a word without a successor.
        """
        following = self._following(items)
        found = np.empty(inputs.shape[:-1])
        for task in np.unique(self.data.task_of[items]):
            own = np.flatnonzero(self.data.task_of[items] == task)
            rows = np.flatnonzero(self.data.task_of == task)
            logits = self.circuit.logits(inputs[own], self.data.ids[rows])
            place = np.searchsorted(rows, following[own]).reshape(-1, *[1] * (logits.ndim - 1))
            found[own] = np.take_along_axis(logits, place, axis=-1)[..., 0] - logits.mean(axis=-1)
        return found

    def margin_readers(self, items: Array) -> Floats:
        """For each word the direction (item, width) whose product with its input is its margin, norms held still."""
        outputs = self.circuit.unembedding[self.data.ids[self._following(items)]].copy()
        for task in np.unique(self.data.task_of[items]):
            rows = np.flatnonzero(self.data.task_of == task)
            outputs[self.data.task_of[items] == task] -= self.circuit.unembedding[self.data.ids[rows]].mean(axis=0)
        return self.circuit.readers(self.inputs[items], outputs)

    def _following(self, items: Array) -> Array:
        following = self.data.next_to()[np.asarray(items)]
        if (following < 0).any():
            word = self.data.texts[int(np.asarray(items)[following < 0][0])]
            raise InputError(f"{word!r} has no successor in its task; leave it out")
        return following

    def direction(
        self, method: Parameterised, vectors: Floats, cost: Cost, seed: int = 0, **variables: Any
    ) -> Direction:
        """A direction for each residue, (residue, width), at the site of what the head reads, with more variables."""
        layer = self.site.layer or 0
        place = {"mlp0": Site("mlp_out", 0), "in_context": Site("resid_pre", layer)}.get(
            self.state, Site("resid_post", 0)
        )
        data = xr.Dataset(
            {"direction": (("residue", "width"), np.asarray(vectors, dtype=float)), **variables},
            coords={"residue": np.arange(len(vectors))},
            attrs={"site": str(place), "head": str(self.site)},
        )
        return Direction(data, Provenance.of(method, self.model, self.data.ids, cost, seed))
