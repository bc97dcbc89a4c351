"""Attention between disentangled variables: categorical heads that copy one value, numeric heads that count.

Arrays keep the batch last, (..., position, sample), so that sums and maxima run over long rows. Importing this imports
torch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from explicate.models.tiny.programs.products import collected, pairs
from explicate.models.tiny.programs.reads import Reads

if TYPE_CHECKING:
    from explicate.models.tiny.programs.config import TransformerProgramConfig
    from explicate.models.tiny.programs.sampling import Chooser

SELF = -2.0
MASKED = -1e30
CLIP = 10.0


def fixed_bias(context: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(key, query): nearer is better, left before right, oneself last."""
    bias = torch.full((context, context), SELF, dtype=dtype)
    rights = torch.linspace(0, -1, max(context - 1, 1), dtype=torch.float64)
    lefts = torch.linspace(0, -1, max(context, 1), dtype=torch.float64)
    for query in range(context):
        for key in range(context):
            if key != query:
                bias[key, query] = rights[key - query - 1] if key > query else lefts[query - key - 1]
    return bias


class Heads(torch.nn.Module):
    """What both kinds of heads share: which variables they read, and which key value each query value looks for."""

    def __init__(self, config: TransformerProgramConfig, heads: int, variables: int, values: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.query, self.key = Reads(heads, variables), Reads(heads, variables)
        self.value = Reads(heads, values)
        self.predicate = torch.nn.Parameter(torch.randn(heads, width, width))

    def matches(self, stream: torch.Tensor, choose: Chooser) -> torch.Tensor:
        """(head, key position, query position, sample): how far the key is what the query looks for."""
        query, key = self.query(stream, choose), self.key(stream, choose)
        rule: torch.Tensor = self.predicate
        if self.config.attention == "categorical" or type(self) is NumericHeads:
            rule = choose(rule, 2, self.training)
        heads, width = query.shape[:2]
        sought = torch.bmm(rule.transpose(1, 2), query.reshape(heads, width, -1)).view_as(query)
        return pairs(sought, key)


class CategoricalHeads(Heads):
    """Each position copies the value at the one position that it attends to."""

    def __init__(self, config: TransformerProgramConfig, variables: int, width: int, context: int) -> None:
        super().__init__(config, config.categorical_heads, variables, variables, width)
        self.register_buffer("bias", fixed_bias(context), persistent=False)
        self.offsets = torch.nn.Parameter(
            torch.zeros(config.categorical_heads, 2 * context - 1), requires_grad=config.position_bias == "clipped"
        )

    def forward(self, stream: torch.Tensor, mask: torch.Tensor, choose: Chooser) -> torch.Tensor:
        """(head, value, position, sample), the variables that the heads write.

        Parameters
        ----------
        stream : (variable, value, position, sample). mask : (key, query, sample), which keys may be attended to.
        """
        scores = self.matches(stream, choose)
        if self.config.attention == "categorical":
            total = (scores * mask).sum(1, keepdim=True)
            default = 1 - total / (total + 1e-10)  # nothing matches: attend to the first position
            scores = torch.log(torch.cat([scores[:, :1] + default, scores[:, 1:]], 1).clamp(min=0) + 1e-20)
        scores = scores + self._bias(stream.shape[2])
        scores = scores.masked_fill(~mask, MASKED) / math.sqrt(stream.shape[1])
        attention = choose(scores, 1, self.training)
        return collected(attention, self.value(stream, choose))

    def _bias(self, positions: int) -> torch.Tensor:
        if self.config.position_bias == "none":
            return torch.zeros((), dtype=self.predicate.dtype)
        if self.config.position_bias == "fixed":
            bias: torch.Tensor = self.bias  # type: ignore[assignment]
            return bias[:positions, :positions, None]
        places = torch.arange(positions)
        context = (self.offsets.shape[1] + 1) // 2
        offsets = places[:, None] - places[None, :] + context - 1
        return self.offsets.clamp(-CLIP, CLIP)[:, offsets][..., None]


class NumericHeads(Heads):
    """Each position gets the sum of the values at all positions that match."""

    def __init__(self, config: TransformerProgramConfig, variables: int, numbers: int, width: int) -> None:
        super().__init__(config, config.numeric_heads, variables, 1 if config.counts_only else numbers, width)

    def forward(self, stream: torch.Tensor, numbers: torch.Tensor, mask: torch.Tensor, choose: Chooser) -> torch.Tensor:
        """(head, position, sample) from the stream and the numbers (variable, position, sample) so far."""
        scores = self.matches(stream, choose) * mask
        values = self.value(numbers[: self.value.variables], choose)
        return (scores * values[:, :, None]).sum(1)
