"""The constrained Transformer: a residual stream of variables to which every head and MLP appends. Imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from explicate.models.tiny.programs.attention import CategoricalHeads, NumericHeads
from explicate.models.tiny.programs.mlp import Mlps
from explicate.models.tiny.programs.sampling import Chooser

if TYPE_CHECKING:
    from explicate.core.capabilities import Floats
    from explicate.models.tiny.programs.config import TransformerProgramConfig

FROZEN = 10.0  # logits of one-hot tokens: plus or minus this


class Block(torch.nn.Module):
    """One layer: heads read what is there, then MLPs read that and the heads' variables."""

    def __init__(
        self, config: TransformerProgramConfig, variables: int, numbers: int, width: int, context: int
    ) -> None:
        super().__init__()
        self.heads = CategoricalHeads(config, variables, width, context) if config.categorical_heads else None
        self.counters = NumericHeads(config, variables, numbers, width) if config.numeric_heads else None
        variables += config.categorical_heads
        numbers += config.numeric_heads
        count, inputs = config.categorical_mlps, config.mlp_inputs
        self.mlps = Mlps(count, inputs, variables, width, config.hidden, width) if count else None
        count = config.numeric_mlps
        self.number_mlps = Mlps(count, inputs, numbers, 1, config.hidden, width) if count else None
        self.variables = variables + config.categorical_mlps + config.numeric_mlps
        self.numbers = numbers

    def forward(
        self, stream: torch.Tensor, numbers: torch.Tensor, mask: torch.Tensor, choose: Chooser
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The stream (variable, value, position, sample) and the numbers (variable, position, sample), both longer."""
        copied = [] if self.heads is None else [self.heads(stream, mask, choose)]
        counted = [] if self.counters is None else [self.counters(stream, numbers, mask, choose)]
        stream, numbers = torch.cat([stream, *copied]), torch.cat([numbers, *counted])
        written = [] if self.mlps is None else [self.mlps(stream, choose)]
        written += [] if self.number_mlps is None else [self.number_mlps(numbers, choose)]
        return torch.cat([stream, *written]), numbers


class ProgramModule(torch.nn.Module):
    """Token codes (sample, position), -1 for none, to tag logits (sample, position, tag).

    Parameters
    ----------
    tokens, tags : how many there are. context : longest sequence.
    vectors : (token, number) word vectors from which learned embeddings begin, randomly projected; None: at random.
    """

    def __init__(
        self,
        config: TransformerProgramConfig,
        tokens: int,
        tags: int,
        context: int,
        vectors: Floats | None = None,
    ) -> None:
        super().__init__()
        self.config, self.context = config, context
        self.width = config.width_for(tokens, context)
        inputs = config.embeddings or 1
        logits = torch.full((tokens, inputs, self.width), -FROZEN)
        if config.embeddings is None:
            logits[torch.arange(tokens), 0, torch.arange(tokens)] = FROZEN
        elif vectors is None:
            logits = torch.randn(tokens, inputs, self.width)
        else:
            given = torch.as_tensor(vectors, dtype=torch.float32)
            projected = given @ torch.randn(given.shape[1], inputs * self.width)
            logits = (projected / projected.std()).view(tokens, inputs, self.width)
        self.embedding = torch.nn.Parameter(logits, requires_grad=config.embeddings is not None)
        self.choose = Chooser(config.sampling, config.start_temperature)
        blocks: list[Block] = []
        variables, numbers = inputs + 1, 1
        for _ in range(config.layers):
            blocks.append(Block(config, variables, numbers, self.width, context))
            variables, numbers = blocks[-1].variables, blocks[-1].numbers
        self.blocks = torch.nn.ModuleList(blocks)
        self.classifier = torch.nn.Linear(variables * self.width + numbers, tags, bias=False)

    def begin_step(self, share: float) -> None:
        """Set the temperature for a step before which that share of the training is done."""
        self.choose.temperature = self.config.temperature(share)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Logits (sample, position, tag); pooled models have theirs at position 0, and zeros elsewhere."""
        codes = codes.t().long()  # (position, sample)
        stream, numbers = self.stream(codes)
        positions, samples = codes.shape
        features = torch.cat([stream.reshape(-1, positions * samples), numbers.reshape(-1, positions * samples)])
        features = torch.nn.functional.dropout(features, self.config.dropout, self.training)
        logits = (self.classifier.weight @ features).view(-1, positions, samples)
        if self.config.pooled:
            there = (codes >= 0).to(logits.dtype)
            mean = (logits * there).sum(1, keepdim=True) / there.sum(0)
            logits = torch.cat([mean, torch.zeros_like(logits[:, 1:])], 1)
        return logits.permute(2, 1, 0)

    def stream(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All variables (variable, value, position, sample) and numbers (variable, position, sample)."""
        positions, samples = codes.shape
        mask = self.mask(codes)
        table = self.choose(self.embedding, 2, self.training).flatten(1).t()
        words = table[:, codes.clamp(min=0).reshape(-1)].view(-1, self.width, positions, samples)
        places = torch.eye(self.width, dtype=words.dtype)[:, :positions, None].expand(-1, -1, samples)
        stream = torch.cat([words, places[None]])
        numbers = torch.ones((1, positions, samples), dtype=words.dtype)
        for block in self.blocks:
            stream, numbers = block(stream, numbers, mask, self.choose)
        return stream, numbers

    def mask(self, codes: torch.Tensor) -> torch.Tensor:
        """(key, query, sample): which keys are there for a query that is there."""
        there = codes >= 0
        mask = there[:, None] & there[None, :]
        if self.config.causal:
            places = torch.arange(len(codes))
            mask = mask & (places[:, None] <= places[None, :])[..., None]
        return mask

    def extra_repr(self) -> str:
        """All that the weights' shapes do not tell; the cache of trained models goes by it."""
        return f"{self.config}, context={self.context}"
