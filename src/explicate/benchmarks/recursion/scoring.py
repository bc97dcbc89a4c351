"""Scores of free answers by depth, with failures told apart: wrong, no term at all, and out of the model's range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from explicate.benchmarks.recursion.tasks import Items, Words
from explicate.data.recursion.encoding import Malformed

RIGHT, WRONG, MALFORMED, OUT_OF_RANGE = "right", "wrong", "malformed", "out of range"


class Answering(Protocol):
    """What is scored."""

    def answers(self, texts: Sequence[Words]) -> list[Words]: ...

    def fits(self, text: Words) -> bool: ...


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model did on some items.

    Attributes
    ----------
    answers : (item,); None where the input is out of range. outcomes : (item,), one of "right", "wrong", "malformed"
        (no term), "out of range" (longer than the table of positions; apart from wrong answers).
    token_shares : (item,), share of the places, up to the longer of both, with the right word.
    """

    items: Items
    answers: tuple[Words | None, ...]
    outcomes: tuple[str, ...]
    token_shares: np.ndarray

    def __repr__(self) -> str:
        return f"Scores({self.items.task.name}: exact {self.exact():.3f} of {len(self.outcomes)}, {self.counts()})"

    @property
    def right(self) -> np.ndarray:
        """(item,) bool."""
        return np.array([one == RIGHT for one in self.outcomes])

    def exact(self, least: int = 0, most: int | None = None) -> float:
        """Exact match on depths from `least` to `most`; NaN where there are none."""
        inside = self._inside(least, most)
        return float(self.right[inside].mean()) if inside.any() else float("nan")

    def tokens(self, least: int = 0, most: int | None = None) -> float:
        """Token accuracy on these depths."""
        inside = self._inside(least, most)
        return float(self.token_shares[inside].mean()) if inside.any() else float("nan")

    def by_depth(self) -> dict[int, float]:
        """Exact match at each depth."""
        return {int(depth): self.exact(depth, depth) for depth in np.unique(self.items.depths)}

    def counts(self) -> dict[str, int]:
        """How many items ended in what."""
        return dict(Counter(self.outcomes))

    def _inside(self, least: int, most: int | None) -> np.ndarray:
        depths = self.items.depths
        found: np.ndarray = (depths >= least) & (depths <= (depths.max() if most is None else most))
        return found


def score(model: Answering, items: Items) -> Scores:
    """Let a model answer freely and score it; ill-formed answers and inputs out of range are outcomes, not errors."""
    inside = [model.fits(words) for words in items.inputs]
    given = iter(
        model.answers([words for words, fits in zip(items.inputs, inside, strict=True) if fits]) if any(inside) else []
    )
    return scored(items, [next(given) if fits else None for fits in inside])


def scored(items: Items, answers: Sequence[Words | None]) -> Scores:
    """Scores of answers that are there already; None: out of range."""
    outcomes, shares = [], []
    for answer, truth in zip(answers, items.outputs, strict=True):
        outcomes.append(outcome(items, answer, truth))
        same = sum(one == other for one, other in zip(answer or (), truth, strict=False))
        shares.append(same / max(len(answer or ()), len(truth), 1))
    return Scores(items, tuple(answers), tuple(outcomes), np.array(shares))


def outcome(items: Items, answer: Words | None, truth: Words) -> str:
    """What became of one item."""
    if answer is None:
        return OUT_OF_RANGE
    if tuple(answer) == tuple(truth):
        return RIGHT
    return MALFORMED if isinstance(items.task.read(answer), Malformed) else WRONG


def baselines(items: Items) -> dict[str, Scores]:
    """The floors: the input copied, and the case applied without recursion."""
    rules: dict[str, Callable[[int], Words]] = {
        "copy the input": lambda row: items.inputs[row],
        "apply the case without recursion": lambda row: items.task.without_recursion(items.terms[row]),
    }
    return {name: scored(items, [rule(row) for row in range(len(items))]) for name, rule in rules.items()}
