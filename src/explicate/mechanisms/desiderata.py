"""Desiderata-based component masking: which heads of a group carry one thing, learned as a mask.

A desideratum is a set of pairs of prompts that differ in one thing (a position, an object, a label), each with the
answer that the model should give if what carries that thing came from the other prompt. One number a head says how much
of its output stays its own; the answer's logit, less a price for each head that is taken from the other prompt, is
raised by gradient. Source: Davies et al. (2023), "Discovering Variable Binding Circuitry with Desiderata"; Prakash et
al. (2024), "Fine-Tuning Enhances Existing Mechanisms: A Case Study on Entity Tracking", section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure, spend
from explicate.core.interventions import Intervention
from explicate.core.kinds import Circuit
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.circuits.groups import Head
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.head_patching import HeadPatch, head_outputs, patched_answers
from explicate.mechanisms.restart import Batch, Way, engine_for, fastest_way, finished, require_causal, untouched
from explicate.mechanisms.results import provenance
from explicate.mechanisms.rows import Row, Write
from explicate.models.language import LanguageModel, sites, tokens
from explicate.models.language.text_model import constant_weights
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class MaskedPairs:
    """Pairs of prompts and the answers that a desideratum asks for.

    Attributes
    ----------
    ids, source : encoded (pair, token), each of one length.
    columns, source_columns : (pair,), where heads are patched, and read in the sources.
    targets : (pair,), the tokens that should become the answers.
    """

    ids: Array
    source: Array
    columns: Array
    source_columns: Array
    targets: Array

    def __post_init__(self) -> None:
        sizes = {len(x) for x in (self.ids, self.source, self.columns, self.source_columns, self.targets)}
        if len(sizes) != 1 or sizes == {0}:
            raise InputError("pairs need equally many prompts, sources, columns and targets, and at least one")
        for ids in (self.ids, self.source):
            if len(np.unique(tokens.lengths_of(ids))) > 1:
                raise InputError("the prompts of some pairs have different numbers of tokens; give equal lengths")

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Any) -> MaskedPairs:
        """Some of the pairs."""
        return MaskedPairs(
            self.ids[rows], self.source[rows], self.columns[rows], self.source_columns[rows], self.targets[rows]
        )


@dataclass(frozen=True, eq=False)
class Blend(Intervention):
    """Mix an activation with a value: share * own + (1 - share) * value.

    Parameters
    ----------
    share : of its own; a number, or an array that broadcasts to the activation.
    """

    value: Any = 0.0
    share: Any = 1.0

    def apply(self, activation: Any) -> Any:
        return self.share * activation + (1 - self.share) * self.value


@dataclass(frozen=True)
class DesiderataMask(Parameterised):
    """Learn which heads to take from the other prompt.

    Parameters
    ----------
    penalty : the price of each head that is taken, in logits. learning_rate, batch, epochs : of Adam.
    """

    name: ClassVar[str] = "desiderata-mask"

    penalty: float = 0.01
    learning_rate: float = 0.1
    batch: int = 32
    epochs: int = 2

    def fit(
        self,
        model: LanguageModel,
        heads: Sequence[Head],
        training: MaskedPairs,
        validation: MaskedPairs,
        seed: int = 0,
    ) -> Circuit:
        """Train a mask, rounded and checked on the validation pairs after every epoch; the best one is kept.

        Parameters
        ----------
        heads : the group, (layer, head).
        seed : of the order of the pairs.

        Returns
        -------
        Circuit : `effect` (site,), the share of each head that the trained mask takes from the other prompt, before
            rounding; `chosen` (site,), whether the kept mask takes it; `loss` (step,); `validation` (epoch,), the share
            of pairs with the wanted answer. Of masks that do equally well the one with more heads is kept.
        """
        import torch

        require_causal(model, self.name)
        if not heads:
            raise InputError("the group has no heads to choose from")
        if self.batch < 1 or self.epochs < 1:
            raise InputError("batch and epochs must be at least 1")
        for layer, head in heads:
            sites.check(model, Site("head_out", layer, head))
        way = fastest_way(model)
        if way == "one by one":
            raise InputError(
                f"{self.name} cannot run while other interventions or hooks are in force; leave them first"
            )
        rng = generator(seed, "order")
        with measure() as cost, constant_weights(model.module):
            blended = _Blended(model, heads, training, way)
            mask = torch.ones(len(heads), device=model.device, requires_grad=True)
            optimiser = torch.optim.Adam([mask], lr=self.learning_rate)
            losses: list[float] = []
            shares: list[Floats] = []
            for _ in range(self.epochs):
                for rows in self._batches(len(training), rng):
                    with torch.no_grad():
                        mask.clamp_(0, 1)
                    with torch.enable_grad():
                        logits = blended.logits(mask, rows)
                        loss = -logits.mean() + self.penalty * (1 - mask).sum()
                        optimiser.zero_grad()
                        loss.backward()
                    optimiser.step()
                    losses.append(float(loss.detach()))
                    spend(gradients=len(rows))
                shares.append(1 - mask.detach().clamp(0, 1).double().cpu().numpy())
            taken = [share > 0.5 for share in shares]
            outputs = head_outputs(model, validation.source, validation.source_columns)
            found = [_accuracy(model, _picked(heads, one), validation, outputs) for one in taken]
        best = max(range(len(taken)), key=lambda i: (found[i], taken[i].sum()))
        names = [str(Site("head_out", layer, head)) for layer, head in heads]
        data = xr.Dataset(
            {
                "effect": (("site",), shares[best]),
                "chosen": (("site",), taken[best]),
                "loss": (("step",), np.array(losses)),
                "validation": (("epoch",), np.array(found)),
            },
            coords={"site": names},
        )
        return Circuit(data, provenance(self, model, training.ids, cost, seed, training.source))

    def _batches(self, count: int, rng: np.random.Generator) -> Iterator[Array]:
        order = rng.permutation(count)
        for start in range(0, count, self.batch):
            yield order[start : start + self.batch]


def chosen_heads(mask: Circuit) -> tuple[Head, ...]:
    """The heads that a mask takes from the other prompt."""
    return tuple(
        (site.layer or 0, site.head or 0)
        for site, taken in zip(mask.sites, mask["chosen"].values, strict=True)
        if taken
    )


def patching_accuracy(model: LanguageModel, heads: Sequence[Head], pairs: MaskedPairs) -> float:
    """The share of pairs whose likeliest token is the wanted answer once these heads come from the other prompt."""
    return _accuracy(model, heads, pairs, head_outputs(model, pairs.source, pairs.source_columns))


def _accuracy(model: LanguageModel, heads: Sequence[Head], pairs: MaskedPairs, outputs: torch.Tensor) -> float:
    patches = [HeadPatch(layer, head, pairs.columns, outputs[:, layer, head]) for layer, head in heads]
    return float((patched_answers(model, pairs.ids, [patches])[0] == pairs.targets).mean())


def _picked(heads: Sequence[Head], taken: Array) -> list[Head]:
    return [head for head, one in zip(heads, taken, strict=True) if one]


class _Blended:
    """Training pairs with the group's heads mixed from both prompts."""

    def __init__(self, model: LanguageModel, heads: Sequence[Head], pairs: MaskedPairs, way: Way) -> None:
        self.model, self.heads, self.pairs, self.way = model, heads, pairs, way
        self.layers = sorted({layer for layer, _ in heads})
        self.outputs = head_outputs(model, pairs.source, pairs.source_columns)

    def logits(self, mask: torch.Tensor, pairs: Array) -> torch.Tensor:
        """The targets' logits (pair,)."""
        import torch

        with torch.no_grad():
            base = untouched(self.model, Batch(pairs, self.pairs.ids[pairs], None), [], self.way)[0]
        shares = {layer: self._shares(mask, layer) for layer in self.layers}
        rows = [
            Row.of(i, i, [self._write(layer, shares[layer], int(pair)) for layer in self.layers], base.tokens)
            for i, pair in enumerate(pairs)
        ]
        states = finished(self.model, engine_for(base, self.way).states(rows)[0])
        readout = Readout(self.model, "logit", self.pairs.targets[pairs], base.state)
        return readout.values(states, torch.arange(len(pairs), device=states.device))

    def _shares(self, mask: torch.Tensor, layer: int) -> torch.Tensor:
        """How much of each head of a layer stays its own, (1, head, 1, 1)."""
        import torch

        numbers = [i for i, (own, _) in enumerate(self.heads) if own == layer]
        heads = torch.tensor([self.heads[i][1] for i in numbers], device=mask.device)
        whole = torch.ones(self.model.head_count, device=mask.device, dtype=mask.dtype)
        return whole.index_put((heads,), mask[numbers])[None, :, None, None]

    def _write(self, layer: int, share: torch.Tensor, pair: int) -> Write:
        value = self.outputs[pair, layer][None, :, None]
        return Write("z", layer, None, (int(self.pairs.columns[pair]),), Blend(Site("z", layer), value, share))
