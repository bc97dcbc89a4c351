"""A walk through a subspace: which item the movers look at, and which the model names, at each set of coordinates.

Source: Merullo, Eickhoff, Pavlick (2024), "Talking Heads", section 5. The grid's size and span are ours: steps from -a
to a on each axis, a the 99th percentile of the natural coordinates' sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.data.language.laundry_lists import LaundryLists
from explicate.errors import InputError
from explicate.mechanisms.channels.channel import ChannelSubspace, Place
from explicate.mechanisms.channels.rerun import rerun
from explicate.models.language import LanguageModel

MOST_POINTS = 100_000


@dataclass(frozen=True, eq=False)
class Traverse:
    """What came of each point of a grid.

    Attributes
    ----------
    points : coordinates, (point, dimension). length : items in a list.
    picked : index of the item with the largest logit, (point, sample).
    attended : index of the item that the movers attend to most, its first and second naming together, alike; empty
        without movers.
    scores : log probability of each item among the items, (point, sample, item).
    """

    points: Floats
    length: int
    picked: Array
    attended: Array
    scores: Floats

    def map(self, by: str = "picked") -> Array:
        """The item that each point gives most often over the prompts, (point,)."""
        counts = self._counts(by)
        return np.asarray(counts.argmax(axis=1))

    def regions(self, by: str = "picked") -> list[int]:
        """The indices that some point gives more often than any other index."""
        counts = self._counts(by)
        alone = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
        return sorted({int(index) for index in counts.argmax(axis=1)[alone]})

    def _counts(self, by: str) -> Array:
        chosen = {"picked": self.picked, "attended": self.attended}.get(by)
        if chosen is None or not chosen.size:
            raise InputError(f"there is no map of what was {by}; ask for picked, or for attended with movers given")
        return np.stack([(chosen == index).sum(axis=1) for index in range(self.length)], axis=1)


def grid(natural: Floats, steps: int = 10, percentile: float = 99.0) -> Floats:
    """Coordinates on a grid as wide as the natural ones (sample, dimension) are large: (point, dimension)."""
    if steps < 2 or steps ** natural.shape[1] > MOST_POINTS:
        raise InputError(
            f"{steps} steps on {natural.shape[1]} axes; give 2 or more, and at most {MOST_POINTS:,} points"
        )
    span = np.percentile(np.abs(natural), percentile, axis=0)
    axes = [np.linspace(-a, a, steps) for a in span]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, natural.shape[1])


def traverse(
    model: LanguageModel,
    lists: LaundryLists,
    subspace: ChannelSubspace,
    points: Floats | None = None,
    *,
    movers: Sequence[Place] = (),
    steps: int = 10,
) -> Traverse:
    """Set the coordinates of the heads' outputs at the last token to every point, on every list.

    Parameters
    ----------
    points : (point, dimension); default: a `grid` over these lists' own coordinates.
    movers : heads whose attention is recorded.
    """
    ids = model.encode(lists.texts)
    chosen = grid(subspace.coordinates(model, ids), steps) if points is None else np.asarray(points, dtype=float)
    found = rerun(model, ids, [subspace.set_to(point) for point in chosen], lists.item_tokens(model), movers)
    attended = np.zeros((0, 0), dtype=np.int64)
    if movers:
        attended = item_attention(found.attention, lists).argmax(axis=-1)
    return Traverse(chosen, lists.length, found.logits.argmax(axis=-1), attended, log_shares(found.logits))


def item_attention(attention: Floats, lists: LaundryLists) -> Floats:
    """Attention (..., sample, key) to each item, its two namings together: (..., sample, item)."""
    first = np.array([each.positions for each in lists.prompts])
    second = np.array([each.repeats for each in lists.prompts])
    samples = np.arange(len(lists))[:, None]
    again = np.where(second >= 0, attention[..., samples, np.maximum(second, 0)], 0.0)
    return np.asarray(attention[..., samples, first] + again)


def log_shares(logits: Floats) -> Floats:
    """Log probabilities among the items alone, (..., item)."""
    largest = logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - largest - np.log(np.exp(logits - largest).sum(axis=-1, keepdims=True)))
