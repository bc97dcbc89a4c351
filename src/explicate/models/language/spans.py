"""From characters of a text to its tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explicate.core.capabilities import Array
from explicate.models.language.token_model import TokenModel

Span = tuple[int, int]


def token_span(model: TokenModel, ids: Array, part: str) -> Span | None:
    """The tokens that hold a part of an encoded text, the first and the one after the last; None where it is not there.

    Where a tokenizer of whole words leaves the spaces out, words are compared.
    """
    pieces = [model.token_text(int(i)) for i in ids if i >= 0]
    begin = "".join(pieces).find(part)
    if begin >= 0:
        return _inside(pieces, begin, begin + len(part))
    words = part.split()
    for first in range(len(pieces) - len(words) + 1):
        if words and [piece.strip() for piece in pieces[first : first + len(words)]] == words:
            return first, first + len(words)
    return None


def token_spans(model: TokenModel, ids: Array, whole: str, parts: Sequence[Span]) -> list[Span]:
    """The tokens of parts of a text that are given by their characters, counted from where `whole` begins."""
    pieces = [model.token_text(int(i)) for i in ids if i >= 0]
    text = "".join(pieces)
    start = text.find(whole)
    if start >= 0:
        return [_inside(pieces, start + begin, start + end) for begin, end in parts]
    counts = [len(whole[:place].split()) for span in parts for place in span]
    return [(counts[2 * i], counts[2 * i + 1]) for i in range(len(parts))]


def _inside(pieces: Sequence[str], begin: int, end: int) -> Span:
    ends = np.cumsum([len(piece) for piece in pieces])
    first = np.searchsorted(ends, begin, side="right")
    last = np.searchsorted(ends, end, side="left")
    return int(first), int(last) + 1
