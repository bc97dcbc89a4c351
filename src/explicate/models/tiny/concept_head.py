"""The head of concept transformers: logits that are an exact sum over concepts. Importing this imports torch.

Source: Hong, Park, Pavlic (2024), "Concept-Centric Transformers", arXiv 2305.15775; its baseline is Rigotti et al.
(2022), "Attention-based Interpretability with Concept Transformers". `explicate.glassbox.concept_transformer` has the
classifiers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from explicate.errors import InputError
from explicate.models.tiny.slots import EPSILON, ImplicitSlotAttention, QuerySlotAttention, SlotAttention

Memory = Literal["sa", "isa", "bo_qsa", "static"]
ORDER_RATE = 10.0  # of the order embeddings, as a multiple of the learning rate of all else
STREAMS = ("global", "spatial", "unsupervised")
MEMORIES = ("sa", "isa", "bo_qsa", "static")


@dataclass(frozen=True)
class Reading:
    """What the head says of some cases.

    Attributes
    ----------
    logits : (case, class). biases : (class,), summed over the streams.
    attention : per stream, (case, query, concept), the mean over heads; rows sum to 1.
    contributions : per stream, (case, concept, class). In evaluation mode they add up, with `biases`, to `logits`.
    """

    logits: Tensor
    biases: Tensor
    attention: dict[str, Tensor]
    contributions: dict[str, Tensor]


class _Stream(nn.Module):
    """Concepts of one stream, and the attention that hands them to its queries."""

    def __init__(
        self, concepts: int, width: int, classes: int, heads: int, memory: Memory, dropout: float, seed: int
    ) -> None:
        super().__init__()
        self.concepts, self.heads = concepts, heads
        static = memory == "static"
        kept = torch.empty(1, concepts, width)
        self.order = nn.Parameter(nn.init.trunc_normal_(kept, std=width**-0.5) if static else nn.init.zeros_(kept))
        self.slots: nn.Module | None = None
        if memory == "sa":
            self.slots = SlotAttention(concepts, width, seed=seed)
        elif memory == "isa":
            self.slots = ImplicitSlotAttention(concepts, width)
        elif memory == "bo_qsa":
            self.slots = QuerySlotAttention(concepts, width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, classes)
        self.drop_attention, self.drop_out = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(
        self, queries: Tensor, read: Tensor, rows: Tensor | None, masked: Sequence[int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits, attention, contributions, bias; attention `rows` put in place and `masked` concepts left out."""
        concepts = self.order.expand(len(queries), -1, -1)
        if self.slots is not None:
            concepts = concepts + self.slots(read)
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, queries), (self.key, concepts), (self.value, concepts))
        )
        shares = (query @ key.mT * query.shape[-1] ** -0.5).softmax(dim=-1)
        if rows is not None:
            shares = _normal(rows, (len(queries), queries.shape[1], self.concepts))[:, None].expand_as(shares)
        if masked:
            if not all(0 <= c < self.concepts for c in masked):
                raise InputError(f"masked concepts {list(masked)} must be among 0 to {self.concepts - 1}")
            left = torch.ones(self.concepts, device=shares.device)
            left[list(masked)] = 0
            shares = _normal(shares * left, tuple(shares.shape))
        used = self.drop_attention(shares)
        maps = self.out.weight.unflatten(1, (self.heads, -1))
        contributions = torch.einsum("bhc,bhcd,nhd->bcn", used.mean(dim=2), value, maps)
        mixed = (used @ value).transpose(1, 2).flatten(2)
        return self.drop_out(self.out(mixed)).mean(dim=1), shares.mean(dim=1), contributions, self.out.bias


