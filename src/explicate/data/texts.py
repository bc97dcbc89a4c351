"""Texts to try language models and their explanations on, in our own words, each with the answer that is expected.

They are easy on purpose: SmolLM2-135M-Instruct, a small model, prefers `expected` to `alternative` on every prompt and
the reverse on every contrast, answers every passage, and no longer does when the supporting sentence is left out.
`text("john-and-mary")` finds a prompt and `passage("lighthouse")` a passage by name; `TEXTS` and `PASSAGES` list them.
Continuations begin with a space where a tokeniser of ordinary kind wants one.
"""

from __future__ import annotations

from dataclasses import dataclass

from explicate.core.registry import unknown

SOURCE = "written for explicate; the facts are common knowledge"
LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Text:
    """A prompt and how it should go on.

    Attributes
    ----------
    name : short name.
    prompt : what the model reads.
    expected : the continuation that shows the ability, for example " Mary".
    alternative : a wrong continuation that a model with the ability finds less likely than `expected`, or "".
    contrast : the prompt changed in one place so that `alternative` becomes the right one, or ""; all else is the
        same, so that activations can be exchanged between the two.
    note : which ability it is, and what decides the answer.
    """

    name: str
    prompt: str
    expected: str
    alternative: str = ""
    contrast: str = ""
    note: str = ""
    source: str = SOURCE
    licence: str = LICENCE


@dataclass(frozen=True)
class Passage:
    """A few sentences and a question that one of them answers.

    Attributes
    ----------
    name : short name.
    sentences : the passage.
    question : the question.
    expected : the answer, in the passage's own words.
    support : index of the only sentence that holds the answer: what an explanation of the answer should point to.
    note : what makes it hard, if anything does.
    """

    name: str
    sentences: tuple[str, ...]
    question: str
    expected: str
    support: int
    note: str = ""
    source: str = SOURCE
    licence: str = LICENCE

    @property
    def passage(self) -> str:
        """The sentences in a row."""
        return " ".join(self.sentences)

    @property
    def prompt(self) -> str:
        """Passage, question and the beginning of an answer, for a model that goes on with a text."""
        return f"{self.passage}\n\nQuestion: {self.question}\nAnswer:"

    def without(self, sentence: int) -> str:
        """The prompt with one sentence left out."""
        kept = tuple(each for place, each in enumerate(self.sentences) if place != sentence)
        return f"{' '.join(kept)}\n\nQuestion: {self.question}\nAnswer:"


_TEXTS = (
    Text(
        "john-and-mary",
        "When John and Mary went to the store, John gave a drink to",
        " Mary",
        " John",
        "When John and Mary went to the store, Mary gave a drink to",
        "Indirect object: the name that occurs once is the one who is given something.",
    ),
    Text(
        "anna-and-tom",
        "After Anna and Tom had lunch at the park, Tom handed the keys to",
        " Anna",
        " Tom",
        "After Anna and Tom had lunch at the park, Anna handed the keys to",
        "Indirect object again, with other words.",
    ),
    Text(
        "capital-of-france",
        "The capital of France is",
        " Paris",
        " Rome",
        "The capital of Italy is",
        "Fact recall: the country's name decides.",
    ),
    Text(
        "days",
        "Monday, Tuesday,",
        " Wednesday",
        note="Succession: the next member of an ordered list.",
    ),
    Text(
        "numbers",
        "one, two, three, four,",
        " five",
        " nine",
        "five, six, seven, eight,",
        "Succession: the next number word.",
    ),
    Text(
        "keys-agreement",
        "The keys that the man left on the table",
        " are",
        " is",
        "The key that the man left on the table",
        "Agreement: the verb follows the first noun, not the nearest.",
    ),
    Text(
        "opposite",
        "hot: cold, tall: short, up: down, old:",
        " young",
        " cheap",
        "hot: cold, tall: short, up: down, expensive:",
        "A task shown by examples only.",
    ),
)

_PASSAGES = (
    Passage(
        "lighthouse",
        (
            "The village of Harrow lies on a rocky coast.",
            "Its lighthouse was built in 1872 by an engineer named Ada Fenwick.",
            "Fishing boats leave the harbour before sunrise.",
            "In summer, visitors come for the long white beach.",
        ),
        "Who built the lighthouse?",
        "Ada Fenwick",
        1,
        "Place and person are invented, so the answer can come from the passage only.",
    ),
    Passage(
        "moon",
        (
            "Apollo 11 flew to the Moon in July 1969.",
            "Neil Armstrong was the first person to walk on the Moon.",
            "Michael Collins stayed in orbit above them.",
            "The crew brought back about 21 kilograms of rock.",
        ),
        "Who stayed in orbit?",
        "Michael Collins",
        2,
        "True facts: a large model may answer without the passage.",
    ),
    Passage(
        "capital-moved",
        (
            "In this story, France moved its seat of government last spring.",
            "The new capital of France is Lyon.",
            "The old ministries became museums.",
            "Trains between the two cities run every hour.",
        ),
        "Which city is the new capital of France?",
        "Lyon",
        1,
        "The passage contradicts what a model has learnt: context against prior knowledge.",
    ),
)

TEXTS: dict[str, Text] = {each.name: each for each in _TEXTS}
"""The prompts by name."""

PASSAGES: dict[str, Passage] = {each.name: each for each in _PASSAGES}
"""The passages by name."""


def text(name: str) -> Text:
    """The prompt called `name`; an `UnknownNameError` names the nearest and lists all."""
    if name not in TEXTS:
        raise unknown(name, list(TEXTS), "text")
    return TEXTS[name]


def passage(name: str) -> Passage:
    """The passage called `name`; an `UnknownNameError` names the nearest and lists all."""
    if name not in PASSAGES:
        raise unknown(name, list(PASSAGES), "passage")
    return PASSAGES[name]
