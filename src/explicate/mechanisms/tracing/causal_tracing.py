"""Causal tracing: spoil the subject of a prompt with noise, restore one part of the model, and see what comes back.

Source: Meng, Bau, Andonian, Belinkov (2022), "Locating and Editing Factual Associations in GPT", section 2; the
average over six kinds of tokens and the normalised effect as in Saynova et al. (2024), "Fact Recall, Heuristics or Pure
Guesswork?", section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.cost import measure
from explicate.core.interventions import Patch
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target, resolve_targets, target_names
from explicate.errors import InputError
from explicate.mechanisms.restart import Job, Variant, measured, require_causal
from explicate.mechanisms.results import prompts, provenance
from explicate.models.language import LanguageModel, tokens
from explicate.models.language.spans import Span, token_span
from explicate.runtime.progress import track
from explicate.runtime.seeds import generator

PLACES = ("first subject", "middle subject", "last subject", "next", "further", "last")
SMALLEST = 1e-6  # a total effect below this normalises nothing


@dataclass(frozen=True)
class CausalTracing(Parameterised):
    """Restore outputs of a window of layers at each kind of token of a prompt whose subject is spoiled.

    All draws of the noise and all restorations of a prompt are planned together and restart from the spoiled run at
    the first layer of the window.

    Parameters
    ----------
    part : what is restored: "mlp_out", "attn_out" or "resid_post".
    window : layers restored at once, around each layer; 1: that layer alone (usual for "resid_post").
    every : step between the layers at which windows are centred.
    draws : of the noise; the probability is averaged over them.
    noise : standard deviation of the noise, in those of the subjects' token embeddings over all prompts.
    """

    name: ClassVar[str] = "causal-tracing"

    part: Literal["mlp_out", "attn_out", "resid_post"] = "mlp_out"
    window: int = 10
    every: int = 1
    draws: int = 10
    noise: float = 3.0

    def run(
        self, model: LanguageModel, inputs: Any, subjects: Sequence[Span], target: Target = None, seed: int = 0
    ) -> Effects:
        """Trace prompts.

        Parameters
        ----------
        inputs : prompts, each with a subject.
        subjects : for each prompt the first token of its subject and the one after its last; see `subject_spans`.
        target : the tokens whose probability is traced; None: each prompt's likeliest. They need not be likely.
        seed : of the noise.

        Returns
        -------
        Effects : `effect` (sample, layer, place), the probability that comes back, p_restored - p_spoiled, where a
            place is one of `PLACES` (0 and not `there` (sample, place) where a prompt has no such token; the mean over
            the tokens of the place where it has several); `base_score` (sample,), the spoiled probability and
            `source_score` the clean one; `total_effect` (sample,), their difference. `relative()` is not clipped; see
            `normalised`.

        Raises
        ------
        InputError : a subject that is not inside its prompt; a part, window, step or number of draws that is none.
        """
        require_causal(model, self.name)
        if self.part not in ("mlp_out", "attn_out", "resid_post"):
            raise InputError(f"part {self.part!r} cannot be traced; use mlp_out, attn_out or resid_post")
        if min(self.window, self.every, self.draws) < 1 or not self.noise > 0:
            raise InputError("window, every and draws must be at least 1, and noise above 0")
        ids = prompts(model, inputs)
        lengths = tokens.lengths_of(ids)
        spans = checked_spans(subjects, lengths)
        layers = tuple(range(0, model.layer_count, self.every))
        with measure() as cost:
            handle: Any = model
            targets = resolve_targets(handle, ids, target)
            if targets.ndim > 1:
                raise InputError("causal tracing follows one token of each prompt; give single targets, not a contrast")
            size = self.noise * embedding_deviation(model, ids, spans)
            found = _Found.empty(len(ids), len(layers))
            groups = list(alike(lengths, spans))
            for span, length, members in track(groups, "tracing"):
                self._group(model, ids[members, :length], span, layers, targets[members], size, seed, found, members)
        data = xr.Dataset(
            {
                "effect": (("sample", "layer", "place"), found.effect),
                "base_score": (("sample",), found.spoiled),
                "source_score": (("sample",), found.clean),
                "total_effect": (("sample",), found.clean - found.spoiled),
                "there": (("sample", "place"), _there(lengths, spans)),
                "inputs": (("sample", "token"), ids),
                "target": (("sample",), targets),
                "target_name": (("sample",), np.array(target_names(handle, targets), dtype=object)),
                "subject": (("sample", "end"), np.array(spans, dtype=np.int64).reshape(len(ids), 2)),
            },
            coords={"layer": list(layers), "place": list(PLACES)},
            attrs={"model_kind": "text", "metric": "probability", "part": self.part, "noise": float(size)},
        )
        data = data.assign_coords({"input_text": model.feature_labels(ids)["input_text"]})
        return Effects(data, provenance(self, model, ids, cost, seed))

    def _group(
        self,
        model: LanguageModel,
        ids: Array,
        span: Span,
        layers: tuple[int, ...],
        targets: Targets,
        size: float,
        seed: int,
        found: _Found,
        members: Array,
    ) -> None:
        """Prompts of the same length with their subjects at the same tokens."""
        count, length = ids.shape
        columns = sorted({column for place in PLACES for column in columns_of_place(place, span, length)})
        record = tuple(Site(self.part, layer) for layer in range(model.layer_count))
        noise = np.zeros((count, self.draws, length, model.width), dtype=np.float32)
        for row, member in enumerate(members):
            rng = generator(seed, "noise", int(member))
            noise[row, :, span[0] : span[1]] = size * rng.standard_normal(
                (self.draws, span[1] - span[0], model.width), dtype=np.float32
            )

        def variants(captured: Any, tokens_of_prompt: int) -> list[Variant]:
            return [
                tuple(
                    Patch(Site(self.part, inside, None, (column,)), captured[Site(self.part, inside)][:, [column]])
                    for inside in window_of(layer, self.window, model.layer_count)
                )
                for layer in layers
                for column in columns
            ]

        repeated = np.repeat(ids, self.draws, axis=0)
        result = measured(
            Job(
                model,
                repeated,
                variants,
                repeated,
                record,
                "probability",
                np.repeat(targets, self.draws),
                embedding_noise=noise.reshape(count * self.draws, length, model.width),
            )
        )
        assert result.source is not None  # there always is one here
        found.clean[members] = result.source.reshape(count, self.draws).mean(axis=1)
        found.spoiled[members] = result.base.reshape(count, self.draws).mean(axis=1)
        back = (result.values - result.base).reshape(len(layers), len(columns), count, self.draws).mean(axis=-1)
        for number, place in enumerate(PLACES):
            chosen = [columns.index(column) for column in columns_of_place(place, span, length)]
            if chosen:
                found.effect[members, :, number] = back[:, chosen].mean(axis=1).T


@dataclass(eq=False)
class _Found:
    effect: Floats
    clean: Floats
    spoiled: Floats

    @classmethod
    def empty(cls, samples: int, layers: int) -> _Found:
        return cls(np.zeros((samples, layers, len(PLACES))), np.zeros(samples), np.zeros(samples))


def causal_trace(
    model: LanguageModel,
    inputs: Any,
    subjects: Sequence[Span],
    *,
    target: Target = None,
    part: Literal["mlp_out", "attn_out", "resid_post"] = "mlp_out",
    window: int = 10,
    every: int = 1,
    draws: int = 10,
    noise: float = 3.0,
    seed: int = 0,
) -> Effects:
    """Where a prompt's answer comes back from when its subject is spoiled; see `CausalTracing`."""
    return CausalTracing(part, window, every, draws, noise).run(model, inputs, subjects, target, seed)


