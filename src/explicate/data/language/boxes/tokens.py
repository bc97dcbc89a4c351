"""Prompts about boxes as tokens, with the positions that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.data.language.boxes.prompts import BoxesPrompt
from explicate.errors import InputError


@dataclass(frozen=True, eq=False)
class EncodedBoxes:
    """Prompts as a model reads them.

    Attributes
    ----------
    ids : (prompt, token), without gaps where all have as many boxes, else -1 on the right.
    answers : (prompt,), the token of the right object; -1 where nothing is in the box asked for.
    last, query_label : (prompt,), positions of the last token and of the letter asked for.
    first_mention : (prompt,), of the letter's first mention; -1 where there is none.
    object_places, label_places : (prompt, box), of all objects and letters.
    """

    ids: np.ndarray
    answers: np.ndarray
    last: np.ndarray
    query_label: np.ndarray
    first_mention: np.ndarray
    object_places: np.ndarray
    label_places: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def right_object(self) -> np.ndarray:
        """(prompt,), the position of the right object; -1 where there is none."""
        rows, boxes = np.nonzero(self.label_places == self.first_mention[:, None])
        found = np.full(len(self), -1)
        found[rows] = self.object_places[rows, boxes]
        return found

    def token_of(self, row: int, box: int) -> int:
        """The token of one box's object, as it stands in the text."""
        return int(self.ids[row, self.object_places[row, box]])


def encoded(prompts: Sequence[BoxesPrompt], model: Any, spaced: bool = False) -> EncodedBoxes:
    """Prompts of equally many boxes as tokens, with the places that matter.

    Answers are the tokens as they stand in the text, so they are what the model would have to say.

    Parameters
    ----------
    model : what encodes texts, a `LanguageModel`.
    spaced : see `BoxesPrompt.text`.

    Raises
    ------
    InputError : a word that is several tokens, named with its row; prompts with different numbers of boxes.
    """
    if len({len(prompt.objects) for prompt in prompts}) != 1:
        raise InputError("prompts to be encoded together must have equally many boxes; encode those of each number")
    ids = model.encode([prompt.text(spaced) for prompt in prompts])
    places: list[tuple[int, int, int, list[int], list[int]]] = []
    answers = np.full(len(prompts), -1, dtype=np.int64)
    for row, prompt in enumerate(prompts):
        layout = prompt.layout()
        length = int((ids[row] >= 0).sum())
        begin = _special_at_start(model, ids[row : row + 1, :length])
        if length - begin != len(layout.words):
            raise InputError(_several_tokens(row, layout.words, model, spaced))
        things, letters = [begin + p for p in layout.objects], [begin + p for p in layout.labels]
        index = prompt.query_index
        places.append((length - 1, length - 3, -1 if index is None else letters[index], things, letters))
        if index is not None:
            answers[row] = ids[row, things[index]]
    last, query, first, things_, letters_ = (np.array(column) for column in zip(*places, strict=True))
    return EncodedBoxes(ids, answers, last, query, first, things_, letters_)


def _special_at_start(model: Any, ids: np.ndarray) -> int:
    special = np.asarray(model.special_tokens(ids))[0]
    return int(special[:1].sum())


def _several_tokens(row: int, words: Sequence[str], model: Any, spaced: bool) -> str:
    for word in words:
        pieces = model.encode([f"a {word}"])[0]
        alone = model.encode(["a"])[0]
        if len(pieces[pieces >= 0]) - len(alone[alone >= 0]) > 1:
            return f"row {row}: {word!r} is more than one token of {model.name!r}; choose words that are one each"
    other = "spaced=True" if not spaced else "spaced=False"
    return f"row {row}: {model.name!r} does not read each word as one token; try {other}"
