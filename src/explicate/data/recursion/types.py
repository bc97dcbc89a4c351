"""Inductive data types: what a term can be built of, and terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from explicate.errors import InputError


@dataclass(frozen=True)
class Constructor:
    """One way to build a term.

    Parameters
    ----------
    arity : how many arguments. recursive : which of them are terms of the type itself; the others are values.
    """

    name: str
    arity: int = 0
    recursive: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or self.arity < 0 or any(not 0 <= place < self.arity for place in self.recursive):
            raise InputError(
                f"the constructor {self.name!r} has {self.arity} arguments, of which {list(self.recursive)} cannot be "
                "recursive; give it a name and places below its arity"
            )


@dataclass(frozen=True)
class InductiveType:
    """A type: its constructors, and the values that stand at places which are not recursive.

    Raises
    ------
    InputError : two constructors or values with one name, or no constructor that a term can begin with.
    """

    name: str
    constructors: tuple[Constructor, ...]
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*(one.name for one in self.constructors), *self.values]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"the type {self.name!r} has the name {twice!r} twice; each needs its own")
        if not any(not one.recursive for one in self.constructors):
            raise InputError(f"the type {self.name!r} has no term: every constructor needs one; add one that does not")

    @cached_property
    def by_name(self) -> dict[str, Constructor]:
        """Constructors by name."""
        return {one.name: one for one in self.constructors}

    def term(self, name: str, *arguments: Term | str) -> Term:
        """A checked term; values may be given as text.

        Raises
        ------
        InputError : an unknown constructor, another number of arguments, or a value where a term belongs.
        """
        if name not in self.by_name:
            raise InputError(f"{name!r} builds no {self.name}; use one of {', '.join(self.by_name)}")
        constructor = self.by_name[name]
        if len(arguments) != constructor.arity:
            raise InputError(f"{name} takes {constructor.arity} arguments, not {len(arguments)}")
        given = tuple(Term(one) if isinstance(one, str) else one for one in arguments)
        for place, one in enumerate(given):
            fits = one.head in (self.by_name if place in constructor.recursive else self.values)
            if not fits:
                what = self.name if place in constructor.recursive else "value"
                raise InputError(f"argument {place} of {name} is {one.head!r}, which is no {what}")
        return Term(name, given)


@dataclass(frozen=True)
class Term:
    """A constructor with its arguments, or a value, which has none."""

    head: str
    arguments: tuple[Term, ...] = field(default=())

    def __str__(self) -> str:
        from explicate.data.recursion.expressions import text_of

        return text_of(self)

    def __iter__(self) -> Iterator[Term]:
        """All sub-terms and itself, in prefix order."""
        yield self
        for argument in self.arguments:
            yield from argument


def height(term: Term) -> int:
    """Constructors with arguments on the longest way down."""
    return 1 + max(map(height, term.arguments)) if term.arguments else 0
