"""From a task to its channels: every component of every earlier head, scored by its weights and by its effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from explicate.core.cost import measure
from explicate.core.kinds import Circuit
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.data.language.ioi import IOI
from explicate.mechanisms.channels.causal_scores import agreement, direct_scores
from explicate.mechanisms.channels.channel import Place
from explicate.mechanisms.restart import require_causal
from explicate.mechanisms.results import prompts as encoded
from explicate.mechanisms.results import provenance
from explicate.mechanisms.weights import HeadWeights, Reading, component_scores
from explicate.mechanisms.weights.composition import Over, Read
from explicate.models.language import LanguageModel


@dataclass(frozen=True)
class ChannelSearch(Parameterised):
    """Which component of which earlier head speaks to one head's query, by weights and by what happens without it.

    Parameters
    ----------
    offsets, over, read : see `explicate.mechanisms.weights.Reading`; offsets None: those from the last token to the two
        names of the prompts.
    removal : "zero", or "mean" over the prompts.
    """

    name: ClassVar[str] = "channel-search"

    offsets: tuple[int, ...] | None = None
    over: Over = "mean"
    read: Read = "form"
    removal: Literal["zero", "mean"] = "zero"

    def run(self, model: LanguageModel, task: IOI, destination: Place, weights: HeadWeights | None = None) -> Circuit:
        """Score the components of all earlier heads on prompts of equal length.

        Returns
        -------
        Circuit : one site for each component of each earlier head. `effect` (site, sample) is the change of the
            destination's attention to the indirect object less that to the subject when the component is missing from
            its query, the inhibition score with its sign turned; `effect_zero` and `effect_mean` by removal. With
            `component`, `weight_score`, `z`, `z_of_null`, `rank` (site,), and `full` (site,) of the whole matrices.
            Attributes: `spearman`, `p_value` and `overlap` of the two scores; `null`, what a random vector's weight
            score is on average as a square root.
        """
        require_causal(model, self.name)
        ids = encoded(model, task.texts)
        first, second = task.places("io"), task.places("s1")
        ends = task.places("end")
        near = tuple(
            sorted({int(end - place) for who in (first, second) for end, place in zip(ends, who, strict=True)})
        )
        with measure() as cost:
            own = weights or HeadWeights.of(model)
            reading = Reading("q", self.offsets or near, self.over, self.read)
            guess = component_scores(own, destination, reading)
            causal = direct_scores(model, own, ids, destination, first, second)
            agreed = agreement(guess, causal, self.removal)
        layers, heads = np.array(causal.heads).T
        count = own.head_width
        names = [str(Site("head_out", layer, head)) for layer, head in causal.heads for _ in range(count)]
        each = {"z": guess.z, "z_of_null": guess.z_of_null, "rank": guess.rank, "weight_score": guess.component}
        effects = {removal: -lost.reshape(len(names), len(ids)) for removal, lost in causal.scores.items()}
        variables = {name: (("site",), values[layers, heads].ravel()) for name, values in each.items()}
        data = xr.Dataset(
            {
                "effect": (("site", "sample"), effects[self.removal]),
                **{f"effect_{removal}": (("site", "sample"), effect) for removal, effect in effects.items()},
                "component": (("site",), np.tile(np.arange(count), len(causal.heads))),
                "full": (("site",), np.repeat(guess.full[layers, heads], count)),
                "base_score": (("sample",), causal.untouched),
                **variables,
            },
            coords={"site": names},
            attrs={
                "model_kind": "text",
                "metric": f"attention of L{destination[0]}.H{destination[1]}",
                "spearman": agreed.spearman,
                "p_value": agreed.p_value,
                "overlap": agreed.overlap,
                "null": own.width**-0.5,
            },
        )
        parameters = {**self.parameters(), "destination": list(destination), "offsets": list(reading.offsets)}
        found = provenance(self, model, ids, cost)
        found.parameters.update(parameters)
        return Circuit(data, found)
