"""Balanced batches of cases and edits, drawn from a model so that no simple guess does better than a coin.

Each batch holds as many cases of each pair (label, prediction), so that neither predicting the label nor always the
same class helps; and in each pair half of the edits change the prediction, so that "unchanged" does not help either.
Edits that change it and edits that keep it are of 1, 2 and 3 features equally often, so that counting them does not
help: edits drawn at random and sorted by their effect would be told apart by their number.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 5. Their code takes an edit that keeps the prediction where
none that changes it is found; here the case is replaced.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.counterfactuals.decision_boundary import other_values, perturbed
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.evaluation.simulatability.layout import Edit, edits_text, row_text
from explicate.evaluation.simulatability.study import Item
from explicate.runtime.seeds import generator

TRIES = 500  # edits drawn of a case before another one takes its place
ROWS_TRIED = 20  # cases looked at for an edit of the wanted number of features, before any number will do


@dataclass(frozen=True)
class Batches:
    """Items without explanations, and what explainers take for those that are explained: one entry an item."""

    learning: tuple[Item, ...]
    forward: tuple[Item, ...]
    counterfactual: tuple[Item, ...]
    learning_rows: Any
    counterfactual_rows: Any


@dataclass(frozen=True)
class BatchSizes:
    """Items of each batch; multiples of 4, of the edited batch multiples of 8. 0 leaves a batch out."""

    learning: int = 16
    forward: int = 32
    counterfactual: int = 32
    edits: int = 3

    def __post_init__(self) -> None:
        for name, count, unit in (("learning", self.learning, 4), ("forward", self.forward, 4),
                                  ("counterfactual", self.counterfactual, 8)):  # fmt: skip
            if count < 0 or count % unit:
                raise InputError(f"the {name} batch has {count} items; take a multiple of {unit}, so that it balances")


@dataclass(frozen=True)
class Copies:
    """Edited copies of a case.

    Attributes
    ----------
    counts : (copy,), how many edits each has. answers : (model, copy), the predicted classes.
    edits : of a copy, by its number.
    """

    counts: Array
    answers: Array
    edits: Callable[[int], list[Edit]]


class Cases(ABC):
    """Labelled cases, and what models of two classes predict for them.

    Attributes
    ----------
    classes : names of the two. labels : (case,). answers : (model, case), the predicted classes.
    inputs : what explainers take, one entry a case.
    """

    classes: Sequence[str]
    labels: Array
    answers: Array
    inputs: Any

    @abstractmethod
    def context(self, place: int) -> str:
        """A case as readers see it."""

    @abstractmethod
    def copies(self, place: int, most: int, rng: np.random.Generator) -> Copies:
        """Random copies of a case with 1 to `most` edits, each number as likely."""


class TableCases(Cases):
    """The rows of a table, before models of rows."""

    def __init__(self, models: Sequence[Any], table: Table) -> None:
        self.models = models
        self.inputs = models[0].encode(table.frame)
        self.classes, self.labels = table.class_names, table.labels
        self.answers = np.stack([one.predict(self.inputs).argmax(axis=1) for one in models])

    def context(self, place: int) -> str:
        """`Feature : value`, one a line."""
        return row_text(self.models[0].feature_names, self._texts(self.inputs[[place]])[0])

    def copies(self, place: int, most: int, rng: np.random.Generator) -> Copies:
        """With features at other values."""
        row = self.inputs[place]
        drawn = perturbed(row, other_values(self.models[0]), TRIES, most, rng)
        answers = np.stack([one.predict(drawn).argmax(axis=1) for one in self.models])

        def edits(number: int) -> list[Edit]:
            before, after = self._texts(np.stack([row, drawn[number]]))
            names = self.models[0].feature_names
            return [Edit(names[j], str(before[j]), str(after[j])) for j in np.flatnonzero(drawn[number] != row)]

        return Copies((drawn != row).sum(axis=1), answers, edits)

    def _texts(self, rows: Array) -> Array:
        return np.asarray(self.models[0].feature_labels(rows)["input_text"][1])


def draw_batches(
    model: Any,
    development: Table,
    test: Table,
    *,
    second: Any = None,
    sizes: BatchSizes | None = None,
    seed: int = 0,
) -> Batches:
    """Learning items from development rows, forward and counterfactual items from test rows, without overlap.

    Parameters
    ----------
    model : a classifier of two classes on table rows.
    second : another one (a prototype model) that must agree on all cases and edits, so that methods that explain one of
        the two explain the same prediction.

    Raises
    ------
    InputError : too few rows of a (label, prediction) pair that both models agree on (the four counts are named), or no
        row of a pair with an edit that changes, or keeps, the prediction.
    """
    models = [model] if second is None else [model, second]
    return batches_of(TableCases(models, development), TableCases(models, test), sizes, seed)


def batches_of(development: Cases, test: Cases, sizes: BatchSizes | None = None, seed: int = 0) -> Batches:
    """Batches of any cases; see `draw_batches`."""
    sizes = sizes or BatchSizes()
    rng = generator(seed, "batches")
    learning, pool = _Pool(development, "development", rng), _Pool(test, "test", rng)
    learned = learning.balanced(sizes.learning)
    asked = pool.balanced(sizes.forward, spare=sizes.counterfactual)
    changed = pool.edited(sizes.counterfactual, sizes.edits)
    return Batches(
        tuple(learning.item(place, f"learn-{number:02d}") for number, place in enumerate(learned)),
        tuple(pool.item(place, f"forward-{number:02d}") for number, place in enumerate(asked)),
        tuple(
            replace(pool.item(one.place, f"change-{number:03d}"), perturbation=edits_text(one.edits),
                    perturbation_model=pool.classes[one.answer])
            for number, one in enumerate(changed)
        ),
        development.inputs[learned],
        test.inputs[[one.place for one in changed]],
    )  # fmt: skip


@dataclass(frozen=True)
class _Changed:
    """A case, edits of it, and the class that is predicted after them."""

    place: int
    edits: list[Edit]
    answer: int


class _Pool:
    """Cases that the models agree on, cell by cell, each taken at most once."""

    def __init__(self, cases: Cases, name: str, rng: np.random.Generator) -> None:
        self.cases, self.name, self.rng, self.classes = cases, name, rng, cases.classes
        self.predicted = cases.answers[0]
        agreed = (cases.answers == self.predicted).all(axis=0)
        self.cells = {
            (label, answer): [
                int(place)
                for place in rng.permutation(
                    np.flatnonzero(agreed & (cases.labels == label) & (self.predicted == answer))
                )
            ]
            for label in (0, 1)
            for answer in (0, 1)
        }

    def balanced(self, count: int, spare: int = 0) -> list[int]:
        """So many rows, as many of each cell, in random order; `spare` more must be left for later."""
        each, needed = count // 4, (count + spare) // 4
        counts = {cell: len(rows) for cell, rows in self.cells.items()}
        if min(counts.values()) < needed:
            shown = ", ".join(
                f"label {self.classes[label]!r} predicted {self.classes[answer]!r}: {number}"
                for (label, answer), number in counts.items()
            )
            raise InputError(
                f"{needed} {self.name} rows of each label and prediction are needed that all models agree on; there "
                f"are {shown}. Give more rows, or a smaller batch"
            )
        taken = [rows.pop() for rows in self.cells.values() for _ in range(each)]
        return [taken[place] for place in self.rng.permutation(len(taken))]

    def edited(self, count: int, edits: int) -> list[_Changed]:
        """So many cases with an edited copy each; in every cell half of the copies are predicted otherwise."""
        taken: list[_Changed] = []
        for cell in self.cells:
            for place in range(count // 8):
                wanted = 1 + place % edits
                taken += [self._with_edit(cell, flip, wanted, edits) for flip in (True, False)]
        return [taken[place] for place in self.rng.permutation(len(taken))]

    def _with_edit(self, cell: tuple[int, int], flip: bool, wanted: int, most: int) -> _Changed:
        """A case of the cell and an edited copy: of `wanted` edits if one of the next cases has such a copy."""
        rows = self.cells[cell]
        second: _Changed | None = None
        for place in range(len(rows) - 1, -1, -1):
            row = rows[place]
            copies = self.cases.copies(row, most, self.rng)
            fits = ((copies.answers != cell[1]) == flip).all(axis=0)
            exact = np.flatnonzero(fits & (copies.counts == wanted))
            if len(exact) or (second is None and fits.any()):
                number = int(exact[0]) if len(exact) else int(np.flatnonzero(fits)[0])
                second = _Changed(row, copies.edits(number), int(copies.answers[0, number]))
            if len(exact) or (second is not None and len(rows) - place >= ROWS_TRIED):
                break
        if second is not None:
            rows.remove(second.place)
            return second
        change = "changes" if flip else "keeps"
        raise InputError(
            f"no {self.name} row is left with label {self.classes[cell[0]]!r} and prediction {self.classes[cell[1]]!r} "
            f"of which an edit of up to {most} features {change} the prediction; give more rows or allow more edits"
        )

    def item(self, place: int, name: str) -> Item:
        """A case as an item."""
        label, answer = self.classes[int(self.cases.labels[place])], self.classes[int(self.predicted[place])]
        return Item(name, self.cases.context(place), label, answer)
