"""Questions over documents of which one holds the answer: invented people and their codes, with rivals that look alike.

Nothing of it can be known beforehand, so what a model answers rightly it has read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError
from explicate.runtime.seeds import generator


@dataclass(frozen=True)
class Document:
    """What was retrieved: a title and a text."""

    title: str
    text: str


@dataclass(frozen=True)
class DocumentQuestion:
    """A question, its documents, and what is true of them.

    Attributes
    ----------
    gold : the number of the document that holds the answer. rivals : documents on the same subject without it.
    lead : how the answer's sentence begins, so that a small model names the value and nothing else.
    """

    question: str
    documents: tuple[Document, ...]
    answer: str
    gold: int
    rivals: tuple[int, ...] = ()
    lead: str = ""


FIRST = ("Lena", "Marco", "Ingrid", "Tomas", "Priya", "Oskar", "Yuki", "Carla", "Henrik", "Amara", "Felix", "Noor",
         "Silvia", "Dmitri", "Greta", "Pablo", "Wanda", "Idris", "Helga", "Bruno", "Tessa", "Viktor", "Maren", "Jonas",
         "Elif", "Ruben", "Astrid", "Kofi", "Nadia", "Emil")  # fmt: skip
LAST = ("Brandt", "Okafor", "Lindqvist", "Moreau", "Castell", "Novak", "Ferrant", "Hartog", "Sorell", "Tanaka", "Weiss",
        "Albright", "Dufour", "Kowal", "Marchetti", "Olsen", "Petrov", "Quist", "Rossi", "Santoro")  # fmt: skip
THINGS = ("locker", "safe", "gate", "garage", "cabinet", "archive")
_FILLER = (
    "{name} lives in a small house near the {place} and likes {hobby}.",
    "Every {day}, {first} walks to the {place} to meet old friends.",
    "In the evening {first} often reads books about {hobby}.",
    "Last year {name} won a prize at the {place} for a talk on {hobby}.",
    "On {day} the neighbours of {first} come by for tea and cake.",
    "The family of {first} has worked at the {place} for many years.",
    "When it rains, {first} stays at home and thinks about {hobby}.",
    "{first} once wrote a short letter about the {place} to the newspaper.",
)
_PLACES = ("harbour", "station", "market", "library", "museum", "bridge", "mill", "theatre")
_HOBBIES = ("chess", "gardening", "painting", "sailing", "cooking", "birds", "old maps", "music")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
STATEMENT = "The code of the {thing} of {name} is {code}."


def document_questions(
    count: int, seed: int = 0, documents: int = 10, filler: int = 0, rivals: int = 0, gold: int | None = None
) -> list[DocumentQuestion]:
    """Questions for the code of somebody's locker, safe, gate, ...

    Parameters
    ----------
    documents : of each question, one person each. filler : sentences of each besides the statement, around it.
    rivals : documents about the person who is asked for that do not hold the answer. gold : place of the document that
        holds it; None: any.
    """
    if not 1 <= documents <= len(FIRST) or rivals >= documents or not 0 <= filler <= len(_FILLER):
        raise InputError(
            f"{documents} documents with {rivals} rivals and {filler} filling sentences cannot be made; take 1 to "
            f"{len(FIRST)} documents, fewer rivals, and at most {len(_FILLER)} sentences"
        )
    found = []
    for number in range(count):
        rng = generator(seed, "documents", number)
        names = [f"{a} {b}" for a, b in zip(rng.permutation(FIRST), rng.choice(LAST, len(FIRST)), strict=True)]
        thing = str(rng.choice(THINGS))
        codes = rng.choice(np.arange(1000, 10_000), documents, replace=False)
        texts = [_document(names[0], filler, rng, thing, int(codes[0]))]
        texts += [_document(names[0], filler + 1, rng) for _ in range(rivals)]
        texts += [
            _document(names[place], filler, rng, str(rng.choice(THINGS)), int(codes[place]))
            for place in range(1, documents - rivals)
        ]
        order = rng.permutation(documents).tolist()
        if gold is not None:
            order.remove(0)
            order.insert(gold, 0)
        found.append(
            DocumentQuestion(
                f"What is the code of the {thing} of {names[0]}?",
                tuple(texts[place] for place in order),
                str(codes[0]),
                order.index(0),
                tuple(place for place, which in enumerate(order) if 0 < which <= rivals),
                STATEMENT.split("{code}")[0].format(thing=thing, name=names[0]).strip(),
            )
        )
    return found


def _document(name: str, filler: int, rng: np.random.Generator, thing: str = "", code: int = 0) -> Document:
    words = {"name": name, "first": name.split()[0]}
    lines = [
        text.format(place=rng.choice(_PLACES), hobby=rng.choice(_HOBBIES), day=rng.choice(_DAYS), **words)
        for text in rng.permutation(_FILLER)[:filler]
    ]
    if thing:
        lines.insert(int(rng.integers(len(lines) + 1)), STATEMENT.format(thing=thing, name=name, code=code))
    return Document(name, " ".join(lines))
