"""Choosing the next token, and what is kept of a continuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from explicate.core.capabilities import Floats

if TYPE_CHECKING:
    import torch

Choose: TypeAlias = "Callable[[torch.Tensor, Sequence[int]], torch.Tensor]"
"""Gets logits (row, vocabulary) and the number of each row in its batch; gives a token for each row."""


FEW = 64  # likeliest tokens that a draw is looked for among first


@dataclass
class Written:
    """A continuation.

    Attributes
    ----------
    ids : its tokens, an end-of-text token included.
    ended : whether it ended by itself or at a stop text, rather than at the most tokens asked for.
    log_probabilities : of each token, from the model's own probabilities (temperature 1); only where asked for.
    alternatives : the likeliest tokens at each place, as (id, log-probability); only where asked for.
    """

    ids: list[int] = field(default_factory=list)
    ended: bool = False
    log_probabilities: list[float] = field(default_factory=list)
    alternatives: list[list[tuple[int, float]]] = field(default_factory=list)


def chooser(draws: Sequence[np.random.Generator], temperature: float, top_k: int, top_p: float) -> Choose:
    """The highest logit without `draws`; with them (one for each row of a batch) a draw."""

    def greedy(logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        return logits.argmax(dim=-1)

    def drawn(logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        import torch

        shares = (logits.double() / temperature).softmax(-1).numpy()
        chosen = [draw(share, draws[row], top_k, top_p) for share, row in zip(shares, rows, strict=True)]
        return torch.tensor(chosen)

    return drawn if draws else greedy


def draw(shares: Floats, rng: np.random.Generator, top_k: int, top_p: float) -> int:
    """One index by its probability, among the `top_k` likeliest (0: all) and the fewest that reach `top_p`."""
    if top_k == 0 and top_p == 1.0:
        return _drawn_of_all(shares, rng.random())
    order = np.argsort(-shares, kind="stable")
    keep = len(order) if top_k == 0 else min(top_k, len(order))
    reached = np.cumsum(shares[order])
    keep = min(keep, int(np.searchsorted(reached, top_p * (1 - 1e-12)) + 1))
    order = order[:keep]
    return int(rng.choice(order, p=shares[order] / shares[order].sum()))


def _drawn_of_all(shares: Floats, point: float) -> int:
    """The index at `point` of the cumulated probabilities, likeliest first; most often one of few, found unsorted."""
    point = point * shares.sum()
    if len(shares) > FEW:
        few = np.argpartition(-shares, FEW)[:FEW]
        few = few[np.lexsort((few, -shares[few]))]
        place = int(np.searchsorted(np.cumsum(shares[few]), point, side="right"))
        if place < FEW and shares[few[place]] > shares[few[-1]]:  # what ties with the last may not be among the few
            return int(few[place])
    order = np.argsort(-shares, kind="stable")
    return int(order[min(int(np.searchsorted(np.cumsum(shares[order]), point, side="right")), len(order) - 1)])


def note_shares(written: Sequence[Written], logits: torch.Tensor, chosen: torch.Tensor, alternatives: int) -> None:
    """Keep the chosen tokens' log-probabilities and those of the likeliest tokens beside them."""
    shares = logits.log_softmax(-1)
    likeliest = shares.topk(alternatives, dim=-1)
    own = shares.gather(1, chosen[:, None])[:, 0].tolist()
    for row, value, ids, values in zip(
        written, own, likeliest.indices.tolist(), likeliest.values.tolist(), strict=True
    ):
        row.log_probabilities.append(value)
        row.alternatives.append(list(zip(ids, values, strict=True)))
