"""An equation learner as a scikit-learn regressor: the whole model is one formula.

Source: Martius and Lampert (2016), "Extrapolation and learning equations", arXiv 1610.02995.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Self

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.cells import numeric_columns
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.equation.formula import Formula, Guards, symbols_of
from explicate.glassbox.equation.network import KNOWN_UNITS, Candidate, Design, chosen, outputs, trained
from explicate.glassbox.fold.columns import as_frame
from explicate.glassbox.kinds import FormulaExplanation, texts
from explicate.glassbox.labels import read_values
from explicate.glassbox.parameters import (
    check_choice,
    check_numbers,
    check_positive,
    check_share,
    check_weight,
    check_whole,
    plain,
)
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import checked_seed, generator


@register("equation-regressor", "glassboxes")
class EquationRegressor(RegressorMixin, GlassBox, BaseEstimator):
    """A network whose units are sine, cosine, square, product and the like, made sparse and read off as a formula.

    Columns should be of the order of 1; the formula is in their own units. Training has three phases: a quarter of the
    epochs without penalty, seven tenths with the sum of the absolute weights as penalty, and the rest without it, which
    would bias the constants, and with the weights below 0.01 at 0 for good. Many networks are trained at once; `choice`
    says which is taken.

    Parameters
    ----------
    layers : numbers of linear maps to try; 3 means two layers of units between them.
    each, products : units of each kind, and products of two, in a layer. units : the kinds, of `KNOWN_UNITS`.
    division : the last layer is `a / b` where b exceeds a guard that falls to `epochs ** -0.5`, and 0 elsewhere.
    penalties : weights of the penalty. restarts : initial weights for each.
    epochs, learning_rate, batch : of Adam. validation : share of the rows that candidates are compared on.
    choice : "ranks" takes the network of the best ranks in validation error and number of active units; "error" looks
        at the validation error alone, which is better where the data have no noise.
    seed : of weights, order and validation rows.

    Attributes
    ----------
    formula_ : the model; print it with `formula_.text()`. candidates_ : all trained networks; chosen_ : the one taken.
    n_features_in_, feature_names_in_ : number and names of the columns.
    """

    def __init__(
        self,
        layers: tuple[int, ...] = (2, 3),
        each: int = 4,
        products: int = 4,
        units: tuple[str, ...] = ("identity", "sin", "cos", "square"),
        division: bool = False,
        penalties: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 1e-2),
        restarts: int = 5,
        epochs: int = 1000,
        learning_rate: float = 1e-3,
        batch: int = 32,
        validation: float = 0.1,
        choice: str = "ranks",
        seed: int = 0,
    ) -> None:
        self.layers = layers
        self.each = each
        self.products = products
        self.units = units
        self.division = division
        self.penalties = penalties
        self.restarts = restarts
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch = batch
        self.validation = validation
        self.choice = choice
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Learn a formula.

        Parameters
        ----------
        X : (row, column) numbers. y : (row,) values.

        Raises
        ------
        InputError : a parameter out of its range; columns that hold no numbers, gaps or infinities.
        ModelError : the loss became NaN or infinite.
        """
        design = self._design()
        frame = as_frame(X)
        columns = numeric_columns(frame)
        values = read_values(y, len(columns))
        if len(columns) < 2:
            raise InputError(f"the table has {len(columns)} sample; an equation learner needs at least 2")
        held = np.zeros(len(values), dtype=bool)
        order = generator(self.seed, "validation").permutation(len(values))
        held[order[: max(1, round(self.validation * len(values)))]] = True
        found = [one for each in design.layers for one in trained(columns, values, held, design, each)]
        return self.choose(found, X)

    def choose(self, candidates: list[Candidate], X: Any) -> Self:
        """Take one of some networks that were trained before, by `choice`; `fit` ends with this.

        Parameters
        ----------
        candidates : `candidates_` of an equation learner with the same parameters. X : the training table, for names.
        """
        design, frame = self._design(), as_frame(X)
        names = [str(name) for name in frame]
        self.candidates_ = candidates
        self.chosen_ = chosen(self.candidates_, design, self.choice)
        self.formula_ = self.chosen_.formula(design, symbols_of(names))
        self._names = names
        self.n_features_in_ = len(names)
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array(names, dtype=object)
        elif "feature_names_in_" in self.__dict__:
            del self.feature_names_in_
        if not self.chosen_.active(design):
            warnings.warn(
                f"no unit survived the penalty: the formula is the constant {self.formula_.text()}; lower `penalties`",
                stacklevel=2,
            )
        return self

    def predict(self, X: Any) -> Floats:
        """(row,) values of the formula; a warning counts the rows in which a guard had to step in."""
        columns = self._columns(X)
        return _run(self.formula_, columns)

    def network_outputs(self, X: Any) -> Floats:
        """(row,) what the trained network gives, in single precision: the formula equals it up to that."""
        return outputs(self.chosen_, self._columns(X), self._design())

    def explain(self, X: Any = None) -> FormulaExplanation:
        """The formula (X is None), or the formula with the values of its steps for each row of X."""
        check_is_fitted(self)
        start = time.perf_counter()
        data = xr.Dataset(
            {
                "formula": ("form", texts([self.formula_.text(None), self.formula_.text()])),
                "step": ("line", texts(self.formula_.steps)),
                "symbol": ("column", texts(self.formula_.symbols)),
            },
            {"form": texts(["exact", "rounded"]), "column": texts(self._names)},
        )
        inputs = ""
        if X is not None:
            columns = self._columns(X)
            data = data.assign(inputs=(("sample", "column"), columns), score=("sample", _run(self.formula_, columns)))
            inputs = digest(columns)
        provenance = Provenance(
            method=self.name,
            parameters={key: plain(value) for key, value in self.get_params().items()},
            model=type(self).__name__,
            model_fingerprint=self.formula_.fingerprint(),
            inputs_fingerprint=inputs,
            seed=self.seed,
            evaluations=0 if X is None else data.sizes["sample"],
            seconds=time.perf_counter() - start,
        )
        return FormulaExplanation(data, provenance)

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Values of the formula, run from its text."""
        data = explanation.data
        if "step" not in data:
            raise InputError(f"the explanation by {explanation.provenance.method!r} holds no formula")
        formula = Formula(tuple(map(str, data["step"].values)), tuple(map(str, data["symbol"].values)))
        if X is not None:
            frame = as_frame(X, [str(name) for name in data["column"].values], "the explanation")
            return _run(formula, numeric_columns(frame))
        if "inputs" not in data:
            raise InputError("the explanation is of the whole model, not of cases; give the cases to replay it on")
        return _run(formula, np.asarray(data["inputs"].values))

    def _columns(self, X: Any) -> Array:
        check_is_fitted(self)
        return numeric_columns(as_frame(X, self._names, type(self).__name__))

    def _design(self) -> Design:
        check_whole(each=self.each, restarts=self.restarts, epochs=self.epochs, batch=self.batch)
        check_numbers(layers=self.layers)
        if min(self.layers) < 2:
            raise InputError(f"layers is {self.layers!r}; give 2 or more: one of units, and the last, linear one")
        if not isinstance(self.products, int | np.integer) or self.products < 0:
            raise InputError(f"products is {self.products!r}; give a whole number of at least 0")
        if isinstance(self.units, str) or not len(self.units) or not set(self.units) <= set(KNOWN_UNITS):
            raise InputError(f"units is {self.units!r}; use some of {', '.join(KNOWN_UNITS)}")
        if not len(self.penalties):
            raise InputError("penalties is empty; give at least one, such as (1e-3,)")
        check_weight(**{f"penalties[{place}]": value for place, value in enumerate(self.penalties)})
        check_positive(learning_rate=self.learning_rate)
        check_share(validation=self.validation)
        check_choice("choice", self.choice, ("ranks", "error"))
        return Design(
            tuple(self.layers),
            self.each,
            int(self.products),
            tuple(self.units),
            bool(self.division),
            tuple(self.penalties),
            self.restarts,
            self.epochs,
            self.learning_rate,
            self.batch,
            checked_seed(self.seed),
        )


def _run(formula: Formula, columns: Array) -> Floats:
    guards = Guards()
    found = formula(columns, guards)
    if guards.rows:
        warnings.warn(
            f"a logarithm, exponential or division left its guarded range in {guards.rows} of {len(columns)} rows; "
            "their values are those at the guard",
            stacklevel=3,
        )
    return found
