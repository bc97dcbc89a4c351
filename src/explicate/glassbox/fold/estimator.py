"""FOLD-SE as scikit-learn classifiers for tables of numbers, categories and both, with gaps.

Source: Wang and Gupta (2022), "FOLD-SE: An Efficient Rule-based Machine Learning Algorithm with Scalable
Explainability", arXiv 2208.07912. With `criterion="information_gain"`, `comparison="strict"` and `tail=0` they are the
parents FOLD-R++ (arXiv 2110.07843) and FOLD-RM (arXiv 2202.06913).
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array
from explicate.core.features import Feature
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.fold.encoding import encode
from explicate.glassbox.fold.learning import Learner
from explicate.glassbox.fold.normal_form import Counts
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.rule_model import RuleModel
from explicate.glassbox.fold.rules import Comparison, Rule
from explicate.glassbox.fold.search import CRITERIA, Criterion, Search

FEW_ROWS, FEW_TAIL = 400, 5  # below so many rows a tail of 0.5 % covers less than two


class FoldSE(RuleModel):
    """What the two classifiers share: reading tables, checking parameters, and everything after the learning.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted.
    rules_ : the rules as they were learned.
    program_ : the same in normal form, with their counts on the training rows; it makes the predictions.
    n_features_in_, feature_names_in_ : number and names of the columns.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        tail: float = 0.005,
        criterion: Criterion = "gini",
        comparison: Comparison = "complementary",
        features: Mapping[str, str] | Sequence[Feature] | None = None,
    ) -> None:
        self.ratio = ratio
        self.tail = tail
        self.criterion = criterion
        self.comparison = comparison
        self.features = features

    def fit(self, X: Any, y: Any) -> Self:
        """Learn rules from a table.

        Parameters
        ----------
        X : (row, column) data frame or array; numbers, texts, categories and truth values, with gaps.
        y : (row,) labels, or the name of the column of X that holds them.

        Raises
        ------
        InputError : a parameter out of its range; no rows or columns; a column name that occurs twice; an infinite
            number; a label that is missing; fewer than two classes.
        """
        self._check_parameters()
        cells, labels = self._read_table(X, y)
        tail = self._tail_rows(len(cells))
        search = Search(encode(cells, list(cells.kinds)), self.criterion, self.comparison)
        rules, otherwise = self._learn(Learner(search, self.ratio, tail), labels.codes)
        self.rules_ = tuple(rules)
        known = tuple(labels.classes.tolist())
        learned = Program(self.rules_, known, otherwise, cells.kinds, self.comparison, labels.name)
        self.program_ = learned.normal_form().counted_on(cells, labels.codes)
        self._warn_if_empty()
        return self

    def counts(self) -> dict[str, Counts]:
        """Rules, literals and predicates: "raw" as learned, and "folded" in normal form."""
        check_is_fitted(self)
        raw = Program(self.rules_, self.program_.classes, None, self.program_.kinds, self.comparison)
        return {"raw": raw.raw_counts(), "folded": self.program_.counts()}

    def size(self) -> dict[str, int]:
        """Rules and literals in normal form."""
        folded = self.counts()["folded"]
        return {"rules": folded.rules, "literals": folded.literals}

    @classmethod
    def for_table(cls, rows: int, classes: int) -> Self | None:
        """With a tail of 5 rows below 400, where the default share of the rows has no effect."""
        model = super().for_table(rows, classes)
        if model is not None and rows < FEW_ROWS:
            model.tail = FEW_TAIL
        return model

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A fitted classifier from `to_json`, with the rules as they stand; how they were learned is not kept.

        Raises
        ------
        FileFormatError, InputError : see `Program.from_json`.
        """
        program = Program.from_json(text)
        model = cls(comparison=program.comparison, features=dict(program.kinds))
        model.program_, model.rules_ = program, program.rules
        model.classes_ = np.array(program.classes)
        model.n_features_in_ = len(program.kinds)
        model._name_features(list(program.kinds))
        return model

    @abstractmethod
    def _learn(self, learner: Learner, codes: Array) -> tuple[list[Rule], Any]:
        """Rules, and the label of rows on which none fires."""

    def _check_parameters(self) -> None:
        if self.criterion not in CRITERIA:
            raise InputError(f"criterion is {self.criterion!r}; use one of {', '.join(CRITERIA)}")
        if self.comparison not in ("complementary", "strict"):
            raise InputError(f"comparison is {self.comparison!r}; use 'complementary' or 'strict'")
        if isinstance(self.ratio, bool) or not 0 < self.ratio <= 1:
            raise InputError(f"ratio is {self.ratio}; give a number above 0 and at most 1")

    def _tail_rows(self, rows: int) -> float:
        """The fewest rows that a rule must cover."""
        whole = isinstance(self.tail, int | np.integer) and not isinstance(self.tail, bool)
        least = float(self.tail) if whole else float(self.tail) * rows
        if not 0 <= least < rows:
            raise InputError(
                f"tail is {self.tail}; give a share of the rows from 0 to below 1, or a whole number from 0 to "
                f"{rows - 1}, the table's {rows} rows less one"
            )
        return least


@register("fold-se", "glassboxes")
class FoldSEClassifier(FoldSE):
    """Default rules with exceptions for two classes: a row is positive if any rule fires, else negative.

    Parameters
    ----------
    ratio : highest false over true positives at which a rule is no longer narrowed and exceptions are learned, (0, 1].
    tail : rules (and exceptions) that cover fewer rows are dropped: a share of the training rows below 1 (float), or a
        number of rows (int). Tables under about 400 rows need a whole number, for example 5.
    criterion : "gini", or "information_gain" as in FOLD-R++.
    comparison : "complementary", or "strict" as in FOLD-R++; see `Comparison`.
    positive : the label that the rules give; by default the more frequent one, which gives the fewest rules.
    features : kinds of columns that are known: `Feature` objects, or name -> "numeric", "categorical" or "mixed".
        "numeric" reads texts as numbers where they are ones, so that "?" among numbers in texts is a gap.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        tail: float = 0.005,
        criterion: Criterion = "gini",
        comparison: Comparison = "complementary",
        positive: Any = None,
        features: Mapping[str, str] | Sequence[Feature] | None = None,
    ) -> None:
        super().__init__(ratio, tail, criterion, comparison, features)
        self.positive = positive

    def _learn(self, learner: Learner, codes: Array) -> tuple[list[Rule], Any]:
        labels = self.classes_.tolist()
        counts = np.bincount(codes)
        positive = int(np.argmax(counts)) if self.positive is None else labels.index(self.positive)
        if counts[positive] < counts[1 - positive]:
            warnings.warn(
                f"the positive label {labels[positive]!r} is the rarer one; rules for the other, "
                f"{labels[1 - positive]!r}, would be fewer",
                stacklevel=3,
            )
        drafts = learner.learn_set(np.flatnonzero(codes == positive), np.flatnonzero(codes != positive))
        return [learner.rule(draft, labels[positive]) for draft in drafts], labels[1 - positive]

    def _check_classes(self, classes: Array, name: str) -> None:
        super()._check_classes(classes, name)
        if len(classes) > 2:
            raise InputError(
                f"Only binary classification is supported. Label column {name!r} has {len(classes)} classes; use "
                "FoldSEMulticlassClassifier"
            )
        if self.positive is not None and self.positive not in classes.tolist():
            raise InputError(f"positive is {self.positive!r}, but the labels are {classes.tolist()}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


@register("fold-se-m", "glassboxes")
class FoldSEMulticlassClassifier(FoldSE):
    """Default rules with exceptions for any number of classes: an ordered list, the first rule that fires decides.

    With `default=None`, rows on which no rule fires are predicted as None, which is no class: scikit-learn's
    `check_estimator`, which wants a class for every row, passes with `default="majority"`.

    Parameters
    ----------
    ratio, tail, criterion, comparison, features : as in `FoldSEClassifier`.
    default : None leaves rows on which no rule fires undecided; "majority" gives them the most frequent label.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        tail: float = 0.005,
        criterion: Criterion = "gini",
        comparison: Comparison = "complementary",
        default: str | None = None,
        features: Mapping[str, str] | Sequence[Feature] | None = None,
    ) -> None:
        super().__init__(ratio, tail, criterion, comparison, features)
        self.default = default

    def _learn(self, learner: Learner, codes: Array) -> tuple[list[Rule], Any]:
        labels = self.classes_.tolist()
        found = learner.learn_list(np.arange(len(codes)), codes)
        otherwise = None if self.default is None else labels[int(np.argmax(np.bincount(codes)))]
        return [learner.rule(draft, labels[code]) for code, draft in found], otherwise

    @classmethod
    def for_table(cls, rows: int, classes: int) -> Self | None:
        """With the most frequent label where no rule fires."""
        model = super().for_table(rows, classes)
        if model is not None:
            model.default = "majority"
        return model

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.default not in (None, "majority"):
            raise InputError(f"default is {self.default!r}; use None or 'majority'")
