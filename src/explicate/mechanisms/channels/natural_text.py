"""Where in natural text a channel is written to most, with what stands before, so that a reader sees what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError
from explicate.mechanisms.channels.channel import Channel
from explicate.models.language import LanguageModel


@dataclass(frozen=True)
class Written:
    """One place in a text.

    Attributes
    ----------
    text, position : which text and token. value : what the head writes along the channel there; its sign is free.
    token : the token. before : the tokens before it.
    repeated : whether the token stood earlier in the same text.
    """

    text: int
    position: int
    value: float
    token: str
    before: str
    repeated: bool


def most_written(
    model: LanguageModel, channel: Channel, texts: Sequence[str], *, most: int = 50, context: int = 16
) -> list[Written]:
    """The positions where a channel's activation is largest in size, over all texts, largest first."""
    if not texts:
        raise InputError("no texts given")
    ids = model.encode(list(texts))
    values = model.capture(ids, [channel.site])[channel.site] @ channel.write
    sizes = np.where(ids >= 0, np.abs(values), -1.0)
    found = []
    for place in np.argsort(-sizes, axis=None, kind="stable")[: min(most, int((ids >= 0).sum()))]:
        text, position = (int(i) for i in np.unravel_index(place, sizes.shape))
        row = ids[text]
        start = max(0, position - context)
        before = model.decode(row[None, start:position])[0] if position else ""
        token = int(row[position])
        found.append(Written(text, position, float(values[text, position]), model.token_text(token), before,
                             bool((row[:position] == token).any())))  # fmt: skip
    return found


def share_repeated(model: LanguageModel, texts: Sequence[str]) -> float:
    """The share of all positions whose token stood earlier in its text: what chance gives `Written.repeated`."""
    ids = model.encode(list(texts))
    marks = [[bool((row[:i] == row[i]).any()) for i in range(len(row)) if row[i] >= 0] for row in ids]
    return float(np.mean([mark for row in marks for mark in row]))
