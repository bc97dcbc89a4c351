"""Attribution patching: every patch of a sweep estimated from one gradient, and the largest checked by true patching.

The estimate of patching a site is (source - own) . d metric / d site, at the untouched prompt. It costs two passes and
one backward pass whatever the number of places, and is poor where the model is far from linear: early layers, and the
residual stream as a whole. Source: Nanda (2023), "Attribution Patching: Activation Patching At Industrial Scale";
Kramár et al. (2024), "AtP*: An efficient and scalable method for localizing LLM behaviour to components", section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.cost import measure, spend
from explicate.core.kinds import Circuit, Effects
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target
from explicate.errors import InputError
from explicate.mechanisms import runs
from explicate.mechanisms.effects import Metric, Readout
from explicate.mechanisms.places import Places, Positions
from explicate.mechanisms.restart import Batch, Measured, batches, joined, require_causal
from explicate.mechanisms.results import effects, prompts, resolved
from explicate.mechanisms.sweeps import aligned, paired, patch_sites
from explicate.models.language import LanguageModel, sites, tokens
from explicate.models.language.positions import Selection
from explicate.models.language.text_model import constant_weights

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AttributionPatching(Parameterised):
    """Estimate every patch of a sweep by its first-order effect.

    Parameters
    ----------
    sites, layers, heads, positions, metric : see `Sweep`; metrics without a slope at the untouched prompt (kl, rank)
        are refused.
    """

    name: ClassVar[str] = "attribution-patching"

    sites: str | tuple[str, ...] = "head_out"
    layers: tuple[int, ...] | None = None
    heads: Literal["each", "all"] | tuple[int, ...] = "each"
    positions: Literal["each", "all"] | int | tuple[int, ...] = "each"
    metric: Metric | None = None

    def run(self, model: LanguageModel, inputs: Any, source: Any, target: Target = None) -> Effects:
        """Estimated effects, as `Sweep.run` gives true ones."""
        require_causal(model, self.name)
        if self.metric in ("kl", "rank"):
            raise InputError(f"{self.metric} has no slope at the untouched prompt; estimate a logit or a probability")
        ids = prompts(model, inputs)
        given = paired(prompts(model, source), len(ids))
        lengths = tokens.lengths_of(ids)
        places = Places.of(model, self.sites, self.layers, self.heads, self.positions, lengths)
        for kind in places.kinds:
            aligned(places.positions, kind, lengths, tokens.lengths_of(given))
        targets = resolved(model, ids, target)
        with measure() as cost:
            parts = []
            for batch in batches(ids, given):
                own = None if targets is None else targets[batch.numbers]
                parts.append((batch.numbers, _estimated(model, batch, places, self.metric, own)))
        found = joined(parts)
        return effects(self, model, ids, found, places, cost, source=given)


def estimate_patches(
    model: LanguageModel,
    inputs: Any,
    source: Any,
    *,
    sites: str | Sequence[str] = "head_out",
    layers: Sequence[int] | None = None,
    heads: Literal["each", "all"] | Sequence[int] = "each",
    positions: Positions = "each",
    target: Target = None,
    metric: Metric | None = None,
) -> Effects:
    """Estimate every patch of a sweep from one gradient; see `AttributionPatching`."""
    return AttributionPatching(
        sites if isinstance(sites, str) else tuple(sites),
        None if layers is None else tuple(int(layer) for layer in layers),
        heads if isinstance(heads, str) else tuple(int(head) for head in heads),  # type: ignore[arg-type]
        positions if isinstance(positions, str | int) else tuple(int(position) for position in positions),
        metric,
    ).run(model, inputs, source, target)


def confirmed(
    estimate: Effects,
    model: LanguageModel,
    inputs: Any,
    source: Any,
    *,
    most: int = 30,
    target: Target = None,
    metric: Metric | None = None,
) -> Circuit:
    """The places of the largest estimates, patched truly.

    Returns
    -------
    Circuit : `effect` (site, sample), exact, beside `estimate` (site, sample); the attribute `correlation` is
        Pearson's, of the means over the samples.
    """
    chosen = estimate.strongest(most)
    exact = patch_sites(model, inputs, source, chosen, target=target, metric=metric)
    flat = np.moveaxis(estimate.values, 0, -1).reshape(-1, len(estimate))
    shape = estimate.values.shape[1:]
    names = {str(estimate.site_at(np.unravel_index(i, shape))): i for i in range(len(flat))}
    guesses = flat[[names[str(site)] for site in chosen]]
    pair = np.stack([exact["effect"].values.mean(axis=1), guesses.mean(axis=1)])
    spread = bool((np.ptp(pair, axis=1) > 0).all()) if len(chosen) > 1 else False
    data = exact.data.assign(estimate=xr.DataArray(guesses, dims=("site", "sample")))
    data.attrs["correlation"] = float(np.corrcoef(pair)[0, 1]) if spread else 0.0
    return Circuit(data, exact.provenance)


def _estimated(
    model: LanguageModel, batch: Batch, places: Places, metric: Metric | None, targets: Array | None
) -> Measured:
    import torch

    wanted = places.sources()
    assert batch.sources is not None
    other = runs.run(model, batch.sources, wanted, cache=False)
    own: dict[Site, torch.Tensor] = {}
    nudges: dict[Site, torch.Tensor] = {}
    with ExitStack() as stack, torch.enable_grad(), constant_weights(model.module):
        for site in wanted:
            sites.attach(model, site, _nudge(own, nudges, site), stack)
        inside = model.batch(batch.ids)
        stack.enter_context(model.framed(inside.frame))
        state = model.module.base_model(
            inputs_embeds=model.embeddings(inside), attention_mask=None, use_cache=False
        ).last_hidden_state[:, -1]
        readout = Readout.of(model, metric, targets, state.detach())
        values = readout.values(state, torch.arange(len(batch.ids), device=state.device))
        slopes = torch.autograd.grad(values.sum(), [nudges[site] for site in wanted], allow_unused=True)
    spend(gradients=len(batch.ids))
    base = values.detach().double().cpu().numpy()
    found = np.empty((*places.shape, len(batch.ids)))
    for i, (site, slope) in enumerate(zip(wanted, slopes, strict=True)):
        kind, layer = divmod(i, len(places.layers))
        change = other.recorded[site] - own[site]
        guess = (
            torch.zeros_like(change).sum(-1) if slope is None else (change * slope).sum(-1)
        )  # (sample, [head,] position)
        if guess.ndim == 2:
            guess = guess[:, None]
        elif places.heads is None:
            guess = guess.sum(1, keepdim=True)
        else:
            guess = guess[:, list(places.heads)]
        if places.positions is None:
            guess = guess.sum(-1, keepdim=True)
        found[kind, layer] = guess.permute(1, 2, 0).double().cpu().numpy()
    samples = np.arange(len(batch.ids))
    return Measured(
        found.reshape(-1, len(batch.ids)) + base,
        base,
        readout.from_states(other.state, samples),
        readout.metric,
        readout.targets,
        "one by one",
        forwards=2.0 * len(batch.ids),
    )


def _nudge(own: dict[Site, torch.Tensor], nudges: dict[Site, torch.Tensor], site: Site) -> Any:
    """A handler that adds a zero whose gradient is the site's."""
    import torch

    def nudge(activation: torch.Tensor, selection: Selection) -> torch.Tensor:
        own[site] = activation.detach().clone()
        nudges[site] = torch.zeros_like(activation, requires_grad=True)
        return activation + nudges[site]

    return nudge
