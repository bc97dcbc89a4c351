"""Path patching: what a head or an MLP tells a later part of the model directly, all other heads held still.

Two passes. A: the prompt with all heads frozen to their own values from the sender's position on, but the sender,
which gets the source's value there; MLPs recompute (or are frozen too), and the receivers' inputs are kept. B: the
prompt with the receivers' inputs replaced by those. With heads frozen, nothing can leave the sender's position, so pass
A runs that one column for all senders at once. Source: Wang et al. (2023), "Interpretability in the Wild", section 3.1;
Goldowsky-Dill et al. (2023), "Localizing Model Behavior with Path Patching".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.cost import measure, spend
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.core.targets import Target
from explicate.errors import InputError, SiteError
from explicate.mechanisms import rows
from explicate.mechanisms.effects import Metric, Readout
from explicate.mechanisms.places import Places, Positions
from explicate.mechanisms.restart import (
    Batch,
    Measured,
    Way,
    batches,
    engine_for,
    fastest_way,
    finished,
    joined,
    require_causal,
    untouched,
    work,
)
from explicate.mechanisms.results import effects, prompts, resolved
from explicate.mechanisms.rows import Row, Write
from explicate.mechanisms.runs import Runs
from explicate.mechanisms.sweeps import aligned, paired
from explicate.models.language import LanguageModel, sites, tokens

if TYPE_CHECKING:
    import torch

Senders = Literal["heads", "mlps"]
SENDING = {"heads": "z", "mlps": "mlp_out"}
RECEIVING = ("q", "k", "v", "mlp_out")
LOGITS = Site("logits")


@dataclass(frozen=True)
class PathPatching(Parameterised):
    """The effect of each head, or of each MLP, along its direct path to some receivers.

    Parameters
    ----------
    receivers : inputs of later heads, "L9.q.H6", "L9.v" (all heads), ..., and of MLPs, "L9.mlp_out" (what the MLP makes
        of its new input), all replaced together; or "logits".
    position : of senders and receivers, counted in each prompt, negative from the end; the one that is patched.
    source_position : where in each source the senders' values are read; None: at `position`.
    layers : of the senders; None: all.
    freeze_mlps : hold the MLPs still too, so that only the residual stream carries the path.
    metric : see `Sweep`.
    senders : "heads" or "mlps".
    """

    name: ClassVar[str] = "path-patching"

    receivers: tuple[str, ...] = ("logits",)
    position: int | tuple[int, ...] = -1
    layers: tuple[int, ...] | None = None
    freeze_mlps: bool = False
    metric: Metric | None = None
    source_position: int | tuple[int, ...] | None = None
    senders: Senders = "heads"

    def __post_init__(self) -> None:
        if self.senders not in SENDING:
            raise InputError(f"senders {self.senders!r} are unknown; use {' or '.join(SENDING)}")

    def run(self, model: LanguageModel, inputs: Any, source: Any, target: Target = None) -> Effects:
        """Path effects (sample, layer, head), of MLPs (sample, layer); 0 where no receiver comes after the sender.

        Parameters
        ----------
        inputs, source, target : see `Sweep.run`.

        Raises
        ------
        SiteError : a receiver that is no query, key, value or MLP of the model.
        InputError : positions that do not correspond, or from which nothing reaches the receivers.
        """
        require_causal(model, self.name)
        ids = prompts(model, inputs)
        given = paired(prompts(model, source), len(ids))
        lengths = tokens.lengths_of(ids)
        position: Positions = self.position if isinstance(self.position, int) else "all"
        sender = "head_out" if self.senders == "heads" else "mlp_out"
        places = Places.of(model, sender, self.layers, "each", position, lengths)
        receivers = self._receivers(model)
        columns = self._columns(ids, given, receivers)
        read = self._read(given)
        way = fastest_way(model)
        if way == "one by one":
            raise InputError(
                f"{self.name} cannot run while other interventions or hooks are in force; leave them first"
            )
        targets = resolved(model, ids, target)
        parts = []
        with measure() as cost:
            for column in np.unique(columns):
                same = np.flatnonzero(columns == column)
                for batch in batches(ids[same], given[same]):
                    numbers = same[batch.numbers]
                    own = None if targets is None else targets[numbers]
                    paths = _Paths(self, model, batch, places, receivers, int(column), read[numbers], way)
                    parts.append((numbers, paths.measured(own)))
        found = joined(parts)
        return effects(self, model, ids, found, places, cost, source=given)

    def _receivers(self, model: LanguageModel) -> tuple[Site, ...]:
        found = tuple(Site.parse(text) for text in self.receivers)
        if not found:
            raise InputError("path patching needs at least one receiver")
        for site in found:
            if site == LOGITS and len(found) == 1:
                continue
            if site.kind not in RECEIVING or site.positions is not None:
                raise SiteError(
                    f"{site} is no receiver; name queries, keys or values such as L9.q.H6, or MLPs such as L9.mlp_out "
                    "(without positions: they receive at the sender's), or 'logits' alone"
                )
            sites.check(model, site)
        return found

    def _columns(self, ids: Array, given: Array, receivers: tuple[Site, ...]) -> Array:
        """The column of each prompt."""
        lengths, others = tokens.lengths_of(ids), tokens.lengths_of(given)
        if self.source_position is None:
            for i, position in enumerate(_for_each(self.position, len(ids))):
                aligned((position,), "z", lengths[i : i + 1], others[i : i + 1])
        columns = _columns_at(self.position, lengths)
        if receivers == (LOGITS,) and (columns != lengths - 1).any():
            raise InputError(
                "with all heads frozen only the last position reaches the logits; name the queries, keys, values or "
                "MLPs that receive at an earlier one"
            )
        return columns

    def _read(self, given: Array) -> Array:
        """The column of each source."""
        position = self.position if self.source_position is None else self.source_position
        return _columns_at(position, tokens.lengths_of(given))


def patch_paths(
    model: LanguageModel,
    inputs: Any,
    source: Any,
    *,
    receivers: str | Sequence[str | Site] = "logits",
    position: int | Sequence[int] = -1,
    source_position: int | Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    freeze_mlps: bool = False,
    target: Target = None,
    metric: Metric | None = None,
    senders: Senders = "heads",
) -> Effects:
    """The effect of each head, or of each MLP, along its direct path to the receivers; see `PathPatching`."""
    named = [receivers] if isinstance(receivers, str) else receivers
    return PathPatching(
        tuple(str(site) for site in named),
        position if isinstance(position, int) else tuple(int(p) for p in position),
        None if layers is None else tuple(int(layer) for layer in layers),
        freeze_mlps,
        metric,
        source_position
        if source_position is None or isinstance(source_position, int)
        else tuple(int(p) for p in source_position),
        senders,
    ).run(model, inputs, source, target)


def _for_each(position: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    asked = position if isinstance(position, tuple) else (position,) * count
    if len(asked) != count:
        raise InputError(f"{len(asked)} positions for {count} prompts; give one for each, or one for all")
    return asked


def _columns_at(position: int | tuple[int, ...], lengths: Array) -> Array:
    """The columns that positions mean in prompts of these lengths."""
    asked = _for_each(position, len(lengths))
    found = [
        rows.columns_of(Site("z", 0, None, (p,)), int(length))[0] for p, length in zip(asked, lengths, strict=True)
    ]
    return np.array(found, dtype=np.int64)


class _Paths:
    """The paths of all senders on prompts of equal length, at one column."""

    def __init__(
        self,
        method: PathPatching,
        model: LanguageModel,
        batch: Batch,
        places: Places,
        receivers: tuple[Site, ...],
        column: int,
        read: Array,
        way: Way,
    ) -> None:
        self.method, self.model, self.receivers, self.way = method, model, receivers, way
        self.count, self.column, self.read = len(batch.ids), column, read
        self.batch = batch
        self.read_by_mlps = model.architecture.mlp_input
        self.kind = SENDING[method.senders]
        heads: Sequence[int | None] = (places.heads or ()) if self.kind == "z" else (None,)
        self.senders = [(layer, head) for layer in places.layers for head in heads]
        self.forwards = 2.0 * self.count

    def measured(self, targets: Array | None) -> Measured:
        """The figures of all senders (sender, sample)."""
        import torch

        tokens_ = self.batch.ids.shape[1]
        # the model's own blocks run all columns, so the heads of those after the sender must be frozen there too
        frozen = (self.column,) if self.way == "fused" else tuple(range(self.column, tokens_))
        kinds = ("z", "mlp_out") if self.method.freeze_mlps or self.kind == "mlp_out" else ("z",)
        with torch.no_grad():
            base, own, sent, other = self._runs(kinds, frozen)
            readout = Readout.of(self.model, self.method.metric, targets, base.state)
            untouched_scores = readout.untouched()
            values = np.repeat(untouched_scores[None], len(self.senders), axis=0)
            first = self._first_pass(base, own, sent, frozen)
            engine = engine_for(base, self.way)
            direct = self.receivers == (LOGITS,)
            last = None if direct else max(site.layer or 0 for site in self.receivers)
            record_here = () if direct else tuple(self._input_of(site).at(self.column) for site in self.receivers)
            second: list[Row] = []
            for chunk in rows.chunks(first, self.model.head_count):
                states, seen = engine.states(chunk, record_here, None if last is None else last + 1)
                self._count(chunk, base)
                if direct:
                    self._fill(values, chunk, readout, states)
                else:
                    inputs = dict(zip(self.receivers, (seen[site] for site in record_here), strict=True))
                    second += self._second_rows(chunk, {**inputs, **self._of_mlps(chunk, inputs, base)}, base)
            for chunk in rows.chunks(second, self.model.head_count):
                self._fill(values, chunk, readout, engine.states(chunk)[0])
                self._count(chunk, base)
            source = readout.from_states(other.state, np.arange(self.count))
        return Measured(
            values, untouched_scores, source, readout.metric, readout.targets, self.way, forwards=self.forwards
        )

    def _runs(
        self, kinds: Sequence[str], frozen: tuple[int, ...]
    ) -> tuple[Runs, dict[Site, torch.Tensor], list[torch.Tensor], Runs]:
        """The prompts' runs with their own values, and what the senders had in the sources (sample, head, width)."""
        ids, sources = self.batch.ids, self.batch.sources
        assert sources is not None
        layers = range(self.model.layer_count)
        read = tuple(int(column) for column in np.unique(self.read))
        together = sources.shape == ids.shape
        wanted = tuple(dict.fromkeys((*frozen, *read))) if together else read
        sent = [Site(self.kind, layer, None, wanted) for layer in layers]
        if together:
            record = [Site(kind, layer, None, wanted) for kind in kinds for layer in layers]
            both = Batch(self.batch.numbers, np.concatenate([ids, sources]), None)
            run = untouched(self.model, both, record, self.way)[0]
            base, other = run.part(slice(self.count)), run.part(slice(self.count, None))
        else:
            record = [Site(kind, layer, None, frozen) for kind in kinds for layer in layers]
            base = untouched(self.model, Batch(self.batch.numbers, ids, None), record, self.way)[0]
            other = untouched(self.model, Batch(self.batch.numbers, sources, None), sent, self.way)[0]
        own = {
            Site(site.kind, site.layer, None, frozen): value[..., : len(frozen), :]
            for site, value in base.recorded.items()
        }
        samples, places = np.arange(self.count), [wanted.index(int(column)) for column in self.read]
        values = [other.recorded[site][samples, ..., places, :] for site in sent]
        return base, own, values, other

    def _first_pass(
        self, base: Runs, own: dict[Site, torch.Tensor], sent: list[torch.Tensor], frozen: tuple[int, ...]
    ) -> list[Row]:
        """Rows with all heads frozen, and the MLPs if they are to be, but the sender."""
        last = max((site.layer or 0 for site in self.receivers if site != LOGITS), default=base.layers - 1)
        found = []
        for sample in range(self.count):
            still = {
                (site.kind, site.layer): Write(site.kind, site.layer or 0, None, frozen, _by_position(value[sample]))
                for site, value in own.items()
            }
            for sender, (layer, head) in enumerate(self.senders):
                if not any(self._reaches(layer, site) for site in self.receivers):
                    continue
                changed = still[self.kind, layer].change.clone()
                changed[(0,) if head is None else (0, head)] = sent[layer][
                    (sample,) if head is None else (sample, head)
                ]
                later = [still["z", each] for each in range(layer + 1, last + 1)]
                if self.method.freeze_mlps:
                    after = layer if self.kind == "z" else layer + 1
                    later += [still["mlp_out", each] for each in range(after, last + 1)]
                writes = [Write(self.kind, layer, None, frozen, changed), *later]
                row = Row.of(sender * self.count + sample, sample, writes, base.tokens)
                found.append(row.only(self.column) if self.way == "fused" else row)
        return found

    def _reaches(self, layer: int, receiver: Site) -> bool:
        """Whether what a sender of this layer writes is in a receiver's input."""
        if receiver == LOGITS:
            return True
        # an MLP reads what the heads of its own layer write, unless they stand side by side
        same = self.kind == "z" and receiver.kind == "mlp_out" and self.read_by_mlps == "resid_mid"
        return layer <= (receiver.layer or 0) if same else layer < (receiver.layer or 0)

    def _input_of(self, receiver: Site) -> Site:
        """What a receiver reads: a head its query, key or value, an MLP the stream before it."""
        return Site(self.read_by_mlps, receiver.layer) if receiver.kind == "mlp_out" else receiver

    def _of_mlps(
        self, chunk: list[Row], inputs: dict[Site, dict[int, torch.Tensor]], base: Runs
    ) -> dict[Site, dict[int, torch.Tensor]]:
        """What the receiving MLPs make of the inputs that the first pass found, one block each."""
        found = {}
        engine = engine_for(base, self.way)
        for site, kept in inputs.items():
            if site.kind == "mlp_out":
                layer, output = site.layer or 0, site.at(self.column)
                given = [
                    Row.of(
                        row.number,
                        row.sample,
                        [Write(self.read_by_mlps, layer, None, (self.column,), value)],
                        base.tokens,
                    )
                    for row, value in ((row, kept[row.number][None]) for row in chunk if row.number in kept)
                ]
                given = [row.only(self.column) for row in given] if self.way == "fused" else given
                found[site] = engine.states(given, (output,), layer + 1)[1][output] if given else {}
                self.forwards += len(given) * work(given[0], base) / (base.layers - layer) if given else 0
        return found

    def _second_rows(self, chunk: list[Row], inputs: dict[Site, dict[int, torch.Tensor]], base: Runs) -> list[Row]:
        """The prompt with the receivers' inputs as the first pass found them."""
        return [
            Row.of(
                row.number,
                row.sample,
                [
                    Write(site.kind, site.layer or 0, site.head, (self.column,), kept[row.number][None])
                    for site, kept in inputs.items()
                    if self._reaches(row.layer, site)
                ],
                base.tokens,
            )
            for row in chunk
        ]

    def _fill(self, values: Array, chunk: list[Row], readout: Readout, states: torch.Tensor) -> None:
        samples = np.array([row.sample for row in chunk])
        found = readout.from_states(finished(self.model, states), samples)
        values.reshape(-1)[[row.number for row in chunk]] = found

    def _count(self, chunk: list[Row], base: Runs) -> None:
        done = sum(work(row, base) for row in chunk)
        self.forwards += done
        spend(evaluations=ceil(done))


def _by_position(value: torch.Tensor) -> torch.Tensor:
    """What one prompt has at a site, (position, width) or (head, position, width), with the position first."""
    return value.transpose(0, 1) if value.ndim == 3 else value
