"""What repeated questions about references come to: replies, scores, their ensembles, and reasons in words.

Source: Agrawal, Suzgun, Mackey, Kalai (2024), arXiv 2305.18248, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError

IQ, DIRECT = "IQ", ("DQ1", "DQ2", "DQ3")
QUERIES = (IQ, *DIRECT)
ANSWERS = ("hallucinated", "exists")


@dataclass(frozen=True, eq=False)
class Indirect:
    """Replies to the indirect query.

    Attributes
    ----------
    replies : (title, draw), as the model wrote them; "" where it wrote nothing.
    filtered : (title, draw), whether a reply is empty or was held back by a filter; it counts as no list.
    overlaps : (title, pair), 0 to 1. said : (title, pair), what the model said on it; "" where it was not asked.
    unread : (title, pair), whether what it said begins with no number; it counts as 0.
    """

    replies: np.ndarray
    filtered: np.ndarray
    overlaps: Floats
    said: np.ndarray
    unread: np.ndarray

    @property
    def scores(self) -> Floats:
        """IQ of each title: the mean over the pairs."""
        found: Floats = self.overlaps.mean(axis=1)
        return found

    @property
    def drawn(self) -> bool:
        """Whether any title has two different replies; without, they may be one reply, and IQ says nothing."""
        return bool((self.replies != self.replies[:, :1]).any())


@dataclass(frozen=True, eq=False)
class Direct:
    """Replies to a direct query.

    Attributes
    ----------
    scores : (title,), the share of replies with a yes in them, or the probability of yes against no.
    replies : (title, draw), "" where nothing was written; none where probabilities were taken.
    filtered : (title, draw).
    """

    scores: Floats
    replies: np.ndarray
    filtered: np.ndarray


def ensembles(scores: dict[str, Floats]) -> dict[str, Floats]:
    """The scores, and their means: DQ of the direct queries, IQ+DQ of IQ and that, IQ+DQ1 of IQ and DQ1, ..."""
    found = dict(scores)
    direct = [name for name in DIRECT if name in scores]
    if direct:
        found["DQ"] = np.mean([scores[name] for name in direct], axis=0)
    if IQ in scores:
        found |= {f"{IQ}+{name}": (scores[IQ] + found[name]) / 2 for name in ("DQ", *direct) if name in found}
    return found


def decide(scores: Floats, threshold: float = 0.5) -> np.ndarray:
    """Whether each reference is said to exist: its score is above the threshold.

    Raises
    ------
    InputError : a score that is undefined.
    """
    values = np.asarray(scores, dtype=float)
    if not np.isfinite(values).all():
        raise InputError("some scores are undefined, so nothing can be decided by them; see the checker's warning")
    found: np.ndarray = values > threshold
    return found


def reasons(title: str, answer: str, scores: dict[str, float]) -> str:
    """What the scores of one reference say, in words."""
    head = {"": "It is undecided whether", ANSWERS[0]: "Probably made up:", ANSWERS[1]: "Probably real:"}[answer]
    parts = []
    if IQ in scores:
        known = not np.isnan(scores[IQ])
        parts.append(
            f"asked again and again for its authors, the model names lists that overlap by {scores[IQ]:.0%}"
            if known
            else "its lists of authors could not be compared"
        )
    said = ", ".join(f"{scores[name]:.0%} ({name})" for name in DIRECT if name in scores)
    if said:
        parts.append(f"asked whether it exists, it says yes in {said} of replies")
    return f'{head} "{title}": {"; ".join(parts)}.' if answer else f'{head} "{title}" exists: {"; ".join(parts)}.'


def deciding(scores: dict[str, Floats]) -> str:
    """The widest ensemble that is defined."""
    order = (f"{IQ}+DQ", "DQ", IQ)
    known = [name for name in order if name in scores and not np.isnan(scores[name]).any()]
    return known[0] if known else next(name for name in order if name in scores)
