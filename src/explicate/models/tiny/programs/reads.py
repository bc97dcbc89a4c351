"""Constrained reads: a head or MLP reads whole variables, one for each of its inputs. Importing this imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from explicate.core.capabilities import Array
    from explicate.models.tiny.programs.sampling import Chooser


class Reads(torch.nn.Module):
    """So many inputs, each of which selects one of the variables that are there."""

    def __init__(self, inputs: int, variables: int) -> None:
        super().__init__()
        self.variables = variables
        self.gates = torch.nn.Parameter(torch.randn(inputs, variables))

    def forward(self, variables: torch.Tensor, choose: Chooser) -> torch.Tensor:
        """(variable, *rest) -> (input, *rest)."""
        gates = choose(self.gates, 1, self.training)
        return (gates @ variables.reshape(self.variables, -1)).view(len(gates), *variables.shape[1:])

    def chosen(self) -> Array:
        """(input,) the variable that each input reads."""
        found: Array = self.gates.detach().argmax(1).numpy()
        return found
