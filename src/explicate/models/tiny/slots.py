"""Slot memories: a few vectors that read many tokens, each token's mass shared out between them. Imports torch.

Source: Hong, Park, Pavlic (2024), "Concept-Centric Transformers: Enhancing Model Interpretability through
Object-Centric Concept Learning within a Shared Global Workspace", arXiv 2305.15775.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from explicate.errors import InputError

EPSILON = 1e-8


class _Slots(nn.Module):
    """One step of slot attention: softmax over slots, mean over inputs, a gated update; no residual perceptron."""

    def __init__(self, slots: int, width: int, iterations: int) -> None:
        super().__init__()
        if slots < 1 or width < 1 or iterations < 1:
            raise InputError(f"slots, width and iterations must be at least 1, not {slots}, {width}, {iterations}")
        self.slots, self.width, self.iterations = slots, width, iterations
        self.norm_inputs, self.norm_slots = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.cell = nn.GRUCell(width, width)

    def step(self, slots: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The slots after one reading of the inputs."""
        scores = self.query(self.norm_slots(slots)) @ key.mT * self.width**-0.5
        shares = scores.softmax(dim=1) + EPSILON
        update = (shares / shares.sum(dim=-1, keepdim=True)) @ value
        moved: Tensor = self.cell(update.flatten(0, 1), slots.flatten(0, 1))
        return moved.view_as(slots)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of (case, token, width) inputs."""
        if tokens.ndim != 3 or tokens.shape[-1] != self.width or tokens.shape[1] == 0:
            raise InputError(f"slots of width {self.width} read (case, token, {self.width}), not {tuple(tokens.shape)}")
        normal = self.norm_inputs(tokens)
        return self.key(normal), self.value(normal)


class SlotAttention(_Slots):
    """Slots that begin as noise around one learned mean.

    In evaluation mode the noise is drawn once, from `seed`: two calls agree, and a case reads alike in any batch.
    """

    noise: Tensor

    def __init__(self, slots: int, width: int, *, iterations: int = 1, seed: int = 0) -> None:
        super().__init__(slots, width, iterations)
        self.mean = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, 1, width)))
        self.log_sigma = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, 1, width)))
        drawn = torch.randn(1, slots, width, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("noise", drawn)

    def forward(self, tokens: Tensor) -> Tensor:
        """(case, slot, width) from (case, token, width)."""
        key, value = self.read(tokens)
        shape = (len(tokens), self.slots, self.width)
        noise = torch.randn(shape, device=tokens.device) if self.training else self.noise.expand(shape)
        slots = self.mean + self.log_sigma.exp() * noise
        for _ in range(self.iterations):
            slots = self.step(slots, key, value)
        return slots


class _LearnedSlots(_Slots):
    """Slots that begin as a learned row each, with noise in training where `sigma` is above 0."""

    def __init__(self, slots: int, width: int, iterations: int, sigma: float) -> None:
        super().__init__(slots, width, iterations)
        if sigma < 0:
            raise InputError(f"sigma must be at least 0, not {sigma}")
        self.sigma = sigma
        self.initial = nn.Parameter(nn.init.xavier_uniform_(torch.empty(slots, width)))

    def begin(self, cases: int) -> Tensor:
        """The slots before any reading."""
        initial = self.initial.expand(cases, -1, -1)
        if self.training and self.sigma:
            return initial + torch.randn_like(initial) * self.sigma * initial.detach()
        return initial


class ImplicitSlotAttention(_LearnedSlots):
    """Slots brought near a fixed point; gradients flow through one further step alone."""

    def __init__(self, slots: int, width: int, *, iterations: int = 3, sigma: float = 0.0) -> None:
        super().__init__(slots, width, iterations, sigma)

    def forward(self, tokens: Tensor) -> Tensor:
        """(case, slot, width) from (case, token, width)."""
        key, value = self.read(tokens)
        slots = self.begin(len(tokens))
        for _ in range(self.iterations):
            slots = self.step(slots, key, value)
        return self.step(slots.detach(), key, value)


class QuerySlotAttention(_LearnedSlots):
    """Slots whose last step passes its gradient straight to the learned beginning (BO-QSA)."""

    def __init__(self, slots: int, width: int, *, iterations: int = 2, sigma: float = 0.0) -> None:
        super().__init__(slots, width, iterations, sigma)

    def forward(self, tokens: Tensor) -> Tensor:
        """(case, slot, width) from (case, token, width)."""
        key, value = self.read(tokens)
        begun = self.begin(len(tokens))
        slots = begun
        for _ in range(self.iterations - 1):
            slots = self.step(slots, key, value)
        return self.step(slots.detach() + begun - begun.detach(), key, value)
