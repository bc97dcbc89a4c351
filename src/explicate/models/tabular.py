"""Models over the rows of a table: any scikit-learn style estimator, or any function of an array or a data frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.features import Feature
from explicate.errors import CapabilityError
from explicate.models.base import names_fit
from explicate.models.table_model import TableModel, is_frame
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import pandas as pd

Call = Literal["predict_proba", "predict", "decision_function", "call"]


class TabularModel(TableModel):
    """A handle on a model of table rows; offers `Predictor`.

    Parameters
    ----------
    model : an object with `predict_proba`, `decision_function` or `predict`, or a function of the inputs.
    background : rows that stand for the data: a data frame, or an array (sample, feature). Feature names, kinds and
        categories are read off a data frame; of more than 1,000 rows a fixed random 1,000 are kept.
    features : names, or `Feature` objects, when the background does not say them.
    output : what to explain: "predict_proba" (default where the model has it), "decision_function", "predict", or
        "call" for a plain function.
    immutable : names of features that a person cannot change.
    class_names : names of the outputs; default: the model's `classes_`.
    fingerprint : a content hash, when the caller has one; otherwise it is taken of the scores on the background.

    Raises
    ------
    CapabilityError : the model lacks the asked output.
    InputError : wrong or doubled names, no rows, NaN.
    """

    def __init__(
        self,
        model: Any,
        background: pd.DataFrame | Array,
        *,
        features: Sequence[str | Feature] | None = None,
        output: Call | None = None,
        immutable: Sequence[str] = (),
        class_names: Sequence[str] | None = None,
        name: str | None = None,
        source: str | None = None,
        chunk: int | None = 65_536,
        fingerprint: str | None = None,
    ) -> None:
        super().__init__(name or _name_of(model), source, chunk)
        self.wrapped = model
        self.takes_frame = is_frame(background)
        self._call = _caller(model, output, self.name)
        self.regression = self._call[0] in ("predict", "call") and not hasattr(model, "classes_")
        self._named_by_user = class_names is not None
        known = class_names if class_names is not None else getattr(model, "classes_", None)
        self._set_table(background, features, immutable, known)
        self._fingerprint = fingerprint

    def fingerprint(self) -> str:
        """A hash of the scores on (at most 64 rows of) the background, of the features and of the background."""
        if self._fingerprint is None:
            names = [[f.name, f.kind, list(f.categories)] for f in self.features]
            scores = np.asarray(self._forward(self.background[:64]), dtype=float)
            self._fingerprint = digest(self.kind, names, self.background, scores)
        return self._fingerprint

    def _set_output_count(self, count: int) -> None:
        names = self.class_names
        if names is not None and not self._named_by_user and not names_fit(names, count):
            self.class_names = None  # `classes_` names other outputs than those of `predict`, or of pairs of classes
        super()._set_output_count(count)

    def _forward(self, inputs: Array) -> Floats:
        return np.asarray(self._call[1](self.decode(inputs) if self.takes_frame else inputs), dtype=float)


def _caller(model: Any, output: Call | None, name: str) -> tuple[str, Callable[[Any], Any]]:
    if output is None:
        offered = [call for call in ("predict_proba", "decision_function", "predict") if hasattr(model, call)]
        output = offered[0] if offered else "call"  # type: ignore[assignment]
    if output == "call":
        if not callable(model):
            raise CapabilityError(
                f"the model {name!r} has no predict_proba, decision_function or predict, and is no function"
            )
        return output, model
    if not hasattr(model, str(output)):
        raise CapabilityError(f"the model {name!r} has no {output}; choose another `output`")
    return str(output), getattr(model, str(output))


def _name_of(model: Any) -> str:
    steps = getattr(model, "steps", None)  # a pipeline is called by its last step
    model = steps[-1][1] if steps else model
    return getattr(model, "__name__", type(model).__name__)
