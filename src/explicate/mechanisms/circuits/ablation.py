"""Prompts with every head at its mean but for a circuit's: what the circuit alone can do.

A circuit is kept at its positions only; there all other heads get their mean at the token's index, and at all other
positions all heads do. MLPs run. So what other positions hold is the same whatever the circuit: it is computed once,
and a circuit costs its own positions alone. Source: Prakash et al. (2024), "Fine-Tuning Enhances Existing Mechanisms: A
Case Study on Entity Tracking", section 4.1; mean ablation as in Wang et al. (2023), "Interpretability in the Wild",
section 2.1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.cost import spend
from explicate.core.interventions import Intervention, Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms import fused, runs
from explicate.mechanisms.circuits.groups import Places, Slot, check_places
from explicate.mechanisms.fused import Block, product, rotated
from explicate.mechanisms.places import means
from explicate.mechanisms.restart import batches, finished, require_causal
from explicate.mechanisms.runs import Runs
from explicate.models.language import LanguageModel, tokens

if TYPE_CHECKING:
    import torch

COLUMNS_AT_ONCE = 8192  # positions of all prompts and circuits that run together


@dataclass(frozen=True, eq=False)
class MeanAblation:
    """The mean output of every head at every token index of some reference prompts.

    Attributes
    ----------
    values : for each layer (head, token, width).
    """

    values: tuple[torch.Tensor, ...]

    @classmethod
    def of(cls, model: LanguageModel, reference: Array) -> MeanAblation:
        """Take the means; prompts of different lengths are refused, since their token indices mean different things."""
        require_causal(model, "mean ablation")
        wanted = [Site("z", layer) for layer in range(model.layer_count)]
        found = means(model, reference, wanted, per_position=True)
        return cls(tuple(found[site][0] for site in wanted))

    @property
    def tokens(self) -> int:
        """Length of the prompts that the means are for."""
        return int(self.values[0].shape[1])

    def check(self, ids: Array) -> None:
        """Refuse prompts of another length than that of the reference prompts."""
        lengths = tokens.lengths_of(ids)
        if (lengths != self.tokens).any():
            raise InputError(
                f"the means are for prompts of {self.tokens} tokens, but some here have {lengths.min()} to "
                f"{lengths.max()}; means for each token index need prompts of the same length"
            )


class KeptHeads:
    """What a model says when only some heads at some positions are left to themselves.

    Parameters
    ----------
    model : a causal language model.
    ids : encoded prompts (prompt, token), all of the length that the means are for.
    places : the columns of the named positions, (prompt,) each; they must differ within a prompt.
    ablation : what all other heads write.
    """

    def __init__(self, model: LanguageModel, ids: Array, places: Places, ablation: MeanAblation) -> None:
        require_causal(model, "keeping a circuit")
        ablation.check(ids)
        check_places(places, tokens.lengths_of(ids))
        self.model, self.ids, self.ablation = model, ids, ablation
        self.names = list(places)
        self.columns = np.stack([np.asarray(places[name]) for name in self.names], axis=1)
        if any(len(set(row)) < len(row) for row in self.columns.tolist()):
            raise InputError("two named positions are the same token of a prompt; name each token once")
        self._parts: list[_Columns] | None = None

    def answers(self, circuits: Sequence[Collection[Slot]]) -> Array:
        """The likeliest next token (circuit, prompt) with only each circuit's heads kept."""
        import torch

        known = set(self.names)
        for circuit in circuits:
            strange = sorted({position for _, _, position in circuit} - known)
            if strange:
                raise InputError(f"the position {strange[0]!r} is none of {', '.join(self.names)}")
        if not fused.fits(self.model):
            return np.stack([self._one_by_one(circuit) for circuit in circuits])
        with torch.no_grad():
            if self._parts is None:
                self._parts = self._untouched()
            return np.concatenate([part.answers(circuits, self.names) for part in self._parts], axis=1)

    def accuracy(self, circuits: Sequence[Collection[Slot]], answers: Array) -> Array:
        """The share of prompts with the right likeliest token, for each circuit."""
        found: Array = (self.answers(circuits) == np.asarray(answers)[None]).mean(axis=1)
        return found

    def _untouched(self) -> list[_Columns]:
        """All prompts with every head at its mean, as runs to restart from."""
        with self.model.intervene(*(Patch(Site("z", i), value[None]) for i, value in enumerate(self.ablation.values))):
            base = [(batch.numbers, runs.run(self.model, batch.ids)) for batch in batches(self.ids)]
        return [_Columns(run, self.columns[numbers], self.ablation) for numbers, run in base]

    def _one_by_one(self, circuit: Collection[Slot]) -> Array:
        import torch

        layers, heads, length = self.model.layer_count, self.model.head_count, self.ids.shape[1]
        kept = np.zeros((layers, len(self.ids), heads, length), dtype=bool)
        rows = np.arange(len(self.ids))
        for layer, head, position in circuit:
            kept[layer, rows, head, self.columns[:, self.names.index(position)]] = True
        held = [_Held(Site("z", i), value, torch.as_tensor(kept[i])) for i, value in enumerate(self.ablation.values)]
        with self.model.intervene(*held):
            return np.asarray(self.model.predict(self.ids).argmax(axis=1))


