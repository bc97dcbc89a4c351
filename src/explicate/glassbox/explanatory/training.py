"""How the networks are trained: on rules, structures and tags, with tables drawn anew for every item.

Source: Norelli et al. (2022), arXiv 2201.10222, section 4 and appendix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.data.odeen import Phenomena, all_structures
from explicate.errors import InputError
from explicate.glassbox.explanatory.words import PAD, Words
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class JudgedBatch:
    """Rules (rule, token), structures (rule, structure, cell) and their tags (rule, structure)."""

    rules: Array
    structures: Array
    tags: Masks


@dataclass(frozen=True, eq=False)
class TableBatch:
    """Tables with the rule behind each, and structures to tag.

    Attributes
    ----------
    structures, tags : (table, observation[, cell]). rules : (table, token), with start and end.
    queries, answers : (table, query[, cell]), other structures of the phenomenon and their tags.
    """

    structures: Array
    tags: Array
    rules: Array
    queries: Array
    answers: Array


@dataclass(frozen=True, eq=False)
class JudgedSamples:
    """Draws (rule, structure, tag) samples, several structures for each rule drawn.

    Parameters
    ----------
    together : structures that share a rule; the rule is then read once for them.
    """

    phenomena: Phenomena
    words: Words
    together: int = 32

    def batch(self, rng: np.random.Generator, count: int) -> JudgedBatch:
        """So many samples."""
        rules = rng.integers(len(self.phenomena), size=-(-count // self.together))
        columns = rng.integers(self.phenomena.structures.shape[1], size=(len(rules), self.together))
        ids = self.phenomena.structures[rules[:, None], columns]
        tags = self.phenomena.tags[rules[:, None], columns]
        return JudgedBatch(self._tokens[rules], all_structures()[ids].astype(np.int64), tags)

    @cached_property
    def _tokens(self) -> Array:
        return self.words.encode(self.phenomena.rules)


@dataclass(frozen=True, eq=False)
class TableSamples:
    """Draws tables: some of a phenomenon's structures, and others of it to tag; anew for every item.

    Parameters
    ----------
    size : observations. queries : structures to tag for each table.
    shorter : share of batches whose tables have fewer observations, uniform from none, so that any number can be read.
    """

    phenomena: Phenomena
    words: Words
    size: int = 32
    queries: int = 8
    shorter: float = 0.1

    def __post_init__(self) -> None:
        there = self.phenomena.structures.shape[1]
        if self.size + self.queries > there:
            raise InputError(f"{self.size} observations and {self.queries} queries are more than {there} structures")

    def batch(self, rng: np.random.Generator, count: int) -> TableBatch:
        """So many tables."""
        size = int(rng.integers(self.size)) if rng.random() < self.shorter else self.size
        rules = rng.integers(len(self.phenomena), size=count)
        order = rng.random((count, self.phenomena.structures.shape[1]))
        columns = np.argpartition(order, size + self.queries, axis=1)[:, : size + self.queries]
        ids = self.phenomena.structures[rules[:, None], columns]
        tags = self.phenomena.tags[rules[:, None], columns].astype(np.int64)
        codes = all_structures()[ids].astype(np.int64)
        return TableBatch(codes[:, :size], tags[:, :size], self._tokens[rules], codes[:, size:], tags[:, size:])

    @cached_property
    def _tokens(self) -> Array:
        return self.words.encode(self.phenomena.rules, ends=True)


def fingerprint(phenomena: Phenomena) -> str:
    """A content hash of what is learned from."""
    return digest(list(phenomena.rules), phenomena.structures, phenomena.tags)


def tag_loss(logits: torch.Tensor, tags: Array) -> torch.Tensor:
    """Mean cross-entropy (nats) of logits (..., 2) on tags (...)."""
    import torch
    import torch.nn.functional as F

    return F.cross_entropy(logits.flatten(0, -2), torch.as_tensor(np.asarray(tags, dtype=np.int64)).flatten())


def word_loss(logits: torch.Tensor, rules: Array) -> torch.Tensor:
    """Mean cross-entropy (nats) of logits (rule, token, word) on each rule's next token.

    The target is the input rolled by one; its last position would wrap to the start, so it is left out, as is padding.
    """
    import torch
    import torch.nn.functional as F

    target = np.roll(rules, -1, axis=1)
    target[:, -1] = PAD
    return F.cross_entropy(logits.flatten(0, 1), torch.as_tensor(target).flatten(), ignore_index=PAD)
