"""What all model handles share: checked inputs, evaluation in chunks, counted cost, checked outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind, Targets
from explicate.core.cost import spend
from explicate.core.targets import select
from explicate.errors import ExplicateError, InputError, ModelError, NonFiniteScoreError, counted, first_line


class Model(ABC):
    """A handle on a model; offers `Predictor`. Subclasses implement `encode`, `_forward`, `fingerprint`.

    Parameters
    ----------
    name : how reports call it.
    source : text that loads it again, or None.
    chunk : samples sent through at once; None lets the handle choose.
    """

    kind: ClassVar[ModelKind]
    feature_dims: ClassVar[tuple[str, ...]]
    class_names: tuple[str, ...] | None = None

    def __init__(self, name: str, source: str | None = None, chunk: int | None = None) -> None:
        self.name = name
        self.source = source
        self.chunk = chunk
        self._output_count: int | None = None

    # -- what a subclass must say --------------------------------------------------------------------------------

    @abstractmethod
    def encode(self, inputs: Any) -> Array:
        """Turn a user's inputs into an array (sample, *feature)."""

    @abstractmethod
    def _forward(self, inputs: Array) -> Floats:
        """Scores (sample, output) of one chunk."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A content hash of everything that the scores depend on."""

    # -- what follows ----------------------------------------------------------------------------------------------

    @property
    def output_count(self) -> int:
        """Number of outputs; where it cannot be read off the model, one evaluation finds it."""
        if self._output_count is None:
            raise ModelError(f"the model {self.name!r} has not said how many outputs it has; predict one sample first")
        return self._output_count

    def output_name(self, index: int) -> str:
        """A name for an output."""
        return f"output {index}"

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """Coordinates for encoded inputs."""
        return {}

    def predict(self, inputs: Array) -> Floats:
        """Scores (sample, output) of encoded inputs; counted, in chunks, checked."""
        if len(inputs) == 0:
            raise InputError(f"no samples given to the model {self.name!r}")
        parts: list[Floats] = []
        for chunk in self.chunks(inputs):
            parts.append(self._checked(chunk, sum(map(len, parts))))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def scores(self, inputs: Array, targets: Targets) -> Floats:
        """The explained scores (sample,)."""
        return select(self.predict(inputs), targets)

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """The targets' probabilities (sample,); here the scores themselves."""
        return self.scores(inputs, targets)

    def chunks(self, *arrays: Array) -> Iterator[Any]:
        """Cut arrays of equal length into chunks; one array gives arrays, several give tuples."""
        size = self.chunk or len(arrays[0])
        for start in range(0, len(arrays[0]), size):
            cut = tuple(array[start : start + size] for array in arrays)
            yield cut[0] if len(cut) == 1 else cut

    def _checked(self, chunk: Array, start: int) -> Floats:
        with model_errors(self.name, f"on inputs of shape {chunk.shape}"):
            outputs = np.asarray(self._forward(chunk))
        spend(evaluations=len(chunk))
        if outputs.ndim == 1:
            outputs = outputs[:, None]
        if outputs.ndim != 2 or len(outputs) != len(chunk):
            raise ModelError(
                f"the model {self.name!r} gave an array of shape {outputs.shape} for {len(chunk)} samples; "
                "it must give (sample,) or (sample, output)"
            )
        if self._output_count is None:
            self._set_output_count(outputs.shape[1])
        elif outputs.shape[1] != self._output_count:
            raise ModelError(
                f"the model {self.name!r} changed its number of outputs from {self._output_count} to {outputs.shape[1]}"
            )
        if not np.isfinite(outputs).all():
            row = start + int(np.flatnonzero(~np.isfinite(outputs).all(axis=1))[0])
            raise NonFiniteScoreError(f"the model {self.name!r} gave a score that is NaN or infinite for sample {row}")
        return outputs

    def _set_output_count(self, count: int) -> None:
        """Note how many outputs there are; names that do not fit them are refused."""
        names = self.class_names
        if names is not None and not names_fit(names, count):
            raise InputError(
                f"the model {self.name!r} has {counted(count, 'output')}, but {counted(len(names), 'class name')}: "
                f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}; give one for each output"
            )
        self._output_count = count

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


@contextmanager
def model_errors(name: str, doing: str) -> Iterator[None]:
    """Whatever a user's model raises within the block becomes one line that names it; our own errors pass."""
    try:
        yield
    except ExplicateError:
        raise
    except Exception as error:
        raise ModelError(f"the model {name!r} failed {doing}: {type(error).__name__}: {first_line(error)}") from error


def names_fit(names: Sequence[str], count: int) -> bool:
    """Whether there is a name for each output; a single output may also have those of its two classes."""
    return len(names) == count or (count == 1 and len(names) == 2)


def check_finite(values: Array, what: str) -> Array:
    """Refuse NaN and infinities; the error names the first place."""
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError(f"{what}: NaN or infinite value at {place}; fill or drop it first")
    return values
