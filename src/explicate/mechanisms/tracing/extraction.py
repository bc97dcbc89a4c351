"""Extraction rate: in which layers what attention or an MLP writes at the last token already names the answer.

Source: Geva et al. (2023), "Dissecting Recall of Factual Associations in Auto-Regressive Language Models", section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.core.targets import Target, resolve_targets
from explicate.errors import InputError
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.restart import finished, require_causal
from explicate.mechanisms.results import prompts
from explicate.models.language import LanguageModel

PARTS = ("attn_out", "mlp_out")


@dataclass(frozen=True, eq=False)
class Extraction:
    """Where the target stands among all tokens when a part's output alone is read by the unembedding.

    Attributes
    ----------
    rank : int (sample, part, layer), 0 for the likeliest; parts are attention and MLP.
    """

    rank: Array

    def rate(self, top: int = 1) -> Floats:
        """Share of prompts whose target is among the `top` likeliest tokens, (part, layer)."""
        return np.asarray((self.rank < top).mean(axis=0))

    @property
    def extracted(self) -> Array:
        """Per prompt and part, the first layer that names the target first; -1 where none does: (sample, part)."""
        named = self.rank == 0
        return np.where(named.any(axis=2), named.argmax(axis=2), -1)


def extraction_rate(model: LanguageModel, inputs: Any, *, target: Target = None, norm: bool = True) -> Extraction:
    """Read what each attention and each MLP writes at the last token by the unembedding.

    Parameters
    ----------
    inputs : prompts. target : tokens that are looked for; None: each prompt's likeliest.
    norm : whether outputs go through the model's final norm first.
    """
    import torch

    require_causal(model, "the extraction rate")
    ids = prompts(model, inputs)
    handle: Any = model
    targets = resolve_targets(handle, ids, target)
    if targets.ndim > 1:
        raise InputError("the extraction rate follows one token of each prompt; give single targets")
    wanted = {(part, layer): Site(part, layer, None, (-1,)) for part in PARTS for layer in range(model.layer_count)}
    found = model.capture(ids, list(wanted.values()))
    rank = np.zeros((len(ids), len(PARTS), model.layer_count), dtype=np.int64)
    with torch.no_grad():
        for (part, layer), site in wanted.items():
            states = torch.as_tensor(np.asarray(found[site])[:, 0], device=model.device)
            states = finished(model, states) if norm else states
            readout = Readout(model, "rank", targets, states)
            rank[:, PARTS.index(part), layer] = readout.from_states(states, np.arange(len(ids)))
    return Extraction(rank)