class ConceptHead(nn.Module):
    """The head: up to three streams of concepts above a backbone's tokens.

    Parameters
    ----------
    width, classes : numbers per token, and classes.
    global_concepts, spatial_concepts, unsupervised_concepts : concepts of each stream; 0 leaves a stream out.
    memory : "sa", "isa" and "bo_qsa" find a case's concepts with slots; "static" keeps learned ones (CT).
    slot_input : "tokens", all that slots compete for, or "cls", the summary alone, where every slot gets one update.
    spatial_memory : "slots" or "static" for the spatial stream.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        *,
        global_concepts: int = 0,
        spatial_concepts: int = 0,
        unsupervised_concepts: int = 0,
        memory: Memory = "sa",
        slot_input: Literal["tokens", "cls"] = "tokens",
        spatial_memory: Literal["slots", "static"] = "slots",
        heads: int = 2,
        dropout: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if memory not in MEMORIES:
            raise InputError(f"memory must be one of {list(MEMORIES)}, not {memory!r}")
        if slot_input not in ("tokens", "cls") or spatial_memory not in ("slots", "static"):
            raise InputError(f"slot_input {slot_input!r} or spatial_memory {spatial_memory!r} is not one on offer")
        if heads < 1 or width % heads:
            raise InputError(f"width {width} must be divisible by heads {heads}")
        counts = dict(zip(STREAMS, (global_concepts, spatial_concepts, unsupervised_concepts), strict=True))
        if min(counts.values()) < 0 or not any(counts.values()):
            raise InputError(f"at least one stream needs concepts, and none fewer than 0: {counts}")
        self.slot_input = slot_input
        self.streams = nn.ModuleDict()
        for stream, count in counts.items():
            kept: Memory = "static" if stream == "spatial" and spatial_memory == "static" else memory
            if count:
                self.streams[stream] = _Stream(count, width, classes, heads, kept, dropout, seed)

    def rates(self) -> dict[nn.Parameter, float]:
        """By how much order embeddings learn faster: they begin at zero and must outgrow the noise of the slots."""
        streams: list[Any] = list(self.streams.values())
        return {stream.order: ORDER_RATE for stream in streams if stream.slots is not None}

    def forward(
        self,
        tokens: Tensor,
        summary: Tensor | None = None,
        *,
        attention: Mapping[str, Tensor] | None = None,
        masked: Mapping[str, Sequence[int]] | None = None,
    ) -> Reading:
        """Read (case, token, width) tokens and a (case, 1, width) summary, their mean where none is given.

        `attention` puts rows (renormalised) in the place of a stream's, for every head; `masked` leaves concepts out.
        """
        attention, masked = attention or {}, masked or {}
        for stream in (*attention, *masked):
            if stream not in self.streams:
                raise InputError(f"no stream {stream!r}; this model has {list(self.streams)}")
        whole = tokens.mean(dim=1, keepdim=True) if summary is None else summary
        read = tokens if self.slot_input == "tokens" else whole
        parts = {
            name: stream(tokens if name == "spatial" else whole, read, attention.get(name), masked.get(name, ()))
            for name, stream in self.streams.items()
        }
        return Reading(
            logits=torch.stack([part[0] for part in parts.values()]).sum(dim=0),
            biases=torch.stack([part[3] for part in parts.values()]).sum(dim=0),
            attention={name: part[1] for name, part in parts.items()},
            contributions={name: part[2] for name, part in parts.items()},
        )


def explanation_loss(attention: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """Concepts times the mean square between attention and targets brought to sum 1, added over `targets`' streams.

    A row with a NaN, or that sums to 0, is unknown and left out; with all unknown the loss is 0.
    """
    total = torch.stack([rows.sum() for rows in attention.values()]).sum() * 0
    for stream, target in targets.items():
        if stream not in attention:
            raise InputError(f"targets for stream {stream!r}, but attention has {list(attention)}")
        rows = attention[stream]
        goal = target[:, None] if stream != "spatial" and target.ndim == 2 else target
        if goal.shape != rows.shape:
            raise InputError(f"{stream} targets have shape {tuple(goal.shape)}, attention {tuple(rows.shape)}")
        if (goal < 0).any():
            raise InputError(f"{stream} targets must not be negative")
        sums = goal.sum(dim=-1)
        known = sums > 0  # NaN is not
        if known.any():
            wanted = goal[known] / sums[known][:, None]
            total = total + rows.shape[-1] * nn.functional.mse_loss(rows[known], wanted.to(rows.dtype))
    return total


def sparsity_loss(attention: Mapping[str, Tensor]) -> Tensor:
    """The mean of `-p log p` over the global attention, plus the same over the spatial one."""
    kept = [-(p * (p + EPSILON).log()).mean() for name, p in attention.items() if name != "unsupervised"]
    return torch.stack(kept).sum() if kept else torch.zeros(())


def _normal(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    if tuple(rows.shape) != shape:
        raise InputError(f"attention rows have shape {tuple(rows.shape)}, not {shape}")
    sums = rows.sum(dim=-1, keepdim=True)
    if not rows.isfinite().all() or (rows < 0).any() or (sums <= 0).any():
        raise InputError("attention rows must be finite, without negative entries, and not all zero")
    return rows / sums
