"""A language model of neighbours: which words could stand between two others, from counts of pairs.

The masked distribution of a chain of words, p(w | left, right) proportional to p(w | left) p(right | w), with pairs
smoothed towards single words (Jelinek and Mercer, 1980). It stands for a masked language model where none is at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError

END = ""
"""What stands before the first word and after the last one."""


class WordChain:
    """Counts of words and of pairs of neighbours.

    Parameters
    ----------
    sentences : their words. least : words that occur less often are none that could stand anywhere.
    prior : so many pairs' worth of single words are mixed into what follows a word.

    Attributes
    ----------
    words : in the order of their codes; the end comes first. shares : (word,), how frequent each is.

    Raises
    ------
    InputError : no word is left.
    """

    def __init__(self, sentences: Iterable[Sequence[str]], least: int = 1, prior: float = 5.0) -> None:
        from scipy.sparse import csr_matrix

        known = [tuple(words) for words in sentences]
        counts = Counter(word for words in known for word in words)
        self.words = (END, *sorted(word for word, count in counts.items() if count >= least))
        self.prior = prior
        if len(self.words) == 1:
            raise InputError(f"no word occurs {least} times; give more sentences, or lower `least`")
        self.code = {word: place for place, word in enumerate(self.words)}
        pairs: Counter[tuple[int, int]] = Counter()
        for words in known:
            pairs.update(pairwise([0, *(self.code.get(word, -1) for word in words), 0]))
        places = [pair for pair in pairs if min(pair) >= 0]
        table = csr_matrix(
            ([float(pairs[pair]) for pair in places], np.array(places).T), shape=(len(self.words),) * 2
        )  # fmt: skip
        self._after: Any = table
        self._before: Any = table.T.tocsr()
        self._totals = np.asarray(table.sum(axis=1)).ravel()
        frequencies = np.array([len(known), *(counts[word] for word in self.words[1:])], dtype=float)
        self.shares: Array = frequencies / frequencies.sum()

    def between(self, left: str, right: str) -> Floats:
        """p(word | left, right) of every word (word,); the end has none. An unknown neighbour tells nothing."""
        found = self.shares.copy()
        if left in self.code:
            row = self._after[self.code[left]].toarray()[0]
            found = (row + self.prior * self.shares) / (row.sum() + self.prior)
        if right in self.code:
            column = self._before[self.code[right]].toarray()[0]
            found = found * (column + self.prior * self.shares[self.code[right]]) / (self._totals + self.prior)
        found[0] = 0.0
        return np.asarray(found / found.sum())
