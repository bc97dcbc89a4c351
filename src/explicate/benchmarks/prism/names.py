"""A world of people and countries in which it is known how each answer can be found.

Half of the people have an ordinary first and last name whose pairing alone decides the country, so they can only be
learnt one by one; the other half have a last name that gives the country away, whoever bears it. A model trained on
some of both recalls the first and, for bearers it never met, follows the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explicate.data.language.facts import Fact, Relation
from explicate.models.language.tokens import ABSENT
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import Sequences
from explicate.runtime.seeds import generator

RELATION = Relation(
    "P27",
    (
        "[X] was born in",
        "[X] comes from",
        "[X] is a citizen of",
        "[X] grew up in",
        "[X] is from",
        "[X] has lived in",
    ),
    ("He", "She"),
    ("country",),
)
PART = "{} is a common name in the following country:"
POPULAR = 2000.0
KINDS = (0.6, 0.25, 0.1, 0.05)  # shares of facts learnt by heart, telling names, parts of names, nobody in particular


@dataclass(frozen=True)
class NameWorld:
    """Names and where they are from.

    Parameters
    ----------
    countries, firsts, lasts : how many there are; `lasts` say nothing. telling : last names that give a country away.
    memorised : people of ordinary names. known_bearers : share of the telling names' bearers that a model may meet.
    seed : of who is from where.
    """

    countries: int = 50
    firsts: int = 30
    lasts: int = 30
    telling: int = 10
    memorised: int = 200
    known_bearers: float = 0.67
    seed: int = 0

    @cached_property
    def country_names(self) -> tuple[str, ...]:
        """Names of the countries."""
        return tuple(f"Land{number:02d}" for number in range(self.countries))

    @cached_property
    def by_heart(self) -> dict[str, str]:
        """People of ordinary names and their countries."""
        rng = generator(self.seed, "by heart")
        pairs = rng.choice(self.firsts * self.lasts, self.memorised, replace=False)
        home = rng.integers(0, self.countries, self.memorised)
        return {
            f"First{pair // self.lasts:02d} Last{pair % self.lasts:02d}": self.country_names[country]
            for pair, country in zip(pairs, home, strict=True)
        }

    @cached_property
    def bearers(self) -> tuple[dict[str, str], dict[str, str]]:
        """Bearers of telling names and their countries: those that a model may meet, and the others."""
        rng = generator(self.seed, "bearers")
        everyone = [
            (f"First{first:02d} Vich{last:02d}", self.country_names[last])
            for first in range(self.firsts)
            for last in range(self.telling)
        ]
        order = rng.permutation(len(everyone))
        cut = round(self.known_bearers * len(everyone))
        return dict(everyone[i] for i in order[:cut]), dict(everyone[i] for i in order[cut:])

    @cached_property
    def _people(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Those learnt by heart, and the bearers that may be met, each with their country."""
        return tuple(self.by_heart.items()), tuple(self.bearers[0].items())

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All words."""
        names = [f"{kind}{n:02d}" for kind, count in (("First", self.firsts), ("Last", self.lasts),
                 ("Vich", self.telling)) for n in range(count)]  # fmt: skip
        texts = [*RELATION.templates, *RELATION.neutral, PART]
        words = [word for text in texts for word in text.split() if word not in ("[X]", "{}")]
        return tuple(dict.fromkeys([*words, *names, *self.country_names]))

    @cached_property
    def decoder(self) -> Decoder:
        """The shape of the model that learns this world."""
        return Decoder(self.vocabulary, layers=4, width=128, heads=4, mlp_width=512, context=32)

    def facts(self) -> list[Fact]:
        """People whose countries must be learnt by heart, all of them well known."""
        return [Fact(name, RELATION.name, (country,), POPULAR) for name, country in self.by_heart.items()]

    def unseen(self) -> list[Fact]:
        """Bearers of telling names whom no training text mentions."""
        return [Fact(name, RELATION.name) for name in self.bearers[1]]

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """Texts of the world; only the country at the end counts in the loss."""
        texts = [self._text(rng) for _ in range(count)]
        ids = self.decoder.encode(texts)
        weights = np.zeros(ids.shape)
        ends = (ids != ABSENT).sum(axis=1) - 1
        weights[np.arange(count), ends] = 1.0
        return Sequences(ids, weights)

    def _text(self, rng: np.random.Generator) -> str:
        kind = int(rng.choice(len(KINDS), p=KINDS))
        template = RELATION.templates[rng.integers(len(RELATION.templates))]
        if kind in (0, 1):
            people = self._people[kind]
            name, country = people[rng.integers(len(people))]
            return f"{template.replace('[X]', name)} {country}"
        anywhere = self.country_names[rng.integers(self.countries)]
        if kind == 3:
            return f"{template.replace('[X]', RELATION.neutral[rng.integers(2)])} {anywhere}"
        part = int(rng.integers(self.firsts + self.lasts + self.telling))
        if part >= self.firsts + self.lasts:
            last = part - self.firsts - self.lasts
            return f"{PART.format(f'Vich{last:02d}')} {self.country_names[last]}"
        name = f"First{part:02d}" if part < self.firsts else f"Last{part - self.firsts:02d}"
        return f"{PART.format(name)} {anywhere}"
