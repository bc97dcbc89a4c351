"""Indirect object identification: "When Mary and John went to the store, John gave a drink to" goes on with Mary.

Two names are said, then one again (the subject); the other (the indirect object) is the answer. In the template ABBA
the indirect object is said first, in BABA second. Source: Wang, Variengien, Conmy, Shlegeris, Steinhardt (2023),
"Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small", section 2; words are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.single_tokens import Tokens, at_least, places_of, single_tokens
from explicate.errors import InputError
from explicate.runtime.seeds import generator

Template = Literal["ABBA", "BABA"]
Form = Literal["short", "long"]
TEMPLATES: tuple[Template, ...] = ("ABBA", "BABA")
NAMES = (
    "John", "Mary", "Tom", "Anna", "James", "Sarah", "Paul", "Kate", "Mark", "Lisa", "David", "Emma", "Peter", "Alice",
    "Michael", "Laura", "Robert", "Julia", "Daniel", "Helen", "Jack", "Rachel", "Adam", "Jane", "Simon", "Susan",
    "George", "Maria", "Henry", "Linda", "Martin", "Amy",
)  # fmt: skip
PLACES = ("store", "park", "school", "office", "station", "garden", "museum", "library", "hospital", "restaurant")
THINGS = ("drink", "ball", "book", "letter", "ring", "basket", "ticket", "bottle", "flower", "key")
CLAUSES = (
    "It was already late and the streets were full of people.",
    "On the way they saw a dog and heard some music.",
    "The weather was cold and there was a lot of wind.",
    "Nobody had been there for a very long time before that.",
)
"""Sentences without names that stand between the two halves of the long form."""
FORMS: dict[str, tuple[str, ...]] = {
    "short": ("When {first}", " and {second}", " went to the {place}, {third}", " gave a {thing} to"),
    "long": ("Then {first}", " and {second}", " went to the {place}. {clause} Later {third}", " gave a {thing} to"),
}
"""Prompts, cut behind each name."""
WHO = ("io", "s1", "s2", "end")
"""Places in a prompt: the indirect object, the subject, the subject again, the last token."""


@dataclass(frozen=True)
class IOIPrompt:
    """One prompt.

    Attributes
    ----------
    prompt : what the model reads; it should go on with `io`.
    swapped : the same with the other name said again, so that it should go on with `s`.
    renamed : the same with three names that are not those of the prompt, so that nothing tells which one follows.
    io, s : the indirect object (the answer) and the subject.
    template, form : which of the two orders; short, or long with a sentence in between.
    positions : of `io`, `s1`, `s2` and `end`, counted from the first token.
    """

    prompt: str
    swapped: str
    renamed: str
    io: str
    s: str
    template: Template
    form: Form
    positions: Mapping[str, int]


@dataclass(frozen=True)
class IOI:
    """Prompts, and how many words of each sort were left out because they are not one token."""

    prompts: tuple[IOIPrompt, ...]
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def texts(self) -> list[str]:
        """The prompts as texts."""
        return [each.prompt for each in self.prompts]

    def places(self, who: str) -> Array:
        """The position of one of `WHO` in each prompt, (sample,)."""
        return np.array([each.positions[who] for each in self.prompts], dtype=np.int64)


def ioi_prompts(
    model: Tokens,
    count: int = 40,
    *,
    templates: Sequence[Template] = TEMPLATES,
    form: Form = "short",
    names: Sequence[str] = NAMES,
    places: Sequence[str] = PLACES,
    things: Sequence[str] = THINGS,
    spaced: bool = False,
    seed: int = 0,
) -> IOI:
    """Draw prompts whose names, places and things are one token each, so that all of a form are equally long.

    Parameters
    ----------
    model : the handle whose tokenizer decides.
    templates : taken in turn.
    form : "short", or "long" with a sentence of `CLAUSES` between the two halves.
    spaced : whether punctuation stands apart, as for tokenizers that split at spaces alone.

    Raises
    ------
    InputError : fewer than five names (two for the prompt, three for `renamed`), or no place or thing, is one token.
    """
    unknown = [template for template in templates if template not in TEMPLATES]
    if unknown or not templates:
        raise InputError(f"templates {unknown or list(templates)} are unknown; use {' and '.join(TEMPLATES)}")
    if form not in FORMS:
        raise InputError(f"form {form!r} is unknown; use {' or '.join(FORMS)}")
    if count < 1:
        raise InputError(f"count is {count}: give 1 or more")
    kept: dict[str, list[str]] = {}
    dropped: dict[str, int] = {}
    sorts: dict[str, tuple[Sequence[str], int]] = {"names": (names, 5), "places": (places, 1), "things": (things, 1)}
    for what, (words, needed) in sorts.items():
        kept[what], rest = single_tokens(model, words)
        at_least(kept[what], rest, needed, what, model)
        dropped[what] = len(rest)
    rng = generator(seed, "ioi", form)
    drawn = []
    for number in range(count):
        five = [kept["names"][i] for i in rng.permutation(len(kept["names"]))[:5]]
        place, thing = (kept[what][rng.integers(len(kept[what]))] for what in ("places", "things"))
        clause = CLAUSES[rng.integers(len(CLAUSES))] if form == "long" else ""
        drawn.append((five, templates[number % len(templates)], place, thing, clause))
    texts, parts = [], []
    for (io, s, *others), template, place, thing, clause in drawn:
        names_of = {"first": io, "second": s} if template == "ABBA" else {"first": s, "second": io}
        kinds = {"place": place, "thing": thing, "clause": clause}
        parts.append(_beginnings(form, spaced, third=s, **names_of, **kinds))
        swapped = _beginnings(form, spaced, third=io, **names_of, **kinds)
        renamed = _beginnings(form, spaced, **dict(zip(("first", "second", "third"), others, strict=True)), **kinds)
        texts.append((parts[-1][-1], swapped[-1], renamed[-1]))
    where = places_of(model, [row[0] for row in texts], parts)
    prompts = []
    for ((io, s, *_), template, *_), row, (one, two, three, end) in zip(drawn, texts, where.tolist(), strict=True):
        io_place, s1_place = (one, two) if template == "ABBA" else (two, one)
        positions = {"io": io_place, "s1": s1_place, "s2": three, "end": end}
        prompts.append(IOIPrompt(row[0], row[1], row[2], io, s, template, form, positions))
    return IOI(tuple(prompts), dropped)


def _beginnings(form: Form, spaced: bool, **words: str) -> list[str]:
    """A prompt up to each of its three names, and whole."""
    found = [""]
    for piece in FORMS[form]:
        text = piece.format(**words)
        found.append(found[-1] + (text.replace(",", " ,").replace(".", " .") if spaced else text))
    return found[1:]
