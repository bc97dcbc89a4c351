"""Algorithmic tasks on short sequences whose every tag follows from a rule: what RASP programs are written for.

Source: Weiss, Goldberg, Yahav (2021), "Thinking Like Transformers"; as used by Friedman, Wettig, Chen (2023), "Learning
Transformer Programs", section 4.1, and (induction) 4.1 on in-context learning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.data.language.tagged import BEGIN, END, UNKNOWN, Tagged
from explicate.errors import InputError
from explicate.runtime.seeds import generator

BRACKETS = (("(", ")"), ("{", "}"))
GIVE_UP = 20  # draws per example that is wanted; small tasks do not have so many different ones

Draw = Callable[[np.random.Generator, int, int, int], Tagged]


@dataclass(frozen=True)
class SequenceTask:
    """One task.

    Attributes
    ----------
    draw : `draw(rng, vocabulary, shortest, longest)` gives one example.
    vocabulary : tokens with their marks and padding, as published. shortest, longest : tokens of an example.
    """

    name: str
    draw: Draw
    vocabulary: int = 8
    shortest: int = 2
    longest: int = 8
    causal: bool = False

    def examples(self, count: int, seed: int = 0) -> list[Tagged]:
        """Different examples, up to `count`; fewer where the task does not have so many.

        Raises
        ------
        InputError : a count below 1.
        """
        if count < 1:
            raise InputError(f"{count} examples; give at least 1")
        rng = generator(seed, "sequence task", self.name)
        found: dict[tuple[str, ...], Tagged] = {}
        for _ in range(GIVE_UP * count):
            one = self.draw(rng, self.vocabulary, self.shortest, self.longest)
            found.setdefault(one.tokens, one)
            if len(found) == count:
                break
        return list(found.values())

    def random_inputs(self, length: int, count: int, tokens: Sequence[str], seed: int = 0) -> list[tuple[str, ...]]:
        """Sequences of that length of any tokens at all, whether or not the task has them."""
        rng = generator(seed, "random inputs", self.name, length)
        return [tuple(tokens[int(place)] for place in row) for row in rng.integers(len(tokens), size=(count, length))]


def reversed_tags(words: Sequence[str]) -> list[str]:
    """The words from last to first."""
    return list(words[::-1])


def counts(words: Sequence[str]) -> list[str]:
    """How often each word is there."""
    own = Counter(words)
    return [str(own[word]) for word in words]


def double_counts(words: Sequence[str]) -> list[str]:
    """How many different words are there as often as each word."""
    own = Counter(words)
    alike = Counter(own.values())
    return [str(alike[own[word]]) for word in words]


def by_frequency(words: Sequence[str]) -> list[str]:
    """The different words, the most frequent first and the earlier first among equals, then begin marks."""
    own = Counter(words)
    order = sorted(own, key=lambda word: (-own[word], words.index(word)))
    return [*order, *[BEGIN] * (len(words) - len(order))]


def prefix_tags(words: Sequence[str]) -> list[str]:
    """T where the brackets so far are balanced, P where they may still be, F from where they cannot."""
    closing = {right: left for left, right in BRACKETS}
    open_ones: list[str] = []
    found: list[str] = []
    for word in words:
        if word not in closing:
            open_ones.append(word)
        elif open_ones and open_ones[-1] == closing[word]:
            open_ones.pop()
        else:
            return [*found, *["F"] * (len(words) - len(found))]
        found.append("P" if open_ones else "T")
    return found


def _symbols(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def _words(rng: np.random.Generator, symbols: Sequence[str], low: int, high: int) -> list[str]:
    """Uniform symbols, their number from `low` to below `high`."""
    return [symbols[int(place)] for place in rng.integers(len(symbols), size=int(rng.integers(low, high)))]


def _between_marks(rule: Callable[[Sequence[str]], list[str]]) -> Draw:
    def draw(rng: np.random.Generator, vocabulary: int, shortest: int, longest: int) -> Tagged:
        words = _words(rng, _symbols(vocabulary - 3), max(1, shortest - 2), longest - 1)
        return Tagged((BEGIN, *words, END), (None, *rule(words), None))

    return draw


def _after_mark(rule: Callable[[Sequence[str]], list[str]]) -> Draw:
    def draw(rng: np.random.Generator, vocabulary: int, shortest: int, longest: int) -> Tagged:
        words = _words(rng, _symbols(vocabulary - 2), max(1, shortest - 1), longest)
        return Tagged((BEGIN, *words), (None, *rule(words)))

    return draw


def _dyck(kinds: int) -> Draw:
    """Half of the examples begin with a well-formed word, which random brackets go on from; half are random."""

    def draw(rng: np.random.Generator, vocabulary: int, shortest: int, longest: int) -> Tagged:
        pairs, length = BRACKETS[:kinds], longest - 1
        every = [bracket for pair in pairs for bracket in pair]
        words: list[str] = []
        if rng.integers(2):
            for _ in range(int(rng.integers(1, longest // 2 + 1))):
                left, right = pairs[int(rng.integers(kinds))]
                words = [*words, left, right] if rng.integers(2) else [left, *words, right]
        words = words[:length] + [every[int(i)] for i in rng.integers(len(every), size=max(0, length - len(words)))]
        return Tagged((BEGIN, *words), (None, *prefix_tags(words)))

    return draw


def _induction(rng: np.random.Generator, vocabulary: int, shortest: int, longest: int) -> Tagged:
    """Letters with the digit that each has in this example; a letter's tag is its digit if it was there before."""
    kinds = (vocabulary - 2) // 2
    digits, letters = _symbols(kinds), [chr(ord("a") + place) for place in range(kinds)]
    digit_of = {letter: digits[int(rng.integers(kinds))] for letter in letters}
    tokens: list[str] = [BEGIN]
    shifted = bool(rng.integers(2))
    if shifted:
        tokens.append(digits[int(rng.integers(kinds))])
    pairs = int(rng.integers(shortest // 2, longest // 2 + 1))
    chosen = [letters[int(rng.integers(kinds))] for _ in range(pairs + (not shifted))]
    found: list[str | None] = [None] * len(tokens)
    for place, letter in enumerate(chosen):
        found.append(digit_of[letter] if letter in chosen[:place] else UNKNOWN)
        tokens.append(letter)
        if place < pairs:
            found.append(None)
            tokens.append(digit_of[letter])
    return Tagged(tuple(tokens), tuple(found))


TASKS: dict[str, SequenceTask] = {
    task.name: task
    for task in (
        SequenceTask("reverse", _between_marks(reversed_tags), shortest=3),
        SequenceTask("sort", _between_marks(lambda words: sorted(words)), shortest=3),
        SequenceTask("hist", _after_mark(counts)),
        SequenceTask("double_hist", _after_mark(double_counts)),
        SequenceTask("most_freq", _after_mark(by_frequency)),
        SequenceTask("dyck1", _dyck(1), vocabulary=4, shortest=16, longest=16, causal=True),
        SequenceTask("dyck2", _dyck(2), vocabulary=6, shortest=16, longest=16, causal=True),
        SequenceTask("induction", _induction, vocabulary=10, shortest=9, longest=9, causal=True),
    )
}
