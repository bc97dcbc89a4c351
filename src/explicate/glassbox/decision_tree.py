"""A decision tree of small depth as a glass box: each leaf is a rule, the path to it the conditions.

The splits are scikit-learn's (CART: Breiman, Friedman, Olshen, Stone, 1984, "Classification and Regression Trees").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.features import Feature
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.rule_model import RuleModel
from explicate.glassbox.fold.rules import Literal, Rule


@register("decision-tree", "glassboxes")
class DecisionTree(RuleModel):
    """A decision tree whose leaves are rules: proofs, logic programs and replay are those of every rule base.

    Tables are read as FOLD-SE reads them, without encoding: a split asks whether a number is at most a threshold,
    which a gap is not, or whether a cell is a certain text. Probabilities are the shares of the training rows in the
    leaf, one row of each class added.

    Parameters
    ----------
    depth : most conditions from the root to a leaf; 3 makes at most 8 leaves.
    least : fewest training rows in a leaf: a share of the rows below 1 (float), or a number of rows (int).
    random_state : decides between splits that are equally good.
    features : kinds of columns that are known, as in `FoldSEClassifier`.
    """

    def __init__(
        self,
        depth: int = 3,
        least: float = 0.005,
        random_state: int | None = 0,
        features: Mapping[str, str] | Sequence[Feature] | None = None,
    ) -> None:
        self.depth = depth
        self.least = least
        self.random_state = random_state
        self.features = features

    def fit(self, X: Any, y: Any) -> Self:
        """Grow the tree on a table.

        Parameters
        ----------
        X : (row, column) data frame or array; numbers, texts, categories and truth values, with gaps.
        y : (row,) labels, or the name of the column of X that holds them.

        Raises
        ------
        InputError : a parameter out of its range, or a table as in `FoldSEClassifier.fit`.
        """
        from sklearn.tree import DecisionTreeClassifier

        if isinstance(self.depth, bool) or self.depth < 1:
            raise InputError(f"depth is {self.depth}; give 1 or more")
        cells, labels = self._read_table(X, y)
        least = self._least_rows(len(cells))
        tests, values = _tests(cells, least)
        grown = DecisionTreeClassifier(max_depth=self.depth, min_samples_leaf=least, random_state=self.random_state)
        tree = grown.fit(values, labels.codes).tree_
        known = tuple(labels.classes.tolist())
        self.rules_ = tuple(_leaves(tree, tests, known))
        learned = Program(self.rules_, known, None, cells.kinds, target=labels.name)
        self.program_ = learned.counted_on(cells, labels.codes)
        return self

    def size(self) -> dict[str, int]:
        """Leaves, and conditions: the places where the tree asks."""
        return {"leaves": len(self.rules_), "conditions": len(self.rules_) - 1}

    def _least_rows(self, rows: int) -> int:
        whole = isinstance(self.least, int | np.integer) and not isinstance(self.least, bool)
        if not (whole and self.least >= 1) and not 0 < self.least < 1:
            raise InputError(f"least is {self.least}; give a share of the rows between 0 and 1, or a whole number")
        return max(1, int(self.least) if whole else int(np.ceil(self.least * rows)))


def _tests(cells: Cells, least: int) -> tuple[list[tuple[str, str | None]], Array]:
    """What can be asked, (column, text or None for numbers), and the table as scikit-learn takes it, (row, test).

    Texts in fewer rows than a leaf holds are left out: no split could be made with them.
    """
    tests: list[tuple[str, str | None]] = []
    columns: list[Array] = []
    for name in cells.kinds:
        column = cells[name]
        if column.numbers is not None and not np.isnan(column.numbers).all():
            largest = float(np.nanmax(column.numbers))
            above = largest + max(1.0, abs(largest))  # above every threshold, as gaps and texts are
            tests.append((name, None))
            columns.append(np.where(np.isnan(column.numbers), above, column.numbers))
        if column.codes is not None:
            counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.words))
            for code in np.flatnonzero((counts >= least) & (counts <= len(cells) - least)):
                tests.append((name, column.words[code]))
                columns.append((column.codes == code).astype(float))
    return tests, np.column_stack(columns) if columns else np.zeros((len(cells), 1))


def _leaves(tree: Any, tests: list[tuple[str, str | None]], classes: tuple[Any, ...]) -> list[Rule]:
    """The leaves from left to right, as rules."""

    def below(node: int, path: tuple[Literal, ...]) -> list[Rule]:
        if tree.children_left[node] < 0:
            return [Rule(classes[int(np.argmax(tree.value[node][0]))], path)]
        column, text = tests[tree.feature[node]]
        first = Literal(column, "<=", float(tree.threshold[node])) if text is None else Literal(column, "!=", text)
        return [
            *below(tree.children_left[node], (*path, first)),
            *below(tree.children_right[node], (*path, first.complement())),
        ]

    return below(0, ())
