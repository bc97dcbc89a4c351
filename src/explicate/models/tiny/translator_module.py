"""The module behind `explicate.models.tiny.translator`; importing this imports torch."""

from __future__ import annotations

import torch
from torch import nn

from explicate.models.tiny.encoder_decoder import DecoderBlock, EncoderBlock, Keys, sinusoids


class Reader(nn.Module):
    """Positions that are added to embedded tokens: a learned vector each, or fixed sinusoids."""

    def __init__(self, longest: int, width: int, learned: bool) -> None:
        super().__init__()
        self.learned = learned
        places = torch.randn(longest, width) * width**-0.5 if learned else sinusoids(longest, width) * width**-0.5
        if learned:
            self.places: torch.Tensor = nn.Parameter(places)
        else:
            self.register_buffer("places", places, persistent=False)

    def forward(self, states: torch.Tensor, start: int = 0) -> torch.Tensor:
        """(row, token, width) of embedded tokens, the first of which stands at position `start`."""
        return states + self.places[start : start + states.shape[1]]


class TranslatorModule(nn.Module):
    """Encoder and decoder over one set of tokens, whose embedding is shared; pre-norm, without dropout.

    Parameters
    ----------
    tokens : how many. sources, targets : most tokens of an input, and of an output with its start.
    """

    def __init__(
        self, tokens: int, sources: int, targets: int, layers: int, width: int, heads: int, inner: int, learned: bool
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.source_places, self.target_places = Reader(sources, width, learned), Reader(targets, width, learned)
        self.encoder = nn.ModuleList(EncoderBlock(width, heads, inner, 0.0) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderBlock(width, heads, inner, 0.0) for _ in range(layers))
        self.read_norm, self.norm, self.out = nn.LayerNorm(width), nn.LayerNorm(width), nn.Linear(width, tokens)

    def read(self, sources: torch.Tensor) -> tuple[list[Keys], torch.Tensor]:
        """The decoder blocks' keys of inputs (row, token), -1 where there is none, and which tokens there are."""
        there = sources >= 0
        states = self.source_places(self.embedding(sources.clamp(min=0)))
        for block in self.encoder:
            states = block(states, there)
        memory = self.read_norm(states)
        return [block.keys(memory) for block in self._decoder()], there

    def forward(self, sources: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits (row, token, token id) of what follows each token of the outputs (row, token), all of them given."""
        memories, there = self.read(sources)
        states = self.target_places(self.embedding(targets.clamp(min=0)))[:, None]
        for block, memory in zip(self._decoder(), memories, strict=True):
            states, _ = block(states, memory, there, causal=True)
        found: torch.Tensor = self.out(self.norm(states[:, 0]))
        return found

    def step(
        self,
        tokens: torch.Tensor,
        place: int,
        memories: list[Keys],
        there: torch.Tensor,
        before: list[Keys] | None = None,
    ) -> tuple[torch.Tensor, list[Keys]]:
        """Logits (row, token id) after one more token (row,), and the keys of all tokens so far."""
        states = self.target_places(self.embedding(tokens)[:, None], place)[:, None]
        kept = []
        for number, (block, memory) in enumerate(zip(self._decoder(), memories, strict=True)):
            states, keys = block(states, memory, there, before=before[number] if before else None)
            kept.append(keys)
        return self.out(self.norm(states[:, 0, 0])), kept

    def _decoder(self) -> list[DecoderBlock]:
        return list(self.decoder)  # type: ignore[arg-type]
