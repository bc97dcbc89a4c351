"""Terms as sequences of words, and back; what is no term is an object that says where it goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explicate.data.recursion.types import InductiveType, Term

OPEN, CLOSE = "(", ")"


@dataclass(frozen=True)
class Malformed:
    """Why a sequence is no term: the position of the first word that does not fit, and what is wrong."""

    position: int
    reason: str


@dataclass(frozen=True)
class Encoding:
    """Prefix order: a constructor, then its arguments.

    Parameters
    ----------
    brackets : around constructors with arguments; where the type has only one such constructor, the brackets stand for
        its name.
    reverse : the words from the last to the first.
    """

    type: InductiveType
    brackets: bool = False
    reverse: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """All words that can occur."""
        names = [one.name for one in self.type.constructors if self._named(one.name)]
        return (*names, *((OPEN, CLOSE) if self.brackets else ()), *self.type.values)

    def encode(self, term: Term) -> tuple[str, ...]:
        """The words of a term."""
        found = self._written(term)
        return found[::-1] if self.reverse else found

    def decode(self, words: Sequence[str]) -> Term | Malformed:
        """The term, or where the words go wrong; never an exception."""
        given = list(words)[::-1] if self.reverse else list(words)
        found, end = self._read(given, 0)
        if isinstance(found, Term) and end < len(given):
            found = Malformed(end, "the term ends before this word")
        if isinstance(found, Malformed) and self.reverse:
            return Malformed(max(len(given) - 1 - found.position, 0), found.reason)
        return found

    def _named(self, constructor: str) -> bool:
        alone = [one.name for one in self.type.constructors if one.arity] == [constructor]
        return not (self.brackets and alone)

    def _written(self, term: Term) -> tuple[str, ...]:
        inner = tuple(word for argument in term.arguments for word in self._written(argument))
        if not term.arguments:
            return (term.head,)
        inner = ((term.head,) if self._named(term.head) else ()) + inner
        return (OPEN, *inner, CLOSE) if self.brackets else inner

    def _read(self, words: Sequence[str], place: int) -> tuple[Term | Malformed, int]:
        if place >= len(words):
            return Malformed(place, "the words end where a term is missing"), place
        bracket = self.brackets and words[place] == OPEN
        place += bracket
        name = words[place] if place < len(words) else ""
        alone = next((one.name for one in self.type.constructors if one.arity and not self._named(one.name)), None)
        if bracket and alone is not None:
            name = alone
        else:
            place += 1
        constructor = self.type.by_name.get(name)
        if constructor is None or bool(constructor.arity) != (bracket if self.brackets else bool(constructor.arity)):
            return Malformed(place - 1, f"{name!r} begins no {self.type.name} here"), place
        arguments = []
        for number in range(constructor.arity):
            argument: Term | Malformed
            if number in constructor.recursive:
                argument, place = self._read(words, place)
            elif place < len(words) and words[place] in self.type.values:
                argument, place = Term(words[place]), place + 1
            else:
                argument = Malformed(place, f"a value of {name} is missing")
            if isinstance(argument, Malformed):
                return argument, place
            arguments.append(argument)
        if bracket:
            if place >= len(words) or words[place] != CLOSE:
                return Malformed(place, f"the bracket of {name} is not closed"), place
            place += 1
        return Term(name, tuple(arguments)), place
