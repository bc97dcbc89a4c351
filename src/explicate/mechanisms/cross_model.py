"""Cross-model activation patching: what a model can do with parts of another model's computation on the same prompt.

Source: Prakash et al. (2024), "Fine-Tuning Enhances Existing Mechanisms: A Case Study on Entity Tracking", section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms import runs
from explicate.mechanisms.circuits.groups import HeadGroup, Places, check_places
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.head_patching import HeadPatch, head_outputs, patched_answers
from explicate.mechanisms.restart import batches, require_causal
from explicate.models.language import LanguageModel, sites, tokens
from explicate.models.language.positions import Selection

if TYPE_CHECKING:
    import torch

Part = Literal["output", "q", "k", "v"]
PARTS: tuple[Part, ...] = ("output", "q", "k", "v")


@dataclass(frozen=True)
class CrossModelPatching(Parameterised):
    """Give a model some heads' activations of another model of the same shape, on the same prompts.

    "output": the heads' outputs at their positions are the donor's. "q": at its position a head asks with the donor's
    query; "k" and "v": it looks at the donor's keys, or takes the donor's values, from all tokens up to there. Only
    what the head passes on at its own position changes; at earlier positions it stays the model's own. Queries and keys
    are patched after rotation, which is right since both models read the same tokens at the same positions.

    Parameters
    ----------
    part : "output", "q", "k" or "v".
    """

    name: ClassVar[str] = "cross-model-patching"

    part: Part = "output"

    def answers(
        self, model: LanguageModel, donor: LanguageModel, ids: Array, groups: Sequence[HeadGroup], places: Places
    ) -> Array:
        """The likeliest next token of each prompt (prompt,) with the donor's activations in these groups.

        Parameters
        ----------
        ids : encoded prompts (prompt, token). places : the columns of the groups' positions.

        Raises
        ------
        InputError : models that differ in layers, heads, widths or vocabulary; the difference is named.
        """
        require_causal(model, self.name)
        require_causal(donor, self.name)
        if self.part not in PARTS:
            raise InputError(f"part {self.part!r} is unknown; use one of {', '.join(PARTS)}")
        check_same_shape(model, donor)
        check_places(places, tokens.lengths_of(ids))
        for group in groups:
            for layer, head in group.heads:
                sites.check(model, Site("head_out", layer, head))
        if self.part == "output":
            return patched_answers(model, ids, [_outputs(donor, ids, groups, places)])[0]
        return _with_inputs(model, donor, ids, groups, places, self.part)


@dataclass(frozen=True)
class CrossModelReport:
    """What a model gains by another one's activations.

    Attributes
    ----------
    model, donor : their own accuracies.
    accuracy : for each part ("output", "q", "k", "v") the model's accuracy by group, and for "all" groups together.
    """

    model: float
    donor: float
    accuracy: dict[str, dict[str, float]] = field(default_factory=dict)

    def closed(self, group: str = "all", part: str = "output") -> float:
        """The share of the gap between the two models that patching closes; NaN where there is no gap."""
        gap = self.donor - self.model
        return (self.accuracy[part][group] - self.model) / gap if gap else float("nan")


def cross_model_patch(
    model: LanguageModel,
    donor: LanguageModel,
    ids: Array,
    answers: Array,
    groups: Sequence[HeadGroup],
    places: Places,
    parts: Sequence[Part] = ("output",),
) -> CrossModelReport:
    """The accuracy of a model with a donor's activations: each group by itself, and all of them; see
    `CrossModelPatching`."""
    found: dict[str, dict[str, float]] = {}
    for part in parts:
        method = CrossModelPatching(part)
        sets = {**{group.name: [group] for group in groups}, "all": list(groups)}
        found[part] = {
            name: float((method.answers(model, donor, ids, chosen, places) == answers).mean())
            for name, chosen in sets.items()
        }
    own, other = (float((one.predict(ids).argmax(axis=1) == answers).mean()) for one in (model, donor))
    return CrossModelReport(own, other, found)


def check_same_shape(model: LanguageModel, donor: LanguageModel) -> None:
    """Refuse models between which activations cannot be exchanged."""
    facts = {
        "layers": (model.layer_count, donor.layer_count),
        "heads": (model.head_count, donor.head_count),
        "width": (model.width, donor.width),
        "tokens in the vocabulary": (model.vocabulary, donor.vocabulary),
    }
    apart = [f"{own} and {other} {what}" for what, (own, other) in facts.items() if own != other]
    if apart:
        raise InputError(f"{model.name!r} and {donor.name!r} differ: {'; '.join(apart)}; patch models of equal shape")


def _outputs(donor: LanguageModel, ids: Array, groups: Sequence[HeadGroup], places: Places) -> list[HeadPatch]:
    seen = {position: head_outputs(donor, ids, places[position]) for position in {g.position for g in groups}}
    return [
        HeadPatch(layer, head, np.asarray(places[group.position]), seen[group.position][:, layer, head])
        for group in groups
        for layer, head in group.heads
    ]


def _with_inputs(
    model: LanguageModel, donor: LanguageModel, ids: Array, groups: Sequence[HeadGroup], places: Places, part: str
) -> Array:
    """The model runs once more; at each head's position its score row, or its sum of values, is made anew."""
    if getattr(model.config, "attn_logit_softcapping", None):
        raise CapabilityError(f"the inputs of heads cannot be patched in {model.name!r}, whose scores are capped")
    found = np.empty(len(ids), dtype=np.int64)
    layers = sorted({layer for group in groups for layer, _ in group.heads})
    for batch in batches(ids):
        given = _seen(donor, batch.ids, part, layers)
        with ExitStack() as stack:
            for layer in layers:
                heads = [
                    (head, np.asarray(places[group.position])[batch.numbers])
                    for group in groups
                    for own, head in group.heads
                    if own == layer
                ]
                _attach(model, layer, part, heads, given[layer], stack)
            state = runs.run(model, batch.ids, cache=False).state
        logits = Readout(model, "logits", found, state).logits(state)
        found[batch.numbers] = logits.argmax(-1).cpu().numpy()
    return found


