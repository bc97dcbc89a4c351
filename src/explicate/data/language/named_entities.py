"""Made sentences with people, places and organisations, tagged strictly (IOB2).

Many names are of more than one kind ("Washington", "Chelsea"), so a word alone does not tell; some names occur in the
held-out part only. Neither can be settled by a table of words.
"""

from __future__ import annotations

import numpy as np

from explicate.data.language.tagged import Tagged
from explicate.errors import InputError
from explicate.runtime.seeds import generator

FIRST = (
    "Anna", "Peter", "Maria", "John", "Laura", "Ahmed", "Ivan", "Mei", "Carlos", "Sarah", "Victoria", "Sydney",
    "Austin", "Florence", "Paris", "Chelsea", "Jordan",
)  # fmt: skip
LAST = (
    "Smith", "Lopez", "Chen", "Novak", "Okoye", "Haddad", "Larsen", "Rossi", "Washington", "Lincoln", "Houston",
    "Jackson", "London", "Ford", "Jordan",
)  # fmt: skip
PLACES = (
    "Lisbon", "Oslo", "Cairo", "Lima", "Quito", "Paris", "Florence", "Sydney", "Austin", "Victoria", "Houston",
    "Washington", "Jackson", "London", "Lincoln", "Chelsea", "Jordan",
)  # fmt: skip
LONG_PLACES = ("New York", "Cape Town", "San Jose", "New London")
COMPANIES = ("Acme", "Globex", "Initech", "Ford", "Lincoln", "Chelsea", "Houston", "Oslo", "Lima", "Jackson")
COMPANY_ENDS = ("Motors", "United", "Bank", "")
LATE = {  # names that only held-out sentences have
    "first": ("Nadia", "Tomas", "Yuki", "Priya"),
    "last": ("Kowalski", "Mbeki", "Tanaka", "Silva"),
    "place": ("Nairobi", "Bergen", "Tallinn", "Porto"),
    "company": ("Zenix", "Orbita", "Farnell", "Kuvo"),
}
TEMPLATES = (
    "{PER} lives in {LOC} .",
    "{PER} works for {ORG} in {LOC} .",
    "{ORG} opened an office in {LOC} .",
    "{ORG} hired {PER} last year .",
    "the mayor of {LOC} met {PER} .",
    "shares of {ORG} fell by 3 percent .",
    "{PER} flew from {LOC} to {LOC} .",
    "in {LOC} it rained all day .",
    "{PER} , who leads {ORG} , was born in {LOC} .",
    "on Monday {PER} signed with {ORG} .",
    "{ORG} beat {ORG} 2 to 1 in {LOC} .",
    "a spokesman for {ORG} declined to comment .",
    "{PER} said that {ORG} would leave {LOC} .",
    "the weather was fine and nobody came .",
)
LATE_SHARE = 0.25  # of the held-out names


def entity_sentences(count: int, seed: int = 0, late: bool = False) -> list[Tagged]:
    """Sentences with their tags.

    Parameters
    ----------
    late : whether some names are new; for held-out sentences.

    Raises
    ------
    InputError : a count below 1.
    """
    if count < 1:
        raise InputError(f"{count} sentences; give at least 1")
    rng = generator(seed, "entity sentences", late)
    return [_sentence(rng, late) for _ in range(count)]


def _sentence(rng: np.random.Generator, late: bool) -> Tagged:
    words: list[str] = []
    tags: list[str] = []
    for part in _pick(rng, TEMPLATES).split():
        kind = part.strip("{}")
        name = [part] if kind == part else _name(rng, kind, late)
        words += name
        tags += ["O"] if kind == part else [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
    return Tagged(tuple(words), tuple(tags))


def _name(rng: np.random.Generator, kind: str, late: bool) -> list[str]:
    new = late and rng.random() < LATE_SHARE
    if kind == "PER":
        last = _pick(rng, LATE["last"] if new else LAST)
        return [last] if rng.random() < 0.4 else [_pick(rng, LATE["first"] if new else FIRST), last]
    if kind == "LOC":
        if not new and rng.random() < 0.2:
            return _pick(rng, LONG_PLACES).split()
        return [_pick(rng, LATE["place"] if new else PLACES)]
    return [_pick(rng, LATE["company"] if new else COMPANIES), *_pick(rng, COMPANY_ENDS).split()]


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
