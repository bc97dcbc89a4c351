"""What "absent" means. A missingness says what the model sees in place of the features that are left out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.errors import CapabilityError, InputError
from explicate.runtime.seeds import generator

Fill: TypeAlias = Callable[[Masks], Array]
"""keep (mask, *feature) -> inputs (mask * draws, *feature); the draws of one mask stand together."""


@dataclass(frozen=True)
class Missingness(Parameterised):
    """Base of all meanings of "absent".

    Class attributes
    ----------------
    kinds : kinds of model that it makes sense for.
    """

    kinds: ClassVar[tuple[str, ...]] = ("table", "image", "text")

    def draws(self, model: Any) -> int:
        """Inputs that one mask turns into; the mask's value is the mean of their scores."""
        return 1

    @abstractmethod
    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        """Fix the model and one encoded sample (*feature); what is random is drawn here, once for all masks."""

    def reference(self, model: Any, inputs: Array, rng: np.random.Generator) -> Array:
        """Inputs (sample, *feature) with everything absent: the baseline of path methods. Needs one draw per mask."""
        if self.draws(model) != 1:
            raise InputError(
                f"missingness {self.name!r} has {self.draws(model)} draws per mask; a path needs one baseline"
            )
        nothing = np.zeros((1, *inputs.shape[1:]), dtype=bool)
        return np.concatenate([self.bind(model, sample, rng)(nothing) for sample in inputs])


@dataclass(frozen=True, eq=False)
class FromRows:
    """A fill that takes what is absent from each of some rows, the same rows for every mask.

    Attributes
    ----------
    sample : (feature,). rows : (draw, feature).
    """

    sample: Array
    rows: Array

    def __call__(self, keep: Masks) -> Array:
        filled = np.tile(self.rows, (len(keep), 1))
        np.copyto(filled.reshape(len(keep), *self.rows.shape), self.sample, where=keep[:, None, :])
        return filled

    def some(self, keep: Masks, draws: Array) -> Array:
        """Single inputs (input, feature): of `keep` (input, feature) with row `draws` (input,) each."""
        return np.where(keep, self.sample, self.rows[draws])

    @property
    def alike(self) -> Masks:
        """Where a row has the sample's own value, so that absence changes nothing: (draw, feature)."""
        return np.asarray(self.rows == self.sample)


def replace(sample: Array, keep: Masks, substitute: Array) -> Array:
    """Keep `sample` (*feature) where `keep` (mask, *feature) says so, else take `substitute` (*feature)."""
    return np.where(keep, sample[None], substitute[None]).astype(sample.dtype, copy=False)


@register("zero", "parts")
@dataclass(frozen=True)
class Zero(Missingness):
    """Absent features are 0. For images that were normalised, 0 is the mean colour."""

    kinds: ClassVar[tuple[str, ...]] = ("table", "image")

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        nothing = np.zeros_like(sample)
        return lambda keep: replace(sample, keep, nothing)


@register("baseline", "parts")
@dataclass(frozen=True)
class Baseline(Missingness):
    """Absent features take fixed values.

    Parameters
    ----------
    values : encoded values, broadcast to one sample (*feature).
    """

    values: Any = 0.0
    kinds: ClassVar[tuple[str, ...]] = ("table", "image")

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        try:
            substitute = np.broadcast_to(np.asarray(self.values, dtype=sample.dtype), sample.shape)
        except ValueError as error:
            raise InputError(
                f"a baseline of shape {np.shape(self.values)} does not fit a sample of shape {sample.shape}"
            ) from error
        return lambda keep: replace(sample, keep, substitute)


@register("mean", "parts")
@dataclass(frozen=True)
class Mean(Missingness):
    """Absent features take their mean over the model's background (categories: their most frequent value).

    For images: the mean of each channel of the picture itself.
    """

    kinds: ClassVar[tuple[str, ...]] = ("table", "image")

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        if model.kind == "image":
            substitute = np.broadcast_to(sample.mean(axis=(1, 2), keepdims=True), sample.shape)
        else:
            rows = background_of(model, self.name)
            substitute = rows.mean(axis=0)
            for j, feature in enumerate(getattr(model, "features", ())):
                if feature.kind == "categorical":
                    values, counts = np.unique(rows[:, j], return_counts=True)
                    substitute[j] = values[counts.argmax()]
        return lambda keep: replace(sample, keep, substitute)


@register("marginal", "parts")
@dataclass(frozen=True)
class Marginal(Missingness):
    """Absent features take the values that they have in rows of the model's background: E[f(x_S, X_rest)].

    The same rows serve every mask and every sample, so differences between masks carry no sampling noise of their own.

    Parameters
    ----------
    rows : background rows; each mask costs this many evaluations. 0 takes all of them.
    seed : which rows.
    """

    rows: int = 50
    seed: int = 0
    kinds: ClassVar[tuple[str, ...]] = ("table",)

    def draws(self, model: Any) -> int:
        have = len(background_of(model, self.name))
        return min(self.rows, have) if self.rows else have

    def drawn(self, model: Any) -> Array:
        """The background rows used, (draw, feature)."""
        rows = background_of(model, self.name)
        count = self.draws(model)
        if count == len(rows):
            return rows
        picked = generator(self.seed).permutation(len(rows))[:count]
        return rows[np.sort(picked)]

    def bind(self, model: Any, sample: Array, rng: np.random.Generator) -> Fill:
        return FromRows(sample, self.drawn(model))


def background_of(model: Any, asking: str) -> Array:
    """The model's background rows (sample, *feature)."""
    rows = getattr(model, "background", None)
    if rows is None:
        raise CapabilityError(
            f"missingness {asking!r} needs background data, which the model {model.name!r} does not have"
        )
    return np.asarray(rows)
