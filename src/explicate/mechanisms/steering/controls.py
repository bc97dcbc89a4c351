"""What a direction must be compared with: random ones of its length, pairs whose sides were tossed; and its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from explicate.core.kinds import Direction
from explicate.errors import InputError
from explicate.mechanisms.restart import finished
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator

Example = TypeVar("Example")


def random_direction(direction: Direction, seed: int = 0) -> Direction:
    """A random direction of the same length at each site."""
    noise = generator(seed, "random direction").standard_normal(direction.values.shape)
    noise *= direction.lengths.values[..., None] / np.linalg.norm(noise, axis=-1, keepdims=True)
    data = direction.data.assign(direction=(direction.data["direction"].dims, noise))
    data = data.drop_vars(["agreement", "cosine"], errors="ignore").assign_attrs(how=f"random, seed {seed}")
    return Direction(data, direction.provenance)


def tossed_pairs(
    positive: Sequence[Example], negative: Sequence[Example], seed: int = 0
) -> tuple[list[Example], list[Example]]:
    """Pairs whose sides a coin has decided, so that a direction read from them separates nothing but by chance."""
    if len(positive) != len(negative):
        raise InputError(f"{len(positive)} positive and {len(negative)} negative examples are no pairs")
    swap = generator(seed, "tossed pairs").random(len(positive)) < 0.5
    pairs = [(b, a) if tossed else (a, b) for a, b, tossed in zip(positive, negative, swap, strict=True)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def top_tokens(model: LanguageModel, direction: Direction, most: int = 10) -> list[list[str]]:
    """The tokens that each direction speaks for when it is read as a last state (logit lens), the strongest first."""
    import torch

    with torch.no_grad():
        weight = model.module.get_output_embeddings().weight
        states = finished(model, torch.as_tensor(direction.values).to(weight))
        order = (states @ weight.T).topk(most, dim=-1).indices
    return [[model.token_text(int(token)) for token in row] for row in order]