def _seen(donor: LanguageModel, ids: Array, part: str, layers: Sequence[int]) -> dict[int, torch.Tensor]:
    wanted = [Site(part, layer) for layer in layers]
    seen = runs.run(donor, ids, wanted, cache=False).recorded
    return {site.layer or 0: value for site, value in seen.items()}


def _attach(
    model: LanguageModel,
    layer: int,
    part: str,
    heads: Sequence[tuple[int, Array]],
    given: torch.Tensor,
    stack: ExitStack,
) -> None:
    """Handlers for one layer; `given` is the donor's (prompt, head, token, width)."""
    import torch

    kept: dict[str, torch.Tensor] = {}
    attention = model.blocks[layer].get_submodule(model.architecture.attention)
    scaling = float(attention.scaling)

    def keep(kind: str) -> Any:
        def see(activation: torch.Tensor, selection: Selection) -> None:
            kept[kind] = activation

        return see

    def rescore(scores: torch.Tensor, selection: Selection) -> torch.Tensor:
        new = scores.clone()
        rows = torch.arange(len(scores), device=scores.device)
        for head, columns in heads:
            at = torch.as_tensor(columns, device=scores.device)
            query = (given if part == "q" else kept["q"])[rows, head, at]
            keys = (given if part == "k" else kept["k"])[:, head]
            new[rows, head, at] = (keys @ query[:, :, None])[..., 0] * scaling
        return new

    def regather(z: torch.Tensor, selection: Selection) -> torch.Tensor:
        new = z.clone()
        rows = torch.arange(len(z), device=z.device)
        for head, columns in heads:
            at = torch.as_tensor(columns, device=z.device)
            pattern = kept["pattern"][rows, head, at]
            new[rows, head, at] = (pattern[:, None] @ given[:, head])[:, 0]
        return new

    if part == "v":
        sites.attach(model, Site("pattern", layer), keep("pattern"), stack)
        sites.attach(model, Site("z", layer), regather, stack)
    else:
        sites.attach(model, Site("k" if part == "q" else "q", layer), keep("k" if part == "q" else "q"), stack)
        sites.attach(model, Site("scores", layer), rescore, stack)
