"""Local function approximation: one fit routine, of which eight well-known explainers are instances.

The explanation is g* = arg min over g in G of E_{xi ~ Z} loss(f, g, x0, xi): choose the neighbourhood Z, the loss and
the class of surrogates G. Nothing else differs between LIME, KernelSHAP, occlusion, C-LIME, SmoothGrad, gradients,
gradient × input and integrated gradients.

Source: Han, Srinivas, Lakkaraju (2022), "Which Explanation Should I Choose? A Function Approximation Perspective to
Characterizing Post Hoc Explanations", NeurIPS, arXiv 2206.01254.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.lfa.closed_form import Solution, solve_closed
from explicate.attribution.lfa.iterative import solve_adam, solve_newton
from explicate.attribution.lfa.losses import WITHOUT_GRADIENTS, SquaredError
from explicate.attribution.lfa.neighborhoods import GaussianNoise
from explicate.attribution.lfa.observations import ExplainedScore, Observations, observe
from explicate.attribution.lfa.surrogates import FittedSurrogate, Linear
from explicate.core.capabilities import Array, Differentiable, Floats, Masks, Targets, require
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.core.targets import Target
from explicate.errors import InputError, NonFiniteScoreError
from explicate.runtime.seeds import generator

SOLVERS = ("auto", "closed", "newton", "sgd")


@dataclass(frozen=True, eq=False)
class LocalFit:
    """A surrogate fitted around one input.

    Attributes
    ----------
    x0 : the explained input (*feature). score : the model's score there.
    surrogate : takes noise xi (n, *feature); its `weights` are the explanation.
    standard_error : (*feature), sampling error of the weights; 0 for a whole neighbourhood; None for iterative solvers.
    training_loss, validation_loss : weighted mean penalties; see `closed_form.Solution`.
    unidentifiable : (*feature), True where the points do not determine the weight: x never left x0 there (a feature
        that equals the baseline of multiplicative noise; its weight is 0), or features only moved together.
    neighborhood, loss : what it was fitted on and by.
    derivative, origin : dx/dxi and the noise that gives x0, (*feature), or None where they are unknown.
    """

    x0: Array
    score: float
    surrogate: FittedSurrogate
    standard_error: Floats | None
    training_loss: float
    validation_loss: float
    unidentifiable: Masks
    neighborhood: Any
    loss: Any
    derivative: Floats | None
    origin: Floats | None

    @property
    def weights(self) -> Floats:
        """The explanation (*feature)."""
        return self.surrogate.weights

    @property
    def bias(self) -> float:
        """The surrogate's constant."""
        return self.surrogate.bias

    def predict(self, x: Array) -> Floats:
        """What the surrogate says the model's scores (n,) are at inputs x (n, *feature), near or far.

        Undoes x = x0 ⊕ xi; a surrogate of changes is taken off the score at x0.
        """
        if self.derivative is None or self.origin is None:
            raise InputError("this neighbourhood does not tell how x comes from xi; call the surrogate on noise")
        moves = self.derivative != 0
        xi = self.origin + np.where(moves, (np.asarray(x) - self.x0) / np.where(moves, self.derivative, 1.0), 0.0)
        values = self.surrogate(xi)
        return self.score - values if self.loss.matches == "change" else values


@dataclass(frozen=True)
class UserBuilt(Parameterised):
    """A part of a user's own that is no `Parameterised`: noted by the name of its class, and not rebuilt from that."""

    thing: Any = None

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "thing":
            raise AttributeError(attribute)
        return getattr(self.thing, attribute)

    def parameters(self) -> dict[str, Any]:
        """Where the class is."""
        return {"callable": f"{type(self.thing).__module__}:{type(self.thing).__qualname__}"}


