"""Facts as subject, relation and object, their templates, the papers' file formats, and subjects that do not exist.

The seven relations and the numbers of their templates are those of Saynova et al. (2024), "Fact Recall, Heuristics or
Pure Guesswork?", section 3; the wording is ours but for P1376. Every template ends where the object begins.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from explicate.data.language.countries import countries
from explicate.errors import FileFormatError, InputError

SUBJECT, OBJECT = "[X]", "[Y]"


@dataclass(frozen=True)
class Relation:
    """A relation between a subject and an object.

    Parameters
    ----------
    name : the relation's number ("P1376").
    templates : prompts with [X] for the subject, which end where the object begins.
    neutral : subjects that say nothing ("He", "The city"), to find what the template alone suggests.
    nouns : what a person's name may suggest ("city", "country"); empty where subjects are no persons.

    Raises
    ------
    InputError : a template without [X], or one that does not end in the object's slot.
    """

    name: str
    templates: tuple[str, ...]
    neutral: tuple[str, ...]
    nouns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        cleaned = []
        for template in self.templates:
            if SUBJECT not in template:
                raise InputError(f"{self.name}: the template {template!r} has no {SUBJECT} for the subject")
            text = template.removesuffix(".").rstrip()
            if OBJECT in text and not text.endswith(OBJECT):
                raise InputError(f"{self.name}: the template {template!r} does not end in the object's slot {OBJECT}")
            cleaned.append(text.removesuffix(OBJECT).rstrip())
        object.__setattr__(self, "templates", tuple(dict.fromkeys(cleaned)))

    def prompt(self, template: str, subject: str) -> str:
        """A template with its subject, without a space at the end; "He's" and "It's" become "His" and "Its"."""
        text = template.replace(SUBJECT, subject)
        if subject in self.neutral:
            for wrong, right in (("He's", "His"), ("She's", "Her"), ("It's", "Its")):
                text = text.replace(wrong, right)
            start = template.find(SUBJECT)
            if start > 0:
                text = template[:start] + (subject[0].lower() + subject[1:]) + template[start + len(SUBJECT) :]
                for wrong, right in (("he's", "his"), ("she's", "her"), ("it's", "its")):
                    text = text.replace(f" {wrong}", f" {right}")
        return text


@dataclass(frozen=True)
class Fact:
    """A subject and what is true of it.

    Parameters
    ----------
    objects : the right answers; none for a subject that does not exist.
    popularity : of the subject, in any unit; None where unknown.
    group : for invented subjects where they seem to come from.
    """

    subject: str
    relation: str
    objects: tuple[str, ...] = ()
    popularity: float | None = None
    group: str = field(default="", compare=False)


RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        Relation(
            "P19",
            ("[X] was born in", "[X] is originally from", "[X] was born in the city of", "[X], who was born in",
             "The birthplace of [X] is"),
            ("He", "She"),
            ("city", "country"),
        ),
        Relation(
            "P20",
            ("[X] died in", "[X] died in the city of", "[X] passed away in", "[X], who died in", "[X] drowned in",
             "The death of [X] occurred in", "[X] spent the last years of life in", "[X] was buried in"),
            ("He", "She"),
            ("city", "country"),
        ),
        Relation(
            "P27",
            ("[X] is a citizen of", "[X], a citizen of", "[X] holds a passport of", "[X], who is a citizen of",
             "[X] has the citizenship of", "[X] has lived as a citizen of", "[X] is a legal citizen of"),
            ("He", "She"),
            ("city", "country"),
        ),
        Relation(
            "P101",
            ("[X] works in the field of", "[X] specialises in", "[X] is an expert in", "[X] is known for work in",
             "[X]'s field of work is", "[X]'s area of expertise is", "The expertise of [X] is", "[X] studies",
             "[X] is active in the field of", "The domain of activity of [X] is"),
            ("He", "She", "The person"),
        ),
        Relation(
            "P495",
            ("[X] was created in", "[X] comes from", "[X], created in", "[X] originated in", "[X] was produced in",
             "[X], that was created in", "[X], which originated in", "[X] was made in", "[X], a product of",
             "[X] was developed in", "[X], from", "[X] was first released in", "[X] was first published in",
             "The country of origin of [X] is", "[X], which comes from", "[X] has its origin in"),
            ("It",),
        ),
        Relation(
            "P740",
            ("[X] was founded in", "[X], founded in", "[X] was formed in", "[X], formed in", "[X], that was founded in",
             "[X], that was formed in", "[X] was started in", "[X] was established in", "[X], started in",
             "[X], established in", "[X], that was started in", "[X] was created in", "[X], created in",
             "[X] originated in"),
            ("It", "The organisation"),
        ),
        Relation(
            "P1376",
            ("[X] is the capital of", "[X] is the capital city of", "[X], the capital of", "[X], the capital city of",
             "[X], that is the capital of", "[X], that is the capital city of"),
            ("It", "The city"),
        ),
    )
}  # fmt: skip

_NAMES = {
    "Sweden": ("Lars Erik Astrid Ingrid Sven", "Lindqvistsson Bergstromsson Hallmarksson Nordvall Sandgrensson"),
    "Japan": ("Haruto Yuki Kenji Sakura Akira", "Tanamori Kobashima Fujigawa Nakatoshi Yamakura"),
    "Italy": ("Giovanni Chiara Matteo Lucia Paolo", "Bellandini Rossatelli Montevari Ferrucelli Contadelli"),
    "Russia": ("Dmitri Olga Ivan Natasha Sergei", "Volkonovich Petrashkin Morozhenko Sokolanov Kuzminsky"),
    "Poland": ("Andrzej Katarzyna Piotr Agnieszka Marek", "Kowalewczyk Nowakiewicz Zielinowski Wojtasik Mazurewski"),
    "Spain": ("Alejandro Carmen Javier Pilar Diego", "Fernandosa Gutierrano Moralecita Castillejo Riveron"),
    "Greece": ("Nikos Eleni Giorgos Sophia Kostas", "Papadimitrakos Georgiadakis Vlachopoulos Stavridakis Antonakis"),
    "India": ("Rajesh Priya Arjun Lakshmi Vikram", "Chatterkumar Venkataswami Mukhershan Patelkar Guptaram"),
    "fantasy": ("Zorvath Elmirin Quaxal Thessaly Brundor", "Mistwhisper Ironvale Stormquill Duskhollow Emberfell"),
}
_TOWNS = {
    "Germany": ("Ober Neu Klein Wald Stein", "hausenburg bachstadt feldheim"),
    "France": ("Saint-Mont Beau Ville Chateau Roche", "vignac fontaine bourgeois"),
    "Russia": ("Novo Kras Volgo Petro Staro", "gradsk arovsk inskaya"),
    "Japan": ("Kita Yama Shin Naka Hoku", "mizawa gashima hamachi"),
    "Italy": ("Monte Castel San Villa Ponte", "ranzo lucello verdina"),
    "Spain": ("Villa_ Puerto_ Santa_ Rio_ Monte_", "Olmeda Cordilla Alborez"),
}
_TITLES = {
    "Japan": ("Kaze no Senshi", "Tsuki no Hikari Gakuen", "Ryu Monogatari Zero"),
    "France": ("Le Jardin des Ombres", "La Revue du Matin Bleu", "Les Enfants du Port"),
    "Germany": ("Der Stille Garten", "Die Blaue Zeitung", "Das Haus am Moor"),
    "Spain": ("El Viento del Puerto", "La Gaceta Dorada", "Los Hijos del Trigo"),
    "Italy": ("Il Canto della Pietra", "La Voce del Porto", "Le Strade di Cenere"),
}
_COMPANIES = {
    "Japan": ("Kurotani Seiki", "Hoshizora Denki", "Aoi Kaze Band"),
    "France": ("Les Loups de Velours", "Moreau et Filles", "Atelier Grandval"),
    "Germany": ("Die Blechvögel", "Steinbrenner Maschinenwerke", "Nordlicht Kapelle"),
    "Spain": ("Los Faros Rojos", "Hermanos Olivarte", "Banda del Trigal"),
    "Italy": ("I Corvi di Carta", "Fratelli Montesole", "Officine Bellaria"),
}


def capitals() -> list[Fact]:
    """P1376 for the 196 countries: the capital is the subject, and its population the popularity."""
    return [Fact(c.capital, "P1376", (c.name,), float(c.capital_population)) for c in countries()]


def invented_people(relations: Sequence[str] = ("P19", "P20", "P27", "P101")) -> list[Fact]:
    """Names of people who do not exist, of eight nationalities and of fantasy."""
    return [
        Fact(f"{first} {last}", relation, group=group)
        for relation in relations
        for group, (firsts, lasts) in _NAMES.items()
        for first in firsts.split()
        for last in lasts.split()
    ]


def invented_towns() -> list[Fact]:
    """P1376 of towns that do not exist, named as those of six countries."""
    return [
        Fact(first.replace("_", " ") + last, "P1376", group=group)
        for group, (firsts, lasts) in _TOWNS.items()
        for first in firsts.split()
        for last in lasts.split()
    ]


def invented_works() -> list[Fact]:
    """P495 of books and papers, and P740 of bands and companies, that do not exist, in five languages."""
    return [
        Fact(title, relation, group=group)
        for relation, names in (("P495", _TITLES), ("P740", _COMPANIES))
        for group, titles in names.items()
        for title in titles
    ]


def without_existing(facts: Iterable[Fact], known: Iterable[str]) -> list[Fact]:
    """Invented subjects that no list of existing ones holds."""
    existing = {name.casefold() for name in known}
    return [fact for fact in facts if fact.subject.casefold() not in existing]


def encyclopedia() -> list[tuple[str, str]]:
    """Titles and one sentence each on common things, written for explicate."""
    text = files("explicate.data.language").joinpath("encyclopedia.csv").read_text(encoding="utf-8")
    return [(row["title"], row["text"]) for row in csv.DictReader(text.splitlines())]


def read_lama(path: str | Path, relation: str | None = None) -> list[Fact]:
    """Facts in LAMA's layout, T-REx or Google-RE: JSON lines with `sub_label`, `obj_label`, `predicate_id`.

    Facts with the same subject and relation become one with several objects.

    Parameters
    ----------
    relation : the relation of files that name none.
    """
    objects: dict[tuple[str, str], dict[str, None]] = {}
    for number, row in enumerate(_json_lines(path), start=1):
        try:
            key = (str(row["sub_label"]), relation or _relation(row))
            objects.setdefault(key, {})[str(row["obj_label"])] = None
        except KeyError as error:
            raise FileFormatError(f"{path}, line {number}: no field {error}; LAMA's layout needs it") from error
    return [Fact(subject, name, tuple(found)) for (subject, name), found in objects.items()]


def read_pararel(path: str | Path, name: str, neutral: tuple[str, ...], nouns: tuple[str, ...] = ()) -> Relation:
    """The templates of a ParaRel pattern file, JSON lines with `pattern`, that end in the object's slot."""
    patterns = [str(row.get("pattern", "")) for row in _json_lines(path)]
    ending = [pattern for pattern in patterns if pattern.removesuffix(".").rstrip().endswith(OBJECT)]
    if not ending:
        raise FileFormatError(f"{path}: none of {len(patterns)} patterns ends in {OBJECT}; no prompt can be made")
    return Relation(name, tuple(ending), neutral, nouns)


def _relation(row: dict[str, Any]) -> str:
    predicate = row.get("predicate_id") or row["pred"]
    google = {"place_of_birth": "P19", "place_of_death": "P20", "date_of_birth": "P569"}
    return google.get(str(predicate).rsplit("/", 1)[-1], str(predicate))


def _json_lines(path: str | Path) -> list[dict[str, Any]]:
    found = []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror or error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise FileFormatError(f"{path}, line {number}: this is no JSON ({error})") from error
    return found
