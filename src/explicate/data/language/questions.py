"""Questions that a context answers: probes whose answer can be swapped, people whom nobody knows, and conflicts.

All facts are of two kinds: common knowledge (capitals, languages, currencies, professions), where the context can be
made to contradict it, and facts about invented people, which only the context can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.countries import countries
from explicate.runtime.seeds import generator

SIGNAL = "The answer is in this sentence: {}"


@dataclass(frozen=True)
class ContextQuestion:
    """Some sentences, a question, and the answer that one of the sentences holds.

    Parameters
    ----------
    support : the number of the sentence with the answer. remembered : what is true outside the context; "" if nothing.
    lead : how the answer's sentence begins, so that a small model names the value and nothing else.
    """

    sentences: tuple[str, ...]
    question: str
    answer: str
    support: int
    remembered: str = ""
    lead: str = ""

    def prompt(self, signal: int | None = None) -> str:
        """The text that a model reads, up to where the answer begins.

        Parameters
        ----------
        signal : number of a sentence that is repeated as the place to look.
        """
        hint = "" if signal is None else f"\n{SIGNAL.format(self.sentences[signal])}"
        return f"{self.context}{hint}\nQuestion: {self.question}\nAnswer: {self.lead}".rstrip()

    @property
    def context(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences)

    @property
    def sentence_spans(self) -> list[tuple[int, int]]:
        """First character and the one after the last of each sentence in the prompt."""
        found, place = [], 0
        for sentence in self.sentences:
            found.append((place, place + len(sentence)))
            place += len(sentence) + 1
        return found


@dataclass(frozen=True)
class Probe:
    """A fact whose value can be replaced.

    Parameters
    ----------
    kind : "capital", "language", "currency", "profession" or "home".
    statement, question : texts with {} for the value, and for nothing.
    true : the value outside the context; "" for invented people. values : others of the same type.
    useless : a context that says nothing of the value.
    """

    kind: str
    subject: str
    statement: str
    question: str
    true: str
    values: tuple[str, ...]
    useless: str

    def asked(self, value: str) -> ContextQuestion:
        """The question with a context that states `value`."""
        return ContextQuestion((self.statement.format(value),), self.question, value, 0, self.true, self.lead)

    @property
    def lead(self) -> str:
        """The statement up to its value."""
        return self.statement.split("{}", 1)[0].strip()

    def about(self, other: str, value: str) -> ContextQuestion:
        """The same question with a context that states `value` of another subject: nothing says where to look."""
        told = self.statement.replace(self.subject, other).format(value)
        return ContextQuestion((told,), self.question, value, 0, self.true, self.lead)

    def without_context(self) -> ContextQuestion:
        """The question with a context that is of no use: the answer can only be remembered."""
        return ContextQuestion((self.useless,), self.question, self.true, 0, self.true, self.lead)


_PROFESSIONS = {
    "Albert Einstein": "physicist", "Isaac Newton": "physicist", "William Shakespeare": "writer",
    "Charles Dickens": "writer", "Mark Twain": "writer", "Jane Austen": "writer", "Pablo Picasso": "painter",
    "Claude Monet": "painter", "Vincent van Gogh": "painter", "Wolfgang Mozart": "composer",
    "Johann Bach": "composer", "Ludwig van Beethoven": "composer", "Charles Darwin": "biologist",
    "Marie Curie": "chemist", "Plato": "philosopher", "Aristotle": "philosopher", "Michael Jordan": "athlete",
    "Abraham Lincoln": "lawyer", "Galileo Galilei": "astronomer", "Winston Churchill": "politician",
}  # fmt: skip
_FIRST = ("Zorvath", "Elmirin", "Quaxal", "Brundor", "Velthin", "Marnoc", "Tessaly", "Ordwin", "Ilvane", "Kharra",
          "Pelorin", "Sundrel", "Wexley", "Yorvik", "Dathmir", "Fennick")  # fmt: skip
_LAST = ("Mistwood", "Ironvale", "Stormhill", "Duskfield", "Emberly", "Stonebrook", "Ashgrove", "Frostmere",
         "Larkmoor", "Oakhurst", "Redfern", "Silverton")  # fmt: skip
_ATTRIBUTES = {
    "city": ("{name} lives in the city of {value}.", "Where does {name} live?",
             ("Paris", "London", "Rome", "Berlin", "Madrid", "Tokyo", "Moscow", "Vienna", "Athens", "Dublin")),
    "job": ("{name} works as a {value}.", "What does {name} work as?",
            ("teacher", "doctor", "lawyer", "farmer", "baker", "painter", "nurse", "pilot", "singer", "judge")),
    "pet": ("{name} has a pet {value}.", "What pet does {name} have?",
            ("dog", "cat", "horse", "rabbit", "parrot", "snake", "turtle", "goat", "mouse", "fish")),
    "food": ("{name} likes to eat {value}.", "What does {name} like to eat?",
             ("bread", "cheese", "rice", "soup", "fish", "pasta", "cake", "salad", "eggs", "beans")),
    "colour": ("{name} painted the house {value}.", "What colour did {name} paint the house?",
               ("red", "blue", "green", "white", "black", "yellow", "brown", "pink", "orange", "purple")),
    "sport": ("{name} plays {value} on Sundays.", "What does {name} play on Sundays?",
              ("tennis", "football", "chess", "golf", "hockey", "rugby", "cricket", "baseball", "cards", "polo")),
}  # fmt: skip


def probes(seed: int = 0) -> list[Probe]:
    """All probes in random order: countries' capitals, languages and currencies, professions, homes of the invented."""
    well_known = [c for c in countries() if c.population > 4_000_000]
    capitals = tuple(dict.fromkeys(c.capital for c in well_known))
    languages = tuple(dict.fromkeys(c.language for c in well_known))
    currencies = tuple(dict.fromkeys(c.currency for c in well_known))
    found = []
    for c in well_known:
        about = f"{c.name} is a country that many people visit."
        found += [
            Probe("capital", c.name, f"The capital of {c.name} is {{}}.", f"What is the capital of {c.name}?",
                  c.capital, capitals, about),
            Probe("language", c.name, f"The language of {c.name} is {{}}.", f"What is the language of {c.name}?",
                  c.language, languages, about),
            Probe("currency", c.name, f"The currency of {c.name} is the {{}}.", f"What is the currency of {c.name}?",
                  c.currency, currencies, about),
        ]  # fmt: skip
    professions = tuple(dict.fromkeys(_PROFESSIONS.values()))
    found += [
        Probe("profession", name, f"{name} was a famous {{}}.", f"What was the profession of {name}?", job,
              professions, f"{name} is a name that many people know.")
        for name, job in _PROFESSIONS.items()
    ]  # fmt: skip
    cities = _ATTRIBUTES["city"][2]
    found += [
        Probe("home", f"{first} {last}", f"{first} {last} lives in {{}}.", f"Where does {first} {last} live?", "",
              cities, f"{first} {last} is somebody.")
        for first, last in zip(_FIRST, _LAST * 2, strict=False)
    ]  # fmt: skip
    order = generator(seed, "probes").permutation(len(found))
    return [found[i] for i in order]


