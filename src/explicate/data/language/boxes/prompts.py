"""Boxes: what is in which box, told one box at a time and then asked for one of them.

"The document is in Box X, the pot is in Box T, ..., the map is in Box D. Box T contains the" is continued by "pot".
Every word is one token and every plain segment has seven of them, so positions of equally many boxes correspond.
Source: Kim and Schuster (2023), "Entity Tracking in Language Models", as used by Prakash, Shaham, Haklay, Belinkov, Bau
(2024), "Fine-Tuning Enhances Existing Mechanisms: A Case Study on Entity Tracking", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from explicate.errors import InputError

LABELS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NOUNS = """
apple bag ball bank bed bell bill block boat bomb bone book boot bottle bowl brain bread brick bus cake camera
card cash chair chemical clock coat coffee cross cup disk dish document dress drink drug egg engine file film
fish flower fork game gift glass gold guitar hat ice key kite knife lamp leaf letter machine magazine map medicine milk
mirror money net newspaper note paper pen phone picture pie pill pipe plane plant plate pot radio ring rock
rope rose seed sheet shell shirt shoe song stone string suit sugar tea ticket tie tool train watch wheel wine
"""
OBJECTS = tuple(_NOUNS.split())
"""A hundred common nouns, each one token of the vocabularies that they were tried on."""
SEGMENT = 7  # words of a plain segment, its comma or full stop included

Form: TypeAlias = Literal[
    "plain", "text before", "text after", "extra words", "segment at start", "segment at end", "boxes before",
    "wrong index", "box first", "not in", "no commas", "comma after object",
]  # fmt: skip
FORMS: tuple[Form, ...] = (
    "text before", "text after", "extra words", "segment at start", "segment at end", "boxes before", "wrong index",
    "box first", "not in", "no commas", "comma after object",
)  # fmt: skip
"""How a counterfactual may differ from the plain form, to find out what a "position" is."""

BEFORE = ["There", "are", "many", "boxes", "and", "many", "things", "in", "this", "room", "."]
AFTER = ["This", "is", "all", "that", "there", "is", "in", "this", "room", "."]
EMPTY_BOX = ["the", "Box", "is", "empty", ","]
WORDS = (
    "The", "the", "is", "in", "Box", "contains", ",", ".", "not", "still", "small", "old", "empty", "There", "are",
    "many", "boxes", "and", "things", "this", "room", "This", "all", "that", "there",
)  # fmt: skip
"""All words but objects and labels, those of the other forms included."""


@dataclass(frozen=True)
class BoxesPrompt:
    """Some boxes, and a question about one of them.

    Parameters
    ----------
    objects : what is in each box, in the order in which they are told. labels : the boxes' letters.
    query : the letter asked for; one that no box has where the prompt is a counterfactual.
    form : how it is told.
    extra : object and label of what a form adds: of the segment at the start or end.
    """

    objects: tuple[str, ...]
    labels: tuple[str, ...]
    query: str
    form: Form = "plain"
    extra: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        _check_parts(self.objects, self.labels, "the prompt")
        if self.form in ("segment at start", "segment at end") and self.extra is None:
            raise InputError(f"a prompt with a {self.form} needs the object and the label of it: extra=('pot', 'T')")

    @property
    def query_index(self) -> int | None:
        """The place of the box asked for among the boxes; None where no box has the letter."""
        return self.labels.index(self.query) if self.query in self.labels else None

    @property
    def answer(self) -> str:
        """What is in the box asked for."""
        index = self.query_index
        if index is None:
            raise InputError(f"no box has the letter {self.query!r}, so nothing is in it; only counterfactuals ask so")
        return self.objects[index]

    def layout(self) -> Layout:
        """The words, and where in them the objects and the letters are."""
        found = Layout()
        if self.form == "text before":
            found.add(BEFORE)
        if self.form == "segment at start" and self.extra is not None:
            self._segment(found, *self.extra, None, last=False)
        for index, (thing, label) in enumerate(zip(self.objects, self.labels, strict=True)):
            if self.form == "boxes before" and index == self.query_index:
                found.add(EMPTY_BOX * 2)
            last = index == len(self.objects) - 1 and self.form != "segment at end"
            self._segment(found, thing, label, index, last)
        if self.form == "segment at end" and self.extra is not None:
            self._segment(found, *self.extra, None, last=True)
        if self.form == "text after":
            found.add(AFTER)
        found.add(["Box", self.query, "contains", "the"])
        return replace(found, words=_capitalised(found.words))

    def text(self, spaced: bool = False) -> str:
        """The prompt as one text; `spaced` puts spaces before commas and full stops, for tokenizers of whole words."""
        return joined(self.layout().words, spaced)

    def _segment(self, found: Layout, thing: str, label: str, index: int | None, last: bool) -> None:
        end = ["."] if last else [] if self.form == "no commas" else [","]
        start = len(found.words)
        if self.form == "box first":
            words, places = ["Box", label, "contains", "the", thing], (4, 1)
        elif self.form == "not in":
            words, places = ["the", thing, "is", "not", "in", "Box", label], (1, 6)
        elif self.form == "extra words":
            words, places = ["the", thing, "is", "still", "in", "this", "small", "old", "Box", label], (1, 9)
        elif self.form == "comma after object":
            words, places = ["the", thing, ",", "is", "in", "Box", label], (1, 6)
        else:
            words, places = ["the", thing, "is", "in", "Box", label], (1, 5)
        found.add([*words, *end])
        if index is not None:
            found.objects.append(start + places[0])
            found.labels.append(start + places[1])


@dataclass(frozen=True)
class Layout:
    """A prompt's words, and the places of each box's object and letter among them."""

    words: list[str] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def add(self, words: Sequence[str]) -> None:
        """Put words at the end."""
        self.words.extend(words)


def joined(words: Sequence[str], spaced: bool = False) -> str:
    """Words as a text."""
    text = " ".join(words)
    return text if spaced else text.replace(" ,", ",").replace(" .", ".")


def _capitalised(words: list[str]) -> list[str]:
    starts = [True, *(word == "." for word in words[:-1])]
    return [word[:1].upper() + word[1:] if start else word for word, start in zip(words, starts, strict=True)]


def _check_parts(objects: Sequence[str], labels: Sequence[str], what: str) -> None:
    if len(objects) != len(labels) or len(objects) == 0:
        raise InputError(f"{what} has {len(objects)} objects and {len(labels)} labels; give one label for each object")
    for name, parts in (("label", labels), ("object", objects)):
        twice = sorted({part for part in parts if list(parts).count(part) > 1})
        if twice:
            raise InputError(f"{what} has the {name} {twice[0]!r} twice; each may be there once")


# -- drawing -----------------------------------------------------------------------------------------------------------


def boxes_prompts(
    count: int,
    rng: np.random.Generator,
    boxes: int = 7,
    objects: Sequence[str] = OBJECTS,
    labels: Sequence[str] = LABELS,
) -> list[BoxesPrompt]:
    """Prompts with objects, labels and questions drawn at random."""
    if boxes > min(len(objects), len(labels)):
        raise InputError(f"{boxes} boxes need as many objects and labels; there are {len(objects)} and {len(labels)}")
    found = []
    for _ in range(count):
        things, letters = drawn(objects, boxes, rng), drawn(labels, boxes, rng)
        found.append(BoxesPrompt(things, letters, letters[rng.integers(boxes)]))
    return found


def drawn(names: Sequence[str], count: int, rng: np.random.Generator, without: Sequence[str] = ()) -> tuple[str, ...]:
    """Some names, none of them twice or among `without`."""
    left = [name for name in names if name not in set(without)]
    if count > len(left):
        raise InputError(f"{count} different names are asked for, but only {len(left)} are left")
    return tuple(left[i] for i in rng.choice(len(left), count, replace=False))


def corrupted(
    prompts: Sequence[BoxesPrompt],
    rng: np.random.Generator,
    objects: Sequence[str] = OBJECTS,
    labels: Sequence[str] = LABELS,
) -> list[BoxesPrompt]:
    """For each prompt one with other objects and labels, that asks for a letter which no box has."""
    found = []
    for prompt in prompts:
        count = len(prompt.objects)
        letters = drawn(labels, count, rng, prompt.labels)
        query = drawn(labels, 1, rng, (*letters, prompt.query))[0]
        found.append(BoxesPrompt(drawn(objects, count, rng, prompt.objects), letters, query))
    return found
