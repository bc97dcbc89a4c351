"""Texts with a yes/no label whose truth is known: capitals, sentiment with negation, coins that are flipped.

Each is balanced so that single words tell as little as can be: every capital stands in as many false statements as
true ones, every adjective in sentences with and without negation, and the coin's state is the parity of the flips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.countries import Country, countries
from explicate.errors import InputError
from explicate.runtime.seeds import generator

STATEMENTS = (
    "The capital of {country} is {capital}.",
    "{capital} is the capital city of {country}.",
    "In {country}, the government sits in the capital, {capital}.",
    "People in {country} know that their capital is {capital}.",
)
GOOD = (
    "good", "great", "wonderful", "excellent", "delightful", "charming", "brilliant", "lovely", "superb", "enjoyable",
    "moving", "funny", "clever", "beautiful", "impressive", "pleasant", "exciting", "fresh", "graceful", "memorable",
)  # fmt: skip
BAD = (
    "bad", "awful", "terrible", "boring", "dreadful", "clumsy", "stupid", "ugly", "poor", "annoying",
    "dull", "tedious", "silly", "horrible", "disappointing", "unpleasant", "weak", "stale", "painful", "forgettable",
)  # fmt: skip
THINGS = ("film", "book", "meal", "concert", "hotel", "play", "show", "story", "song", "service")
FRAMES = ("The {thing} was {adjective}.", "I thought the {thing} was {adjective}.",
          "We found that {thing} {adjective}.", "What we saw of the {thing} seemed {adjective}.")  # fmt: skip
NEGATED = (
    "The {thing} was not {adjective}.", "I never thought the {thing} was {adjective}.",
    "We did not find that {thing} {adjective}.", "Nothing we saw of the {thing} seemed {adjective}.",
)  # fmt: skip
PEOPLE = (
    "Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Irene", "Jack", "Kate", "Leo", "Maria", "Nora",
    "Oscar", "Paul", "Rosa", "Sam", "Tina", "Victor",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Texts with labels.

    Attributes
    ----------
    texts : (sample,). labels : (sample,), 0 or 1.
    positive : what label 1 means.
    subjects : (sample,), what each text is about; texts about one thing tell about each other.
    """

    texts: tuple[str, ...]
    labels: Array
    positive: str
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def capital_statements(countries_used: int | None = None, templates: int = 2, seed: int = 0) -> LabelledTexts:
    """Statements "The capital of ... is ...", one true and one with another country's capital for each country.

    Label 1: the statement is false (as in the data sets of Marks, Tegmark, 2023, once read by Jin et al., 2025).

    Parameters
    ----------
    countries_used : so many, drawn at random; None: all 196.
    templates : wordings of each, 1 to 4.
    """
    if not 1 <= templates <= len(STATEMENTS):
        raise InputError(f"templates is {templates}: give 1 to {len(STATEMENTS)}")
    known = _drawn(countries_used, seed)
    rows = []
    for number, template in enumerate(STATEMENTS[:templates]):
        turned = _derangement(len(known), generator(seed, "capitals", number))
        for place, country in enumerate(known):
            for label, capital in enumerate((country.capital, known[turned[place]].capital)):
                rows.append((template.format(country=country.name, capital=capital), label, country.name))
    return _shuffled(rows, "false", generator(seed, "order"))


def sentiment_sentences(count: int = 400, negated: float = 0.25, seed: int = 0) -> LabelledTexts:
    """Sentences that praise or blame, a share of them by negating the opposite word. Label 1: positive.

    Parameters
    ----------
    negated : share of the sentences with a negation, equal for both labels.
    """
    rng = generator(seed, "sentiment")
    rows = []
    for number in range(count):
        label, turned = number % 2, bool(rng.random() < negated)
        words = GOOD if (label == 1) != turned else BAD
        adjective, thing = words[int(rng.integers(len(words)))], THINGS[int(rng.integers(len(THINGS)))]
        frame = int(rng.integers(len(FRAMES)))
        text = (NEGATED if turned else FRAMES)[frame].format(thing=thing, adjective=adjective)
        rows.append((text, label, adjective))
    return _shuffled(rows, "positive", rng)


def coin_flips(count: int = 300, people: int = 4, seed: int = 0) -> LabelledTexts:
    """Stories of a coin that people flip or do not flip, and whether it still lies heads up. Label 1: it does not.

    Source: the task of Wei et al. (2022), "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models".
    """
    if not 1 <= people <= len(PEOPLE):
        raise InputError(f"people is {people}: give 1 to {len(PEOPLE)}")
    rng = generator(seed, "coin")
    rows = []
    for number in range(count):
        flips = rng.integers(0, 2, people)
        flips[-1] = (number + flips[:-1].sum()) % 2  # as many stories of each label
        names = [PEOPLE[int(i)] for i in rng.permutation(len(PEOPLE))[:people]]
        acts = [
            f"{name} {'flips' if flip else 'does not flip'} the coin." for name, flip in zip(names, flips, strict=True)
        ]
        rows.append((f"A coin is heads up. {' '.join(acts)} Is the coin still heads up?", int(number % 2), str(number)))
    return _shuffled(rows, "no longer heads up", rng)


def _drawn(count: int | None, seed: int) -> list[Country]:
    known = countries()
    if count is None:
        return list(known)
    if not 2 <= count <= len(known):
        raise InputError(f"countries_used is {count}: give 2 to {len(known)}")
    return [known[int(i)] for i in generator(seed, "countries").permutation(len(known))[:count]]


def _derangement(count: int, rng: np.random.Generator) -> Array:
    """A random order in which nothing stays at its place."""
    while True:
        found = rng.permutation(count)
        if not (found == np.arange(count)).any():
            return np.asarray(found)


def _shuffled(rows: list[tuple[str, int, str]], positive: str, rng: np.random.Generator) -> LabelledTexts:
    order = [int(i) for i in rng.permutation(len(rows))]
    return LabelledTexts(
        tuple(rows[i][0] for i in order),
        np.array([rows[i][1] for i in order], dtype=np.int64),
        positive,
        tuple(rows[i][2] for i in order),
    )
