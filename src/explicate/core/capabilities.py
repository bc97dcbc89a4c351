"""What a method may ask of a model. Handles in `explicate.models` offer these; so may any object of yours.

A method never asks for a library. It names the capability it needs, and `require` turns a missing one into one error
that names the method, the model and what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from explicate.core.interventions import Intervention
from explicate.core.sites import Site
from explicate.errors import CapabilityError

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]
Masks = NDArray[np.bool_]
Targets = NDArray[np.int64]
"""Explained outputs, one per sample: (sample,), or (sample, 2) for the first output's score minus the second's."""

Capability = TypeVar("Capability", bound=type)
ModelKind = Literal["table", "image", "text"]


@runtime_checkable
class Predictor(Protocol):
    """Inputs in, scores out.

    Attributes
    ----------
    kind : what the inputs are; pictures, default missingness and reports follow from it.
    name : how reports call the model.
    source : text that loads the model again (a name in the zoo, `package.module:object`, a path), or None.
    feature_dims : names of the dimensions of one encoded input: ("feature",), ("channel", "row", "column"), ("token",).
    output_count : number of outputs; class probabilities, logits, or one regression value.
    """

    kind: ModelKind
    name: str
    source: str | None
    feature_dims: tuple[str, ...]

    @property
    def output_count(self) -> int: ...

    def output_name(self, index: int) -> str:
        """A name a reader knows the output by."""
        ...

    def encode(self, inputs: Any) -> Array:
        """Turn a user's inputs into an array (sample, *feature); text becomes token ids, -1 where there is no token."""
        ...

    def predict(self, inputs: Array) -> Floats:
        """Scores (sample, output) of encoded inputs."""
        ...

    def scores(self, inputs: Array, targets: Targets) -> Floats:
        """The explained scores (sample,) of encoded inputs; may be cheaper than `predict`."""
        ...

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """The probabilities (sample,) of the targets; for a regression, its scores."""
        ...

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """Coordinates that label encoded inputs, as `xarray.Dataset.assign_coords` takes them."""
        ...

    def fingerprint(self) -> str:
        """A content hash; equal for two handles that give equal scores."""
        ...


@runtime_checkable
class Differentiable(Predictor, Protocol):
    """Scores whose gradient can be had, in a continuous space (for text: its embeddings)."""

    def continuous(self, inputs: Array) -> Floats:
        """Encoded inputs as points of the space in which gradients are taken: (sample, *feature[, width])."""
        ...

    def gradients(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """Gradients of the targets' scores, of the shape of `points`. Text needs `inputs` for its padding."""
        ...

    def point_scores(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """The targets' scores (sample,) at `points`."""
        ...

    def collapse(self, values: Floats) -> Floats:
        """Sum over what `continuous` added: (sample, *feature[, width]) -> (sample, *feature)."""
        ...


@runtime_checkable
class Transparent(Predictor, Protocol):
    """Named sites that can be read and written during the forward pass."""

    def sites(self) -> Sequence[Site]:
        """The sites there are."""
        ...

    def capture(self, inputs: Array, sites: Sequence[Site | str]) -> dict[Site, Floats]:
        """Activations (sample, ...) at `sites`."""
        ...

    def intervene(self, *interventions: Intervention) -> AbstractContextManager[Any]:
        """Change activations or weights inside a `with` block; undone on exit, also after an exception."""
        ...


@runtime_checkable
class Generator(Protocol):
    """Text in, text out."""

    name: str

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int = 64, **options: Any) -> list[str]:
        """One continuation per prompt."""
        ...

    def log_probabilities(self, prompts: Sequence[str], continuations: Sequence[str]) -> list[Floats]:
        """Log-probability of each token of each continuation after its prompt."""
        ...


_MEANING: dict[Any, str] = {
    Predictor: "scores for inputs (predict)",
    Differentiable: "gradients of its scores",
    Transparent: "readable and writable sites",
    Generator: "text generation",
}


def means(text: str) -> Callable[[Capability], Capability]:
    """Decorator: what to call a family's own capability in errors."""

    def known(capability: Capability) -> Capability:
        _MEANING[capability] = text
        return capability

    return known


def require(model: object, capability: Any, method: str, instead: str = "") -> None:
    """Raise `CapabilityError` unless `model` offers `capability`; `instead` says what would work."""
    if not isinstance(model, capability):
        name = getattr(model, "name", type(model).__name__)
        raise CapabilityError(
            f"{method} needs {_MEANING.get(capability, capability.__name__)}, which the model {name!r} does not offer"
            + (f"; {instead}" if instead else "")
        )
