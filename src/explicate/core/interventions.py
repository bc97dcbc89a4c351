"""Changes to what happens inside a model. They compose with `+`; a handle's `intervene` applies and undoes them.

The arithmetic uses operators only, so the same objects work on numpy arrays and torch tensors, and gradients flow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from explicate.core.sites import Site
from explicate.errors import InputError

Tokens: TypeAlias = Literal["all", "prompt", "new"]


@dataclass(frozen=True, eq=False)
class Intervention:
    """A change at one site.

    Parameters
    ----------
    site : where, with positions to change those tokens of the prompt only.
    tokens : "all", only the "prompt"'s, or only "new" ones that come after it while the model writes or in a given
        continuation.
    """

    site: Site | str
    tokens: Tokens = field(default="all", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", Site.parse(self.site))
        if self.tokens not in get_args(Tokens):
            raise InputError(f"tokens {self.tokens!r} is unknown; use {', '.join(get_args(Tokens))}")
        if self.tokens == "new" and self.address.positions is not None:
            raise InputError(f"{self.site}: positions are those of the prompt; leave them out for tokens='new'")

    @property
    def address(self) -> Site:
        """The site, read."""
        return Site.parse(self.site)

    def apply(self, activation: Any) -> Any:
        """The new value of `activation`; its last dimension is the width (for a pattern: the keys)."""
        raise NotImplementedError(type(self).__name__)

    def __add__(self, other: Intervention | Together) -> Together:
        return Together((self, *(other.parts if isinstance(other, Together) else (other,))))


@dataclass(frozen=True)
class Together:
    """Several interventions at once, applied in order."""

    parts: tuple[Intervention, ...]

    def __add__(self, other: Intervention | Together) -> Together:
        return Together((*self.parts, *(other.parts if isinstance(other, Together) else (other,))))

    def __iter__(self) -> Any:
        return iter(self.parts)


@dataclass(frozen=True, eq=False)
class Patch(Intervention):
    """Set the activation to a value taken from elsewhere (activation patching)."""

    value: Any = 0.0

    def apply(self, activation: Any) -> Any:
        return spread(self.value, activation)


@dataclass(frozen=True, eq=False)
class Ablate(Intervention):
    """Take a part out: set it to zero, to its mean over a reference set, or to a value from another input.

    Parameters
    ----------
    how : "zero", "mean" or "resample".
    reference : activations (sample, ...) of the reference set; its mean, or for "resample" a row drawn with `seed`.
    """

    how: Literal["zero", "mean", "resample"] = "zero"
    reference: Any = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.how not in ("zero", "mean", "resample"):
            raise InputError(f"ablation {self.how!r} is unknown; use 'zero', 'mean' or 'resample'")
        if self.how != "zero" and self.reference is None:
            raise InputError(f"{self.how} ablation of {self.site} needs reference activations; capture them first")

    def apply(self, activation: Any) -> Any:
        if self.how == "zero":
            return spread(0.0, activation)
        reference = np.asarray(self.reference)
        if self.how == "mean":
            value = reference.mean(axis=0)
        else:
            value = reference[np.random.Generator(np.random.PCG64(self.seed)).integers(len(reference))]
        return spread(value, activation)


@dataclass(frozen=True, eq=False)
class Steer(Intervention):
    """Add a direction: h + strength v; with `keep_norm` the sum gets the length that h had."""

    direction: Any = 0.0
    strength: float = 1.0
    keep_norm: bool = False

    def apply(self, activation: Any) -> Any:
        return added(activation, self.move(activation), self.keep_norm)

    def move(self, activation: Any) -> Any:
        """What is added: strength v, as an array of the kind of `activation`."""
        width = np.shape(self.direction)[-1:]
        if width not in ((), (1,), tuple(activation.shape[-1:])):
            raise InputError(
                f"{self.site}: a direction of width {width[0]} does not fit an activation of width "
                f"{activation.shape[-1]}; is it from another model?"
            )
        return self.strength * like(self.direction, activation)


@dataclass(frozen=True, eq=False)
class Scale(Intervention):
    """Multiply the activation by a factor."""

    factor: float = 1.0

    def apply(self, activation: Any) -> Any:
        return activation * self.factor


@dataclass(frozen=True, eq=False)
class Project(Intervention):
    """Remove a direction, h - (u.h) u with u of length one; with `coordinate` c set it instead: h + (c - u.h) u."""

    direction: Any = None
    coordinate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        length = float(np.linalg.norm(np.asarray(self.direction, dtype=float))) if self.direction is not None else 0.0
        if length == 0 or not np.isfinite(length):
            raise InputError(f"projection at {self.site} needs a direction that is finite and not zero")

    def apply(self, activation: Any) -> Any:
        unit = np.asarray(self.direction, dtype=float)
        if unit.shape[-1:] not in ((), (1,), tuple(activation.shape[-1:])):
            raise InputError(
                f"{self.site}: a direction of width {unit.shape[-1]} does not fit an activation of width "
                f"{activation.shape[-1]}; is it from another model?"
            )
        unit = like(unit / np.linalg.norm(unit), activation)
        along = (activation * unit).sum(-1)[..., None]
        return activation + (self.coordinate - along) * unit


@dataclass(frozen=True, eq=False)
class Interchange(Intervention):
    """Set the coordinates in a subspace to those of another value c: h + (c - h) B'B, with B of orthonormal rows.

    Source: Geiger et al. (2024), "Finding Alignments Between Interpretable Causal Variables and Distributed Neural
    Representations", definition 3.

    Parameters
    ----------
    value : as in `Patch`.
    basis : (component, width), or (width,) for one direction; made orthonormal here.
    """

    value: Any = 0.0
    basis: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = np.atleast_2d(np.asarray(0.0 if self.basis is None else self.basis, dtype=float))
        if given.ndim != 2 or not np.isfinite(given).all() or np.linalg.matrix_rank(given) < len(given):
            raise InputError(f"interchange at {self.site} needs directions that are finite and independent")
        object.__setattr__(self, "basis", np.linalg.qr(given.T)[0].T)

    def apply(self, activation: Any) -> Any:
        basis = like(self.basis, activation)
        if basis.shape[-1] != activation.shape[-1]:
            raise InputError(
                f"directions of width {basis.shape[-1]} do not fit an activation of width {activation.shape[-1]}"
            )
        return activation + (spread(self.value, activation) - activation) @ basis.T @ basis


@dataclass(frozen=True, eq=False)
class Edit(Intervention):
    """Add to a weight: `site` is the parameter's path ("model.layers.0.mlp.down_proj.weight")."""

    change: Any = 0.0

    def apply(self, activation: Any) -> Any:
        return activation + like(self.change, activation)


