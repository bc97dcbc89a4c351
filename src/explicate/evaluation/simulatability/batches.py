"""Balanced batches of cases and edits, drawn from a model so that no simple guess does better than a coin.

Each batch holds as many cases of each pair (label, prediction), so that neither predicting the label nor always the
same class helps; and in each pair half of the edits change the prediction, so that "unchanged" does not help either.
Edits that change it and edits that keep it are of 1, 2 and 3 features equally often, so that counting them does not
help: edits drawn at random and sorted by their effect would be told apart by their number.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 5. Their code takes an edit that keeps the prediction where
none that changes it is found; here the case is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """Items without explanations, and the encoded rows (item, feature) that they show."""

    learning: tuple[Item, ...]
    forward: tuple[Item, ...]
    counterfactual: tuple[Item, ...]
    learning_rows: Array
    counterfactual_rows: Array


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
    sizes = sizes or BatchSizes()
    models = [model] if second is None else [model, second]
    rng = generator(seed, "batches")
    learning = _Pool(models, development, "development", rng)
    pool = _Pool(models, test, "test", rng)
    learned = learning.balanced(sizes.learning)
    asked = pool.balanced(sizes.forward, spare=sizes.counterfactual)
    changed = pool.edited(sizes.counterfactual, sizes.edits)
    return Batches(
        tuple(learning.item(row, f"learn-{number:02d}") for number, row in enumerate(learned)),
        tuple(pool.item(row, f"forward-{number:02d}") for number, row in enumerate(asked)),
        tuple(pool.changed_item(row, values, f"change-{number:03d}") for number, (row, values) in enumerate(changed)),
        learning.rows[learned],
        pool.rows[[row for row, _ in changed]] if changed else pool.rows[:0],
    )


class _Pool:
    """Rows of a table that the models agree on, cell by cell, each taken at most once."""

    def __init__(self, models: Sequence[Any], table: Table, name: str, rng: np.random.Generator) -> None:
        self.models, self.table, self.name, self.rng = models, table, name, rng
        self.rows = models[0].encode(table.frame)
        self.classes = table.class_names
        answers = np.stack([one.predict(self.rows).argmax(axis=1) for one in models])
        self.predicted = answers[0]
        agreed = (answers == answers[0]).all(axis=0)
        self.cells = {
            (label, answer): [
                int(row)
                for row in rng.permutation(
                    np.flatnonzero(agreed & (table.labels == label) & (self.predicted == answer))
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

    def edited(self, count: int, edits: int) -> list[tuple[int, Array]]:
        """So many rows with an edited copy each; in every cell half of the copies are predicted otherwise."""
        values = other_values(self.models[0])
        taken: list[tuple[int, Array]] = []
        for cell in self.cells:
            for place in range(count // 8):
                wanted = 1 + place % edits
                taken += [self._with_edit(cell, flip, values, wanted, edits) for flip in (True, False)]
        return [taken[place] for place in self.rng.permutation(len(taken))]

    def _with_edit(
        self, cell: tuple[int, int], flip: bool, values: list[Array], wanted: int, most: int
    ) -> tuple[int, Array]:
        """A row of the cell and an edited copy: of `wanted` features if one of the next rows has such an edit."""
        rows = self.cells[cell]
        second: tuple[int, Array] | None = None
        for place in range(len(rows) - 1, -1, -1):
            row = rows[place]
            drawn = perturbed(self.rows[row], values, TRIES, most, self.rng)
            answers = np.stack([one.predict(drawn).argmax(axis=1) for one in self.models])
            fits = ((answers != cell[1]) == flip).all(axis=0)
            exact = np.flatnonzero(fits & ((drawn != self.rows[row]).sum(axis=1) == wanted))
            if len(exact):
                rows.remove(row)
                return row, drawn[exact[0]]
            if second is None and fits.any():
                second = row, drawn[np.flatnonzero(fits)[0]]
            if second is not None and len(rows) - place >= ROWS_TRIED:
                break
        if second is not None:
            rows.remove(second[0])
            return second
        change = "changes" if flip else "keeps"
        raise InputError(
            f"no {self.name} row is left with label {self.classes[cell[0]]!r} and prediction {self.classes[cell[1]]!r} "
            f"of which an edit of up to {most} features {change} the prediction; give more rows or allow more edits"
        )

    def item(self, row: int, name: str) -> Item:
        """A row as an item."""
        texts = self._texts(self.rows[row][None])[0]
        return Item(
            name,
            row_text(self.models[0].feature_names, texts),
            self.classes[self.table.labels[row]],
            self.classes[self.predicted[row]],
        )

    def changed_item(self, row: int, values: Array, name: str) -> Item:
        """A row with its edits as an item."""
        own, names = self.item(row, name), self.models[0].feature_names
        before, after = self._texts(np.stack([self.rows[row], values]))
        edits = [Edit(names[j], str(before[j]), str(after[j])) for j in np.flatnonzero(values != self.rows[row])]
        answer = self.classes[int(self.models[0].predict(values[None]).argmax(axis=1)[0])]
        return Item(own.id, own.context, own.label, own.model, edits_text(edits), answer)

    def _texts(self, rows: Array) -> Array:
        return np.asarray(self.models[0].feature_labels(rows)["input_text"][1])
