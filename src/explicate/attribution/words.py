"""Players of a text: its words or its sentences, instead of its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.players import Partition, Players
from explicate.core.capabilities import Array
from explicate.core.registry import register
from explicate.errors import InputError

ENDS = ".!?…。！？"
CLOSING = "\"'”’)]»"


@register("words", "parts")
@dataclass(frozen=True)
class Words(Partition):
    """Every word is a player: its tokens come and go together. Special tokens are never absent."""

    def players(self, model: Any, sample: Array) -> Players:
        return Players(_words(model, sample, "words"))


@register("sentences", "parts")
@dataclass(frozen=True)
class Sentences(Partition):
    """Every sentence is a player. One ends at ".", "!" or "?" before white space, and at a line break.

    Abbreviations are not known ("Dr. Who" makes two); give `Groups` where that matters.
    """

    def players(self, model: Any, sample: Array) -> Players:
        words = _words(model, sample, "sentences")
        texts = [model.token_text(int(index)) for index in sample]
        labels = np.full(len(sample), -1)
        spaced = any(text[:1].isspace() for text in texts)  # word pieces do not keep their spaces
        sentence, ended = 0, False
        before = ""
        for place in np.flatnonzero(words >= 0):
            text = texts[int(place)]
            if spaced:
                begins = text.strip() != "" and (text[0].isspace() or before[-1:].isspace())
            else:
                begins = text.strip(CLOSING) != "" and not (_digit(text) and _digit(texts[max(int(place) - 2, 0)]))
            if ended and begins:
                sentence += 1
            labels[place] = sentence
            bare = text.rstrip().rstrip(CLOSING)
            ended = "\n" in text or (bare == "" and ended) or bare[-1:] in tuple(ENDS)
            before = text
        return Players(labels)


def _digit(text: str) -> bool:
    return text[:1].isdigit()


def _words(model: Any, sample: Array, name: str) -> Array:
    if model.kind != "text" or not hasattr(model, "words"):
        raise InputError(f"{name} are for texts; {model.name!r} is a model of {model.kind}")
    labels = np.asarray(model.words(sample))
    if labels.max(initial=-1) < 0:
        raise InputError(f"the text {sample.tolist()} has no {name}: all its tokens are special")
    return labels
