"""The tasks: what is read and written for a term, how deep its recursion goes, and the cheapest wrong answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explicate.data.recursion.encoding import Encoding, Malformed
from explicate.data.recursion.expressions import Call, Expression, Variable, build, words_of
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.machines import Machine
from explicate.data.recursion.reduction import reduce
from explicate.data.recursion.successor import (
    NATURAL,
    ONE_DIGIT,
    REVERSED,
    SUCCESSOR,
    ZERO_DIGIT,
    carry,
    numbers,
    successor_machine,
)
from explicate.data.recursion.trees import (
    TRAVERSALS,
    TREE_WORDS,
    VALUES,
    Order,
    levels,
    list_term,
    traversal_machine,
    values_of,
)
from explicate.data.recursion.types import Term
from explicate.errors import InputError
from explicate.models.tiny.translator import Pairs

Words = tuple[str, ...]


class RecursionTask(ABC):
    """A function, and how its argument and value are written."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As tables call it."""

    @property
    @abstractmethod
    def function(self) -> RecursiveFunction:
        """What is to be learned."""

    @property
    @abstractmethod
    def encoding(self) -> Encoding:
        """Of the inputs."""

    @property
    @abstractmethod
    def words(self) -> Words:
        """All words of inputs and outputs."""

    @abstractmethod
    def depth(self, term: Term) -> int:
        """Levels of recursion that the term asks for."""

    @abstractmethod
    def output(self, term: Term) -> Words:
        """The value, as it is written."""

    @abstractmethod
    def read(self, words: Sequence[str]) -> Term | Malformed:
        """An output as a term, or where it goes wrong."""

    @abstractmethod
    def without_recursion(self, term: Term) -> Words:
        """What is written if the case is applied and the recursive call forgotten: a floor."""

    @abstractmethod
    def machine(self) -> Machine:
        """The true recursion, reading and writing words."""

    @property
    @abstractmethod
    def swaps(self) -> Mapping[str, Sequence[str]]:
        """What a word of an input can be exchanged for."""

    def input(self, term: Term) -> Words:
        """The argument, as it is written."""
        return self.encoding.encode(term)

    def items(self, terms: Sequence[Term]) -> Items:
        """Inputs, outputs and depths of terms."""
        return Items(
            self,
            tuple(terms),
            tuple(map(self.input, terms)),
            tuple(map(self.output, terms)),
            np.array([self.depth(term) for term in terms], dtype=np.int64),
        )


@dataclass(frozen=True)
class SuccessorTask(RecursionTask):
    """The successor of a binary number; `reverse` writes the most significant digit first."""

    reverse: bool = False

    @property
    def name(self) -> str:
        return f"successor, {'reverse' if self.reverse else 'natural'} order"

    @property
    def function(self) -> RecursiveFunction:
        return SUCCESSOR

    @property
    def encoding(self) -> Encoding:
        return REVERSED if self.reverse else NATURAL

    @property
    def words(self) -> Words:
        return self.encoding.words

    def depth(self, term: Term) -> int:
        return carry(term)

    def output(self, term: Term) -> Words:
        return self.encoding.encode(SUCCESSOR(term))

    def read(self, words: Sequence[str]) -> Term | Malformed:
        return self.encoding.decode(words)

    def without_recursion(self, term: Term) -> Words:
        found = elided(SUCCESSOR, SUCCESSOR.body(Call(SUCCESSOR.name, (term,))))
        assert isinstance(found, Term)
        return self.encoding.encode(found)

    def machine(self) -> Machine:
        return successor_machine(self.reverse)

    @property
    def swaps(self) -> Mapping[str, Sequence[str]]:
        return {ZERO_DIGIT: (ONE_DIGIT,), ONE_DIGIT: (ZERO_DIGIT,)}

    def run_length(self, words: Words) -> int:
        """The carry of an input, read off its words."""
        given = words[::-1] if self.reverse else words
        return next((place for place, word in enumerate(given) if word != ONE_DIGIT), len(given))


