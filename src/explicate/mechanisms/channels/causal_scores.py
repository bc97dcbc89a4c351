"""The inhibition score: how much of a head's attention to the right name is lost with one component of an earlier head.

On prompts of indirect object identification, m = A(end to indirect object) - A(end to subject) of the destination; the
score of a component is m untouched less m without it. *Direct*: what is taken out is missing from the destination's
query alone; *total*: from everything downstream. The component is taken out whole ("zero") or but for its mean over the
prompts at each position ("mean"). Source: Merullo, Eickhoff, Pavlick (2024), "Talking Heads", section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms import runs
from explicate.mechanisms.channels.attention_of import Asking, attention_under
from explicate.mechanisms.channels.channel import Place, channels, whole_channels_only
from explicate.mechanisms.weights import HeadWeights, Scores, block_maps
from explicate.models.language import LanguageModel

REMOVALS = ("zero", "mean")


@dataclass(frozen=True, eq=False)
class CausalScores:
    """Inhibition scores of components of earlier heads.

    Attributes
    ----------
    heads : (layer, head) of the sources. components : numbers of the components, the same for all.
    untouched : m of each prompt, (sample,).
    scores : removal -> (source, component, sample).
    reach : "direct" or "total". destination : whose attention is meant.
    """

    heads: tuple[Place, ...]
    components: tuple[int, ...]
    untouched: Floats
    scores: Mapping[str, Floats]
    reach: str
    destination: Place

    def mean(self, removal: str = "zero") -> Floats:
        """Means over the prompts, (source, component)."""
        return np.asarray(self.scores[removal].mean(axis=-1))


@dataclass(frozen=True)
class Agreement:
    """Weight scores against causal scores of the same components.

    Attributes
    ----------
    spearman, p_value : rank correlation. overlap : share of the `top` components by one that are so by the other;
        `chance` of it. count : components compared.
    """

    spearman: float
    p_value: float
    overlap: float
    chance: float
    top: int
    count: int


def direct_scores(
    model: LanguageModel,
    weights: HeadWeights,
    ids: Array,
    destination: Place,
    first: Array,
    second: Array,
    *,
    heads: Sequence[Place] | None = None,
) -> CausalScores:
    """Direct scores of all components of earlier heads, in closed form: only the destination's query is made again.

    Parameters
    ----------
    ids : prompts of equal length, (sample, token). first, second : positions (sample,) whose attention is compared.
    heads : sources; default: all of earlier layers.
    """
    import torch

    whole_channels_only(weights)
    chosen = _earlier(weights, destination, heads)
    _, written = weights.written
    kept = {source: Site("z", source, None, (-1,)) for source in sorted({place[0] for place in chosen})}
    with torch.no_grad():
        asking = Asking(model, ids, destination)
        seen = runs.run(model, ids, list(kept.values()), cache=False).recorded
        samples = torch.arange(len(ids))
        there = [torch.as_tensor(np.asarray(place)) for place in (first, second)]
        untouched = asking.pattern[samples, there[0]] - asking.pattern[samples, there[1]]
        scores: dict[str, list[Any]] = {removal: [] for removal in REMOVALS}
        for source, head in chosen:
            output = seen[kept[source]][:, head, 0] @ block_maps(model, source).output[head]
            v = torch.as_tensor(written[source, head], dtype=output.dtype, device=output.device)
            along = output @ v.T  # (sample, component)
            for removal in REMOVALS:
                left = along if removal == "zero" else along - along.mean(dim=0, keepdim=True)
                pattern = asking.attention(asking.stream[:, None] - left[..., None] * v)
                margin = pattern[samples, :, there[0]] - pattern[samples, :, there[1]]
                scores[removal].append((untouched[:, None] - margin).T.double().cpu().numpy())
    stacked = {removal: np.stack(found) for removal, found in scores.items()}
    components = tuple(range(weights.head_width))
    return CausalScores(chosen, components, untouched.cpu().numpy(), stacked, "direct", destination)


def total_scores(
    model: LanguageModel,
    weights: HeadWeights,
    ids: Array,
    destination: Place,
    first: Array,
    second: Array,
    *,
    heads: Sequence[Place],
    components: Sequence[int],
) -> CausalScores:
    """Total scores of some components of some heads: each is taken out at every position, and all else runs again."""
    chosen = _earlier(weights, destination, heads)
    variants = []
    for place in chosen:
        parts = channels(weights, place)
        seen = model.capture(ids, [parts[0].site])[parts[0].site]
        for number in components:
            variants.append(parts[number].removed())
            variants.append(parts[number].removed((seen @ parts[number].write).mean(axis=0)))
    samples = np.arange(len(ids))
    pattern = attention_under(model, ids, destination, variants)
    margin = pattern[:, samples, first] - pattern[:, samples, second]
    own = model.capture(ids, [Site("pattern", *destination, (-1,))])[Site("pattern", *destination, (-1,))][:, 0]
    untouched = own[samples, first] - own[samples, second]
    lost = (untouched - margin).reshape(len(chosen), len(components), len(REMOVALS), len(ids))
    scores = {removal: lost[:, :, number] for number, removal in enumerate(REMOVALS)}
    return CausalScores(chosen, tuple(components), untouched, scores, "total", destination)


def agreement(by_weights: Scores, causal: CausalScores, removal: str = "zero", top: int = 10) -> Agreement:
    """How well weights foretell effects, over the components of the causal scores."""
    from scipy.stats import spearmanr

    layers, heads = np.array(causal.heads).T
    guess = by_weights.component[layers, heads][:, list(causal.components)].ravel()
    effect = causal.mean(removal).ravel()
    if len(guess) < 3:
        raise InputError(f"a rank correlation needs at least 3 components, not {len(guess)}")
    found = spearmanr(guess, effect)
    most = min(top, len(guess))
    both = set(np.argsort(-guess)[:most]) & set(np.argsort(-effect)[:most])
    return Agreement(float(found.statistic), float(found.pvalue), len(both) / most, most / len(guess), most, len(guess))


def _earlier(weights: HeadWeights, destination: Place, heads: Sequence[Place] | None) -> tuple[Place, ...]:
    weights.check(*destination)
    if heads is None:
        return tuple((layer, head) for layer in range(destination[0]) for head in range(weights.heads))
    for layer, head in heads:
        weights.check(layer, head)
        if layer >= destination[0]:
            raise InputError(
                f"head L{layer}.H{head} cannot feed L{destination[0]}.H{destination[1]}: layer {layer} is not before "
                f"layer {destination[0]}"
            )
    return tuple((int(layer), int(head)) for layer, head in heads)
