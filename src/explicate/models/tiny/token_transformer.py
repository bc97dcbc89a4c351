"""A small transformer over tokens, of pictures cut into patches or of states; importing this imports torch.

Source of the picture's patches: Dosovitskiy et al. (2021), "An Image is Worth 16x16 Words", arXiv 2010.11929.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from explicate.errors import InputError


class Block(nn.Module):
    """Attention and a perceptron, each on what a norm leaves and added to the stream."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read, self.write = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, stream: Tensor) -> Tensor:
        """(case, token, width) from the same."""
        parts = self.read(self.norm_attention(stream)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*parts)
        stream = stream + self.drop(self.write(mixed.transpose(1, 2).flatten(2)))
        return stream + self.drop(self.mlp(self.norm_mlp(stream)))


class TokenTransformer(nn.Module):
    """Tokens with learned places and a summary token, through some blocks and a final norm; no classifier.

    Parameters
    ----------
    features : numbers of a token as it comes. tokens : of a case. width, heads : of the stream, and of attention.
    layers : blocks; with none, tokens are embedded and normed alone and the summary is their mean.
    hidden : of the perceptron, as a multiple of the width.
    """

    def __init__(
        self,
        features: int,
        tokens: int,
        *,
        width: int = 64,
        layers: int = 2,
        heads: int = 2,
        hidden: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise InputError(f"width {width} must be divisible by heads {heads}")
        self.width = width
        self.embed = nn.Linear(features, width)
        self.place = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, tokens, width), std=0.02))
        self.summary = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))
        self.blocks = nn.ModuleList(Block(width, heads, hidden * width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, cases: Tensor) -> tuple[Tensor, Tensor]:
        """(case, token, width) tokens and the (case, 1, width) summary of (case, token, feature) cases."""
        stream = self.embed(cases) + self.place
        if not self.blocks:
            stream = self.norm(stream)
            return stream, stream.mean(dim=1, keepdim=True)
        stream = torch.cat([self.summary.expand(len(stream), -1, -1), stream], dim=1)
        for block in self.blocks:
            stream = block(stream)
        stream = self.norm(stream)
        return stream[:, 1:], stream[:, :1]


class SummaryHead(nn.Module):
    """The plain classifier: one linear map of the summary."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, classes)

    def forward(self, tokens: Tensor, summary: Tensor) -> Tensor:
        """(case, class) logits."""
        logits: Tensor = self.out(summary[:, 0])
        return logits
