"""A standard Transformer that tags sequences: pre-norm encoder, learned positions. What constrained models are held
against."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def encoder_tagger(
    tokens: int, tags: int, context: int, *, layers: int = 1, heads: int = 4, width: int = 64, causal: bool = False
) -> torch.nn.Module:
    """An untrained module: token codes (sample, position), -1 for none, to logits (sample, position, tag).

    Parameters
    ----------
    tokens, tags, context : numbers of tokens and tags, longest sequence. layers, heads, width : of the encoder.
    causal : positions see themselves and what is left of them.
    """
    import torch

    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(tokens + 1, width)
            self.places = torch.nn.Embedding(context, width)
            block = torch.nn.TransformerEncoderLayer(
                width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            self.encoder = torch.nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
            self.unembed = torch.nn.Linear(width, tags)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            codes = codes.long()
            states = self.words(codes + 1) + self.places.weight[: codes.shape[1]]
            ahead = torch.ones(codes.shape[1], codes.shape[1]).triu(1).bool() if causal else None
            logits: torch.Tensor = self.unembed(self.encoder(states, ahead, codes < 0))
            return logits

        def extra_repr(self) -> str:
            return f"causal={causal}"

    return Tagger()
