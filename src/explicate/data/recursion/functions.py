"""Structurally recursive functions: one equation for each constructor, and calls on direct sub-terms alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from explicate.data.recursion.expressions import Call, Expression, Names, Variable, substituted, text_of
from explicate.data.recursion.types import InductiveType, Term
from explicate.errors import InputError


@dataclass(frozen=True)
class Equation:
    """What a function gives for one constructor.

    Parameters
    ----------
    variables : names of the constructor's arguments. body : over these and the function's parameters.
    """

    constructor: str
    variables: tuple[str, ...]
    body: Expression


@dataclass(frozen=True)
class RecursiveFunction:
    """A function by structural recursion on its first argument; it ends on every term.

    Parameters
    ----------
    parameters : names of further arguments. uses : functions that are called besides itself, made before.
    result : the type of what it gives; None: that of its argument.

    Raises
    ------
    InputError : a constructor without an equation or with two, a call of itself on what is no direct sub-term, an
        unknown name; the equation is named.
    """

    name: str
    type: InductiveType
    equations: tuple[Equation, ...]
    parameters: tuple[str, ...] = ()
    uses: tuple[RecursiveFunction, ...] = ()
    result: InductiveType | None = None

    def __post_init__(self) -> None:
        given = [equation.constructor for equation in self.equations]
        for name in self.type.by_name:
            if given.count(name) != 1:
                raise InputError(
                    f"{self.name} has {given.count(name) or 'no'} equations for the constructor {name}; give one"
                )
        for equation in self.equations:
            self._check(equation)

    @classmethod
    def of(
        cls,
        name: str,
        type: InductiveType,
        equations: Sequence[str],
        *,
        parameters: tuple[str, ...] = (),
        uses: tuple[RecursiveFunction, ...] = (),
        result: InductiveType | None = None,
    ) -> Self:
        """From text, for example "s (X1 b) = X0 (s b)".

        Raises
        ------
        InputError : as for the class, or an equation that cannot be read.
        """
        types = [type, *([] if result is None else [result])]
        names = Names(
            {one.name: one.arity for known in types for one in known.constructors},
            {name: 1 + len(parameters)} | {one.name: 1 + len(one.parameters) for one in uses},
            variables=True,
        )
        found = []
        for text in equations:
            left, equals, right = text.partition("=")
            pattern = names.parse(left)
            head = pattern.arguments[0] if isinstance(pattern, Call) and pattern.function == name else None
            if not equals or head is None or isinstance(head, Variable | Call):
                raise InputError(f"the equation {text!r} does not say what {name} gives for a constructor")
            variables = tuple(one.name for one in head.arguments if isinstance(one, Variable))
            further = tuple(one.name for one in pattern.arguments[1:] if isinstance(one, Variable))  # type: ignore[union-attr]
            if further != parameters or len(variables) < len(head.arguments):
                raise InputError(f"the equation {text!r} must name its arguments, the further ones {list(parameters)}")
            found.append(Equation(head.head, variables, names.parse(right)))
        return cls(name, type, tuple(found), parameters, uses, result)

    def __call__(self, term: Term, *further: Term) -> Term:
        """The value, by recursion."""
        return self._value(Call(self.name, (term, *further)))

    @cached_property
    def by_constructor(self) -> dict[str, Equation]:
        """Equations by constructor."""
        return {one.constructor: one for one in self.equations}

    @cached_property
    def known(self) -> dict[str, RecursiveFunction]:
        """Itself and all functions that it calls, by name."""
        found = {self.name: self}
        for one in self.uses:
            found |= one.known
        return found

    @cached_property
    def names(self) -> Names:
        """Reads the expressions that a reduction goes through."""
        types = {one.type.name: one.type for one in self.known.values()}
        types |= {one.result.name: one.result for one in self.known.values() if one.result is not None}
        return Names(
            {one.name: one.arity for known in types.values() for one in known.constructors},
            {name: 1 + len(one.parameters) for name, one in self.known.items()},
            frozenset(value for known in types.values() for value in known.values),
        )

    def body(self, call: Call) -> Expression:
        """The right side that a call of this function on a term comes to.

        Raises
        ------
        InputError : its argument begins with no constructor of the function's type.
        """
        head = getattr(call.arguments[0], "head", None)
        if head not in self.by_constructor:
            raise InputError(
                f"{text_of(call)!r}: {self.name} has no case for {head!r}, which builds no {self.type.name}"
            )
        equation = self.by_constructor[head]
        return substituted(equation.body, self.bound(equation, call))

    def bound(self, equation: Equation, call: Call) -> dict[str, Expression]:
        """What an equation's names stand for in a call."""
        term, *further = call.arguments
        names = (*equation.variables, *self.parameters)
        return dict(zip(names, (*term.arguments, *further), strict=True))  # type: ignore[union-attr]

    def text(self) -> str:
        """The equations, a line each."""
        return "\n".join(self.equation_text(one) for one in self.equations)

    def equation_text(self, equation: Equation) -> str:
        """One equation as it is written."""
        pattern = " ".join((equation.constructor, *equation.variables))
        pattern = f"({pattern})" if equation.variables else pattern
        return f"{' '.join((self.name, pattern, *self.parameters))} = {text_of(equation.body)}"

    def _value(self, expression: Expression) -> Term:
        assert not isinstance(expression, Variable)
        arguments = tuple(self._value(one) for one in expression.arguments)
        if not isinstance(expression, Call):
            return Term(expression.head, arguments)
        function = self.known[expression.function]
        return self._value(function.body(Call(function.name, arguments)))

    def _check(self, equation: Equation) -> None:
        written = self.equation_text(equation)
        constructor = self.type.by_name.get(equation.constructor)
        if constructor is None:
            raise InputError(f"the equation {written!r} is for {equation.constructor!r}, which builds no term")
        bound = (*equation.variables, *self.parameters)
        if len(equation.variables) != constructor.arity or len(set(bound)) < len(bound):
            raise InputError(f"the equation {written!r} must give {constructor.arity} arguments names of their own")
        smaller = {equation.variables[place] for place in constructor.recursive}
        for part in parts_of(equation.body):
            if isinstance(part, Variable):
                if part.name not in bound:
                    raise InputError(f"the equation {written!r} has the name {part.name!r}, which nothing binds")
            elif isinstance(part, Call):
                first = part.arguments[0]
                if part.function == self.name and not (isinstance(first, Variable) and first.name in smaller):
                    raise InputError(
                        f"the equation {written!r} calls {self.name} on {text_of(first)}, which is no direct sub-term "
                        f"of its argument; call it on {' or '.join(sorted(smaller)) or 'nothing'}"
                    )
                if part.function not in {self.name, *(one.name for one in self.uses)}:
                    raise InputError(f"the equation {written!r} calls {part.function}, which is not among its uses")


def parts_of(expression: Expression) -> Iterator[Expression]:
    """An expression and all that it is made of, from the outside and from the left."""
    yield expression
    if not isinstance(expression, Variable):
        for argument in expression.arguments:
            yield from parts_of(argument)
