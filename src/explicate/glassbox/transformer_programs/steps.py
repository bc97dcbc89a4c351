"""What a Transformer Program is made of: variables, and steps that each compute one from earlier ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError, UnknownNameError

Value: TypeAlias = str | int
Preference = Literal["closest", "first", "offsets"]
TOKENS, POSITIONS, ONES = "tokens", "positions", "ones"


@dataclass(frozen=True)
class Variable:
    """Something that has a value at each position.

    Attributes
    ----------
    values : the names of a categorical variable's codes 0, 1, ...; none for a number.
    reachable : the codes that can occur; for a number, none.
    most : the largest number that can occur; 0 for a categorical variable.
    """

    name: str
    values: tuple[Value, ...] = ()
    reachable: tuple[int, ...] = ()
    most: int = 0

    @property
    def numeric(self) -> bool:
        """Whether it is a number."""
        return not self.values

    @property
    def size(self) -> int:
        """How many different values a table over it has rows for."""
        return self.most + 1 if self.numeric else len(self.values)

    def code(self, value: Value) -> int:
        """The code of a value, given by its name; a number is its own.

        Raises
        ------
        UnknownNameError : the variable has no such value.
        """
        if self.numeric and isinstance(value, int) and 0 <= value <= self.most:
            return value
        if value not in self.values:
            known = f"0 to {self.most}" if self.numeric else ", ".join(map(str, self.values))
            raise UnknownNameError(f"the variable {self.name!r} has no value {value!r}; it has {known}")
        return self.values.index(value)


@dataclass(frozen=True, eq=False)
class Head:
    """Attention: for each query value, which key value it looks for.

    Attributes
    ----------
    name, query, key, value : the variable that it writes, and those that it reads.
    predicate : (query code,) the key code that each looks for.
    scores : (query code, key code) real numbers instead of a predicate; the highest is attended to. None otherwise.
    counts : whether it sums the value over all matches; else it copies that of one of them.
    preference : which of several matches is copied: the "closest", the "first", or the highest in `offsets`.
    offsets : (2 context - 1,) how much a match so far to the right (from -(context - 1) on) is liked. None otherwise.
    """

    name: str
    query: str
    key: str
    value: str
    predicate: Array
    scores: Array | None = None
    counts: bool = False
    preference: Preference = "closest"
    offsets: Array | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the variables that it reads."""
        return tuple(dict.fromkeys((self.query, self.key, self.value)))

    def content(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": "head", **_plain(self)}


@dataclass(frozen=True, eq=False)
class Lookup:
    """What an MLP became: a table.

    Attributes
    ----------
    name : the variable that it writes. inputs : the one or two different variables that it reads.
    table : (code of the first[, code of the second]) the code that is written.
    """

    name: str
    inputs: tuple[str, ...]
    table: Array

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the variables that it reads."""
        return self.inputs

    def content(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": "lookup", **_plain(self), "inputs": list(self.inputs)}


Step: TypeAlias = Head | Lookup


def step_of(content: Mapping[str, Any]) -> Step:
    """A step from what `content` gave."""
    given = dict(content)
    kind = given.pop("kind")
    if kind == "lookup":
        return Lookup(given["name"], tuple(given["inputs"]), np.array(given["table"], dtype=np.int64))
    given["predicate"] = np.array(given["predicate"], dtype=np.int64)
    for name in ("scores", "offsets"):
        given[name] = None if given[name] is None else np.array(given[name], dtype=np.float64)
    return Head(**given)


def changed(step: Step, variables: Mapping[str, Variable], entry: Value | Sequence[Value], to: Value) -> Step:
    """The step with one entry of its table changed: what a query value looks for, or what an MLP writes.

    Raises
    ------
    UnknownNameError : a value that the variable does not have.
    InputError : a number of values that does not fit; a head with scores instead of a predicate.
    """
    given = [entry] if isinstance(entry, str | int) else list(entry)
    if isinstance(step, Head):
        if step.scores is not None:
            raise InputError(f"{step.name} has scores for pairs of values; edit one of a program with predicates")
        if len(given) != 1:
            raise InputError(f"{step.name} is changed for one value of {step.query}, not for {len(given)}")
        predicate = step.predicate.copy()
        predicate[variables[step.query].code(given[0])] = variables[step.key].code(to)
        return dataclasses.replace(step, predicate=predicate)
    if len(given) != len(step.inputs):
        raise InputError(f"{step.name} reads {', '.join(step.inputs)}; give a value for each, not {len(given)}")
    table = step.table.copy()
    codes = tuple(variables[name].code(value) for name, value in zip(step.inputs, given, strict=True))
    table[codes] = variables[step.name].code(to)
    return dataclasses.replace(step, table=table)


def _plain(step: Any) -> dict[str, Any]:
    found = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in found.items()}
