"""What Odeen's rules mean: their truth on every structure, as a packed matrix that is built row by row.

Source: Norelli et al. (2022), arXiv 2201.10222, section 4. "x at_the_right_of y" holds for an x with a y on its left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.data.odeen.grammar import (
    OBJECTS,
    RELATIONS,
    Connected,
    Counting,
    Rule,
    connected_rules,
    parse,
    relational_rules,
    simple_rules,
)
from explicate.data.odeen.world import CELLS, STRUCTURES, all_structures, symbol_features
from explicate.errors import InputError

Language = Literal["small", "whole"]
LANGUAGES: tuple[Language, ...] = ("small", "whole")
WIDTH = -(-STRUCTURES // 8)
"""Bytes of a packed row of truth."""

_FULL = (1 << CELLS) - 1
_LAST = np.uint8(0xFF << (8 * WIDTH - STRUCTURES) & 0xFF)  # the bits of the last byte that stand for structures


def related(relation: str, first: Array, second: Array) -> Array:
    """The cells of `first` that stand in the relation to a cell of `second`; all are six-bit masks, bit 0 leftmost."""
    before, after = np.zeros_like(second), np.zeros_like(second)  # cells with some `second` on the left, on the right
    for step in range(1, CELLS):
        before = before | second << step
        after = after | second >> step
    near = {
        "touching": second << 1 | second >> 1,
        "surrounded_by": second << 1 & second >> 1,
        "at_the_right_of": before,
        "at_the_left_of": after,
    }
    found: Array = first & near[relation] & _FULL
    return found


def truth(rule: Rule | str) -> Masks:
    """Whether a rule holds, bool (structure,), for all structures in their order."""
    return unpacked(packed_truth(parse(rule) if isinstance(rule, str) else rule))


def packed_truth(rule: Rule) -> Array:
    """The truth of a rule on all structures, uint8 (byte,), eight to a byte; bits beyond the last structure are 0."""
    if isinstance(rule, Connected):
        first, second = packed_truth(rule.first), packed_truth(rule.second)
        joined: Array = first & second if rule.connective == "and" else first | second
        return joined
    return _compared(rule.quantity, _at_least(rule))


def unpacked(rows: Array) -> Masks:
    """Truth as bool (..., structure), of packed rows."""
    return np.unpackbits(rows, axis=-1, count=STRUCTURES).astype(bool)


class TruthTable:
    """Rules times structures, packed, one row built when it is first asked for.

    Parameters
    ----------
    rules : the rows.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._packed = np.zeros((len(self.rules), WIDTH), dtype=np.uint8)
        self._built = np.zeros(len(self.rules), dtype=bool)

    def __len__(self) -> int:
        return len(self.rules)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The rules as text."""
        return tuple(map(str, self.rules))

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each rule's text."""
        return {text: place for place, text in enumerate(self.texts)}

    def packed(self, rows: Array | Sequence[int]) -> Array:
        """Packed truth, uint8 (row, byte)."""
        rows = np.asarray(rows, dtype=np.int64)
        for row in rows[~self._built[rows]]:
            if not self._built[row]:
                self._packed[row] = packed_truth(self.rules[row])
                self._built[row] = True
        return self._packed[rows]

    def truth(self, row: int) -> Masks:
        """One row, bool (structure,)."""
        return unpacked(self.packed([row])[0])

    def tags(self, rows: Array, structures: Array) -> Masks:
        """The truth of rules on structures (by their ids), broadcast against each other: `tags(r[:, None], s)`."""
        rows, structures = np.asarray(rows), np.asarray(structures)
        self.packed(np.unique(rows))
        bytes_ = self._packed[rows, structures >> 3]
        return (bytes_ >> (7 - (structures & 7)).astype(np.uint8) & 1).astype(bool)

    def matrix(self, structures: Array) -> Masks:
        """The truth of all rules on some structures, bool (rule, structure)."""
        self.packed(np.arange(len(self)))
        shift = (7 - (np.asarray(structures) & 7)).astype(np.uint8)
        return (self._packed[:, np.asarray(structures) >> 3] >> shift & 1).astype(bool)

    @cached_property
    def share(self) -> Array:
        """For each rule, on what share of all structures it holds, (rule,)."""
        counts = [np.bitwise_count(self.packed([row])[0]).sum(dtype=np.int64) for row in range(len(self))]
        return np.array(counts) / STRUCTURES

    @cached_property
    def meaning(self) -> Array:
        """For each rule, the first row that is true of the same structures, int64 (rule,): strings with one meaning."""
        first: dict[bytes, int] = {}
        hashes = (hashlib.blake2b(self.packed([row])[0].tobytes(), digest_size=16).digest() for row in range(len(self)))
        return np.array([first.setdefault(key, row) for row, key in enumerate(hashes)], dtype=np.int64)

    @cached_property
    def meanings(self) -> Array:
        """One row for each meaning, rising."""
        return np.unique(self.meaning)

    @cached_property
    def sizes(self) -> Array:
        """For each rule, how many of the rules have its meaning, itself included."""
        return np.bincount(self.meaning, minlength=len(self))[self.meaning]

    @property
    def constant(self) -> Masks:
        """Which rules hold for all structures, or for none."""
        found: Masks = (self.share == 0) | (self.share == 1)
        return found