@dataclass(frozen=True)
class TraversalTask(RecursionTask):
    """The values of a tree in an order; the tree is written with brackets."""

    order: Order = "inorder"

    @property
    def name(self) -> str:
        return self.order

    @property
    def function(self) -> RecursiveFunction:
        return TRAVERSALS[self.order]

    @property
    def encoding(self) -> Encoding:
        return TREE_WORDS

    @property
    def words(self) -> Words:
        return TREE_WORDS.words

    def depth(self, term: Term) -> int:
        return levels(term)

    def output(self, term: Term) -> Words:
        return values_of(self.function(term))

    def read(self, words: Sequence[str]) -> Term | Malformed:
        return list_term(words)

    def without_recursion(self, term: Term) -> Words:
        return traversal_machine(self.order, 1)(self.input(term))

    def machine(self) -> Machine:
        return traversal_machine(self.order)

    @property
    def swaps(self) -> Mapping[str, Sequence[str]]:
        return {value: (VALUES[(place + 1) % len(VALUES)],) for place, value in enumerate(VALUES)}


@dataclass(frozen=True)
class PartialTask(RecursionTask):
    """An expression in, the expression after k reduction steps (one call each) out; prefix order without brackets."""

    of: RecursionTask
    steps: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps is {self.steps}; a partial task makes at least one")

    @property
    def name(self) -> str:
        return f"{self.of.name}, {self.steps} steps"

    @property
    def function(self) -> RecursiveFunction:
        return self.of.function

    @property
    def encoding(self) -> Encoding:
        return Encoding(self.function.type)

    @cached_property
    def words(self) -> Words:
        known = self.function.names
        return (*known.constructors, *known.functions, *sorted(known.values))

    def depth(self, term: Term) -> int:
        return self.of.depth(term)

    def input(self, term: Term) -> Words:
        return words_of(Call(self.function.name, (term,)))

    def output(self, term: Term) -> Words:
        return words_of(reduce(self.function, term, self.steps, grain="call").expression)

    def read(self, words: Sequence[str]) -> Term | Malformed:
        try:
            found = self.function.names.parse(" ".join(words))
        except InputError as error:
            return Malformed(len(words), str(error))
        return Term(" ".join(words_of(found)))

    def without_recursion(self, term: Term) -> Words:
        return words_of(elided(self.function, self.function.body(Call(self.function.name, (term,)))))

    def machine(self) -> Machine:
        raise InputError("a partial task has no machine; its truth is explicate.data.recursion.reduce")

    @property
    def swaps(self) -> Mapping[str, Sequence[str]]:
        return self.of.swaps


@dataclass(frozen=True, eq=False)
class Items:
    """Terms of a task with their inputs, outputs and depths (item,)."""

    task: RecursionTask
    terms: tuple[Term, ...]
    inputs: tuple[Words, ...]
    outputs: tuple[Words, ...]
    depths: np.ndarray

    def __len__(self) -> int:
        return len(self.terms)

    def __repr__(self) -> str:
        return f"Items({self.task.name}: {len(self)}, depths {self.depths.min()} to {self.depths.max()})"

    def where(self, mask: Sequence[bool] | np.ndarray) -> Items:
        """Some of them: a mask, or numbers."""
        chosen = np.asarray(mask)
        rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        if not len(rows):
            raise InputError(f"no item of {self.task.name} is left; ask for other depths or more terms")
        terms = tuple(self.terms[i] for i in rows)
        inputs, outputs = tuple(self.inputs[i] for i in rows), tuple(self.outputs[i] for i in rows)
        return Items(self.task, terms, inputs, outputs, self.depths[rows])

    def pairs(self, balanced: bool = False) -> Pairs:
        """To train on, each item alike, or with `balanced` each depth alike."""
        return Pairs(self.inputs, self.outputs, depth_weights(self.depths, balanced))


def depth_weights(depths: Sequence[int] | np.ndarray, balanced: bool) -> np.ndarray:
    """How often each item is drawn (item,): all alike, or such that each depth is drawn as often."""
    if not balanced:
        return np.ones(len(depths))
    _, places, counts = np.unique(np.asarray(depths), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[places])


def elided(function: RecursiveFunction, expression: Expression) -> Expression:
    """An expression with each call of the function on itself replaced by its argument."""
    if isinstance(expression, Variable | Term):
        return expression
    arguments = tuple(elided(function, one) for one in expression.arguments)
    if isinstance(expression, Call):
        return arguments[0] if expression.function == function.name else Call(expression.function, arguments)
    return build(expression.head, arguments)


def all_numbers(task: SuccessorTask, digits: int, least: int = 0) -> Items:
    """All inputs of `least` to `digits` digits over 01."""
    return task.items(numbers(digits, least))
