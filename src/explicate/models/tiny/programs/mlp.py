"""MLPs that read one or two variables and write one categorical variable. Importing this imports torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from explicate.models.tiny.programs.reads import Reads

if TYPE_CHECKING:
    from explicate.models.tiny.programs.sampling import Chooser


class Mlps(torch.nn.Module):
    """Some MLPs side by side: one hidden layer with ReLU, logits over the values of the variable that each writes.

    Parameters
    ----------
    count : MLPs. inputs : variables that each reads. variables : those that there are. size : entries of a variable:
        its values, or 1 for a number. hidden, width : of the hidden layer and of what is written.
    """

    def __init__(self, count: int, inputs: int, variables: int, size: int, hidden: int, width: int) -> None:
        super().__init__()
        self.inputs, self.size = inputs, size
        self.reads = Reads(count * inputs, variables)
        self.first = torch.nn.Parameter(_uniform(count, hidden, inputs * size, fan=inputs * size))
        self.first_bias = torch.nn.Parameter(_uniform(count, hidden, 1, fan=inputs * size))
        self.second = torch.nn.Parameter(_uniform(count, width, hidden, fan=hidden))
        self.second_bias = torch.nn.Parameter(_uniform(count, width, 1, fan=hidden))

    def forward(self, variables: torch.Tensor, choose: Chooser) -> torch.Tensor:
        """(variable, [value,] position, sample) -> (mlp, value, position, sample)."""
        read = self.reads(variables, choose)
        count = len(self.first)
        logits = self.logits(read.reshape(count, self.inputs * self.size, -1))
        return choose(logits.view(count, -1, *variables.shape[-2:]), 1, self.training)

    def logits(self, read: torch.Tensor) -> torch.Tensor:
        """(mlp, entry, case) -> (mlp, value, case)."""
        hidden = torch.relu(torch.baddbmm(self.first_bias, self.first, read))
        return torch.baddbmm(self.second_bias, self.second, hidden)


def _uniform(*shape: int, fan: int) -> torch.Tensor:
    bound = 1 / math.sqrt(fan)
    return torch.empty(shape).uniform_(-bound, bound)
