"""Modules that learn from batches which are drawn, not stored: trained once, then read from the user's cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from explicate.models.tiny.descent import DecoderRecipe, Descent, read_weights
from explicate.runtime.files import cache_folder
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import derive_seed

FORMAT = 1


def trained(
    build: Callable[[], Any],
    batch: Callable[[np.random.Generator, int], Any],
    loss: Callable[[Any, Any], Any],
    recipe: DecoderRecipe,
    identity: tuple[Any, ...],
    name: str,
    validate: Callable[[Any], float] | None = None,
    cache: bool = True,
    folder: str = "explanatory",
) -> Any:
    """A module that is trained, or read from the user's cache, in evaluation mode.

    Parameters
    ----------
    build : makes the untrained module; random numbers inside come from the recipe's seed.
    batch, loss : see `Descent`.
    identity : all that decides the outcome beside the recipe: shapes, words, hashes of the data.
    validate : the loss on other data; of the weights at the recipe's checkpoints and at the end, those with the lowest
        are taken (early stopping, whose training is not cut short: the learning rate follows the recipe).
    folder : of the cache.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "weights"))
        module = build()
    key = digest(FORMAT, repr(dataclasses.replace(recipe, save_every=1)), repr(module), list(identity))
    place = cache_folder(folder, key) if cache else None
    descent = Descent(module, batch, loss, recipe, name, folder=place)
    _, kept = descent.finished() or descent.run()
    module.eval()
    if validate is not None and len(kept) > 1:
        scores: dict[int, float] = {}
        for step in sorted(kept):
            _load(module, kept[step])
            with torch.inference_mode():
                scores[step] = validate(module)
        _load(module, kept[min(scores, key=lambda step: scores[step])])
    return module


def _load(module: Any, kept: Any) -> None:
    module.load_state_dict(read_weights(kept) if isinstance(kept, Path) else kept, strict=False)