@cache
def language(name: Language = "small") -> TruthTable:
    """The truth table of the 5,586 rules without connectives ("small", 82 MB), or of all 24,794 ("whole", 365 MB)."""
    if name not in LANGUAGES:
        raise InputError(f"the language {name!r} is unknown; use small or whole")
    rules: tuple[Rule, ...] = (*simple_rules(), *relational_rules())
    return TruthTable(rules if name == "small" else (*rules, *connected_rules()))


def _compared(quantity: str, least: tuple[Array, Array, Array]) -> Array:
    """Packed truth of a quantity, from that of at least one, two and three."""
    one, two, three = least
    found: Array = {
        "at_least 1": lambda: one.copy(),
        "at_least 2": lambda: two.copy(),
        "exactly 1": lambda: one & ~two,
        "exactly 2": lambda: two & ~three,
        "at_most 1": lambda: ~two,
        "at_most 2": lambda: ~three,
        "zero": lambda: ~one,
    }[quantity]()
    found[-1] &= _LAST
    return found


_recent: dict[tuple[str, str, str], tuple[Array, Array, Array]] = {}


def _at_least(rule: Counting) -> tuple[Array, Array, Array]:
    """Packed truth of at least one, two and three cells; the last one asked for is kept, as its quantities follow."""
    key = (rule.object, rule.relation, rule.other)
    if key not in _recent:
        counts = _counts(*key)
        found = tuple(np.packbits(counts >= least) for least in (1, 2, 3))
        if rule.relation:  # the 14 of single objects stay
            for old in [one for one in _recent if one[1]]:
                del _recent[old]
        _recent[key] = found  # type: ignore[assignment]
    return _recent[key]


def _counts(thing: str, relation: str, other: str) -> Array:
    """How many cells of each structure hold the object in the relation, uint8 (structure,)."""
    masks = _object_masks()
    own = masks[OBJECTS.index(thing)]
    found: Array
    if not relation:
        found = np.bitwise_count(own)
        return found
    found = _pair_counts()[RELATIONS.index(relation)][(own.astype(np.uint16) << CELLS) | masks[OBJECTS.index(other)]]
    return found


@cache
def _pair_counts() -> Array:
    """For each relation and each two masks (joined to 12 bits), how many cells stand in it: uint8 (relation, pair)."""
    pairs = np.arange(1 << 2 * CELLS)
    return np.array([np.bitwise_count(related(one, pairs >> CELLS, pairs & _FULL)) for one in RELATIONS], np.uint8)


@cache
def _object_masks() -> Array:
    """Which cells hold each object, as six-bit masks: uint8 (object, structure)."""
    features = symbol_features().astype(bool)
    names = {"red": 3, "blue": 2, "block": 1, "pyramid": 0, "pointing_up": 4, "pointing_down": 5}
    weights = (1 << np.arange(CELLS)).astype(np.uint8)
    found = []
    for thing in OBJECTS:
        holds = np.all([features[:, names[word]] for word in thing.split()], axis=0)  # (symbol,)
        found.append(holds[all_structures()] @ weights)
    return np.array(found, dtype=np.uint8)
