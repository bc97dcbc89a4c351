"""Made questions of four kinds, by what they ask for: a person, a place, a number or a thing.

Every question names two nouns of different kinds and asks for one of them: what decides is where they stand, and in an
eighth of the wordings the noun that is asked for is the second. So counts of words, which are blind to order, can tell
which two kinds are there and little more. The kinds are the four large ones of TREC.
"""

from __future__ import annotations

import numpy as np

from explicate.data.language.tagged import Tagged, labelled
from explicate.errors import InputError
from explicate.runtime.seeds import generator

NOUNS = {
    "HUM": ("player", "singer", "doctor", "king", "teacher", "pilot", "writer", "judge"),
    "LOC": ("city", "country", "river", "island", "mountain", "street", "lake", "village"),
    "NUM": ("year", "price", "date", "age", "distance", "weight", "height", "speed"),
    "ENTY": ("animal", "color", "food", "instrument", "game", "language", "plant", "tool"),
}
WORDINGS = (
    "what {asked} did the {other} bring ?",
    "which {asked} goes with the {other} ?",
    "name the {asked} of the {other} .",
    "what is the {asked} of that {other} ?",
    "tell me which {asked} the {other} has .",
    "do you know what {asked} fits this {other} ?",
    "can somebody name the {asked} that the {other} had ?",
    "for the {other} , what is the {asked} ?",
)
MOST = 5000


def kind_questions(count: int, seed: int = 0) -> list[Tagged]:
    """Different questions; the kind stands at the first token.

    Raises
    ------
    InputError : a count below 1 or above 5,000.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"{count} questions; give 1 to {MOST:,}")
    rng = generator(seed, "kind questions")
    kinds = list(NOUNS)
    found: dict[str, Tagged] = {}
    while len(found) < count:
        kind, other = (kinds[int(place)] for place in rng.permutation(len(kinds))[:2])
        text = _pick(rng, WORDINGS).format(asked=_pick(rng, NOUNS[kind]), other=_pick(rng, NOUNS[other]))
        found.setdefault(text, labelled(text.split(), kind))
    return list(found.values())


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
