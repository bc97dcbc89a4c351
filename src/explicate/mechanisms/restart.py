"""Many interventions on some prompts, planned together: one untouched run, then rows restarted from it in batches.

Three ways, the first that fits: `FusedBlocks` for decoders of Llama's shape; `OwnBlocks` through the blocks of any
registered causal architecture; one by one through the handle's `intervene`, which every intervention can go, and which
those of weights and of module paths must go, as must all while other interventions or hooks are in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Targets
from explicate.core.cost import spend
from explicate.core.interventions import Edit, Interchange, Intervention, Patch, Steer, Together
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError, ModelError
from explicate.mechanisms import fused, rows, runs
from explicate.mechanisms.blocks import OwnBlocks
from explicate.mechanisms.effects import Figures, Metric, Readout
from explicate.mechanisms.fused import FusedBlocks
from explicate.mechanisms.rows import Row, Write
from explicate.mechanisms.runs import Runs
from explicate.models.language import LanguageModel, sites, tokens
from explicate.runtime.memory import keep_freed_memory

if TYPE_CHECKING:
    import torch

PROMPT_TOKENS = 2048  # columns of untouched runs that are kept at once
DRIFT = 1e-3  # of the largest logit: how far an unchanged row may be from the model's own pass
DRIFT_OF_HALVES = 5e-2  # the same where numbers have 16 bits

Way: TypeAlias = Literal["fused", "own blocks", "one by one"]
WAYS: tuple[Way, ...] = ("one by one", "own blocks", "fused")  # the slowest first
Variant: TypeAlias = tuple[Intervention, ...]
Captured: TypeAlias = "Mapping[Site, torch.Tensor]"


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be found out.

    Attributes
    ----------
    model : the handle. ids : encoded prompts (sample, token).
    variants : called with the sources' activations and the prompts' length; gives the variants, each some interventions
        made at once. Values may have a leading axis for the samples of the call.
    sources : encoded prompts, one for each, whose activations at `record` the variants use.
    metric, targets : see `Readout`.
    tokens_at_once : columns of all rows that run together.
    way : force one of the three ways; None takes the fastest.
    embedding_noise : (sample, token, width), added to the prompts' embeddings (not to their sources'), so that all rows
        start from the spoiled runs; needs prompts of equal length.
    figures : see `Readout`; called with the prompts' numbers among `ids`. Values get a further axis for them.
    """

    model: LanguageModel
    ids: Array
    variants: Callable[[Captured, int], list[Variant]]
    sources: Array | None = None
    record: tuple[Site, ...] = ()
    metric: Metric | None = None
    targets: Targets | None = None
    tokens_at_once: int = rows.TOKENS_AT_ONCE
    way: Way | None = None
    embedding_noise: Array | None = None
    figures: Figures | None = None


@dataclass(eq=False)
class Measured:
    """What came out.

    Attributes
    ----------
    values : (variant, sample); all logits have a further axis. base, source : (sample,), of the untouched prompts and
        of the sources.
    metric, targets : what was measured.
    way : how. drift : largest difference between the logits of an unchanged row and those of the model's own pass.
    forwards : the work, in whole forward passes of a prompt, untouched runs included.
    """

    values: Array
    base: Array
    source: Array | None
    metric: Metric
    targets: Targets
    way: Way
    drift: float = 0.0
    forwards: float = 0.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Prompts of equal length that run together: their numbers, ids (sample, token), and their sources'."""

    numbers: Array
    ids: Array
    sources: Array | None


def measured(job: Job) -> Measured:
    """Find the figure of every variant on every prompt."""
    way = job.way or fastest_way(job.model)
    return joined([(b.numbers, _batch_measured(job, b, way)) for b in batches(job.ids, job.sources)])


def joined(parts: Sequence[tuple[Array, Measured]]) -> Measured:
    """Batches as one, in the order of the prompts' numbers."""
    order = np.argsort(np.concatenate([numbers for numbers, _ in parts]))
    found = [part for _, part in parts]
    sources = [part.source for part in found if part.source is not None]
    ways = {part.way for part in found}
    slowest: Way = next(way for way in WAYS if way in ways)
    return Measured(
        np.concatenate([part.values for part in found], axis=1)[:, order],
        np.concatenate([part.base for part in found])[order],
        np.concatenate(sources)[order] if sources else None,
        found[0].metric,
        np.concatenate([part.targets for part in found])[order],
        slowest,
        max(part.drift for part in found),
        sum(part.forwards for part in found),
    )


def fastest_way(model: LanguageModel) -> Way:
    """How a model's rows can run."""
    from explicate.models.folding import has_hooks

    if has_hooks(model.module) or any(not isinstance(part, Edit) for part in model.in_force):
        return "one by one"
    return "fused" if fused.fits(model) else "own blocks"


def require_causal(model: Any, what: str) -> None:
    """Refuse models whose prompts have no next token."""
    if not isinstance(model, LanguageModel):
        name = getattr(model, "name", type(model).__name__)
        raise CapabilityError(f"{what} needs a causal language model (LanguageModel); {name!r} is none")


