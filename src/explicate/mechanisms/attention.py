"""Attention of rows that share their past: keys and values before the first changed column exist once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explicate.errors import InputError

if TYPE_CHECKING:
    import torch

FEW_QUERIES = 8  # up to so many per row, the past is multiplied once for all rows instead of being copied to each


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one prompt with the same columns.

    Attributes
    ----------
    query : (row, query, head, width); the queries are the last columns.
    key, value : (row, column, key/value head, width), of the columns that run again.
    past_key, past_value : (key/value head, past column, width), the same for all rows.
    first : the first column that runs again, so the number of past ones.
    window : how many columns back a query sees; None for all.
    scaling, softcap : of the scores.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    past_key: torch.Tensor
    past_value: torch.Tensor
    first: int
    window: int | None
    scaling: float
    softcap: float | None

    def visible(self) -> torch.Tensor | None:
        """Which keys each query sees, (query, key); None where all queries see all keys."""
        import torch

        queries, stop = self.query.shape[1], self.first + self.key.shape[1]
        if queries == 1 and (self.window is None or self.window >= stop):
            return None
        device = self.query.device
        asking = torch.arange(stop - queries, stop, device=device)[:, None]
        asked = torch.arange(stop, device=device)[None]
        found = asked <= asking
        return found if self.window is None else found & (asking - asked < self.window)


Visitor = Callable[[str, "torch.Tensor"], "torch.Tensor"]


def attend(part: Part, visit: Visitor | None) -> torch.Tensor:
    """Heads' outputs, (row, query, head, width); `visit` is shown scores and pattern (row, head, query, key)."""
    if visit is not None or part.softcap is not None:
        return _plainly(part, visit)
    return _sharing(part) if part.query.shape[1] <= FEW_QUERIES else _copying(part)


def _copying(part: Part) -> torch.Tensor:
    """torch's own kernel, with the past copied to every row."""
    import torch

    key, value = _whole(part)
    query = part.query.transpose(1, 2)
    causal = part.first == 0 and part.window is None and query.shape[2] == key.shape[2]
    found: torch.Tensor = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=None if causal else part.visible(),
        is_causal=causal,
        scale=part.scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return found.transpose(1, 2)


def _sharing(part: Part) -> torch.Tensor:
    """Products with the past for all rows at once."""
    import torch

    rows, queries, heads, width = part.query.shape
    shared = part.key.shape[2]
    query = (part.query * part.scaling).view(rows, queries, shared, heads // shared, width)
    together = query.permute(2, 0, 1, 3, 4).reshape(shared, -1, width)
    own = query.permute(0, 2, 1, 3, 4).reshape(rows, shared, -1, width)
    scores = own @ part.key.permute(0, 2, 3, 1)  # (row, key/value head, query and head of the group, key)
    if part.first:
        past = (together @ part.past_key.transpose(1, 2)).view(shared, rows, -1, part.first).transpose(0, 1)
        scores = torch.cat([past, scores], dim=-1)
    visible = part.visible()
    if visible is not None:
        hidden = ~visible.repeat_interleave(heads // shared, dim=0)
        scores = scores.masked_fill(hidden, float("-inf"))
    pattern = _softmax(scores)
    before, after = pattern.split([part.first, part.key.shape[1]], dim=-1)
    found = after @ part.value.transpose(1, 2)
    if part.first:
        folded = before.transpose(0, 1).reshape(shared, -1, part.first)
        found = found + (folded @ part.past_value).view(shared, rows, -1, width).transpose(0, 1)
    return found.view(rows, shared, queries, -1, width).permute(0, 2, 1, 3, 4).flatten(2, 3)


def _plainly(part: Part, visit: Visitor | None) -> torch.Tensor:
    """Each step by itself: scores, softmax, weighted sum."""
    import torch

    key, value = _whole(part)
    query = part.query.transpose(1, 2)
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(2, 3) * part.scaling
    if part.softcap is not None:
        scores = torch.tanh(scores / part.softcap) * part.softcap
    if visit is not None:
        scores = visit("scores", scores)
    visible = part.visible()
    if visible is not None:
        scores = scores.masked_fill(~visible, float("-inf"))
    if visit is not None and bool(torch.isneginf(scores).all(dim=-1).any()):
        raise InputError("a change of scores leaves a token no key to attend to; keep at least one")
    pattern = _softmax(scores)
    if visit is not None:
        pattern = visit("pattern", pattern)
    return (pattern @ value).transpose(1, 2)


def _softmax(scores: torch.Tensor) -> torch.Tensor:
    import torch

    exact = torch.promote_types(scores.dtype, torch.float32)
    return scores.softmax(dim=-1, dtype=exact).to(scores.dtype)


def _whole(part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    """Past and own keys and values of each row: (row, key/value head, column, width)."""
    import torch

    rows = part.key.shape[0]
    return tuple(  # type: ignore[return-value]
        torch.cat([past.expand(rows, *past.shape), now.transpose(1, 2)], dim=2)
        for past, now in ((part.past_key, part.key), (part.past_value, part.value))
    )
