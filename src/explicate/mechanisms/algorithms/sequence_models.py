"""What the analyses ask of a model: an answer in words for an input in words, and heads that can be taken out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

Words: TypeAlias = tuple[str, ...]
Answers: TypeAlias = Callable[[Sequence[Words]], Sequence[Words]]
"""Gives an answer for each input: a model's `answers`, or `each(function)`."""


class SequenceModel(Protocol):
    """A model that writes a sequence for a sequence, such as `explicate.models.tiny.translator.Translator`."""

    @property
    def name(self) -> str: ...

    @property
    def heads(self) -> Sequence[Any]:
        """All attention heads."""

    def answers(self, texts: Sequence[Words]) -> list[Words]:
        """What is written for each input."""

    def without(self, heads: Collection[Any], values: Any = None) -> AbstractContextManager[None]:
        """Heads at zero, or at given values, while the context lasts."""

    def head_means(self, texts: Sequence[Words]) -> Any:
        """The mean of what each head passes on."""


def each(function: Callable[[Words], Sequence[str]]) -> Answers:
    """A function of one input, such as a machine, as something that answers many."""
    return lambda texts: [tuple(function(text)) for text in texts]
