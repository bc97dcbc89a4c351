"""Discrete choices that gradients pass through: Gumbel-softmax samples in training, the largest logit otherwise.

Source: Jang, Gu, Poole (2017), arXiv 1611.01144; Maddison, Mnih, Teh (2017), arXiv 1611.00712. Importing this imports
torch.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from explicate.models.tiny.programs.config import Sampling

POOL = 1 << 21  # numbers drawn ahead
DRAWS = 256  # stretches of the pool that are used before it is drawn anew


class Chooser:
    """Makes all choices of a model: relaxed while it trains, the largest logit (the first of several) otherwise.

    Drawing noise would take longer than everything else in a step. So a pool of it is drawn ahead, each choice takes a
    stretch that begins at a random place, and after some hundred choices the pool is drawn anew. All of it comes from
    torch's generator.

    Attributes
    ----------
    temperature : of the samples; set it before each step.
    """

    def __init__(self, sampling: Sampling, temperature: float) -> None:
        self.sampling = sampling
        self.temperature = temperature
        self._pool = torch.empty(0)
        self._places = np.random.default_rng(0)
        self._left = 0

    def __call__(self, logits: torch.Tensor, dim: int, training: bool) -> torch.Tensor:
        """Weights of the shape of `logits` that sum to 1 along `dim`; one-hot outside of training."""
        if not training:
            return one_hot(logits, dim)
        noisy = logits if self.sampling == "softmax" else logits + self._noise(logits.shape)
        soft = torch.softmax(noisy / self.temperature, dim)
        if self.sampling != "gumbel-hard":
            return soft
        return one_hot(noisy, dim).detach() + soft - soft.detach()

    def _noise(self, shape: torch.Size) -> torch.Tensor:
        """Standard Gumbel noise."""
        size = prod(shape)
        if not self._left or size > len(self._pool):
            self._places = np.random.default_rng(int(torch.randint(1 << 62, ())))
            drawn = self._places.standard_exponential(max(POOL, size), dtype=np.float32)
            self._pool = torch.from_numpy(np.maximum(drawn, np.float32(1e-30))).log_().neg_()
            self._left = DRAWS
        self._left -= 1
        start = int(self._places.integers(len(self._pool) - size + 1))
        return self._pool[start : start + size].view(shape)


def one_hot(logits: torch.Tensor, dim: int) -> torch.Tensor:
    """1 at the largest logit along `dim`, the first of several; 0 elsewhere."""
    return torch.zeros_like(logits).scatter_(dim, logits.argmax(dim, keepdim=True), 1.0)
