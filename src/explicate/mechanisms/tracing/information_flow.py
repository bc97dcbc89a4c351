"""Information flow: how much the answer loses when the last token can no longer read from a block of tokens.

Source: Geva et al. (2023), "Dissecting Recall of Factual Associations in Auto-Regressive Language Models", section 5;
as in Saynova et al. (2024), "Fact Recall, Heuristics or Pure Guesswork?".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.cost import measure
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.targets import Target, resolve_targets, target_names
from explicate.errors import InputError
from explicate.mechanisms.restart import Job, Variant, measured, require_causal
from explicate.mechanisms.results import prompts, provenance
from explicate.mechanisms.tracing.causal_tracing import Span, alike, checked_spans, window_of
from explicate.mechanisms.tracing.knockout import cuts
from explicate.models.language import LanguageModel, tokens
from explicate.runtime.progress import track

BLOCKS = ("subject", "other", "last")


@dataclass(frozen=True)
class InformationFlow(Parameterised):
    """Knock out what the last token reads from the subject, from the other tokens, and from itself.

    Parameters
    ----------
    window : layers in which attention is cut at once, around each layer.
    every : step between the layers at which windows are centred.
    """

    name: ClassVar[str] = "information-flow"

    window: int = 9
    every: int = 1

    def run(self, model: LanguageModel, inputs: Any, subjects: Sequence[Span], target: Target = None) -> Effects:
        """Follow prompts.

        Parameters
        ----------
        inputs, subjects, target : as in `CausalTracing.run`.

        Returns
        -------
        Effects : `effect` (sample, layer, block), the change of the target's probability, where a block is "subject",
            "other" or "last" (0 and not `there` where it is empty); `base_score` (sample,), the untouched probability;
            `percent` (sample, layer, block), the change in % of it.
        """
        require_causal(model, self.name)
        if min(self.window, self.every) < 1:
            raise InputError("window and every must be at least 1")
        ids = prompts(model, inputs)
        lengths = tokens.lengths_of(ids)
        spans = checked_spans(subjects, lengths)
        layers = tuple(range(0, model.layer_count, self.every))
        effect = np.zeros((len(ids), len(layers), len(BLOCKS)))
        there = np.zeros((len(ids), len(BLOCKS)), dtype=bool)
        base = np.zeros(len(ids))
        with measure() as cost:
            handle: Any = model
            targets = resolve_targets(handle, ids, target)
            if targets.ndim > 1:
                raise InputError("information flow follows one token of each prompt; give single targets")
            for span, length, members in track(list(alike(lengths, spans)), "following"):
                blocks = [(number, keys) for number, keys in enumerate(_blocks(span, length)) if len(keys)]
                there[np.ix_(members, np.array([number for number, _ in blocks]))] = True
                found = measured(
                    Job(
                        model,
                        ids[members, :length],
                        self._variants(model, layers, [keys for _, keys in blocks]),
                        metric="probability",
                        targets=targets[members],
                    )
                )
                base[members] = found.base
                change = (found.values - found.base).reshape(len(layers), len(blocks), len(members))
                for place, (number, _) in enumerate(blocks):
                    effect[members, :, number] = change[:, place].T
        data = xr.Dataset(
            {
                "effect": (("sample", "layer", "block"), effect),
                "base_score": (("sample",), base),
                "percent": (("sample", "layer", "block"), 100 * effect / base[:, None, None]),
                "there": (("sample", "block"), there),
                "inputs": (("sample", "token"), ids),
                "target": (("sample",), targets),
                "target_name": (("sample",), np.array(target_names(handle, targets), dtype=object)),
            },
            coords={"layer": list(layers), "block": list(BLOCKS)},
            attrs={"model_kind": "text", "metric": "probability", "part": "attention of the last token"},
        )
        data = data.assign_coords({"input_text": model.feature_labels(ids)["input_text"]})
        return Effects(data, provenance(self, model, ids, cost))

    def _variants(self, model: LanguageModel, layers: tuple[int, ...], blocks: list[Array]) -> Any:
        def variants(captured: Any, length: int) -> list[Variant]:
            return [
                cuts(window_of(layer, self.window, model.layer_count), [length - 1], [int(key) for key in keys])
                for layer in layers
                for keys in blocks
            ]

        return variants


def information_flow(
    model: LanguageModel,
    inputs: Any,
    subjects: Sequence[Span],
    *,
    target: Target = None,
    window: int = 9,
    every: int = 1,
) -> Effects:
    """What the last token reads from where, layer by layer; see `InformationFlow`."""
    return InformationFlow(window, every).run(model, inputs, subjects, target)


def _blocks(span: Span, length: int) -> list[Array]:
    """The tokens of the subject, the others, and the last one, which belongs to itself alone."""
    before = np.arange(length - 1)
    inside = (before >= span[0]) & (before < span[1])
    return [before[inside], before[~inside], np.array([length - 1])]
