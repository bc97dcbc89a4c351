"""Sweeps: the same change at every place of a model, one place at a time, as a labelled array with a heat map.

Activation patching writes what another prompt had at the place; ablation writes zeros, a mean, or what a prompt drawn
at random had. Source: Vig et al. (2020), "Investigating Gender Bias in Language Models Using Causal Mediation
Analysis"; Meng et al. (2022), "Locating and Editing Factual Associations in GPT", section 2; practice as in Zhang and
Nanda (2024), "Towards Best Practices of Activation Patching in Language Models".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.interventions import Intervention, Patch, Together
from explicate.core.kinds import Circuit, Effects
from explicate.core.method import Parameterised
from explicate.core.sites import LAYERED, Site
from explicate.core.targets import Target
from explicate.errors import InputError
from explicate.mechanisms.effects import ALL_LOGITS, Metric
from explicate.mechanisms.places import Places, Positions, means, written_as
from explicate.mechanisms.restart import Job, Variant, measured, parts_of, require_causal
from explicate.mechanisms.results import circuit, effects, prompts, resolved
from explicate.models.language import LanguageModel, tokens
from explicate.runtime.seeds import generator

How = Literal["patch", "zero", "mean", "resample"]
HOWS = ("patch", "zero", "mean", "resample")


@dataclass(frozen=True)
class Sweep(Parameterised):
    """Change a model at one place after another, and see what each change does to the next token.

    All changes are planned together: rows are batched, each restarts at the first layer that it touches, keys and
    values of the tokens before it are reused, and only the last token is unembedded. The figures are those of one
    `intervene` a place, up to rounding; an unchanged row rides along, and its distance from the model's own logits is
    kept as the attribute `drift`.

    Parameters
    ----------
    sites : kinds of sites ("resid_pre", "head_out", ("attn_out", "mlp_out"), ...).
    layers : which; None: all.
    heads : "each" by itself, "all" at once, or numbers; for kinds with heads.
    positions : "each" by itself, "all" at once, or numbers, negative ones from the end.
    how : "patch" from the source prompt at the same position; "zero"; "mean" over the reference prompts; "resample":
        from one reference prompt, drawn for each prompt.
    per_position : whether means are taken position by position; False: over all tokens of all reference prompts.
    metric : see `explicate.mechanisms.effects`; None: logit difference of a contrast, logit of a single target.
    """

    name: ClassVar[str] = "sweep"

    sites: str | tuple[str, ...] = "resid_pre"
    layers: tuple[int, ...] | None = None
    heads: Literal["each", "all"] | tuple[int, ...] = "each"
    positions: Literal["each", "all"] | int | tuple[int, ...] = "each"
    how: How = "patch"
    per_position: bool = True
    metric: Metric | None = None

    def run(
        self, model: LanguageModel, inputs: Any, source: Any = None, target: Target = None, seed: int = 0
    ) -> Effects:
        """Run the sweep.

        Parameters
        ----------
        model : a causal language model.
        inputs : the prompts that are run and changed.
        source : for "patch", the prompts whose activations are written, one for each of `inputs` or one for all; for
            "mean" and "resample", the reference prompts.
        target : see `explicate.core.targets`; default: each untouched prompt's likeliest next token.
        seed : of the draws of "resample".

        Returns
        -------
        Effects : `effect` (sample, [part,] layer, [head,] [position]).

        Raises
        ------
        InputError : prompts whose positions do not correspond.
        SiteError, SelectionError : a site or position that is not there.
        """
        require_causal(model, self.name)
        ids = prompts(model, inputs)
        with measure() as cost:
            job, places = self._job(model, ids, source, target, seed)
            found = measured(job)
        return effects(self, model, ids, found, places, cost, seed, source=job.sources)

    def _job(self, model: LanguageModel, ids: Array, source: Any, target: Target, seed: int) -> tuple[Job, Places]:
        if self.how not in HOWS:
            raise InputError(f"how {self.how!r} is unknown; use one of {', '.join(HOWS)}")
        lengths = tokens.lengths_of(ids)
        places = Places.of(model, self.sites, self.layers, self.heads, self.positions, lengths)
        job = Job(model, ids, lambda captured, length: places.variants(None), metric=self.metric)
        job = replace(job, targets=resolved(model, ids, target))
        if self.how == "zero":
            return job, places
        if source is None:
            what = "a source prompt whose activations are patched in" if self.how == "patch" else "reference prompts"
            raise InputError(f"{self.name} with how={self.how!r} needs {what}: give source=")
        given = prompts(model, source)
        if self.how == "mean":
            if self.per_position:
                _aligned(places, lengths, tokens.lengths_of(given)[:1].repeat(len(ids)))
            averages = means(model, given, places.sources(), self.per_position)
            return replace(job, variants=lambda captured, length: places.variants(averages)), places
        if self.how == "resample":
            given = given[_drawn(lengths, tokens.lengths_of(given), places, seed)]
        given = paired(given, len(ids))
        _aligned(places, lengths, tokens.lengths_of(given))
        patched = replace(
            job, sources=given, record=places.sources(), variants=lambda captured, length: places.variants(captured)
        )
        return patched, places


def sweep(
    model: LanguageModel,
    inputs: Any,
    source: Any = None,
    *,
    sites: str | Sequence[str | Site] = "resid_pre",
    layers: Sequence[int] | None = None,
    heads: Literal["each", "all"] | Sequence[int] = "each",
    positions: Positions = "each",
    how: How = "patch",
    per_position: bool = True,
    target: Target = None,
    metric: Metric | None = None,
    seed: int = 0,
) -> Any:
    """Patch or ablate a model place by place: `explicate.sweep(model, prompt, corrupted, sites="resid_pre").plot()`.

    See `Sweep` for the parameters. With `sites` as full addresses (["L9.head_out.H3@-1", ...]) each is patched from
    the source by itself, and the result is a `Circuit`.
    """
    addresses = [] if isinstance(sites, str) else [Site.parse(site) for site in sites if str(site) not in LAYERED]
    if addresses:
        return patch_sites(model, inputs, source, addresses, target=target, metric=metric)
    return Sweep(
        sites if isinstance(sites, str) else tuple(str(site) for site in sites),
        None if layers is None else tuple(int(layer) for layer in layers),
        heads if isinstance(heads, str) else tuple(int(head) for head in heads),  # type: ignore[arg-type]
        positions if isinstance(positions, str | int) else tuple(int(position) for position in positions),
        how,
        per_position,
        metric,
    ).run(model, inputs, source, target, seed)


@dataclass(frozen=True)
class _Named(Parameterised):
    """What provenance says of interventions named one by one."""

    name: ClassVar[str] = "interventions"

    interventions: tuple[str, ...] = ()
    metric: Metric | None = None


def effects_of(
    model: LanguageModel,
    inputs: Any,
    interventions: Sequence[Intervention | Together],
    *,
    target: Target = None,
    metric: Metric | None = None,
) -> Circuit:
    """What each of many interventions does, run together; weights are edited one after the other and come back.

    Values may have a leading axis for the prompts.

    Returns
    -------
    Circuit : `effect` (site, sample); a site's name is that of what is changed, joined by " + ".
    """
    require_causal(model, "effects_of")
    ids = prompts(model, inputs)
    variants = [parts_of(item) for item in interventions]
    if not variants:
        raise InputError("no interventions given")
    names = [" + ".join(str(part.address) for part in variant) for variant in variants]
    method = _Named(tuple(f"{type(v[0]).__name__}({name})" for v, name in zip(variants, names, strict=True)), metric)
    with measure() as cost:
        job = Job(model, ids, lambda captured, length: variants, metric=metric, targets=resolved(model, ids, target))
        found = measured(job)
    return circuit(method, model, ids, found, names, cost)


def logits_of(model: LanguageModel, inputs: Any, interventions: Sequence[Intervention | Together]) -> Floats:
    """Next-token logits (intervention, sample, vocabulary) under each of many interventions, run together."""
    require_causal(model, "logits_of")
    variants = [parts_of(item) for item in interventions]
    return measured(Job(model, prompts(model, inputs), lambda captured, length: variants, metric=ALL_LOGITS)).values


def patch_sites(
    model: LanguageModel,
    inputs: Any,
    source: Any,
    addresses: Sequence[Site],
    *,
    target: Target = None,
    metric: Metric | None = None,
) -> Circuit:
    """Patch each address by itself from the source prompts; see `sweep`."""
    require_causal(model, "sweep")
    if source is None:
        raise InputError("sweep needs a source prompt whose activations are patched in: give source=")
    ids = prompts(model, inputs)
    given = paired(prompts(model, source), len(ids))
    as_written = {site: replace(site, kind=written_as(site.kind)) for site in addresses}
    for site in addresses:
        aligned(site.positions, site.kind, tokens.lengths_of(ids), tokens.lengths_of(given))

    def variants(captured: Any, length: int) -> list[Variant]:
        return [(Patch(as_written[site], captured[as_written[site]]),) for site in addresses]

    with measure() as cost:
        job = Job(
            model, ids, variants, given, tuple(dict.fromkeys(as_written.values())), metric, resolved(model, ids, target)
        )
        found = measured(job)
    names = [str(site) for site in addresses]
    return circuit(_Named(tuple(f"Patch({name})" for name in names), metric), model, ids, found, names, cost, given)


def paired(given: Array, count: int) -> Array:
    """One source for each prompt."""
    if len(given) == 1:
        given = np.repeat(given, count, axis=0)
    if len(given) != count:
        raise InputError(f"{len(given)} sources for {count} prompts; give one for each, or one for all")
    return given


def aligned(positions: Sequence[int] | None, kind: str, lengths: Array, others: Array) -> None:
    """Refuse pairs of prompts whose positions do not correspond."""
    from_the_end = positions is not None and all(p < 0 for p in positions) and kind not in ("scores", "pattern")
    differing = np.flatnonzero(lengths != others)
    if len(differing) and not from_the_end:
        i = int(differing[0])
        raise InputError(
            f"prompt {i} has {lengths[i]} tokens and its source {others[i]}, so their positions do not correspond; "
            "give prompts of equal length, or positions from the end, such as positions=-1"
        )


def _aligned(places: Places, lengths: Array, others: Array) -> None:
    for kind in places.kinds:
        aligned(places.positions, kind, lengths, others)


def _drawn(lengths: Array, others: Array, places: Places, seed: int) -> Array:
    """A reference prompt for each prompt, of its length where positions must correspond."""
    found = np.empty(len(lengths), dtype=np.int64)
    free = places.positions is not None and all(p < 0 for p in places.positions)
    for i, length in enumerate(lengths):
        fitting = np.arange(len(others)) if free else np.flatnonzero(others == length)
        if not len(fitting):
            raise InputError(f"no reference prompt has the {length} tokens of prompt {i}; give some of equal length")
        found[i] = fitting[generator(seed, i).integers(len(fitting))]
    return found