def parts_of(variant: Intervention | Together) -> Variant:
    """The interventions of a variant."""
    return tuple(variant) if isinstance(variant, Together) else (variant,)


# -- batches -----------------------------------------------------------------------------------------------------------


def batches(ids: Array, sources: Array | None = None) -> Iterator[Batch]:
    """Prompts of equal length, and sources of equal length, as many as are kept at once."""
    lengths = tokens.lengths_of(ids)
    others = lengths if sources is None else tokens.lengths_of(sources)
    for pair in np.unique(np.stack([lengths, others]), axis=1).T:
        same = np.flatnonzero((lengths == pair[0]) & (others == pair[1]))
        size = max(1, PROMPT_TOKENS // int(pair.max()))
        for start in range(0, len(same), size):
            numbers = same[start : start + size]
            other = None if sources is None else runs.compact(sources, numbers)
            yield Batch(numbers, runs.compact(ids, numbers), other)


def _batch_measured(job: Job, batch: Batch, way: Way) -> Measured:
    import torch

    with torch.no_grad():
        spoiled = () if job.embedding_noise is None else (Steer("embed", job.embedding_noise[batch.numbers]),)
        base, other = untouched(job.model, batch, job.record, way, spoiled)
        captured = {} if other is None else other.recorded
        targets = None if job.targets is None else job.targets[batch.numbers]
        readout = Readout.of(job.model, job.metric, targets, base.state, _figures_of(job, batch))
        samples = np.arange(len(batch.ids))
        variants = [for_batch(v, batch.numbers, len(job.ids)) for v in job.variants(captured, base.tokens)]
        _check(job.model, variants)
        base_values = readout.untouched()
        values = np.empty((len(variants), *base_values.shape))
        entire = [way != "one by one" and _fits(variant, way) for variant in variants]
        found = Measured(
            values,
            base_values,
            None if other is None else readout.from_states(other.state, samples),
            readout.metric,
            readout.targets,
            way,
            forwards=len(batch.ids) * (1 if other is None else 2),
        )
        together = [number for number, fits in enumerate(entire) if fits]
        if together:
            _restarted(job, base, readout, variants, together, found, spoiled)
        for number in (number for number, fits in enumerate(entire) if not fits):
            found.way = "one by one"
            found.forwards += len(samples)
            with job.model.intervene(*spoiled, *variants[number]), job.model.scored_by("logit"):
                logits = torch.as_tensor(job.model.predict(batch.ids), device=base.state.device)
            values[number] = readout.from_logits(logits, samples)
        return found


def _figures_of(job: Job, batch: Batch) -> Figures | None:
    """The job's figures for the rows of a batch."""
    import torch

    figures = job.figures
    if figures is None:
        return None
    numbers = torch.as_tensor(batch.numbers)

    def of_batch(before: torch.Tensor, after: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        return figures(before, after, numbers.to(samples.device)[samples])

    return of_batch


def untouched(
    model: LanguageModel, batch: Batch, record: Sequence[Site], way: Way, spoiled: Variant = ()
) -> tuple[Runs, Runs | None]:
    """The prompts' own runs and the sources', in one pass where lengths agree; with what is to be recorded.

    `spoiled` holds changes of the embeddings that the prompts' runs are made under, and the sources' are not.
    """
    cache, masks = way == "fused", way == "own blocks"
    if spoiled:
        other = None if batch.sources is None else runs.run(model, batch.sources, record, cache=False)
        with model.intervene(*spoiled):
            return runs.run(model, batch.ids, record if other is None else (), cache, masks), other
    count = len(batch.ids)
    if batch.sources is None:
        return runs.run(model, batch.ids, record, cache, masks), None
    if batch.sources.shape == batch.ids.shape:
        both = runs.run(model, np.concatenate([batch.ids, batch.sources]), record, cache, masks)
        return both.part(slice(count)), both.part(slice(count, None))
    other = runs.run(model, batch.sources, record, cache=False)
    return runs.run(model, batch.ids, cache=cache, masks=masks), other


def _check(model: LanguageModel, variants: Sequence[Variant]) -> None:
    seen: set[tuple[str, int | None, int | None]] = set()
    for variant in variants:
        for part in variant:
            site = part.address
            address = (site.kind, site.layer, site.head)
            if address not in seen and not isinstance(part, Edit):
                sites.check(model, site)
            seen.add(address)


def _fits(variant: Variant, way: Way) -> bool:
    return all(not isinstance(part, Edit) and rows.restartable(part, embed=way == "fused") for part in variant)


# -- rows --------------------------------------------------------------------------------------------------------------


def _restarted(
    job: Job,
    base: Runs,
    readout: Readout,
    variants: Sequence[Variant],
    numbers: Sequence[int],
    found: Measured,
    spoiled: Variant = (),
) -> None:
    """Fill in the values of the variants `numbers`; should the fused way drift, the model's own blocks do it again."""
    planned = [
        Row.of(number * len(base.ids) + sample, sample, writes_of(variants[number], sample, base), base.tokens)
        for number in numbers
        for sample in range(len(base.ids))
    ]
    engine = engine_for(base, found.way)
    control = Row.of(-1, 0, (), base.tokens)
    for turn, cut in enumerate(rows.chunks(planned, job.model.head_count, job.tokens_at_once)):
        chunk = cut if turn else [control, *cut]
        states = finished(job.model, engine.states(chunk)[0])
        if turn == 0:
            found.drift, scale = _drift(readout, states[0])
            states = states[1:]
            allowed = DRIFT if states.dtype.itemsize >= 4 else DRIFT_OF_HALVES
            if found.drift > allowed * scale:
                if found.way != "fused":
                    raise ModelError(
                        f"the blocks of {job.model.name!r}, run one after the other, do not give the model's own "
                        f"logits (they differ by {found.drift:.2g}); check its entry in register_architecture"
                    )
                found.way = "own blocks"
                own = untouched(job.model, Batch(np.arange(len(base.ids)), base.ids, None), (), "own blocks", spoiled)[
                    0
                ]
                return _restarted(job, own, readout, variants, numbers, found, spoiled)
        samples = np.array([row.sample for row in cut])
        values = readout.from_states(states, samples)
        found.values.reshape(-1, *values.shape[1:])[[row.number for row in cut]] = values
        done = sum(work(row, base) for row in chunk)
        spend(evaluations=ceil(done))
        found.forwards += done
    return None


def engine_for(base: Runs, way: Way) -> FusedBlocks | OwnBlocks:
    """What runs rows from the untouched runs."""
    keep_freed_memory()  # rows join layer by layer, so each layer's arrays are larger than those before
    return FusedBlocks(base) if way == "fused" else OwnBlocks(base)


def work(row: Row, base: Runs) -> float:
    """The share of a whole forward pass that a row takes."""
    return (base.layers - row.layer) * row.columns / (base.layers * base.tokens)


def finished(model: LanguageModel, states: torch.Tensor) -> torch.Tensor:
    """States after the final norm."""
    path = model.architecture.final_norm
    found: torch.Tensor = model.module.base_model.get_submodule(path)(states) if path else states
    return found


def writes_of(variant: Variant, sample: int, base: Runs) -> list[Write]:
    """A variant's changes on one prompt."""
    found = []
    for part in sorted(variant, key=lambda part: _place(part.address)):
        site = part.address
        own = _for_sample(part, sample, len(base.ids))
        if isinstance(own, Patch) and hasattr(own.value, "detach") and own.value.ndim == _dimensions(site):
            value = own.value.to(base.state)[0]  # (position, width), or (head, position, width)
            change: Any = value.transpose(0, 1) if value.ndim == 3 else value
            if len(change) == 1 and site.positions is None:
                change = change.expand(base.tokens, *change.shape[1:])
        else:
            change = own
        found.append(Write.of(site, base.tokens, change))
        if hasattr(change, "detach") and len(change) != len(found[-1].positions):
            raise InputError(
                f"{site}: a value for {len(change)} positions does not fit {len(found[-1].positions)} positions"
            )
    return found


def for_batch(variant: Variant, numbers: Array, samples: int) -> Variant:
    """Values that have an axis for all prompts, for those of a batch."""
    if len(numbers) == samples:
        return variant
    found = []
    for part in variant:
        name, count = _axis_for_prompts(part)
        found.append(replace(part, **{name: getattr(part, name)[numbers]}) if count == samples else part)
    return tuple(found)


def _for_sample(part: Intervention, sample: int, samples: int) -> Intervention:
    """The part of an intervention that is for one prompt, where its value has an axis for them."""
    name, count = _axis_for_prompts(part)
    if count < 2:
        return part
    if count != samples:
        raise InputError(f"{part.address}: a value for {count} prompts, but there are {samples}")
    return replace(part, **{name: getattr(part, name)[sample : sample + 1]})


def _axis_for_prompts(part: Intervention) -> tuple[str, int]:
    """The field that may have an axis for prompts, and how many it has values for; 0 where it has no such axis."""
    name = "value" if isinstance(part, Patch | Interchange) else "direction" if isinstance(part, Steer) else ""
    if not name or part.address.is_module or part.address.kind == "logits":
        return name, 0
    value = getattr(part, name)
    return name, len(value) if np.ndim(value) == _dimensions(part.address) else 0


def _dimensions(site: Site) -> int:
    """Axes of an activation at a site: sample, head where all heads are meant, position, width."""
    return 4 if rows.headed(site.kind) and site.head is None else 3


def _place(site: Site) -> tuple[int, int]:
    return (site.layer or 0, sites.CAUSAL_ORDER.index(site.kind) if site.kind in sites.CAUSAL_ORDER else 0)


def _drift(readout: Readout, state: torch.Tensor) -> tuple[float, float]:
    expected = readout.logits(readout.reference[:1])
    found = readout.logits(state[None])
    return float((found - expected).abs().max()), float(expected.abs().max())