def people_questions(count: int, seed: int = 0, sentences: int = 8, sharing: int = 3) -> list[ContextQuestion]:
    """Questions about one of several invented people, each of whom one sentence tells something of.

    Parameters
    ----------
    sentences : people in each context. sharing : sentences about others that share the question's words.
    """
    found = []
    for number in range(count):
        rng = generator(seed, "people", number)
        names = _names(rng, sentences)
        kinds = list(_ATTRIBUTES)
        asked = str(rng.choice(kinds))
        others = [kind for kind in kinds if kind != asked]
        topics = [asked] * (1 + sharing) + [str(rng.choice(others)) for _ in range(sentences - 1 - sharing)]
        own = rng.permutation(_ATTRIBUTES[asked][2])
        texts, answer = [], str(own[0])
        for place, (name, topic) in enumerate(zip(names, topics, strict=True)):
            value = own[place] if topic == asked else rng.choice(_ATTRIBUTES[topic][2])
            texts.append(_ATTRIBUTES[topic][0].format(name=name, value=value))
        order = rng.permutation(sentences)
        found.append(
            ContextQuestion(
                tuple(texts[i] for i in order),
                _ATTRIBUTES[asked][1].format(name=names[0]),
                answer,
                int(np.flatnonzero(order == 0)[0]),
                lead=_ATTRIBUTES[asked][0].split("{value}")[0].format(name=names[0]).strip(),
            )
        )
    return found


def conflicting_questions(count: int, seed: int = 0, sentences: int = 4) -> list[ContextQuestion]:
    """Questions on common knowledge whose context says otherwise, among sentences on other subjects."""
    all_probes = [probe for probe in probes(seed) if probe.true]
    found = []
    for number in range(count):
        rng = generator(seed, "conflict", number)
        probe = all_probes[number % len(all_probes)]
        value = str(rng.choice([v for v in probe.values if v != probe.true]))
        others = [all_probes[int(i)] for i in rng.choice(len(all_probes), 4 * sentences, replace=False)]
        different = [other for other in others if other.subject != probe.subject][: sentences - 1]
        place = int(rng.integers(sentences))
        texts = [other.statement.format(other.true) for other in different]
        texts.insert(place, probe.statement.format(value))
        found.append(ContextQuestion(tuple(texts), probe.question, value, place, probe.true, probe.lead))
    return found


def _names(rng: np.random.Generator, count: int) -> list[str]:
    firsts: Array = rng.permutation(_FIRST)
    lasts: Array = rng.permutation(_LAST)
    return [f"{first} {last}" for first, last in zip(firsts[:count], lasts[:count], strict=True)]
