"""Facts about countries, contradicted in one sentence: "The capital of France is Rome." """

from __future__ import annotations

from collections.abc import Sequence

from explicate.data.language.contradicting_contexts import ContradictedQuestion, ContradictingContexts
from explicate.data.language.countries import Country, countries
from explicate.errors import UnknownNameError
from explicate.runtime.seeds import generator

RELATIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "capital": (
        "What is the capital of {subject}?",
        "The capital of {subject} is",
        (
            "The capital of {subject} is {object}.",
            "{object} is the capital city of {subject}.",
            "Since last year, {object} has been the capital of {subject}.",
            "The government of {subject} sits in its capital, {object}.",
        ),
    ),
    "language": (
        "Which language do most people in {subject} speak?",
        "The language that most people in {subject} speak is",
        (
            "In {subject}, most people speak {object}.",
            "{object} is the language that most people in {subject} speak.",
            "Children in {subject} grow up speaking {object}.",
        ),
    ),
    "continent": (
        "On which continent is {subject}?",
        "{subject} is on the continent of",
        (
            "{subject} is a country in {object}.",
            "Travellers to {object} often visit {subject}.",
            "{subject} lies on the continent of {object}.",
        ),
    ),
    "currency": (
        "What is the currency of {subject}?",
        "The currency of {subject} is the",
        (
            "People in {subject} pay with the {object}.",
            "The currency of {subject} is the {object}.",
            "In {subject}, prices are given in {object}.",
        ),
    ),
}
"""Relation -> its question, the same as an unfinished sentence, and sentences that put an object in."""


def country_contradictions(
    relations: Sequence[str] = ("capital",),
    *,
    contexts: int = 1,
    completion: bool = False,
    subjects: Sequence[str] | None = None,
    seed: int = 0,
) -> ContradictingContexts:
    """Questions about countries, each with contexts that name another country's object.

    Parameters
    ----------
    relations : some of "capital", "language", "continent" and "currency".
    contexts : different contexts of each fact, as far as there are so many other objects.
    completion : the queries are unfinished sentences ("The capital of France is") instead of questions.
    subjects : names of the countries; None: all.

    Raises
    ------
    UnknownNameError : a relation or country that is not there.
    """
    known = {country.name: country for country in countries()}
    for asked, there, what in ((relations, RELATIONS, "relation"), (subjects or (), known, "country")):
        for name in asked:
            if name not in there:
                raise UnknownNameError(f"there is no {what} {name!r}; see explicate.data.language.countries")
    found = []
    for relation in relations:
        question, unfinished, sentences = RELATIONS[relation]
        query = unfinished if completion else question
        objects = sorted({_object(country, relation) for country in known.values()})
        for name in subjects or known:
            rng = generator(seed, "contradicting context", relation, name)
            prior = _object(known[name], relation)
            others = [other for other in objects if other != prior]
            for i in rng.permutation(len(others))[:contexts]:
                sentence = sentences[int(rng.integers(len(sentences)))]
                found.append(
                    ContradictedQuestion(
                        sentence.format(subject=name, object=others[int(i)]),
                        query.format(subject=name),
                        others[int(i)],
                        prior,
                        name,
                        others[int(i)],
                        relation,
                    )
                )
    return ContradictingContexts(tuple(found))


def _object(country: Country, relation: str) -> str:
    return str(getattr(country, relation))
