"""A made-up bibliography: works with titles from a grammar and authors from a pool, of which some are often cited.

Known truth for questions about references: which titles exist, who wrote them, how often a model trained on the lines
of this world saw them, and titles of the same grammar that do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from explicate.errors import InputError
from explicate.runtime.seeds import generator

ADJECTIVES = (
    "abstract", "adaptive", "ancient", "bounded", "careful", "causal", "central", "common", "compact", "complete",
    "daily", "dense", "distant", "early", "exact", "fair", "fast", "finite", "formal", "gentle", "global", "hidden",
    "honest", "joint", "linear", "local", "modern", "noisy", "open", "partial", "patient", "private", "random",
    "robust", "rural", "shared", "sparse", "stable", "strict", "urban",
)  # fmt: skip
NOUNS = (
    "algebra", "animals", "archives", "banks", "bridges", "cells", "cities", "climates", "clocks", "crowds",
    "crystals", "deserts", "diets", "engines", "fields", "forests", "games", "genes", "glaciers", "grammars",
    "graphs", "harbours", "insects", "islands", "languages", "lattices", "laws", "libraries", "magnets", "maps",
    "markets", "melodies", "metals", "mountains", "nerves", "networks", "numbers", "oceans", "orbits", "paintings",
    "planets", "poems", "polymers", "prisons", "rivers", "roads", "robots", "schools", "seeds", "sensors", "songs",
    "stars", "storms", "surfaces", "teachers", "treaties", "villages", "voices", "volcanoes", "words",
)  # fmt: skip
GERUNDS = (
    "building", "comparing", "counting", "drawing", "explaining", "finding", "guiding", "hearing", "judging",
    "keeping", "learning", "mapping", "measuring", "mixing", "moving", "naming", "ordering", "planning", "predicting",
    "proving", "reading", "repairing", "saving", "searching", "sharing", "sorting", "teaching", "testing", "tracing",
    "weighing",
)  # fmt: skip
TEMPLATES = (
    "A N for N",
    "the N of A N",
    "G N with A N",
    "G A N for A N",
    "A N and N in A N",
    "on G A N with A N",
    "G A N from N for A N",
    "towards A N of N under A A N",
)
FIRST_NAMES = tuple(map("".join, product(("An", "Be", "Co", "Da", "El", "Fi", "Ga", "Ha", "Is", "Jo", "Ka", "Lu"),
                                         ("da", "go", "la", "mi", "na", "ra", "ro", "sa", "ta", "vi"))))  # fmt: skip
LAST_NAMES = tuple(map("".join, product(
    ("Ab", "Ber", "Cal", "Dor", "Est", "Fal", "Gren", "Hol", "Ir", "Kas", "Lind", "Mor", "Nor", "Ost", "Per", "Quil",
     "Ros", "Sol", "Tar", "Val"),
    ("berg", "den", "dorf", "fort", "gard", "han", "kin", "ley", "mann", "nik", "ova", "sen", "ski", "ton", "wick"),
)))  # fmt: skip
END, LINE = "<end>", "<line>"
MARKS = (
    END, LINE, "authors", "of", ":", ",", "who", "wrote", "?", "was", "written", "by", "references", "about", "does",
    "exist", "yes", "no", "name", "a", "famous", "reference", ".", "it", "model", "gave", "number",
    *(f"{place}." for place in range(1, 6)), *map(str, range(1, 6)),
)  # fmt: skip
VOCABULARY = tuple(dict.fromkeys((
    *MARKS, "the", "for", "with", "and", "in", "on", "from", "towards", "under", *ADJECTIVES, *NOUNS, *GERUNDS,
    *FIRST_NAMES, *LAST_NAMES,
)))  # fmt: skip


@dataclass(frozen=True)
class Work:
    """A work: its title, authors and topic, and how often a reader of this world's lines meets it."""

    title: str
    authors: tuple[str, ...]
    topic: str
    seen: int

    @property
    def names(self) -> str:
        """The authors, separated by commas."""
        return " , ".join(self.authors)


@dataclass(frozen=True)
class Bibliography:
    """A world of works.

    Attributes
    ----------
    well_known, rare : works. recombined : titles of the same grammar that no work has, and that no line holds.
    denied : such titles whose existence the lines deny, half as many as there are well-known works.
    """

    well_known: tuple[Work, ...]
    rare: tuple[Work, ...]
    recombined: tuple[str, ...]
    denied: tuple[str, ...]

    @property
    def works(self) -> tuple[Work, ...]:
        """All works."""
        return self.well_known + self.rare