@dataclass(frozen=True, eq=False)
class _Held(Intervention):
    """Set all heads of a layer to their means, except where they are kept (prompt, head, token)."""

    values: Any = None
    kept: Any = None

    def apply(self, activation: Any) -> Any:
        return activation.where(self.kept[..., None].to(activation.device), self.values.to(activation))


class _Columns:
    """Some columns of prompts, run again through Llama-shaped blocks with some heads kept; all else as it was."""

    def __init__(self, base: Runs, columns: Array, ablation: MeanAblation) -> None:
        import torch

        self.base, self.model = base, base.model
        self.columns = torch.as_tensor(columns, device=base.state.device)
        self.means = [value[:, self.columns].permute(1, 2, 0, 3) for value in ablation.values]
        self.blocks = [Block(self.model, layer) for layer in range(base.layers)]
        every = torch.arange(base.tokens, device=self.columns.device)
        inside = (self.columns[:, :, None] == every).any(dim=1)
        self.behind = [self._seen(every[None].expand(len(columns), -1), b) & ~inside[:, None] for b in self.blocks]
        self.beside = [self._seen(self.columns, b) for b in self.blocks]
        self.ends = (self.columns == base.tokens - 1).nonzero()[:, 1]
        if len(self.ends) != len(columns):
            raise InputError("one of the named positions must be the last token, since it is there that answers come")

    def _seen(self, keys: torch.Tensor, block: Block) -> torch.Tensor:
        """Which of the columns `keys` (prompt, key) each of the columns sees, (prompt, column, key)."""
        back = self.columns[:, :, None] - keys[:, None]
        return (back >= 0) if block.window is None else (back >= 0) & (back < block.window)

    def answers(self, circuits: Sequence[Collection[Slot]], names: Sequence[str]) -> Array:
        size = max(1, COLUMNS_AT_ONCE // self.columns.numel())
        parts = [self._answers(circuits[i : i + size], names) for i in range(0, len(circuits), size)]
        return np.concatenate(parts)

    def _answers(self, circuits: Sequence[Collection[Slot]], names: Sequence[str]) -> Array:
        import torch

        prompts, wide = self.columns.shape
        shape = (self.base.layers, len(circuits), wide, self.model.head_count)
        kept = torch.zeros(shape, dtype=torch.bool, device=self.columns.device)
        for number, circuit in enumerate(circuits):
            for layer, head, position in circuit:
                kept[layer, number, names.index(position), head] = True
        rows = torch.arange(prompts, device=self.columns.device)
        start = self.base.stream[0][rows[:, None], self.columns]
        stream = start.expand(len(circuits), *start.shape)
        for layer in range(self.base.layers):
            stream = self._block(layer, stream, kept[layer])
        states = finished(self.model, stream[:, rows, self.ends])
        spend(evaluations=-(-len(circuits) * prompts * wide // self.base.tokens))
        logits = self.model.module.get_output_embeddings()(states)
        return np.asarray(logits.argmax(-1).cpu().numpy())

    def _block(self, layer: int, stream: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """One layer, (circuit, prompt, column, width); `kept` is (circuit, column, head)."""
        block, attention, mlp = self.blocks[layer], self.blocks[layer].attention, self.blocks[layer].mlp
        z = self._attention(layer, block.norm_attention(stream))
        z = z.where(kept[:, None, ..., None], self.means[layer])
        out = attention.o_proj(z.flatten(-2))
        stream = stream + (out if block.after_attention is None else block.after_attention(out))
        normal = block.norm_mlp(stream)
        out = mlp.down_proj(product(mlp.act_fn(mlp.gate_proj(normal)), mlp.up_proj(normal)))
        return stream + (out if block.after_mlp is None else block.after_mlp(out))

    def _attention(self, layer: int, normal: torch.Tensor) -> torch.Tensor:
        """Heads' outputs (circuit, prompt, column, head, head width)."""
        import torch

        block, attention = self.blocks[layer], self.blocks[layer].attention
        q, k, v = (
            project(normal).unflatten(-1, (-1, block.width))
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if block.query_norm is not None:
            q, k = block.query_norm(q), block.key_norm(k)
        cosine, sine = (x[0][self.columns][..., None, :] for x in self._rotation(layer))
        q, k = rotated(q, cosine, sine) * block.scaling, rotated(k, cosine, sine)
        shared = k.shape[-2]
        q = q.unflatten(-2, (shared, -1))  # circuit, prompt, column, key/value head, group, width
        behind = torch.einsum("cpqsgw,pskw->cpsgqk", q, self.base.keys[layer])
        beside = torch.einsum("cpqsgw,cpksw->cpsgqk", q, k)
        if block.softcap is not None:
            behind, beside = ((x / block.softcap).tanh() * block.softcap for x in (behind, beside))
        hidden = float("-inf")
        behind = behind.masked_fill(~self.behind[layer][:, None, None], hidden)
        beside = beside.masked_fill(~self.beside[layer][:, None, None], hidden)
        pattern = torch.cat([behind, beside], dim=-1).softmax(dim=-1)
        before, now = pattern.split([behind.shape[-1], beside.shape[-1]], dim=-1)
        found = torch.einsum("cpsgqk,pskw->cpqsgw", before, self.base.values[layer])
        return (found + torch.einsum("cpsgqk,cpksw->cpqsgw", now, v)).flatten(-3, -2)

    def _rotation(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        found: tuple[torch.Tensor, torch.Tensor] = self.base.arguments[layer]["position_embeddings"]
        return found
