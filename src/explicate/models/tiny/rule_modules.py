"""The networks of Explanatory Learning: one judges structures by a rule, one finds rules for a table.

They see words and symbols only as numbers; nothing tells them what a word means. Importing this imports torch.

Source: Norelli et al. (2022), arXiv 2201.10222, sections 3 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from explicate.models.tiny.encoder_decoder import DecoderBlock, EncoderBlock, Keys, sinusoids

TAGS = 3
"""False, true, and not given."""


class WordReader(nn.Module):
    """Tokens as vectors: learned, times the square root of the width, plus sinusoidal positions."""

    def __init__(self, tokens: int, width: int, longest: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.register_buffer("positions", sinusoids(longest, width), persistent=False)

    def forward(self, ids: torch.Tensor, start: int = 0) -> torch.Tensor:
        """(..., token, width) of ids (..., token), the first of which stands at position `start`."""
        scale = math.sqrt(self.embedding.embedding_dim)
        positions: torch.Tensor = self.positions  # type: ignore[assignment]
        found: torch.Tensor = self.embedding(ids) * scale + positions[start : start + ids.shape[-1]]
        return found


class PieceReader(nn.Module):
    """A structure as a sequence: a learned vector for the answer, then its pieces, each the sum of what it has."""

    def __init__(self, features: torch.Tensor, cells: int, width: int) -> None:
        super().__init__()
        self.register_buffer("features", features, persistent=False)
        self.register_buffer("positions", sinusoids(cells + 1, width), persistent=False)
        self.map = nn.Linear(features.shape[1], width)
        self.answer = nn.Parameter(torch.randn(width) / math.sqrt(width))

    def forward(self, structures: torch.Tensor) -> torch.Tensor:
        """(..., 1 + cell, width) of symbol codes (..., cell)."""
        pieces = self.map(self.features[structures])  # type: ignore[index]
        answer = self.answer.expand(*structures.shape[:-1], 1, -1)
        positions: torch.Tensor = self.positions  # type: ignore[assignment]
        return torch.cat([answer, pieces], dim=-2) * math.sqrt(self.answer.shape[0]) + positions


class Judge(nn.Module):
    """Decoder of structures: from a memory and structures to the logits of false and true."""

    def __init__(
        self, features: torch.Tensor, cells: int, width: int, heads: int, inner: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.pieces = PieceReader(features, cells, width)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads, inner, dropout) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 2)

    def forward(self, memory: torch.Tensor, structures: torch.Tensor, there: torch.Tensor | None) -> torch.Tensor:
        """Logits (group, structure, 2) of structures (group, structure, cell), given memories (group, token, width)."""
        states = self.pieces(structures)
        block: Any
        for place, block in enumerate(self.blocks):
            last = place == len(self.blocks) - 1  # the answer alone is asked for
            states, _ = block(states, block.keys(memory), there, read=1 if last else None)
        found: torch.Tensor = self.out(self.norm(states[:, :, 0]))
        return found


class InterpreterModule(nn.Module):
    """Rule and structures in, logits of false and true out."""

    def __init__(
        self,
        tokens: int,
        features: torch.Tensor,
        cells: int,
        longest: int,
        width: int,
        heads: int,
        inner: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = WordReader(tokens, width, longest)
        self.encoder = nn.ModuleList(EncoderBlock(width, heads, inner, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.judge = Judge(features, cells, width, heads, inner, layers, dropout)

    def forward(self, rules: torch.Tensor, structures: torch.Tensor) -> torch.Tensor:
        """Logits (rule, structure, 2) of rules (rule, token), padded with 0, on structures (rule, structure, cell)."""
        there = rules > 0
        states = self.words(rules)
        for block in self.encoder:
            states = block(states, there)
        found: torch.Tensor = self.judge(self.norm(states), structures, there)
        return found


class ConjectureModule(nn.Module):
    """A table of tagged structures in; rules, and tags of other structures, out.

    Parameters
    ----------
    tags, rules : whether it has the decoder of tags, and that of rules.
    """

    def __init__(
        self,
        tokens: int,
        features: torch.Tensor,
        cells: int,
        longest: int,
        width: int,
        heads: int,
        inner: int,
        layers: int,
        dropout: float,
        tags: bool = True,
        rules: bool = True,
    ) -> None:
        super().__init__()
        self.register_buffer("features", features, persistent=False)
        self.structure = nn.Linear(cells * features.shape[1], width)  # a map for each position, summed
        self.tag = nn.Embedding(TAGS, width)
        self.begin = nn.Parameter(torch.randn(width) * 0.5)  # always there, so that a table can be empty
        self.encoder = nn.ModuleList(EncoderBlock(width, heads, inner, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.judge = Judge(features, cells, width, heads, inner, layers, dropout) if tags else None
        self.words = WordReader(tokens, width, longest) if rules else None
        shape = (width, heads, inner, dropout)
        self.decoder = nn.ModuleList(DecoderBlock(*shape) for _ in range(layers if rules else 0))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, tokens)) if rules else None

    def read(self, structures: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
        """The memory (table, 1 + observation, width) of structures (table, observation, cell) and their tags."""
        found = self.structure(self.features[structures].flatten(2)) + self.tag(tags)  # type: ignore[index]
        states = torch.cat([self.begin.expand(len(found), 1, -1), found], dim=1)
        for block in self.encoder:
            states = block(states)
        memory: torch.Tensor = self.norm(states)
        return memory

    def next_words(self, memory: torch.Tensor, rules: torch.Tensor) -> torch.Tensor:
        """Logits (table, token, word) of the token after each of the rules (table, token)."""
        assert self.words is not None
        assert self.out is not None
        states = self.words(rules)[:, None]
        block: Any
        for block in self.decoder:
            states, _ = block(states, block.keys(memory), causal=True)
        found: torch.Tensor = self.out(states[:, 0])
        return found

    def step(
        self, words: torch.Tensor, place: int, memories: Sequence[Keys], before: Sequence[Keys | None]
    ) -> tuple[torch.Tensor, list[Keys]]:
        """Logits (table, beam, word) after one more word (table, beam), and the keys of all words so far."""
        assert self.words is not None
        assert self.out is not None
        states = self.words(words[..., None], place)
        kept = []
        block: Any
        for block, memory, old in zip(self.decoder, memories, before, strict=True):
            states, keys = block(states, memory, before=old)
            kept.append(keys)
        return self.out(states[:, :, 0]), kept
