"""Reading a batch of prompts into a key/value cache with little padding, and what they share only once.

Prompts of one chat template begin alike. Their common beginning is read once, the rest in groups of similar length,
and equal prompts that follow each other (several draws of one) once; then everything is put in place as if the padded
batch had been read as a whole. Values agree with that up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explicate.models.language.key_values import cache_of, reserved_cache
from explicate.models.language.tokens import Batch

if TYPE_CHECKING:
    import torch

ROWS = 8  # of a group
SHORTEST = 8  # tokens of a common beginning that are worth a pass of their own


@dataclass
class _Group:
    """Rows read together: the columns after the common beginning, the shorter rows padded on the left.

    `rows` are numbers of the batch, and `own` says which row of the group each of them is.
    """

    rows: Any
    own: Any
    width: int
    cache: Any


def prefill(module: Any, batch: Batch, columns: int) -> tuple[torch.Tensor, Any]:
    """Logits after each prompt (row, vocabulary), and a cache with room for `columns`.

    Parameters
    ----------
    batch : padded on the left, rows ordered by length; no hooks may be on the module, for they would see the groups.
    """
    import torch

    lengths = batch.frame.totals
    shared = common_beginning(module, batch)
    alike = _alike(batch)
    different = torch.searchsorted(alike, torch.arange(int(alike[-1]) + 1, device=alike.device))  # the first of each
    start = None
    if shared:
        start = reserved_cache(shared)
        first = batch.ids[0, batch.ids.shape[1] - int(lengths[0]) :][None, :shared]
        _read(module, first, None, None, start)
    groups, logits = [], []
    for begin in range(0, len(different), ROWS):
        rows = different[begin : begin + ROWS]
        left = lengths[rows] - shared
        width = int(left.max())
        ids = batch.ids[rows, -width:]
        place = torch.arange(width, device=ids.device)[None, :] - (width - left)[:, None]  # below 0 is padding
        mask = None
        if bool((left < width).any()):
            mask = torch.cat([place.new_ones(len(ids), shared), (place >= 0).long()], dim=1)
        cache = reserved_cache(shared + width)
        if start is not None:
            for layer, source in enumerate(start.layers):
                size = (len(ids), -1, -1, -1)
                cache.update(source.keys.expand(size), source.values.expand(size), layer)
        logits.append(_read(module, ids, mask, (shared + place).clamp(min=0), cache))
        members = ((alike >= begin) & (alike < begin + ROWS)).nonzero()[:, 0]
        groups.append(_Group(members, alike[members] - begin, width, cache))
    if len(groups) == 1 and not shared and len(different) == len(batch.ids):
        return logits[0], _with_room(groups[0].cache, columns)
    return torch.cat(logits)[alike], _joined(groups, start, batch, columns)


def _alike(batch: Batch) -> torch.Tensor:
    """For each row which of the different prompts it is, counted in order; equal ones must follow each other."""
    import torch

    same = (batch.ids[1:] == batch.ids[:-1]) & (batch.present[1:] == batch.present[:-1])
    changes = torch.cat([same.new_zeros(1), ~same.all(dim=1)])
    return changes.long().cumsum(0)


def common_beginning(module: Any, batch: Batch) -> int:
    """How many tokens all prompts begin with; 0 where it is not worth a pass of its own, or would change distances.

    A window that slides counts columns, those of padding between beginning and rest included.
    """
    import torch

    if len(batch.ids) < 2 or getattr(module.config, "sliding_window", None):
        return 0
    width = batch.ids.shape[1]
    shortest = int(batch.frame.totals.min()) - 1  # each row keeps a token of its own, to be read for its logits
    if shortest < SHORTEST:
        return 0
    begins = [width - length for length in batch.frame.totals.tolist()]
    rows = torch.stack([row[at : at + shortest] for row, at in zip(batch.ids, begins, strict=True)])
    alike = (rows == rows[:1]).all(dim=0).long().cumprod(0)
    found = int(alike.sum())
    return found if found >= SHORTEST else 0


def _read(module: Any, ids: Any, mask: Any, positions: Any, cache: Any) -> torch.Tensor:
    outputs = module(
        inputs_embeds=module.get_input_embeddings()(ids),
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    found: torch.Tensor = outputs.logits[:, -1]
    return found


def _with_room(cache: Any, columns: int) -> Any:
    for layer in cache.layers:
        layer.columns, layer.stores = columns, []
    return cache


def _joined(groups: list[_Group], start: Any, batch: Batch, columns: int) -> Any:
    """One cache of all rows, each row's tokens at the columns that the padded batch has them in."""
    width, rows = batch.ids.shape[1], len(batch.ids)
    layers = []
    for number, layer in enumerate(groups[0].cache.layers):
        pair = []
        for name in ("keys", "values"):
            first = getattr(layer, name)
            store = first.new_zeros((rows, first.shape[1], columns, first.shape[-1]))
            for group in groups:
                own = getattr(group.cache.layers[number], name)
                store[group.rows, :, width - group.width : width] = own[group.own, :, own.shape[-2] - group.width :]
            if start is not None:
                shared = getattr(start.layers[number], name)[0]
                for row, begin in enumerate(batch.frame.starts.tolist()):
                    store[row, :, begin : begin + shared.shape[-2]] = shared
            pair.append(store)
        layers.append(pair)
    return cache_of(layers, width)