@register("lfa")
@dataclass(frozen=True)
class LocalFunctionApproximation(Explainer):
    """Attribute by the weights of a simple model g, fitted to the model f over a chosen neighbourhood.

    As it stands C-LIME; `explicate.attribution.lfa.lime` and its seven siblings make the others.

    Parameters
    ----------
    neighborhood : which points, and their noise; a part, or any object with `sample(x0, n, rng) -> (x, xi, weights)`.
    loss : what is matched, and how; a part, or any object with `matches` and `penalty` (see `losses`).
    surrogate : class of g.
    n : points per input; a binary neighbourhood that has no more is taken whole.
    solver : "closed" (linear g, quadratic loss), "newton" (quadratic loss), "sgd" (Adam, any loss; see
        `iterative.AdamGrid`), or "auto": the first of these that can.
    ridge : penalty on the squared weights of the closed form; 0 for none.

    Raises
    ------
    CapabilityError : gradient matching on a model without gradients.
    InputError : fewer points than parameters; a solver that cannot do what is asked; noise on categories.
    TargetError : a model of several outputs, and no target named.

    Notes
    -----
    A binary classifier with a single probability column has one output: target 1 names that column, as target 0 does.
    """

    neighborhood: Any = field(default_factory=GaussianNoise)
    loss: Any = field(default_factory=SquaredError)
    surrogate: Any = field(default_factory=Linear)
    n: int = 1000
    solver: str = "auto"
    ridge: float = 0.0
    kinds: ClassVar[tuple[str, ...]] = ("table", "image")
    compared: ClassVar[bool] = False
    asks_target: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_parts(self.neighborhood, self.loss, self.surrogate)
        if self.n < 1:
            raise InputError(f"n is {self.n}; give at least one point")
        if self.ridge < 0:
            raise InputError(f"ridge is {self.ridge}; it must not be negative")
        if self.solver not in SOLVERS:
            raise InputError(f"solver {self.solver!r} is unknown; use one of {', '.join(SOLVERS)}")
        quadratic = getattr(self.loss, "quadratic", False)
        if self.solver == "closed" and not (self.surrogate.linear and quadratic):
            raise InputError(
                f"the surrogate {self.surrogate.name!r} with the loss {_name(self.loss)!r} has no closed form; "
                f"use solver={'newton' if quadratic else 'sgd'!r}"
            )
        if self.solver == "newton" and not quadratic:
            raise InputError(f"the loss {_name(self.loss)!r} is not quadratic; use solver='sgd'")
        if self.ridge and self._solver() != "closed":
            raise InputError("a ridge is for the closed form only; leave it at 0")
        for part in ("neighborhood", "loss"):
            if not isinstance(getattr(self, part), Parameterised):
                object.__setattr__(self, part, UserBuilt(getattr(self, part)))

    def _solver(self) -> str:
        if self.solver != "auto":
            return self.solver
        if not getattr(self.loss, "quadratic", False):
            return "sgd"
        return "closed" if self.surrogate.linear else "newton"

    def fit(self, model: Any, inputs: Any, target: Target = None, seed: int = 0) -> list[LocalFit]:
        """The fitted surrogates themselves, one per input; `explain` gives their weights as an `Attribution`.

        Parameters
        ----------
        model, inputs, target, seed : as for `explain`, and with the same numbers as result.
        """
        require(model, self.needs, self.name, self.instead)
        encoded = model.encode(inputs)
        return self.fit_encoded(model, encoded, self.resolved(model, encoded, target), generator(seed))

    def fit_encoded(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> list[LocalFit]:
        """As `fit`, for encoded inputs (sample, *feature) and resolved targets."""
        self._check_model(model)
        seen = []
        for index, (x0, target) in enumerate(zip(inputs, targets, strict=True)):
            try:
                seen.append(observe(ExplainedScore(model, target), x0, self.neighborhood, self.loss, self.n, rng))
            except NonFiniteScoreError as error:
                raise NonFiniteScoreError(f"{self.name}, around sample {index}: {error}") from error
        found = self._solve(seen, rng)
        return [self._local_fit(*pair) for pair in zip(seen, found, strict=True)]

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        fits = self.fit_encoded(model, inputs, targets, rng)
        errors = [fit.standard_error for fit in fits if fit.standard_error is not None]
        dims = ("sample", *model.feature_dims)
        return Found(
            np.stack([fit.weights for fit in fits]),
            standard_error=np.stack(errors) if errors else None,
            extra={
                "bias": (("sample",), np.array([fit.bias for fit in fits])),
                "training_loss": (("sample",), np.array([fit.training_loss for fit in fits])),
                "validation_loss": (("sample",), np.array([fit.validation_loss for fit in fits])),
                "unidentifiable": (dims, np.stack([fit.unidentifiable for fit in fits])),
            },
            flags={"neighborhood": _name(self.neighborhood), "loss": _name(self.loss)},
        )

    def _solve(self, seen: Sequence[Observations], rng: np.random.Generator) -> list[Solution]:
        solver = self._solver()
        if solver == "sgd":
            return solve_adam(seen, self.loss, self.surrogate, rng)
        if solver == "newton":
            return [solve_newton(one, self.loss, self.surrogate, rng) for one in seen]
        return [solve_closed(one, self.loss, self.surrogate, self.ridge, rng) for one in seen]

    def _local_fit(self, seen: Observations, found: Solution) -> LocalFit:
        shape = seen.x0.shape

        def shaped(values: Any) -> Any:
            return None if values is None else values.reshape(shape)

        return LocalFit(
            x0=seen.x0,
            score=seen.start,
            surrogate=FittedSurrogate(self.surrogate, shaped(found.weights), found.bias),
            standard_error=shaped(found.standard_error),
            training_loss=found.training_loss,
            validation_loss=found.validation_loss,
            unidentifiable=shaped(found.undetermined),
            neighborhood=self.neighborhood,
            loss=self.loss,
            derivative=shaped(seen.derivative),
            origin=shaped(seen.origin),
        )

    def _check_model(self, model: Any) -> None:
        if self.loss.matches == "gradients":
            require(model, Differentiable, f"{self.name} with the loss {_name(self.loss)!r}", WITHOUT_GRADIENTS)
        if self.surrogate.image_only and model.kind != "image":
            raise InputError(f"the surrogate {self.surrogate.name!r} is for images; use 'linear' for a {model.kind}")
        named = [feature.name for feature in getattr(model, "features", ()) if feature.kind == "categorical"]
        if named and isinstance(self.neighborhood, Parameterised) and not getattr(self.neighborhood, "binary", True):
            raise InputError(
                f"the neighbourhood {self.neighborhood.name!r} makes values between categories, and {named[0]!r} is "
                "categorical; use one of removals (bernoulli-masks, one-hot-masks), or numeric features only"
            )


def _check_parts(neighborhood: Any, loss: Any, surrogate: Any) -> None:
    if not callable(getattr(neighborhood, "sample", None)):
        raise InputError(f"a neighbourhood needs a method sample(x0, n, rng); {neighborhood!r} has none")
    if getattr(loss, "matches", None) not in ("values", "change", "gradients") or not callable(
        getattr(loss, "penalty", None)
    ):
        raise InputError(
            "a loss needs penalty(predicted, observed) and matches = 'values', 'change' or 'gradients'; "
            f"{loss!r} lacks it"
        )
    if not all(hasattr(surrogate, needed) for needed in ("link", "slopes", "linear", "has_bias")):
        raise InputError(f"{surrogate!r} is no surrogate; use linear, linear-without-bias, logistic or convolution")


def _name(part: Any) -> str:
    thing = part.thing if isinstance(part, UserBuilt) else part
    return str(getattr(thing, "name", "") or type(thing).__name__)
