"""Products over positions with the batch last, summed term by term. Importing this imports torch.

A matrix product of many 8 by 8 matrices, or a sum over a big array of all terms, takes several times as long.
"""

from __future__ import annotations

from typing import Any

import torch


def pairs(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """(head, value, query, sample), (head, value, key, sample) -> (head, key, query, sample), over all values."""
    found: torch.Tensor = _Pairs.apply(queries, keys)
    return found


def collected(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """(head, key, query, sample), (head, value, key, sample) -> (head, value, query, sample), over all keys."""
    found: torch.Tensor = _Collected.apply(weights, values)
    return found


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(queries, keys)
        return _pairs(queries, keys)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        queries, keys = ctx.saved_tensors
        return _collect(slope, keys), _spread(slope, queries)


class _Collected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(weights, values)
        return _collect(weights, values)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        weights, values = ctx.saved_tensors
        return _pairs(slope, values), _spread(weights, slope)


def _pairs(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    total = queries[:, 0, None] * keys[:, 0, :, None]
    for value in range(1, queries.shape[1]):
        total.addcmul_(queries[:, value, None], keys[:, value, :, None])
    return total


def _collect(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    total = weights[:, 0, None] * values[:, :, 0, None]
    for key in range(1, values.shape[2]):
        total.addcmul_(weights[:, key, None], values[:, :, key, None])
    return total


def _spread(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The other side of `_collect`: summed over the queries."""
    total = weights[:, None, :, 0] * values[:, :, 0, None]
    for query in range(1, values.shape[2]):
        total.addcmul_(weights[:, None, :, query], values[:, :, query, None])
    return total
