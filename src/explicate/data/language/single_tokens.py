"""Words that a tokenizer knows as one token, and where a word stands in a text: what prompts made by rule need.

A tokenizer is meant by a model's handle, of which only `encode` and `token_text` are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError

BEFORE = "a"
"""A word stands inside a text, so it is looked at behind another one."""


class Tokens(Protocol):
    """What is needed of a model's handle."""

    name: str

    def encode(self, inputs: Any) -> Array:
        """Texts as ids (sample, token), -1 on the right."""

    def token_text(self, index: int) -> str:
        """The text of one token id."""


def single_tokens(model: Tokens, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are one token behind a space, and the others; each in their order."""
    if not words:
        return [], []
    alone = int((model.encode([BEFORE])[0] >= 0).sum())
    kept: list[str] = []
    dropped: list[str] = []
    for word in words:
        try:
            row = model.encode([f"{BEFORE} {word}"])[0]
        except InputError:  # a vocabulary of words, without this one
            dropped.append(word)
            continue
        ids = row[row >= 0]
        single = len(ids) == alone + 1 and model.token_text(int(ids[-1])).strip() == word
        (kept if single else dropped).append(word)
    return kept, dropped


def at_least(kept: Sequence[str], dropped: Sequence[str], needed: int, what: str, model: Tokens) -> None:
    """Refuse to go on with too few words."""
    if len(kept) < needed:
        raise InputError(
            f"{model.name!r} knows {len(kept)} of {len(kept) + len(dropped)} {what} as one token, and {needed} are "
            f"needed; give others (not single: {', '.join(dropped[:5]) or 'none'})"
        )


def places_of(model: Tokens, texts: Sequence[str], parts: Sequence[Sequence[str]]) -> Array:
    """The position of the last token of each beginning of each text: int64 (text, part).

    Parameters
    ----------
    parts : for each text some of its beginnings, all as many; each ends with the word whose position is meant.

    Raises
    ------
    InputError : a beginning whose tokens are not those of the text, so that its length says nothing.
    """
    flat = [part for row in parts for part in row]
    whole, starts = model.encode(list(texts)), model.encode(flat)
    found = np.empty((len(texts), len(parts[0])), dtype=np.int64)
    for number, start in enumerate(starts):
        row, column = divmod(number, len(parts[0]))
        ids = start[start >= 0]
        if (whole[row, : len(ids)] != ids).any():
            raise InputError(f"{flat[number]!r} and {texts[row]!r} are cut into tokens in different ways")
        found[row, column] = len(ids) - 1
    return found
