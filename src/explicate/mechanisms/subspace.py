"""Distributed alignment search: the directions at a site through which prompts pass on what they differ in.

Orthonormal directions are trained so that interchanging a prompt's coordinates along them with another's makes the
model give the answer that the other's value calls for. Source: Geiger, Wu, Potts, Icard, Goodman (2024), "Finding
Alignments Between Interpretable Causal Variables and Distributed Neural Representations", section 3 (here with a fixed
number of directions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Targets
from explicate.core.cost import measure, spend
from explicate.core.interventions import Interchange
from explicate.core.kinds import Circuit, Direction
from explicate.core.method import Parameterised
from explicate.core.sites import LAYERED, Site
from explicate.core.targets import Target
from explicate.errors import InputError, SiteError
from explicate.mechanisms.effects import Metric, Readout
from explicate.mechanisms.restart import (
    Batch,
    Job,
    Way,
    batches,
    engine_for,
    fastest_way,
    finished,
    measured,
    require_causal,
    untouched,
)
from explicate.mechanisms.results import circuit, prompts, provenance, resolved
from explicate.mechanisms.rows import Row, Write, headed
from explicate.mechanisms.runs import Runs
from explicate.mechanisms.sweeps import aligned, paired
from explicate.models.language import LanguageModel, sites, tokens
from explicate.models.language.text_model import constant_weights
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AlignmentSearch(Parameterised):
    """Find directions at a site by gradient: only they are trained, never the model.

    Each step restarts the pairs from their untouched runs at the site's layer, so it costs only the layers above.

    Parameters
    ----------
    site : one site with one position, and one head where its kind has heads: "L12.resid_pre@-1".
    dimensions : how many directions. steps, pairs_at_once, learning_rate : of Adam.
    """

    name: ClassVar[str] = "alignment-search"

    site: str = "L0.resid_pre@-1"
    dimensions: int = 1
    steps: int = 100
    pairs_at_once: int = 16
    learning_rate: float = 0.01

    def fit(self, model: LanguageModel, inputs: Any, sources: Any, target: Target = None, seed: int = 0) -> Direction:
        """Train on pairs of prompts.

        Parameters
        ----------
        inputs : prompts that are run and changed. sources : prompts whose coordinates they get, one each.
        target : the answer that the source's value calls for, as token or `Contrast` (its first token is to win); None:
            the likeliest token of each source.
        seed : of the first directions and of the order of the pairs.

        Returns
        -------
        Direction : `direction` (component, width), orthonormal rows; `loss` (step,).
        """
        return self.fit_each(model, [self.site], inputs, sources, target, seed)[0]

    def fit_each(
        self,
        model: LanguageModel,
        places: Sequence[str],
        inputs: Any,
        sources: Any,
        target: Target = None,
        seed: int = 0,
    ) -> list[Direction]:
        """As `fit` for each of several sites in the place of `site`; the prompts are run only once for all of them."""
        require_causal(model, self.name)
        ids = prompts(model, inputs)
        given = paired(prompts(model, sources), len(ids))
        wanted = [replace(self, site=place)._site(model) for place in places]
        for site in wanted:
            aligned(site.positions, site.kind, tokens.lengths_of(ids), tokens.lengths_of(given))
        way = fastest_way(model)
        if way == "one by one":
            raise InputError(
                f"{self.name} cannot run while other interventions or hooks are in force; leave them first"
            )
        targets = resolved(model, ids, target)
        with measure() as first, constant_weights(model.module):
            groups = [_Pairs.of(model, batch, wanted, targets, way) for batch in batches(ids, given)]
        found = []
        for place, site in zip(places, wanted, strict=True):
            with measure() as cost:
                basis, losses = self._trained(model, site, groups, generator(seed))
            data = xr.Dataset(
                {"direction": (("component", "width"), basis), "loss": (("step",), losses)},
                attrs={"site": str(site), "pairs": len(ids)},
            )
            method = replace(self, site=place)
            found.append(Direction(data, provenance(method, model, ids, first + cost, seed, given)))
        return found

    def _trained(
        self, model: LanguageModel, site: Site, groups: list[_Pairs], rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Orthonormal directions (component, width) at one site, and the loss of each step."""
        import torch

        with constant_weights(model.module):
            width = groups[0].differences[site].shape[-1]
            if not 1 <= self.dimensions <= width:
                raise InputError(f"{self.dimensions} directions at a site of width {width}; ask for 1 to {width}")
            start = rng.standard_normal((width, self.dimensions))
            free = torch.tensor(start, device=model.device, dtype=groups[0].differences[site].dtype, requires_grad=True)
            optimiser = torch.optim.Adam([free], lr=self.learning_rate * width**0.5)
            losses = np.empty(self.steps)
            order = self._order(groups, rng)
            for step in range(self.steps):
                parts = next(order)
                count = sum(len(chosen) for _, chosen in parts)
                with torch.enable_grad():
                    basis = torch.linalg.qr(free)[0].T
                    loss = torch.stack([g.loss(site, basis, chosen) * (len(chosen) / count) for g, chosen in parts])
                    optimiser.zero_grad()
                    loss.sum().backward()
                optimiser.step()
                losses[step] = float(loss.detach().sum())
                spend(gradients=count)
        return torch.linalg.qr(free.detach())[0].T.double().cpu().numpy(), losses

    def _site(self, model: LanguageModel) -> Site:
        site = sites.check(model, Site.parse(self.site))
        if site.kind not in LAYERED or site.positions is None or len(site.positions) != 1:
            raise SiteError(f"{site}: name one layer's site with one position, such as L12.resid_pre@-1")
        if headed(site.kind) and site.head is None:
            raise SiteError(f"{site}: name one head, such as L12.z.H3@-1")
        return site

    def _order(self, groups: list[_Pairs], rng: np.random.Generator) -> Iterator[list[tuple[_Pairs, Array]]]:
        """Pairs of each step, in random order, again and again; those of equal length run together."""
        places = np.array([(number, pair) for number, group in enumerate(groups) for pair in range(group.count)])
        while True:
            shuffled = places[rng.permutation(len(places))]
            for first in range(0, len(shuffled), self.pairs_at_once):
                step = shuffled[first : first + self.pairs_at_once]
                yield [(groups[number], step[step[:, 0] == number, 1]) for number in np.unique(step[:, 0])]


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of prompts with what training needs of them: own values at the sites, and the sources' differences."""

    base: Runs
    way: Way
    own: dict[Site, torch.Tensor]
    differences: dict[Site, torch.Tensor]
    targets: Targets

    @property
    def count(self) -> int:
        return len(self.targets)

    @classmethod
    def of(
        cls, model: LanguageModel, batch: Batch, wanted: Sequence[Site], targets: Targets | None, way: Way
    ) -> _Pairs:
        other = untouched(model, Batch(batch.numbers, batch.sources, None), wanted, way)[0]  # type: ignore[arg-type]
        base = untouched(model, Batch(batch.numbers, batch.ids, None), wanted, way)[0]
        own = {site: base.recorded[site].flatten(1) for site in wanted}
        if targets is None:
            answers = Readout.of(model, "logit", None, other.state).targets
        else:
            answers = targets[batch.numbers]
        differences = {site: other.recorded[site].flatten(1) - own[site] for site in wanted}
        return cls(base, way, own, differences, answers)

    def loss(self, site: Site, basis: torch.Tensor, chosen: Array) -> torch.Tensor:
        """Mean surprise at the wanted answers when the coordinates along `basis` are interchanged."""
        import torch

        kind, layer, head = site.kind, site.layer or 0, site.head
        column = (site.positions or (-1,))[0] % self.base.tokens
        moved = self.own[site][chosen] + self.differences[site][chosen] @ basis.T @ basis
        rows = [
            Row.of(i, int(pair), [Write(kind, layer, head, (column,), moved[i : i + 1])], self.base.tokens)
            for i, pair in enumerate(chosen)
        ]
        model = self.base.model
        states = finished(model, engine_for(self.base, self.way).states(rows)[0])
        metric: Metric = "log-probability" if self.targets.ndim == 1 else "logit-difference"
        readout = Readout(model, metric, self.targets, self.base.state)
        values = readout.values(states, torch.as_tensor(chosen, device=states.device))
        return (torch.nn.functional.softplus(-values) if self.targets.ndim == 2 else -values).mean()


