"""Pairs of prompts whose attention at the last token is exchanged, layers at a time, and what can be read after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.patchscope import Patchscope
from explicate.mechanisms.restart import Batch, batches, engine_for, fastest_way, untouched, work, writes_of
from explicate.mechanisms.rows import Row, chunks
from explicate.models.language import LanguageModel

if TYPE_CHECKING:
    import torch


class PatchedLayers:
    """Untouched runs of pairs, kept, so that a set of layers costs one token of each target prompt.

    Parameters
    ----------
    ids, given : encoded target and source prompts, one source each. wanted : (pair, 2), the tokens to be read, the
        source's answer first.

    Attributes
    ----------
    own_source : (layer,), mean probability that the patchscope reads of the source's answer in the unpatched source.
    forwards : the work so far, in whole passes.
    """

    def __init__(self, model: LanguageModel, ids: Array, given: Array, wanted: Array, patchscope: Patchscope) -> None:
        self.model = model
        self.way = fastest_way(model)
        if self.way == "one by one":
            raise InputError("a layer search cannot run while other interventions or hooks are in force; leave them")
        refuse_padding(model, ids)
        refuse_padding(model, given)
        self.wanted = wanted
        self.reader = patchscope.reader(model)
        layers = range(model.layer_count)
        self.z = [Site("z", layer, None, (-1,)) for layer in layers]
        after = [Site("resid_post", layer, None, (-1,)) for layer in layers]
        self.own = 2.0 * len(ids)
        self.groups = []
        shares = np.empty((len(ids), len(layers)))
        for batch in batches(ids, given):
            other = untouched(model, Batch(batch.numbers, batch.sources, None), [*self.z, *after], self.way)[0]  # type: ignore[arg-type]
            base = untouched(model, Batch(batch.numbers, batch.ids, None), after, self.way)[0]
            states = _joined([other.recorded[site] for site in after])
            shares[batch.numbers] = self._read(states, batch.numbers)[..., 0]
            self.groups.append((batch.numbers, base, other.recorded, _joined([base.recorded[site] for site in after])))
        self.own_source: Floats = shares.mean(axis=0)

    @property
    def forwards(self) -> float:
        """The work so far, in whole passes of a prompt."""
        return self.own + self.reader.forwards

    def read(self, layers: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Mean probabilities (layer,) of the source's and of the target's answer, read after every layer."""
        import torch

        found = np.empty((len(self.wanted), len(self.z), 2))
        after = [Site("resid_post", layer) for layer in range(len(self.z))]
        for numbers, base, other, own in self.groups:
            states = own.clone()  # before the first patched layer nothing has changed
            if layers:
                patch = tuple(Patch(self.z[layer], other[self.z[layer]]) for layer in layers)
                rows = [Row.of(i, i, writes_of(patch, i, base), base.tokens) for i in range(len(numbers))]
                with torch.no_grad():
                    for chunk in chunks(rows, self.model.head_count):
                        _, seen = engine_for(base, self.way).states(chunk, after)
                        for layer, site in enumerate(after):
                            for number, state in seen[site].items():
                                states[number, layer] = state
                        self.own += sum(work(row, base) for row in chunk)
            found[numbers] = self._read(states, numbers)
        mean = found.mean(axis=0)
        return mean[:, 0], mean[:, 1]

    def _read(self, states: torch.Tensor, numbers: Array) -> Floats:
        """Probabilities (pair, layer, token) read from states (pair, layer, width)."""
        pairs, layers, width = states.shape
        wanted = np.repeat(self.wanted[numbers], layers, axis=0)
        found = self.reader.probabilities(states.reshape(-1, width), np.tile(np.arange(layers), pairs), wanted)
        return found.reshape(pairs, layers, 2)


def refuse_padding(model: LanguageModel, ids: Array) -> None:
    """Refuse prompts whose last token is padding: what would be changed there is no prompt's end."""
    padding = model.tokenizer.pad_token_id
    if padding is None:
        return
    last = [int(row[row >= 0][-1]) if (row >= 0).any() else padding for row in ids]
    if padding in last:
        raise InputError(
            f"prompt {last.index(padding)} ends in the padding token {model.token_text(padding)!r}; give prompts "
            "without padding, or with their attention mask, as the last token is what is changed"
        )


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """Activations (sample, 1, width) of layers as (sample, layer, width)."""
    import torch

    return torch.stack([part[:, 0] for part in parts], dim=1)
