"""Patchscopes: read a state of one prompt by letting another prompt go on from it.

The state of a token after some layer takes the place of the last token's state in an inspection prompt, after the same
layer, and the next word of that prompt is read. A prompt that repeats ("cat -> cat, hello -> hello, ?") makes the model
say what the state stands for. Source: Ghandeharioun, Caciularu, Pearce, Dixon, Geva (2024), "Patchscopes: A Unifying
Framework for Inspecting Hidden Representations of Language Models", sections 3 and 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure, spend
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target, resolve_targets, target_names
from explicate.errors import InputError, NonFiniteScoreError, SelectionError
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.restart import engine_for, fastest_way, finished, require_causal, work
from explicate.mechanisms.results import prompts, provenance
from explicate.mechanisms.rows import Row, Write, chunks
from explicate.mechanisms.runs import run
from explicate.models.language import LanguageModel, tokens

if TYPE_CHECKING:
    import torch

IDENTITY = "cat -> cat\n1135 -> 1135\nhello -> hello\n?"


@dataclass(frozen=True)
class Patchscope(Parameterised):
    """Read states of the residual stream in an inspection prompt.

    Parameters
    ----------
    prompt : the inspection prompt; what its last token holds after a layer is replaced by the state that is read.
    position : the token of the prompts whose states `run` reads.
    """

    name: ClassVar[str] = "patchscope"

    prompt: str = IDENTITY
    position: int = -1

    def run(self, model: LanguageModel, inputs: Any, target: Target = None) -> Effects:
        """After which layers do prompts' states say a token?

        Parameters
        ----------
        target : the token whose probability is read; default: each prompt's own likeliest next token.

        Returns
        -------
        Effects : `effect` (sample, layer), the target's probability after the inspection prompt with the state less
            that without; `probability` (sample, layer), with it.

        Raises
        ------
        TargetError : a contrast, or a token that is not there.
        """
        require_causal(model, self.name)
        ids = prompts(model, inputs)
        handle: Any = model
        targets = resolve_targets(handle, ids, target)
        if targets.ndim != 1:
            raise InputError("a patchscope reads one token's probability; give a single target, no contrast")
        layers = range(model.layer_count)
        with measure() as cost:
            sites = [Site("resid_post", layer, None, (self.position,)) for layer in layers]
            captured = model.capture(ids, sites)
            states = np.stack([captured[site][:, 0] for site in sites], axis=1)  # (sample, layer, width)
            reader = self.reader(model)
            found = reader.probabilities(
                states.reshape(-1, states.shape[-1]),
                np.tile(layers, len(ids)),
                np.repeat(targets, len(layers))[:, None],
            )[:, 0].reshape(len(ids), -1)
            base = reader.untouched(targets)
        data = xr.Dataset(
            {
                "effect": (("sample", "layer"), found - base[:, None]),
                "probability": (("sample", "layer"), found),
                "base_score": (("sample",), base),
                "inputs": (("sample", "token"), ids),
                "target": (("sample",), targets),
                "target_name": (("sample",), np.array(target_names(handle, targets), dtype=object)),
            },
            coords={"layer": list(layers)},
            attrs={
                "model_kind": "text",
                "metric": "probability",
                "part": "resid_post",
                "position": self.position,
                "forwards": round(reader.forwards, 3),
            },
        )
        labelled = data.assign_coords({"input_text": model.feature_labels(ids)["input_text"]})
        return Effects(labelled, provenance(self, model, ids, cost))

    def reader(self, model: LanguageModel) -> Reader:
        """The inspection prompt, run once, ready to go on from states."""
        require_causal(model, self.name)
        return Reader(model, prompts(model, [self.prompt]))


class Reader:
    """An inspection prompt's untouched run, from which states are read.

    Parameters
    ----------
    ids : the encoded inspection prompt, (1, token).

    Attributes
    ----------
    forwards : the work so far, in whole passes of the inspection prompt.
    """

    def __init__(self, model: LanguageModel, ids: Array) -> None:
        self.model = model
        self.way = fastest_way(model)
        if self.way == "one by one":
            raise InputError(
                "a patchscope cannot run while other interventions or hooks are in force; leave them first"
            )
        length = int(tokens.lengths_of(ids)[0])
        self.base = run(model, ids[:, :length], cache=self.way == "fused", masks=self.way == "own blocks")
        self.forwards = 1.0

    def probabilities(self, states: Any, layers: Sequence[int] | Array, wanted: Array) -> Floats:
        """Probabilities of tokens after the inspection prompt with each state.

        Parameters
        ----------
        states : (state, width), array or tensor. layers : (state,), the layer after which each was found and is put.
        wanted : token ids (state, token).

        Returns
        -------
        Floats : (state, token).
        """
        import torch

        given = torch.as_tensor(states, device=self.model.device).to(self.base.state)
        layers, wanted = np.asarray(layers), np.asarray(wanted)
        if given.ndim != 2 or given.shape[1] != self.model.width:
            raise InputError(
                f"states of shape {tuple(given.shape)}: {self.model.name!r} takes (state, {self.model.width})"
            )
        if len(layers) != len(given) or wanted.ndim != 2 or len(wanted) != len(given):
            raise InputError(
                f"{len(given)} states, {len(layers)} layers and {len(wanted)} rows of tokens; give one each"
            )
        outside = layers[(layers < 0) | (layers >= self.model.layer_count)]
        if len(outside):
            raise SelectionError(
                f"layer {outside[0]}: {self.model.name!r} has layers 0 to {self.model.layer_count - 1}"
            )
        last = self.base.tokens - 1
        rows = [
            Row.of(i, 0, [Write("resid_post", int(layer), None, (last,), given[i : i + 1])], self.base.tokens)
            for i, layer in enumerate(layers)
        ]
        found = np.empty(wanted.shape)
        engine = engine_for(self.base, self.way)
        with torch.no_grad():
            for chunk in chunks(rows, self.model.head_count, TOKENS_AT_ONCE):
                numbers = [row.number for row in chunk]
                ends = finished(self.model, engine.states(chunk)[0])
                found[numbers] = self._chosen(ends, wanted[numbers])
                self._count(sum(work(row, self.base) for row in chunk))
        if not np.isfinite(found).all():
            row = int(np.argwhere(~np.isfinite(found))[0][0])
            raise NonFiniteScoreError(f"the model {self.model.name!r} gave NaN or infinity for state {row}")
        return found

    def untouched(self, wanted: Array) -> Floats:
        """Probabilities of tokens (token,) after the inspection prompt as it is."""
        import torch

        with torch.no_grad():
            return self._chosen(self.base.state, np.asarray(wanted)[None])[0]

    def _chosen(self, states: torch.Tensor, wanted: Array) -> Floats:
        import torch

        nothing = np.zeros(0, dtype=np.int64)
        logits = Readout(self.model, "logit", nothing, self.base.state).logits(states).float()
        shares = logits.softmax(-1).gather(1, torch.as_tensor(wanted, device=logits.device))
        return np.asarray(shares.double().cpu().numpy())

    def _count(self, done: float) -> None:
        before = int(self.forwards)
        self.forwards += done
        spend(evaluations=int(self.forwards) - before)


TOKENS_AT_ONCE = 256  # states that are read together: their logits over the whole vocabulary are in memory
