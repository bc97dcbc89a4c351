"""Models over the rows of a table: any scikit-learn style estimator, or any function of an array or a data frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind
from explicate.core.features import Feature, decode_frame, encode_frame, features_of
from explicate.errors import CapabilityError, InputError, TargetError
from explicate.models.base import Model, check_finite
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import pandas as pd

Call = Literal["predict_proba", "predict", "decision_function", "call"]
BACKGROUND_ROWS = 1000


class TabularModel(Model):
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

    kind: ClassVar[ModelKind] = "table"
    feature_dims: ClassVar[tuple[str, ...]] = ("feature",)

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
        self.takes_frame = _is_frame(background)
        self.features = _features(background, features, immutable)
        self._call = _caller(model, output, self.name)
        self.regression = self._call[0] in ("predict", "call") and not hasattr(model, "classes_")
        rows = self.encode(background)
        if len(rows) > BACKGROUND_ROWS:
            keep = np.random.Generator(np.random.PCG64(0)).permutation(len(rows))[:BACKGROUND_ROWS]
            rows = rows[np.sort(keep)]
        self.background = rows
        known = class_names if class_names is not None else getattr(model, "classes_", None)
        self.class_names = None if known is None else tuple(str(item) for item in known)
        self._fingerprint = fingerprint

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(feature.name for feature in self.features)

    @property
    def output_count(self) -> int:
        """Number of outputs, found by evaluating one background row."""
        if self._output_count is None:
            self.predict(self.background[:1])
        return super().output_count

    def output_name(self, index: int) -> str:
        """The class's name; "prediction" for a regression."""
        if self.class_names is not None and len(self.class_names) == self.output_count:
            return self.class_names[index]
        if self.class_names is not None and self.output_count == 1 and len(self.class_names) == 2:
            return self.class_names[1]
        return "prediction" if self.output_count == 1 else f"output {index}"

    def output_index(self, name: str) -> int:
        """The index of a class name."""
        names = [self.output_name(i) for i in range(self.output_count)]
        if name not in names:
            raise TargetError(f"the model {self.name!r} has no output {name!r}; it has {', '.join(names)}")
        return names.index(name)

    def encode(self, inputs: Any) -> Array:
        """Rows as float64 (sample, feature): categories become codes; a single row or mapping is one sample."""
        if isinstance(inputs, Mapping) or (hasattr(inputs, "to_frame") and getattr(inputs, "ndim", 0) == 1):
            import pandas as pd

            inputs = pd.DataFrame([dict(inputs)])
        if _is_frame(inputs):
            values = encode_frame(inputs, self.features)
        else:
            try:
                values = np.array(inputs, dtype=float)
            except (TypeError, ValueError) as error:
                raise InputError(f"the inputs of {self.name!r} are no table of numbers: {error}") from error
            if values.ndim == 1:
                values = values[None]
        if values.ndim != 2 or values.shape[1] != len(self.features):
            raise InputError(
                f"the model {self.name!r} takes {len(self.features)} features ({', '.join(self.feature_names[:8])}"
                f"{', ...' if len(self.features) > 8 else ''}); the inputs have shape {values.shape}"
            )
        if len(values) == 0:
            raise InputError(f"no rows given to {self.name!r}")
        for j, feature in enumerate(self.features):
            bad = ~np.isfinite(values[:, j])
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise InputError(f"column {feature.name!r}, row {row}: NaN or infinite; fill or drop it first")
            if feature.categories and ((values[:, j] < 0) | (values[:, j] >= len(feature.categories))).any():
                raise InputError(f"column {feature.name!r}: a code outside 0 to {len(feature.categories) - 1}")
        return check_finite(values, self.name)

    def decode(self, inputs: Array) -> pd.DataFrame:
        """Encoded rows as a data frame, for people."""
        return decode_frame(inputs, self.features)

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """The features' names as the coordinate "feature", and the values as people write them as "input_text"."""
        texts = np.empty(inputs.shape, dtype=object)
        for j, feature in enumerate(self.features):
            if feature.categories:
                texts[:, j] = [feature.categories[int(code)] for code in inputs[:, j]]
            else:
                texts[:, j] = [f"{value:,.4g}" for value in inputs[:, j]]
        return {"feature": list(self.feature_names), "input_text": (("sample", "feature"), texts)}

    def fingerprint(self) -> str:
        """A hash of the scores on (at most 64 rows of) the background, of the features and of the background."""
        if self._fingerprint is None:
            names = [[f.name, f.kind, list(f.categories)] for f in self.features]
            scores = np.asarray(self._forward(self.background[:64]), dtype=float)
            self._fingerprint = digest(self.kind, names, self.background, scores)
        return self._fingerprint

    def _forward(self, inputs: Array) -> Floats:
        return np.asarray(self._call[1](self.decode(inputs) if self.takes_frame else inputs), dtype=float)


def _features(background: Any, given: Sequence[str | Feature] | None, immutable: Sequence[str]) -> tuple[Feature, ...]:
    if given is None and _is_frame(background):
        return features_of(background, immutable)
    if given is None:
        width = np.asarray(background).shape[-1] if np.ndim(background) else 0
        given = [f"x{j}" for j in range(width)]
    names = [item.name if isinstance(item, Feature) else item for item in given]
    unknown = sorted(set(immutable) - set(names))
    if unknown:
        raise InputError(f"immutable feature {unknown[0]!r} is none of {', '.join(names)}")
    if len(set(names)) < len(names):
        raise InputError(f"a feature name occurs more than once: {', '.join(names)}")
    return tuple(item if isinstance(item, Feature) else Feature(item, immutable=item in immutable) for item in given)


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


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "iloc")
