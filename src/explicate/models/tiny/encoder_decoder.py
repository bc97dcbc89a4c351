"""Blocks of small encoders and decoders in which one memory serves many queries; importing this imports torch.

A rule is read once for all the structures that are judged by it, and a table once for all beams that explain it. The
blocks are pre-norm Transformer blocks (Vaswani et al. 2017; norms before each part, as in Xiong et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

Keys = tuple[torch.Tensor, torch.Tensor]
"""Keys and values, each (row, head, token, width of a head)."""
Visitor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Is shown the pattern (row, head, query, key) and the heads' outputs (row, head, query, width); gives the outputs."""


class Attention(nn.Module):
    """Attention with several heads, whose keys can be kept.

    `visit` is None, or sees and changes what the heads do; the attention then goes step by step.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.visit: Visitor | None = None
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def keys(self, memory: torch.Tensor) -> Keys:
        """Keys and values of a memory (row, token, width)."""
        key, value = self.key_value(memory).chunk(2, dim=-1)
        return self._split(key), self._split(value)

    def forward(
        self, queries: torch.Tensor, keys: Keys, there: torch.Tensor | None = None, causal: bool = False
    ) -> torch.Tensor:
        """(row, query, width): what each query reads; `there` (row, token) says which tokens of the memory exist."""
        mask = None if there is None else there[:, None, None, :]
        noise = self.dropout if self.training else 0.0
        asked = self._split(self.query(queries))
        if self.visit is None:
            found = F.scaled_dot_product_attention(asked, *keys, mask, noise, causal)
        else:
            found = self._visited(asked, keys, mask, causal, self.visit)
        mixed: torch.Tensor = self.out(found.transpose(1, 2).flatten(2))
        return mixed

    @staticmethod
    def _visited(
        asked: torch.Tensor, keys: Keys, mask: torch.Tensor | None, causal: bool, visit: Visitor
    ) -> torch.Tensor:
        scores = asked @ keys[0].transpose(2, 3) * asked.shape[-1] ** -0.5
        if causal:
            mask = torch.ones(scores.shape[2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        pattern = scores.softmax(dim=-1)
        return visit(pattern, pattern @ keys[1])

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two maps with a rectifier between."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.into, self.out, self.dropout = nn.Linear(width, inner), nn.Linear(inner, width), nn.Dropout(dropout)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., width)."""
        found: torch.Tensor = self.out(self.dropout(F.relu(self.into(states))))
        return found


class EncoderBlock(nn.Module):
    """Tokens read each other."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.own, self.mlp = Attention(width, heads, dropout), FeedForward(width, inner, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, there: torch.Tensor | None = None) -> torch.Tensor:
        """(row, token, width); `there` (row, token)."""
        normed = self.norms[0](states)
        states = states + self.dropout(self.own(normed, self.own.keys(normed), there))
        found: torch.Tensor = states + self.dropout(self.mlp(self.norms[1](states)))
        return found


class DecoderBlock(nn.Module):
    """The tokens of each member of a group read each other, and the memory that the group shares."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.other = Attention(width, heads, dropout), Attention(width, heads, dropout)
        self.mlp, self.dropout = FeedForward(width, inner, dropout), nn.Dropout(dropout)

    def keys(self, memory: torch.Tensor) -> Keys:
        """Keys of a memory (group, token, width), as `forward` takes them."""
        return self.other.keys(memory)

    def forward(
        self,
        states: torch.Tensor,
        memory: Keys,
        there: torch.Tensor | None = None,
        causal: bool = False,
        before: Keys | None = None,
        read: int | None = None,
    ) -> tuple[torch.Tensor, Keys]:
        """New states (group, member, token, width), and the keys that the members' tokens have now.

        Parameters
        ----------
        memory : its keys, a row for each group. there : (group, memory token).
        causal : each token reads those before it and itself.
        before : keys of the members' earlier tokens, a row for each member of each group.
        read : only the first so many tokens are followed further; the others are read once more, by them.
        """
        groups, members, tokens, width = states.shape
        normed = self.norms[0](states).reshape(groups * members, tokens, width)
        keys = self.own.keys(normed)
        if before is not None:
            keys = (torch.cat([before[0], keys[0]], dim=2), torch.cat([before[1], keys[1]], dim=2))
        if read is not None:
            states, normed, tokens = states[:, :, :read], normed[:, :read], read
        states = states + self.dropout(self.own(normed, keys, causal=causal)).reshape(states.shape)
        asked = self.norms[1](states).reshape(groups, members * tokens, width)
        states = states + self.dropout(self.other(asked, memory, there)).reshape(states.shape)
        return states + self.dropout(self.mlp(self.norms[2](states))), keys


def sinusoids(tokens: int, width: int) -> torch.Tensor:
    """Fixed positions (token, width): sines and cosines of wavelengths from 2 pi to 20,000 pi."""
    places = torch.arange(tokens, dtype=torch.float32)[:, None]
    rates = 10_000 ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    return torch.stack([torch.sin(places * rates), torch.cos(places * rates)], dim=-1).flatten(1)
