"""The words of rules as token ids; what they mean is nobody's to say but the interpreter's to learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError

PAD, START, END = 0, 1, 2
SPECIAL = 3
"""Token ids of padding, start and end; the first word follows."""


@dataclass(frozen=True)
class Words:
    """The words that rules are made of.

    Parameters
    ----------
    words : in the order of their ids. longest : most words of a rule.
    """

    words: tuple[str, ...]
    longest: int

    @classmethod
    def of(cls, rules: Iterable[str], longest: int = 11) -> Words:
        """The words that occur in some rules, sorted."""
        return cls(tuple(sorted({word for rule in rules for word in rule.split()})), longest)

    @cached_property
    def ids(self) -> dict[str, int]:
        """The token id of each word."""
        return {word: SPECIAL + place for place, word in enumerate(self.words)}

    @property
    def count(self) -> int:
        """Tokens, the special ones among them."""
        return SPECIAL + len(self.words)

    def encode(self, rules: Sequence[str], ends: bool = False) -> Array:
        """Token ids (rule, token), padded to the longest possible rule.

        Parameters
        ----------
        ends : whether a start and an end stand around the words.

        Raises
        ------
        InputError : a word that was never seen, no word at all, or too many.
        """
        found = np.full((len(rules), self.longest + 2 * ends), PAD, dtype=np.int64)
        for row, rule in enumerate(rules):
            words = rule.split()
            unknown = next((word for word in words if word not in self.ids), None)
            if unknown is not None:
                raise InputError(
                    f"the rule {rule!r}: the word {unknown!r} was never seen; known: {' '.join(self.words)}"
                )
            if not 0 < len(words) <= self.longest:
                raise InputError(f"the rule {rule!r} has {len(words)} words; give 1 to {self.longest}")
            tokens = [self.ids[word] for word in words]
            tokens = [START, *tokens, END] if ends else tokens
            found[row, : len(tokens)] = tokens
        return found

    def decode(self, tokens: Sequence[int] | Array) -> str:
        """The words of token ids; start, end and padding are left out."""
        return " ".join(self.words[int(token) - SPECIAL] for token in tokens if token >= SPECIAL)
