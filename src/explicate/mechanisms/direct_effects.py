"""Direct logit attribution: what each part adds to the answer by itself, with the final norm's scale frozen.

The last state is a sum of what the embedding, the heads and the MLPs wrote, and with the scale of the final norm held
at the prompt's own value the logits are linear in it; so the parts' shares add up to the score. Source: Elhage et al.
(2021), "A Mathematical Framework for Transformer Circuits", section "Residual stream".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.core.cost import measure
from explicate.core.kinds import Circuit
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target
from explicate.errors import CapabilityError
from explicate.mechanisms import runs
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.restart import Measured, batches, finished, joined, require_causal
from explicate.mechanisms.results import circuit, prompts, resolved
from explicate.models.language import LanguageModel

CLOSE = 1e-3  # of the largest share: how well the shares must add up


@dataclass(frozen=True)
class DirectEffects(Parameterised):
    """Each part's own share of the target's logit (of a contrast: of the difference) after the last token."""

    name: ClassVar[str] = "direct-effects"

    def run(self, model: LanguageModel, inputs: Any, target: Target = None) -> Circuit:
        """Shares of the embedding, of every head (where a norm or bias follows them: of their layer) and MLP.

        Returns
        -------
        Circuit : `effect` (site, sample), which adds up to `base_score` (sample,).

        Raises
        ------
        CapabilityError : the shares do not add up, as where the final norm is more than a scale.
        """
        import torch

        require_causal(model, self.name)
        path = model.architecture.final_norm
        if path and isinstance(model.module.base_model.get_submodule(path), torch.nn.LayerNorm):
            raise CapabilityError(_refusal(model, "it takes out a mean and adds a shift"))
        ids = prompts(model, inputs)
        targets = resolved(model, ids, target)
        sites = self._sites(model)
        parts = []
        with measure() as cost, torch.no_grad():
            for batch in batches(ids):
                # the embedding is where the stream begins, so it is read there
                found = runs.run(model, batch.ids, [site for site in sites if site.kind != "embed"], cache=False)
                own = None if targets is None else targets[batch.numbers]
                parts.append((batch.numbers, self._shares(model, found, sites, own)))
        result = joined(parts)
        names = [str(site) for site in sites]
        found_circuit = circuit(self, model, ids, result, names, cost)
        # shares are of the score itself, not changes of it
        data = found_circuit.data.assign(effect=(("site", "sample"), result.values))
        return Circuit(data, found_circuit.provenance)

    def _sites(self, model: LanguageModel) -> list[Site]:
        layout = model.architecture
        found = [Site("embed", None, None, (-1,))]
        for layer, block in enumerate(model.blocks):
            projection = block.get_submodule(layout.output_projection)
            apart = layout.head_sum == "attn_out" and getattr(projection, "bias", None) is None
            heads = range(model.head_count) if apart else ()
            found += [Site("head_out", layer, head, (-1,)) for head in heads] or [Site("attn_out", layer, None, (-1,))]
            found.append(Site("mlp_out", layer, None, (-1,)))
        return found

    def _shares(self, model: LanguageModel, found: runs.Runs, sites: list[Site], targets: Any) -> Measured:
        import torch

        states = torch.stack(
            [(found.stream[0][:, -1] if site.kind == "embed" else found.recorded[site][:, 0]) for site in sites]
        )
        whole = states.sum(dim=0)
        scale = finished(model, whole) / whole
        readout = Readout.of(model, None, targets, found.state)
        weight = model.module.get_output_embeddings().weight[torch.as_tensor(readout.targets, device=whole.device)]
        direction = weight if weight.ndim == 2 else weight[:, 0] - weight[:, 1]
        shares = ((states * scale) * direction).sum(-1).double().cpu().numpy()
        base = readout.untouched()
        error = np.abs(shares.sum(axis=0) - base).max()
        if error > CLOSE * np.abs(shares).max():
            raise CapabilityError(_refusal(model, f"the sum differs by {error:.2g}"))
        return Measured(shares, base, None, readout.metric, readout.targets, "one by one", forwards=len(found.ids))


def _refusal(model: LanguageModel, why: str) -> str:
    return (
        f"the parts of {model.name!r} do not add up to its logits ({why}): its final norm is more than a scale, or "
        "something follows it; patch the parts instead"
    )


def direct_effects_of(model: LanguageModel, inputs: Any, *, target: Target = None) -> Circuit:
    """What each part adds to the answer by itself; see `DirectEffects`."""
    return DirectEffects().run(model, inputs, target)
