"""Sequences that carry three labels at once, which take one step, two steps, and a count to work out.

    e D D h D f  g A B C e C  ?  r101

One step: does A stand anywhere? Two steps: is the word after the last B a C? Parity: is the number of D in the first
six places odd? The three are drawn independently, so that none tells about another, and the answer after "?" is one
word for all three, so that a network that predicts it holds them all at the "?".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array

COUNTED = 6
LENGTH = 12
FILLERS = ("e", "f", "g", "h", "i", "j")
LABELS = ("one-hop", "two-hop", "parity")
ANSWERS = tuple(f"r{one}{two}{odd}" for one in (0, 1) for two in (0, 1) for odd in (0, 1))
WORDS = ("A", "B", "C", "D", *FILLERS, "?", *ANSWERS)


@dataclass(frozen=True, eq=False)
class Hops:
    """Sequences as places in `WORDS`.

    Attributes
    ----------
    ids : (text, 14): 12 letters, "?" and the answer.
    labels : (text, 3), 0 or 1, in the order of `LABELS`.
    """

    ids: Array
    labels: Array

    @property
    def prompts(self) -> Array:
        """The sequences up to the "?"."""
        return self.ids[:, :-1]


def hops(count: int, rng: np.random.Generator, even_counts: bool = False) -> Hops:
    """So many sequences.

    Parameters
    ----------
    even_counts : every number of D, 0 to 6, is as frequent as every other, which makes parity easier to learn; by
        default each of the six places is a D with chance one half, and the number itself tells nothing.
    """
    place = {word: number for number, word in enumerate(WORDS)}
    fillers = np.array([place[word] for word in FILLERS])
    letters = fillers[rng.integers(len(fillers), size=(count, LENGTH))]
    counted = rng.random((count, COUNTED)) < (rng.random((count, 1)) if even_counts else 0.5)
    letters[:, :COUNTED][counted] = place["D"]
    rows = np.arange(count)
    stray = COUNTED + rng.integers(LENGTH - COUNTED, size=count)
    letters[rows, stray] = place["C"]  # so that a C alone tells nothing
    last = COUNTED + rng.integers(1, LENGTH - COUNTED - 1, size=count)
    early = rng.random(count) < 0.5
    letters[rows[early], COUNTED + rng.integers(0, last - COUNTED)[early]] = place["B"]  # an earlier B does not count
    letters[rows, last] = place["B"]
    follows = rng.integers(0, 2, count)
    letters[rows, last + 1] = np.where(follows == 1, place["C"], fillers[rng.integers(len(fillers), size=count)])
    occurs = rng.integers(0, 2, count)
    free = (letters != place["B"]) & (letters != place["C"]) & (letters != place["D"])
    free[rows, last + 1] = False
    chances = np.where(free, rng.random((count, LENGTH)), -1.0)
    spot = chances.argmax(axis=1)
    fits = chances[rows, spot] >= 0
    occurs &= fits
    letters[rows[occurs == 1], spot[occurs == 1]] = place["A"]
    labels = np.stack([occurs, follows, counted.sum(axis=1) % 2], axis=1).astype(np.int64)
    answers = place[ANSWERS[0]] + labels @ np.array([4, 2, 1])
    return Hops(np.column_stack([letters, np.full(count, place["?"]), answers]).astype(np.int64), labels)
