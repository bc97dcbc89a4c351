"""The kinds of explanation, and what each must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from explicate.core.explanation import Explanation
from explicate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Attribution(Explanation):
    """How much each feature of each sample contributed to the explained score.

    Variables
    ---------
    attribution : (sample, *feature), in units of the score.
    inputs : (sample, *feature), the encoded inputs.
    target : (sample,) or (sample, pair), explained outputs; `target_name` (sample,) names them.
    score : (sample,), the model's score of the target.
    baseline_score : (sample,), optional: the score with every feature absent; then the attribution's sum over the
        features should equal `score - baseline_score`.
    standard_error : (sample, *feature), optional: of estimated attributions.
    present : (sample, token), optional: which tokens are there, where texts differ in length.
    """

    kind: ClassVar[str] = "attribution"
    main: ClassVar[str] = "attribution"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "attribution": ("sample",),
        "inputs": ("sample",),
        "target": ("sample",),
        "score": ("sample",),
    }

    @property
    def feature_dims(self) -> tuple[str, ...]:
        """The dimensions of one sample's attribution: ("feature",), ("channel", "row", "column"), ("token",), ..."""
        return tuple(str(dim) for dim in self.data["attribution"].dims[1:])

    @property
    def values(self) -> np.ndarray:
        """The attributions as an array (sample, *feature)."""
        return np.asarray(self.data["attribution"].values)

    @property
    def targets(self) -> np.ndarray:
        """Explained outputs, (sample,) or (sample, 2)."""
        return np.asarray(self.data["target"].values)

    @property
    def present(self) -> np.ndarray:
        """Which features are there, of the shape of `values`; False only for padding of shorter texts."""
        if "present" in self.data:
            return np.asarray(self.data["present"].values, dtype=bool)
        return np.ones(self.values.shape, dtype=bool)

    def over_pixels(self) -> np.ndarray:
        """For images: attributions summed over the channels, (sample, row, column)."""
        array = self.data["attribution"]
        if not {"row", "column"} <= set(array.dims):
            raise InputError(f"over_pixels needs an image's attribution, not one over {self.feature_dims}")
        return np.asarray((array.sum("channel") if "channel" in array.dims else array).values)


class Concepts(Explanation):
    """How strongly named concepts are present, and what they do to the score: `activation` (sample, concept)."""

    kind: ClassVar[str] = "concepts"
    main: ClassVar[str] = "activation"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"activation": ("sample", "concept")}


class Counterfactuals(Explanation):
    """Other inputs that change the outcome: `counterfactual` (sample, candidate, ...) and its `score`."""

    kind: ClassVar[str] = "counterfactuals"
    main: ClassVar[str] = "counterfactual"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "counterfactual": ("sample", "candidate"),
        "score": ("sample", "candidate"),
    }


class Rules(Explanation):
    """Readable rules, as text and, where a model is made of them, in parts from which it can be run again.

    Variables
    ---------
    rule : (rule,) as text; rules that give an outcome first, in their order, then those that others refer to.
    coverage : (rule,), optional: training cases that a rule holds for; `precision` (rule,): the share of those that its
        outcome is right for, NaN where it has none.
    clause : (rule,), optional: what the rules call each other; `head` (rule,): the outcome's place in `label`, or -1.
    literal_rule, literal_column, literal_operator, literal_number, literal_text : (literal,), optional: the conditions,
        each a test of one column against a number, or (where that is NaN) against a text.
    exception_rule, exception_clause : (exception,), optional: which rule has which other as an exception.
    label : (label,), optional: the outcomes.
    prediction : (sample,), optional: the place in `label` of each case's prediction, -1 for none; `decision` (sample,):
        the rule that made it, or -1; `proof` (sample,): how, in words.
    holds : (sample, literal), optional: 1 true, 0 false, -1 not evaluated; `fires` (sample, rule) alike.
    input_number, input_text : (sample, column), optional: the cases; a cell is a number, or (where that is NaN) a text.
    """

    kind: ClassVar[str] = "rules"
    main: ClassVar[str] = "rule"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"rule": ("rule",)}

    @property
    def texts(self) -> list[str]:
        """The rules as text."""
        return [str(text) for text in self.data["rule"].values]

    def to_frame(self) -> pd.DataFrame:
        """One row per rule: its text and everything else that is known of rules one by one."""
        import pandas as pd

        each = [str(name) for name, array in self.data.variables.items() if array.dims == ("rule",)]
        return pd.DataFrame({name: self.data[name].values for name in sorted(each, key="rule".__ne__)})


class Circuit(Explanation):
    """Which parts of a model do something: `effect` (site,), the change that intervening on a site makes."""

    kind: ClassVar[str] = "circuit"
    main: ClassVar[str] = "effect"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"effect": ("site",)}


class Direction(Explanation):
    """A direction in activation space: `direction` (..., width). Directions add, subtract and scale."""

    kind: ClassVar[str] = "direction"
    main: ClassVar[str] = "direction"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"direction": ()}

    def __add__(self, other: Direction) -> Direction:
        return self._with(self.data["direction"] + other.data["direction"])

    def __sub__(self, other: Direction) -> Direction:
        return self._with(self.data["direction"] - other.data["direction"])

    def __mul__(self, factor: float) -> Direction:
        return self._with(self.data["direction"] * factor)

    __rmul__ = __mul__

    def __neg__(self) -> Direction:
        return self * -1.0

    def _with(self, array: xr.DataArray) -> Direction:
        return Direction(self.data.assign(direction=array), self.provenance)


class Narrative(Explanation):
    """An explanation in words: `text` (sample,)."""

    kind: ClassVar[str] = "narrative"
    main: ClassVar[str] = "text"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"text": ("sample",)}
