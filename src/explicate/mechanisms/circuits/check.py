"""Testing a circuit of heads: does it suffice, is it needed, and do other heads of the same number do as well?

Everything that is taken away gets what a source prompt had there. Source: Wang et al. (2023), "Interpretability in the
Wild", section 4 (faithfulness); random circuits of equal size as the control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import xarray as xr

from explicate.core.cost import measure
from explicate.core.interventions import Patch
from explicate.core.kinds import Circuit
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target
from explicate.errors import InputError, SiteError
from explicate.mechanisms.effects import Metric
from explicate.mechanisms.places import written_as
from explicate.mechanisms.restart import Job, Variant, measured, require_causal
from explicate.mechanisms.results import circuit as as_circuit
from explicate.mechanisms.results import prompts, resolved
from explicate.mechanisms.rows import columns_of
from explicate.mechanisms.sweeps import aligned, paired
from explicate.models.language import LanguageModel, sites, tokens
from explicate.runtime.seeds import generator


@dataclass(frozen=True)
class CircuitTest(Parameterised):
    """Keep a circuit and patch all other heads; patch the circuit and keep all others; the same for random circuits.

    Parameters
    ----------
    controls : random circuits of as many heads.
    everywhere : whether "all other heads" are those at every position; False: at the circuit's positions only.
    metric : see `Sweep`.
    """

    name: ClassVar[str] = "circuit-test"

    controls: int = 10
    everywhere: bool = False
    metric: Metric | None = None

    def run(
        self,
        model: LanguageModel,
        circuit: Circuit | Sequence[Site | str],
        inputs: Any,
        source: Any,
        target: Target = None,
        seed: int = 0,
    ) -> Circuit:
        """Test a circuit of head outputs on prompts.

        Parameters
        ----------
        circuit : sites of kind `head_out` (or `z`), with a head each, all at the same positions.
        inputs, source, target : see `Sweep.run`.
        seed : of the random circuits.

        Returns
        -------
        Circuit : `effect` (site, sample), of patching each of its heads alone; `kept_score` and `removed_score`
            (sample,), with only the circuit left untouched and with only the circuit patched; the same of the random
            circuits as `control_kept_score` and `control_removed_score` (control, sample). The attributes `sufficiency`
            and `necessity` are the mean shares of the way between the source's score and the untouched one that the
            circuit keeps, and that is lost without it, beside `control_sufficiency` and `control_necessity`.
        """
        require_causal(model, self.name)
        heads = self._heads(model, circuit)
        ids = prompts(model, inputs)
        given = paired(prompts(model, source), len(ids))
        lengths = tokens.lengths_of(ids)
        positions = None if self.everywhere else heads[0].positions
        aligned(positions, "z", lengths, tokens.lengths_of(given))
        layers = range(model.layer_count)
        every = [(layer, head) for layer in layers for head in range(model.head_count)]
        own = [(site.layer or 0, site.head or 0) for site in heads]
        rng = generator(seed)
        picks = [[every[i] for i in rng.choice(len(every), len(own), replace=False)] for _ in range(self.controls)]
        record = tuple(Site("z", layer, None, positions) for layer in layers)

        def variants(captured: Any, length: int) -> list[Variant]:
            span = _Span(captured, positions, heads[0].positions, length)
            single = [span.patches([place]) for place in own]
            found = [span.patches(every, chosen) for chosen in (own, *picks)]
            return [*single, *found, *(span.patches(chosen) for chosen in (own, *picks))]

        with measure() as cost:
            targets = resolved(model, ids, target)
            found = measured(Job(model, ids, variants, given, record, self.metric, targets))
        size, more = len(own), 1 + self.controls
        kept, removed = found.values[size : size + more], found.values[size + more :]
        found.values = found.values[:size]
        assert found.source is not None  # there always is one here
        way = found.base - found.source
        if not (way != 0).all():
            raise InputError("a prompt and its source have the same score; choose another target or source")
        result = as_circuit(self, model, ids, found, [str(site) for site in heads], cost, given)
        data = result.data.assign(
            kept_score=xr.DataArray(kept[0], dims="sample"),
            removed_score=xr.DataArray(removed[0], dims="sample"),
            control_kept_score=xr.DataArray(kept[1:], dims=("control", "sample")),
            control_removed_score=xr.DataArray(removed[1:], dims=("control", "sample")),
        )
        kept_share, lost_share = (kept - found.source) / way, (found.base - removed) / way
        data.attrs.update(
            sufficiency=float(kept_share[0].mean()),
            necessity=float(lost_share[0].mean()),
        )
        if self.controls:
            data.attrs.update(
                control_sufficiency=float(kept_share[1:].mean()),
                control_necessity=float(lost_share[1:].mean()),
            )
        return Circuit(data, result.provenance)

    def _heads(self, model: LanguageModel, circuit: Circuit | Sequence[Site | str]) -> list[Site]:
        given = circuit.sites if isinstance(circuit, Circuit) else [Site.parse(site) for site in circuit]
        if not given:
            raise InputError("the circuit has no heads")
        for site in given:
            if written_as(site.kind) != "z" or site.head is None:
                raise SiteError(f"{site} is no head's output; a circuit here is of sites such as L9.head_out.H6@-1")
            sites.check(model, site)
        if len({site.positions for site in given}) > 1:
            raise InputError(
                "the circuit's heads are at different positions; test those of each position by themselves"
            )
        return list(dict.fromkeys(given))


@dataclass(frozen=True, eq=False)
class _Span:
    """The sources' head outputs and the positions at which they are written."""

    captured: Any
    positions: tuple[int, ...] | None
    own: tuple[int, ...] | None
    length: int

    def patches(self, heads: Sequence[tuple[int, int]], kept: Sequence[tuple[int, int]] = ()) -> Variant:
        """Patch some heads, but not those kept (where the circuit is: elsewhere they are patched too)."""
        spared = set(kept)
        found = []
        for layer, head in heads:
            values = self.captured[Site("z", layer, None, self.positions)][:, head]
            if not kept:
                columns = columns_of(Site("z", layer, head, self.own), self.length)
                at = list(columns) if self.positions is None else list(range(len(columns)))
                found.append(Patch(Site("z", layer, head, columns), values[:, at]))
            elif (layer, head) not in spared:
                found.append(Patch(Site("z", layer, head, self.positions), values))
            elif self.positions is None and self.own is not None:
                inside = set(columns_of(Site("z", layer, head, self.own), self.length))
                outside = [i for i in range(self.length) if i not in inside]
                if outside:
                    found.append(Patch(Site("z", layer, head, tuple(outside)), values[:, outside]))
        return tuple(found)


def check_circuit(
    model: LanguageModel,
    circuit: Circuit | Sequence[Site | str],
    inputs: Any,
    source: Any,
    *,
    target: Target = None,
    metric: Metric | None = None,
    controls: int = 10,
    everywhere: bool = False,
    seed: int = 0,
) -> Circuit:
    """Whether a circuit of heads suffices and is needed, beside random circuits of equal size; see `CircuitTest`."""
    return CircuitTest(controls, everywhere, metric).run(model, circuit, inputs, source, target, seed)
