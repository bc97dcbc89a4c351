"""Changes written into activations, many rows at once, without touching what they are written into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from explicate.core.interventions import Intervention, Steer, added
from explicate.errors import InputError
from explicate.mechanisms.rows import Row, Write, headed

if TYPE_CHECKING:
    import torch

Places: TypeAlias = "Callable[[Row, int], int]"
"""Where the token of a row and a column stands in a flat activation."""


def written(flat: torch.Tensor, changes: Sequence[tuple[Row, Write]], place: Places) -> torch.Tensor:
    """`flat` (token, [head,] width) with the changes of several rows, those of each row in their order.

    Rows do not touch each other, so the first changes of all rows are made together, then the second ones, and so on.
    """
    turns: list[list[tuple[Row, Write]]] = []
    made: dict[int, int] = {}
    for row, write in changes:
        turn = made.get(id(row), 0)
        made[id(row)] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append((row, write))
    for together in turns:
        flat = _written(flat, together, place)
    return flat


def _written(flat: torch.Tensor, changes: Sequence[tuple[Row, Write]], place: Places) -> torch.Tensor:
    """At most one change of each row.

    Values for whole tokens, values for single heads and added directions are each written by one operation, other
    interventions that make a new value from the old one row by row. Gradients flow through.
    """
    import torch

    whole: list[tuple[list[int], torch.Tensor]] = []
    single: list[tuple[list[int], int, torch.Tensor]] = []
    steered: list[tuple[list[int], Steer]] = []
    made: list[tuple[list[int], Write]] = []
    for row, write in changes:
        kept = [i for i, column in enumerate(write.positions) if row.first <= column < row.stop]
        tokens = [place(row, write.positions[i]) for i in kept]
        if isinstance(write.change, Steer) and flat.ndim == 2 and np.ndim(write.change.direction) == 1:
            steered.append((tokens, write.change))
            continue
        if isinstance(write.change, Intervention):
            made.append((tokens, write))
            continue
        values = write.change if len(kept) == len(write.positions) else write.change[kept]
        if write.head is None:
            whole.append((tokens, values))
        else:
            single.append((tokens, write.head, values))
    if whole:
        index = torch.tensor([token for tokens, _ in whole for token in tokens], device=flat.device)
        values = torch.cat([values for _, values in whole])
        flat = flat.index_put((index,), _fitting(values, flat.shape[1:], whole[0][1]).to(flat.dtype))
    if single:
        index = torch.tensor([token for tokens, _, _ in single for token in tokens], device=flat.device)
        heads = torch.tensor([head for tokens, head, _ in single for _ in tokens], device=flat.device)
        values = torch.cat([values for _, _, values in single])
        flat = flat.index_put((index, heads), _fitting(values, flat.shape[2:], single[0][2]).to(flat.dtype))
    for keep_norm in (False, True):
        alike = [(tokens, change) for tokens, change in steered if change.keep_norm == keep_norm]
        if alike:
            flat = _steered(flat, alike, keep_norm)
    for tokens, write in made:
        flat = applied(flat, tokens, write)
    return flat


def _steered(flat: torch.Tensor, changes: Sequence[tuple[list[int], Steer]], keep_norm: bool) -> torch.Tensor:
    """Directions, each added to the tokens (token,) of one row."""
    import torch

    index = torch.tensor([token for tokens, _ in changes for token in tokens], device=flat.device)
    moves = torch.stack([change.move(flat) for _, change in changes])
    sizes = torch.tensor([len(tokens) for tokens, _ in changes], device=flat.device)
    return flat.index_put((index,), added(flat[index], moves.repeat_interleave(sizes, dim=0), keep_norm))


def applied(flat: torch.Tensor, tokens: list[int], write: Write) -> torch.Tensor:
    """One intervention, shown (1, [head,] position, width) as a handle's `intervene` shows it."""
    import torch

    index = torch.tensor(tokens, device=flat.device)
    if headed(write.kind) and write.head is None:
        picked = flat[index].transpose(0, 1)[None]
        return flat.index_put((index,), changed(write, picked)[0].transpose(0, 1).to(flat.dtype))
    at = (index,) if write.head is None else (index, torch.full_like(index, write.head))
    return flat.index_put(at, changed(write, flat[at][None])[0].to(flat.dtype))


def changed(write: Write, picked: torch.Tensor) -> torch.Tensor:
    """What a change makes of an activation (1, [head,] position, width), of the same shape."""
    new: torch.Tensor
    if isinstance(write.change, Intervention):
        new = write.change.apply(picked)
    else:
        new = write.change.movedim(0, -2)[None].to(picked.dtype)
    if new.shape != picked.shape:
        raise InputError(
            f"L{write.layer}.{write.kind}: the new value has shape {tuple(new.shape)}, the activation "
            f"{tuple(picked.shape)}"
        )
    return new


def _fitting(values: torch.Tensor, shape: torch.Size, one: torch.Tensor) -> torch.Tensor:
    if values.shape[1:] != shape:
        raise InputError(
            f"a value of shape {tuple(one.shape[1:])} a token does not fit an activation of {tuple(shape)} a token; "
            "is it from another model?"
        )
    return values
