"""Phenomena of Odeen: rules with their tagged structures, split by meaning, and the published file format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.data.odeen.grammar import parse
from explicate.data.odeen.semantics import Language, language
from explicate.data.odeen.tables import TableMaker
from explicate.data.odeen.world import all_structures, encode_structures, structure_ids, structure_texts
from explicate.errors import FileFormatError, InputError
from explicate.runtime.files import write_text
from explicate.runtime.seeds import generator

LEFT_OUT = "at_the_left_of"
"""No rule for validation or test has this word; its mirror has to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Phenomena:
    """Rules, each with a table of observations and more tagged structures.

    Attributes
    ----------
    rules : as text.
    tables, table_tags : (rule, observation), ids of structures and their tags: what is seen of a phenomenon.
    structures, tags : (rule, structure), others, to learn from or to be judged on.
    """

    rules: tuple[str, ...]
    tables: Array
    table_tags: Masks
    structures: Array
    tags: Masks

    def __post_init__(self) -> None:
        shapes = [(self.tables.shape, self.table_tags.shape), (self.structures.shape, self.tags.shape)]
        for ids, tags in shapes:
            if ids != tags or ids[0] != len(self.rules):
                raise InputError(f"{len(self.rules)} rules, structures {ids} and tags {tags} do not fit each other")

    def __len__(self) -> int:
        return len(self.rules)

    def __repr__(self) -> str:
        return (
            f"Phenomena({len(self):,} rules, {self.tables.shape[1]} observations and {self.structures.shape[1]:,} "
            "tagged structures each)"
        )

    def take(self, rows: Array | slice | Sequence[int]) -> Phenomena:
        """Some of them: indices, a boolean mask or a slice."""
        rules = tuple(np.array(self.rules, dtype=object)[rows])
        return Phenomena(rules, self.tables[rows], self.table_tags[rows], self.structures[rows], self.tags[rows])

    @property
    def majority(self) -> Array:
        """For each rule, the share of its more frequent tag: what always saying the same gets right."""
        share = self.tags.mean(axis=1)
        found: Array = np.maximum(share, 1 - share)
        return found


@dataclass(frozen=True)
class OdeenSplit:
    """How many phenomena of which language, and how much of each; the splits share no meaning.

    Constant rules are left out everywhere. Each meaning has the same chance, and so has each of its strings.

    Parameters
    ----------
    language : "small" (no connectives) or "whole".
    training, validation, test : rules of each part.
    structures : tagged structures of a training rule. judged : of the others, half near misses, half random.
    table : observations. seed : of all draws.
    """

    language: Language = "small"
    training: int = 400
    validation: int = 50
    test: int = 100
    structures: int = 200
    judged: int = 200
    table: int = 32
    seed: int = 0

    def rows(self) -> dict[str, Array]:
        """The rules of each part, as rows of the language's truth table.

        Raises
        ------
        InputError : the language has fewer meanings than are asked for.
        """
        rules = language(self.language)
        rng = generator(self.seed, "odeen rules")
        one_of = {int(rules.meaning[row]): int(row) for row in rng.permutation(len(rules)) if not rules.constant[row]}
        order = rng.permutation(sorted(one_of))
        mirrored = np.array([LEFT_OUT in rules.texts[one_of[meaning]] for meaning in order])
        held_out = order[~mirrored][: self.test + self.validation]
        rest = order[~np.isin(order, held_out)]
        if len(held_out) < self.test + self.validation or len(rest) < self.training:
            raise InputError(f"the language {self.language!r} has {len(order):,} meanings; ask for fewer rules")
        parts = {"test": held_out[: self.test], "validation": held_out[self.test :], "training": rest[: self.training]}
        return {name: np.array([one_of[int(meaning)] for meaning in meanings]) for name, meanings in parts.items()}

    def draw(self) -> dict[str, Phenomena]:
        """The parts "training", "validation" and "test"."""
        return {name: self._part(name, rows) for name, rows in self.rows().items()}

    def _part(self, name: str, rows: Array) -> Phenomena:
        rules = language(self.language)
        maker = TableMaker(rules, generator(self.seed, "odeen tables", name))
        tables = np.array([maker.informative(row, self.table) for row in rows]).reshape(len(rows), self.table)
        if name == "training":
            structures = [maker.various(row, known, self.structures) for row, known in zip(rows, tables, strict=True)]
        else:
            pairs = self.judged // 4
            structures = [maker.filled(maker.near_misses(row, pairs).ravel(), self.judged) for row in rows]
        size = self.structures if name == "training" else self.judged
        ids = np.array(structures).reshape(len(rows), size)
        texts = tuple(rules.texts[row] for row in rows)
        return Phenomena(texts, tables, rules.tags(rows[:, None], tables), ids, rules.tags(rows[:, None], ids))


ODEEN_SMALL = OdeenSplit()
"""A configuration for one processor core."""

ODEEN_PAPER = OdeenSplit("whole", 1438, 200, 1132, 10_000, 1176)
"""The paper's largest one; it has further ones with 500 rules, and with 100 and 1,000 structures."""


def write_phenomena(path: str | Path, phenomena: Phenomena) -> Path:
    """Write phenomena in the published format: JSON with `structures` and `dataset` (rule, table, tags).

    Where rules have structures of their own, each entry has its `structures` beside its `labels`.
    """
    shared = len(phenomena) > 0 and bool((phenomena.structures == phenomena.structures[0]).all())
    entries = []
    for place, rule in enumerate(phenomena.rules):
        entry: dict[str, Any] = {
            "rule": rule,
            "table": _texts(phenomena.tables[place]),
            "table_labels": phenomena.table_tags[place].astype(int).tolist(),
            "labels": phenomena.tags[place].astype(int).tolist(),
        }
        if not shared:
            entry["structures"] = _texts(phenomena.structures[place])
        entries.append(entry)
    common = _texts(phenomena.structures[0]) if shared else []
    return write_text(path, json.dumps({"structures": common, "dataset": entries}) + "\n")


def read_phenomena(path: str | Path) -> Phenomena:
    """Read a file in the published format.

    Raises
    ------
    FileFormatError : no JSON, a field that is missing, a rule outside the grammar, a structure that cannot be read,
        numbers of structures and tags that differ; the message names the entry.
    """
    entries: list[tuple[str, Array, Masks, Array, Masks]] = []
    started = False
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        common, dataset = _ids(content["structures"]), content["dataset"]
        started = True
        entries.extend(_entry(one, common) for one in dataset)
        if not entries:
            raise InputError("there are no phenomena in it")
        rules, *arrays = (list(part) for part in zip(*entries, strict=True))
        return Phenomena(tuple(rules), *map(np.array, arrays))
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError) as error:
        what = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
        place = f", entry {len(entries)}" if started else ""
        raise FileFormatError(f"{path}{place}: {what}") from error


def _entry(entry: dict[str, Any], common: Array) -> tuple[str, Array, Masks, Array, Masks]:
    table = _ids(entry["table"])
    structures = _ids(entry["structures"]) if "structures" in entry else common
    rule = str(parse(entry["rule"]))
    return (
        rule,
        table,
        _tags(entry["table_labels"], len(table)),
        structures,
        _tags(entry["labels"], len(structures)),
    )


def _texts(ids: Array) -> list[str]:
    return structure_texts(all_structures()[ids])


def _ids(texts: Sequence[str]) -> Array:
    return structure_ids(encode_structures(texts))


def _tags(values: Sequence[Any], count: int) -> Masks:
    if len(values) != count or any(value not in (0, 1) for value in values):
        raise InputError(f"{count} structures need as many tags, each 0 or 1")
    return np.array(values, dtype=bool)