def normalised(effects: Effects, clip: bool = False) -> tuple[xr.DataArray, dict[str, int]]:
    """Effects over the absolute total effect, and how many of them are out of the ordinary.

    Parameters
    ----------
    clip : to [-1, 1].

    Returns
    -------
    (sample, layer, place), NaN where a prompt has no such place or its total effect is below 1e-6 in size; and the
    counts `below zero` (samples with a negative total effect), `undefined` (samples), `outside` (values outside
    [-1, 1], clipped or not).
    """
    total = effects["total_effect"]
    defined = abs(total) >= SMALLEST
    found = (effects["effect"] / abs(total).where(defined)).where(effects["there"])
    outside = int((abs(found) > 1).sum())
    counts = {"below zero": int((total < 0).sum()), "undefined": int((~defined).sum()), "outside": outside}
    return (found.clip(-1.0, 1.0) if clip else found), counts


def subject_spans(model: LanguageModel, inputs: Sequence[str], subjects: Sequence[str]) -> list[Span | None]:
    """The tokens of each prompt that hold its subject: the first, and the one after the last; None where not found."""
    ids = model.encode(list(inputs))
    return [token_span(model, row, subject) for row, subject in zip(ids, subjects, strict=True)]


def checked_spans(subjects: Sequence[Span], lengths: Array) -> list[Span]:
    """One span inside each prompt, before its last token's end."""
    if len(subjects) != len(lengths):
        raise InputError(f"{len(subjects)} subjects for {len(lengths)} prompts; give one for each")
    found = []
    for number, (span, length) in enumerate(zip(subjects, lengths, strict=True)):
        if span is None or not 0 <= span[0] < span[1] <= length:
            raise InputError(f"prompt {number}: the subject {span} is not among its {length} tokens")
        found.append((int(span[0]), int(span[1])))
    return found


def columns_of_place(place: str, span: Span, length: int) -> list[int]:
    """The tokens of a prompt that a place means; a subject of one token is its first and its last."""
    begin, end = span
    return {
        "first subject": [begin],
        "middle subject": list(range(begin + 1, end - 1)),
        "last subject": [end - 1],
        "next": [end] if end < length else [],
        "further": list(range(end + 1, length - 1)),
        "last": [length - 1],
    }[place]


def window_of(layer: int, window: int, layers: int) -> range:
    """The layers of a window around one: 10 is five before it, itself and four after it."""
    begin = layer - window // 2
    return range(max(0, begin), min(layers, begin + window))


def embedding_deviation(model: LanguageModel, ids: Array, spans: Sequence[Span]) -> float:
    """Standard deviation of all numbers in the embeddings of the subjects' tokens."""
    import torch

    chosen = np.concatenate([row[begin:end] for row, (begin, end) in zip(ids, spans, strict=True)])
    weight = model.module.get_input_embeddings()(torch.as_tensor(chosen, device=model.device))
    return float(weight.detach().double().std())


def alike(lengths: Array, spans: Sequence[Span]) -> Iterator[tuple[Span, int, Array]]:
    """Prompts of the same length with their subjects at the same tokens: the span, the length, and their numbers."""
    keys = [(int(length), *span) for length, span in zip(lengths, spans, strict=True)]
    for key in sorted(set(keys)):
        yield (key[1], key[2]), key[0], np.array([number for number, own in enumerate(keys) if own == key])


def _there(lengths: Array, spans: Sequence[Span]) -> Array:
    return np.array(
        [
            [bool(columns_of_place(place, span, int(length))) for place in PLACES]
            for span, length in zip(spans, lengths, strict=True)
        ]
    )
