"""Perturbation maps: one word of the input is exchanged at a time, and one looks which words of the output change.

Beside the same map of the exact function it shows on what a model's output depends and should not, and the other way.
Source: Zhang et al. (2024), arXiv 2401.12947, "perturbation analysis".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Floats, Masks
from explicate.errors import InputError
from explicate.mechanisms.algorithms.sequence_models import Answers, Words


@dataclass(frozen=True, eq=False)
class PerturbationMap:
    """Which words of an output change with which words of the input.

    Attributes
    ----------
    words, answer : the input, and the output for it.
    exchanged : (perturbation,), the place of the word that was exchanged. replacements : what for.
    changed : (perturbation, output place); places are counted from the start, and go to the longest output; a word
        that is there on one side only counts as changed.
    """

    words: Words
    answer: Words
    exchanged: tuple[int, ...]
    replacements: Words
    changed: Masks

    def by_place(self) -> Floats:
        """Share of the replacements of each input word that change each output word: (input word, output place)."""
        places = np.array(self.exchanged)
        found = np.zeros((len(self.words), self.changed.shape[1]))
        for place in np.unique(places):
            found[place] = self.changed[places == place].mean(axis=0)
        return found


@dataclass(frozen=True)
class DependenceAgreement:
    """A model's dependences held against those of the exact function.

    Attributes
    ----------
    recall : share of the function's dependences that the model has. precision : share of the model's that the function
        has. Both are 1 where there is nothing to find. inputs : how many were perturbed.
    """

    recall: float
    precision: float
    inputs: int


def perturbation_map(answers: Answers, words: Words, swaps: Mapping[str, Sequence[str]]) -> PerturbationMap:
    """Exchange each word in turn.

    Parameters
    ----------
    swaps : for each word what it is exchanged for, for example {"X0": ["X1"], "X1": ["X0"]}; others stay.

    Raises
    ------
    InputError : no word of the input can be exchanged.
    """
    return perturbation_maps(answers, [words], swaps)[0]


def perturbation_maps(
    answers: Answers, inputs: Sequence[Words], swaps: Mapping[str, Sequence[str]]
) -> list[PerturbationMap]:
    """The maps of many inputs, all asked at once."""
    planned: list[tuple[int, int, str]] = []
    for number, words in enumerate(inputs):
        own = [(number, place, new) for place, word in enumerate(words) for new in swaps.get(word, ()) if new != word]
        if not own:
            raise InputError(f"no word of {' '.join(words)!r} has an exchange; swaps are for {', '.join(swaps)}")
        planned += own
    exchanged = [(*inputs[n][:place], new, *inputs[n][place + 1 :]) for n, place, new in planned]
    found = [tuple(one) for one in answers([*inputs, *exchanged])]
    plain, others = found[: len(inputs)], found[len(inputs) :]
    maps = []
    for number, words in enumerate(inputs):
        pairs = [(place, new, other) for (n, place, new), other in zip(planned, others, strict=True) if n == number]
        longest = max(len(plain[number]), *(len(other) for _, _, other in pairs))
        changed = np.array([_differs(plain[number], other, longest) for _, _, other in pairs])
        places, news, _ = zip(*pairs, strict=True)
        maps.append(PerturbationMap(tuple(words), plain[number], places, news, changed))
    return maps


def dependence_agreement(
    model: Answers, function: Answers, inputs: Sequence[Words], swaps: Mapping[str, Sequence[str]]
) -> DependenceAgreement:
    """How far a model's output depends on what the function's output depends on."""
    both = found = wanted = 0
    for own, exact in zip(
        perturbation_maps(model, inputs, swaps), perturbation_maps(function, inputs, swaps), strict=True
    ):
        width = max(own.changed.shape[1], exact.changed.shape[1])
        mine, its = (np.pad(one.changed, ((0, 0), (0, width - one.changed.shape[1]))) for one in (own, exact))
        both, found, wanted = both + int((mine & its).sum()), found + int(mine.sum()), wanted + int(its.sum())
    return DependenceAgreement(both / wanted if wanted else 1.0, both / found if found else 1.0, len(inputs))


def _differs(first: Words, second: Words, longest: int) -> list[bool]:
    return [first[place : place + 1] != second[place : place + 1] for place in range(longest)]
