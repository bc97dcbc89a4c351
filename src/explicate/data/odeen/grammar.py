"""The language in which Odeen's phenomena are explained: 24,794 rules over eighteen words.

    RULE = S | R | S and S | S or S      S = QUANTITY OBJECT      R = QUANTITY OBJECT RELATION OBJECT

Source: Norelli et al. (2022), arXiv 2201.10222, section 4 and appendix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

from explicate.errors import InputError

QUANTITIES = ("at_least 1", "at_least 2", "exactly 1", "exactly 2", "at_most 1", "at_most 2", "zero")
COLOURS = ("red", "blue")
SHAPES = ("block", "pyramid", "pyramid pointing_up", "pyramid pointing_down")
OBJECTS = (*COLOURS, *SHAPES, *(f"{colour} {shape}" for colour, shape in product(COLOURS, SHAPES)))
RELATIONS = ("touching", "surrounded_by", "at_the_right_of", "at_the_left_of")
CONNECTIVES = ("and", "or")
WORDS = tuple(dict.fromkeys(" ".join((*QUANTITIES, *OBJECTS, *RELATIONS, *CONNECTIVES)).split()))
LONGEST = 11
"""Words of the longest rule."""


@dataclass(frozen=True)
class Counting:
    """How many cells hold an object, or an object that stands in a relation to another: "exactly 1 red touching block".

    `relation` and `other` are both empty, or neither is.
    """

    quantity: str
    object: str
    relation: str = ""
    other: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.quantity, self.object, self.relation, self.other) if part)


@dataclass(frozen=True)
class Connected:
    """Two countings without a relation, joined by "and" or "or"."""

    first: Counting
    connective: str
    second: Counting

    def __str__(self) -> str:
        return f"{self.first} {self.connective} {self.second}"


Rule = Counting | Connected


@cache
def simple_rules() -> tuple[Counting, ...]:
    """The 98 rules that count one object."""
    return tuple(Counting(quantity, thing) for thing in OBJECTS for quantity in QUANTITIES)


@cache
def relational_rules() -> tuple[Counting, ...]:
    """The 5,488 rules that count an object in a relation."""
    return tuple(
        Counting(quantity, thing, relation, other)
        for thing, relation, other in product(OBJECTS, RELATIONS, OBJECTS)
        for quantity in QUANTITIES
    )


@cache
def connected_rules() -> tuple[Connected, ...]:
    """The 19,208 rules that join two simple ones."""
    simple = simple_rules()
    return tuple(Connected(first, joined, second) for joined in CONNECTIVES for first in simple for second in simple)


def parse(text: str) -> Rule:
    """The rule that a text states.

    For data and for scores alone: what a network reads are the words, and nobody tells it what they mean.

    Raises
    ------
    InputError : the text is outside the grammar; the message has the index of the first token that does not fit.
    """
    reader = _Reader(text.split(), text)
    first = reader.counting()
    if reader.at(*CONNECTIVES) and not first.relation:
        connective = reader.take(*CONNECTIVES)
        second = reader.counting(relations=False)
        reader.end()
        return Connected(first, connective, second)
    reader.end()
    return first


def is_rule(text: str) -> bool:
    """Whether a text is in the grammar."""
    try:
        parse(text)
    except InputError:
        return False
    return True


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens, self.text, self.place = tokens, text, 0

    def at(self, *words: str) -> bool:
        return self.place < len(self.tokens) and self.tokens[self.place] in words

    def take(self, *words: str) -> str:
        if not self.at(*words):
            found = repr(self.tokens[self.place]) if self.place < len(self.tokens) else "the end"
            raise InputError(
                f"the rule {self.text!r}: token {self.place} is {found}; expected one of {', '.join(words)}"
            )
        self.place += 1
        return self.tokens[self.place - 1]

    def counting(self, relations: bool = True) -> Counting:
        quantity = self.take("at_least", "exactly", "at_most", "zero")
        if quantity != "zero":
            quantity += f" {self.take('1', '2')}"
        thing = self.thing()
        if not (relations and self.at(*RELATIONS)):
            return Counting(quantity, thing)
        return Counting(quantity, thing, self.take(*RELATIONS), self.thing())

    def thing(self) -> str:
        words = []
        if self.at(*COLOURS):
            words.append(self.take(*COLOURS))
            if not self.at("block", "pyramid"):
                return words[0]
        words.append(self.take("block", "pyramid", *(COLOURS if not words else ())))
        if words[-1] == "pyramid" and self.at("pointing_up", "pointing_down"):
            words.append(self.take("pointing_up", "pointing_down"))
        return " ".join(words)

    def end(self) -> None:
        if self.place < len(self.tokens):
            raise InputError(
                f"the rule {self.text!r}: token {self.place} is {self.tokens[self.place]!r}; expected the end"
            )
