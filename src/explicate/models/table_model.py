"""What all handles on models of table rows share: features, categories, background rows, named outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, ModelKind
from explicate.core.features import Feature, decode_frame, encode_frame, features_of
from explicate.errors import InputError, TargetError, first_line
from explicate.models.base import Model, check_finite

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND_ROWS = 1000


class TableModel(Model):
    """Base of handles on models of table rows. A subclass calls `_set_table` in its `__init__`.

    Attributes
    ----------
    features : name, kind, categories and immutability of every column.
    background : (at most 1,000) encoded rows that stand for the data.
    class_names : names of the outputs, or None.
    """

    kind: ClassVar[ModelKind] = "table"
    feature_dims: ClassVar[tuple[str, ...]] = ("feature",)
    features: tuple[Feature, ...]
    background: Array

    def _set_table(
        self,
        background: pd.DataFrame | Array,
        features: Sequence[str | Feature] | None,
        immutable: Sequence[str],
        class_names: Sequence[str] | None,
    ) -> None:
        """Read the features off `background` where they are not given, and keep a fixed sample of its rows."""
        self.features = _features(background, features, immutable)
        rows = self.encode(background)
        if len(rows) > BACKGROUND_ROWS:
            keep = np.random.Generator(np.random.PCG64(0)).permutation(len(rows))[:BACKGROUND_ROWS]
            rows = rows[np.sort(keep)]
        self.background = rows
        self.class_names = None if class_names is None else tuple(str(item) for item in class_names)

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
        count = self.output_count  # which has looked whether the names fit
        if self.class_names is not None:
            return self.class_names[1 if len(self.class_names) > count else index]
        return "prediction" if count == 1 else f"output {index}"

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
        if is_frame(inputs):
            values = encode_frame(inputs, self.features)
        else:
            try:
                values = np.array(inputs, dtype=float)
            except (TypeError, ValueError) as error:
                raise InputError(f"the inputs of {self.name!r} are no table of numbers: {first_line(error)}") from error
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


def _features(background: Any, given: Sequence[str | Feature] | None, immutable: Sequence[str]) -> tuple[Feature, ...]:
    if given is None and is_frame(background):
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


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame; tells without importing pandas."""
    return hasattr(value, "columns") and hasattr(value, "iloc")