def added(activation: Any, move: Any, keep_norm: bool) -> Any:
    """The sum, with `keep_norm` of the length of `activation` along the last axis; a sum of zero stays."""
    moved = activation + move
    if not keep_norm:
        return moved
    length = (moved * moved).sum(-1)[..., None]
    return moved * ((activation * activation).sum(-1)[..., None] / (length + (length == 0))) ** 0.5


def like(value: Any, activation: Any) -> Any:
    """`value` as an array of the library, type and place of `activation`."""
    if type(value) is type(activation) and not isinstance(activation, np.ndarray):
        return value.to(activation)
    if isinstance(activation, np.ndarray):
        return np.asarray(value, dtype=activation.dtype)
    if isinstance(value, int | float):
        return value
    return activation.new_tensor(np.asarray(value))


def spread(value: Any, activation: Any) -> Any:
    """`value`, repeated to the shape of `activation`; an `InputError` names both shapes where that cannot be."""
    own = np.shape(value)
    try:
        fits = np.broadcast_shapes(own, tuple(activation.shape)) == tuple(activation.shape)
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"a value of shape {own} does not fit an activation of shape {tuple(activation.shape)}")
    if isinstance(activation, np.ndarray):
        return np.broadcast_to(np.asarray(value, dtype=activation.dtype), activation.shape).copy()
    filled = activation.new_tensor(np.asarray(value)) if not hasattr(value, "detach") else value.to(activation)
    return filled.expand(activation.shape)