def interchanged(
    model: LanguageModel,
    direction: Direction,
    inputs: Any,
    sources: Any,
    *,
    target: Target = None,
    metric: Metric | None = None,
) -> Circuit:
    """The effect of interchanging coordinates along trained directions, on prompts that may be new.

    Parameters
    ----------
    direction : as `AlignmentSearch.fit` gives it; the attribute `site` says where.
    target : as there; None: the likeliest token of each source.

    Returns
    -------
    Circuit : `effect` (site, sample) of the one site; `accuracy`, an attribute: the share of pairs in which the wanted
        answer wins (over all tokens; for a contrast, over the other).
    """
    require_causal(model, "interchanged")
    if "site" not in direction.data.attrs:
        raise InputError("the direction does not say its site; give one that AlignmentSearch.fit made")
    site = sites.check(model, Site.parse(str(direction.data.attrs["site"])))
    ids = prompts(model, inputs)
    given = paired(prompts(model, sources), len(ids))
    aligned(site.positions, site.kind, tokens.lengths_of(ids), tokens.lengths_of(given))
    targets = resolved(model, given, target)
    if targets is None:
        targets = np.asarray(model.predict(given).argmax(axis=1), dtype=np.int64)
    basis = direction["direction"].values

    def job(wanted: Metric | None) -> Job:
        return Job(
            model, ids, lambda seen, length: [(Interchange(site, seen[site], basis),)], given, (site,), wanted, targets
        )

    with measure() as cost:
        found = measured(job(metric))
        won = measured(job("rank")).values == 0 if targets.ndim == 1 else measured(job(None)).values > 0
    result = circuit(_Interchanged(str(site), metric), model, ids, found, [str(site)], cost, given)
    result.data.attrs["accuracy"] = float(np.mean(won))
    return result


@dataclass(frozen=True)
class _Interchanged(Parameterised):
    name: ClassVar[str] = "interchange"

    site: str = ""
    metric: Metric | None = None