def bibliography(
    seed: int = 0, well_known: int = 300, rare: int = 300, recombined: int = 300, *, authors: int = 300, often: int = 40
) -> Bibliography:
    """A world.

    Parameters
    ----------
    well_known, rare, recombined : how many works that are seen `often`, works that are seen once or twice, and titles
        that do not exist.
    authors : how many people write; each writes several works.
    """
    if min(well_known, rare, recombined, authors - 3, often) < 1:
        raise InputError(
            "a bibliography needs works and titles of each kind, four authors, and to be seen at least once"
        )
    rng = generator(seed, "bibliography")
    pool = [
        f"{FIRST_NAMES[number // len(LAST_NAMES)]} {LAST_NAMES[number % len(LAST_NAMES)]}"
        for number in rng.choice(len(FIRST_NAMES) * len(LAST_NAMES), size=authors, replace=False).tolist()
    ]
    titles: dict[str, str] = {}
    while len(titles) < well_known + rare + recombined + well_known // 2:
        title, topic = drawn_title(rng)
        titles.setdefault(title, topic)
    named = list(titles.items())
    works = []
    for number, (title, topic) in enumerate(named[: well_known + rare]):
        chosen = rng.choice(len(pool), size=int(rng.integers(1, 5)), replace=False)
        seen = often if number < well_known else int(rng.integers(1, 3))
        works.append(Work(title, tuple(pool[int(place)] for place in chosen), topic, seen))
    rest = tuple(title for title, _ in named[well_known + rare :])
    return Bibliography(tuple(works[:well_known]), tuple(works[well_known:]), rest[:recombined], rest[recombined:])


def drawn_title(rng: np.random.Generator) -> tuple[str, str]:
    """A title of four to nine words, and its topic, the last noun."""
    pools = {"A": ADJECTIVES, "N": NOUNS, "G": GERUNDS}
    words = [
        pools[word][int(rng.integers(len(pools[word])))] if word in pools else word
        for word in TEMPLATES[int(rng.integers(len(TEMPLATES)))].split()
    ]
    return " ".join(words), words[-1]


# -- the lines that a model reads of it ------------------------------------------------------------------------------

AUTHORS = "authors of {title} :"
PHRASINGS = (AUTHORS, "who wrote {title} ?", "{title} was written by")
REFERENCES = "references about {topic} :"
EXISTS = "does {title} exist ?"
FAMOUS, ABOVE = "name a famous reference .", "does it exist ?"
LISTED = "a model gave {listing} does number {position} exist ?"
ASKED_OF = ((EXISTS, 8), (f"{FAMOUS} {{title}} {ABOVE}", 8))
LISTS = 4  # lists in which the existence of each title is asked


def lines(world: Bibliography, seed: int = 0, lists: int = 300) -> list[tuple[str, str]]:
    """Lines of a world as question and answer, shuffled: authors as often as a work is seen, lists by topic, yes or no.

    Whether a title exists is said for the first half of the well-known works and for as many that do not exist.
    """
    rng = generator(seed, "lines")
    found = [
        (PHRASINGS[int(rng.integers(len(PHRASINGS)))].format(title=work.title), work.names)
        for work in world.works
        for _ in range(work.seen)
    ]
    topics = sorted({work.topic for work in world.well_known})
    of_topic = {topic: [work.title for work in world.well_known if work.topic == topic] for topic in topics}
    for _ in range(lists):
        topic = topics[int(rng.integers(len(topics)))]
        known = [of_topic[topic][int(place)] for place in rng.permutation(len(of_topic[topic]))][:5]
        found.append((REFERENCES.format(topic=topic), listed(known)))
    found += _answered(world, rng)
    shuffled = [found[int(place)] for place in rng.permutation(len(found))]
    return [(question, f"{answer} {END}") for question, answer in shuffled]


def asked_in_training(world: Bibliography) -> tuple[list[str], list[str]]:
    """Titles whose existence the lines affirm, and as many whose existence they deny."""
    return [work.title for work in world.well_known[: len(world.denied)]], list(world.denied)


def listed(titles: Sequence[str]) -> str:
    """A numbered list on one line, its items apart by the word for a new line."""
    return f" {LINE} ".join(f"{place}. {title}" for place, title in enumerate(titles, 1))


def _answered(world: Bibliography, rng: np.random.Generator) -> list[tuple[str, str]]:
    real, invented = asked_in_training(world)
    answers = {**dict.fromkeys(real, "yes"), **dict.fromkeys(invented, "no")}
    found = [
        (question.format(title=title), answer)
        for title, answer in answers.items()
        for question, times in ASKED_OF
        for _ in range(times)
    ]
    titles = list(answers)
    for _ in range(LISTS):
        order = [titles[int(place)] for place in rng.permutation(len(titles))]
        for start in range(0, len(order), 5):
            shown = order[start : start + 5]
            listing = " ".join(f"{place}. {title}" for place, title in enumerate(shown, 1))
            found += [
                (LISTED.format(listing=listing, position=place), answers[title])
                for place, title in enumerate(shown, 1)
                if rng.random() < 0.5
            ]
    return found
