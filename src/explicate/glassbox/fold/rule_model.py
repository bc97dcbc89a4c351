"""What every model has whose learned form is a rule base: predictions, explanations, proofs, logic programs, files."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Rules
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.glassbox.fold.columns import Cells, as_frame
from explicate.glassbox.fold.explanations import cases_dataset, program_dataset, replayed
from explicate.glassbox.fold.logic_text import Dialect, program_code
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.proofs import Proof, prove
from explicate.glassbox.fold.rules import Rule
from explicate.glassbox.fold.table_classifier import TableClassifier
from explicate.runtime.fingerprint import digest


class RuleModel(TableClassifier):
    """A classifier that is a rule base, however its rules were learned: a subclass adds `fit`.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted.
    rules_ : the rules as they were learned.
    program_ : the rules that make the predictions, with their counts on the training rows.
    n_features_in_, feature_names_in_ : number and names of the columns.
    """

    rules_: tuple[Rule, ...]
    program_: Program

    def predict(self, X: Any) -> Array:
        """(row,) labels; undecided rows are None, which makes the array one of objects.

        Raises
        ------
        MissingColumnError : (a KeyError) a column is not there. InputError : another number of columns.
        """
        cells = self._cells(X)
        self._warn_if_empty()
        return self.program_.labels(self.program_.predict(cells), self.classes_)

    def predict_proba(self, X: Any) -> Floats:
        """(row, class) shares of the classes among the training rows that the same rule decided, see `Program`."""
        cells = self._cells(X)
        return self.program_.probabilities(cells)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of rows whose prediction is the label; undecided rows are wrong."""
        right = np.array([one == other for one, other in zip(self.predict(X), np.asarray(y), strict=True)], dtype=float)
        return float(np.average(right, weights=sample_weight))

    def explain(self, X: Any = None) -> Rules:
        """The rules (X is None), or the rules and, for each row of X (also a single one), how they decide it."""
        check_is_fitted(self)
        start = time.perf_counter()
        if X is None:
            data, inputs = program_dataset(self.program_, self.classes_), ""
        else:
            data = cases_dataset(self.program_, self.classes_, self._cells(X))
            inputs = digest(data["input_number"].values, data["input_text"].values)
        provenance = Provenance(
            method=self.name,
            parameters=self._parameters(),
            model=type(self).__name__,
            model_fingerprint=self.program_.fingerprint(),
            inputs_fingerprint=inputs,
            evaluations=0 if X is None else data.sizes["sample"],
            seconds=time.perf_counter() - start,
        )
        return Rules(data, provenance)

    @classmethod
    def replay(cls, explanation: Rules, X: Any = None) -> Array:
        """Labels computed from the explanation alone; equal to `predict`."""
        return replayed(explanation, X)

    def justify(self, row: Any) -> Proof:
        """The proof of one row (a mapping, a series, a frame or array of one row): print it to read it."""
        cells = self._cells(row)
        if len(cells) != 1:
            raise InputError(f"a proof is of one row, given are {len(cells)}; use explain for several")
        return prove(self.program_, cells)

    def to_asp(self, dialect: Dialect = "s(CASP)") -> str:
        """The rules as a logic program, see `program_code`."""
        check_is_fitted(self)
        return program_code(self.program_, dialect)

    def to_json(self) -> str:
        """The rules as JSON, to be read back with `from_json`, also after an edit by hand."""
        check_is_fitted(self)
        return self.program_.to_json()

    def _cells(self, X: Any) -> Cells:
        check_is_fitted(self)
        kinds = self.program_.kinds
        return Cells(as_frame(X, list(kinds), type(self).__name__), kinds)

    def _warn_if_empty(self) -> None:
        if not self.program_.rules:
            outcome = "undecided" if self.program_.otherwise is None else repr(self.program_.otherwise)
            warnings.warn(
                f"no rule covers enough rows: every prediction is {outcome}; is the label noise?", stacklevel=3
            )

    def _html_repr(self) -> str:
        return self.program_._repr_html_() if hasattr(self, "program_") else str(super()._html_repr())
