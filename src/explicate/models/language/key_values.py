"""A key/value cache with its room reserved: a step writes its own column instead of copying all columns before it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any


def reserved_cache(columns: int) -> Any:
    """An empty cache of transformers with room for so many columns; it grows where they are not enough."""
    from transformers import DynamicCache

    cache: Any = DynamicCache()
    cache.layer_class_to_replicate = functools.partial(_layer_class(), columns)
    return cache


def cache_of(layers: Sequence[Sequence[Any]], filled: int) -> Any:
    """A cache on stores of keys and values (row, head, column, width) whose first `filled` columns are in use."""
    cache = reserved_cache(layers[0][0].shape[-2])
    for stores in layers:
        layer = cache.layer_class_to_replicate()
        layer.lazy_initialization(*stores)
        layer.stores = list(stores)
        layer.keys, layer.values = (store[..., :filled, :] for store in stores)
        cache.layers.append(layer)
    return cache


@functools.cache  # transformers is imported when it is needed first
def _layer_class() -> Any:
    from transformers.cache_utils import DynamicLayer

    class ReservedLayer(DynamicLayer):
        """Keys and values as views of larger tensors, (row, head, column, width)."""

        def __init__(self, columns: int) -> None:
            super().__init__()
            self.columns = columns
            self.stores: list[Any] = []

        def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            filled = self.get_seq_length()
            total = filled + int(key_states.shape[-2])
            if not self.stores or total > self.stores[0].shape[-2]:
                self.columns = max(self.columns, total)
                self.stores = [self._store(old, new, filled) for old, new in
                               ((self.keys, key_states), (self.values, value_states))]  # fmt: skip
            for store, new in zip(self.stores, (key_states, value_states), strict=True):
                store[..., filled:total, :] = new
            self.keys, self.values = (store[..., :total, :] for store in self.stores)
            return self.keys, self.values

        def batch_select_indices(self, indices: Any) -> None:
            super().batch_select_indices(indices)
            self.stores = []  # what is left is a tensor of its own; the next step gives it room

        def _store(self, old: Any, new: Any, filled: int) -> Any:
            found = new.new_empty((*new.shape[:-2], self.columns, new.shape[-1]))
            if filled:
                found[..., :filled, :] = old
            return found

    return ReservedLayer
