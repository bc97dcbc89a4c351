"""What all attribution methods share: inputs checked once, target resolved once, cost counted, result assembled."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Predictor, Targets, require
from explicate.core.cost import measure
from explicate.core.kinds import Attribution
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.targets import Target, resolve_targets, target_names
from explicate.errors import InputError, TargetError
from explicate.models.base import check_finite
from explicate.runtime.seeds import generator


@dataclass(frozen=True)
class Found:
    """What a method computed for a batch.

    Attributes
    ----------
    attribution : (sample, *feature). Its dimensions are named `dims`, or, where that is None, as the model's inputs
        are (a map without channels is recognised by its shape).
    baseline_score : (sample,), the score with every feature absent, where the method has one.
    standard_error : of the shape of `attribution`, where it is an estimate.
    score, target_name : (sample,) and a text, where another score than that of the target was explained.
    extra : further variables, as `xarray.Dataset.assign` takes them: name -> (dims, array).
    flags : facts about the whole run, kept as attributes of the data set: numbers, text or lists of them.
    """

    attribution: Array
    baseline_score: Array | None = None
    standard_error: Array | None = None
    dims: tuple[str, ...] | None = None
    score: Array | None = None
    target_name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Explainer(Parameterised):
    """Base of attribution methods. A subclass is a frozen dataclass with one method, `attribute`.

    Class attributes
    ----------------
    needs : the capability that the model must offer.
    instead : what to use when it does not; ends the error message.
    kinds : kinds of model that the method is for.
    signed : whether the sign of an attribution means for or against; False for saliency maps.
    complete : whether attributions add up to score - baseline score (exactly, or as the budget grows).
    compared : whether a comparison takes it when no methods are named; False for what doubles another method.
    asks_target : whether a model of several outputs must be given with a target, instead of taking its highest score.
    """

    needs: ClassVar[type] = Predictor
    instead: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("table", "image", "text")
    signed: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    compared: ClassVar[bool] = True
    asks_target: ClassVar[bool] = False

    @abstractmethod
    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        """Attribute the targets' scores on encoded inputs (sample, *feature)."""

    def explain(self, model: Any, inputs: Any, target: Target = None, seed: int = 0) -> Attribution:
        """Explain the model's score of `target` for each input.

        Parameters
        ----------
        model : a handle from `explicate.models`, or any object with the capability that the method needs.
        inputs : what the model takes: rows, pictures, texts.
        target : output index, name or `Contrast`, one for all samples or one each; default: the highest score.
        seed : all randomness comes from it.

        Raises
        ------
        CapabilityError, InputError, TargetError, ModelError : see `explicate.errors`.
        """
        encoded = checked_inputs(self, model, inputs)
        with measure() as cost:
            targets = self.resolved(model, encoded, target)
            scores = np.asarray(model.scores(encoded, targets), dtype=float)
            found = self.attribute(model, encoded, targets, generator(seed))
        provenance = Provenance.of(self, model, encoded, cost, seed)
        return Attribution(self._dataset(model, encoded, targets, scores, found), provenance)

    def resolved(self, model: Any, inputs: Array, target: Target) -> Targets:
        """Output indices; see `explicate.core.targets.resolve_targets`."""
        if target is None and self.asks_target and model.output_count > 1:
            named = ", ".join(model.output_name(index) for index in range(min(4, model.output_count)))
            raise TargetError(
                f"{self.name}: the model {model.name!r} has {model.output_count} outputs ({named}"
                f"{', ...' if model.output_count > 4 else ''}); say which one is explained: target=0"
            )
        return resolve_targets(model, inputs, target)

    def _dataset(self, model: Any, inputs: Array, targets: Targets, scores: Array, found: Found) -> xr.Dataset:
        input_dims = ("sample", *model.feature_dims)
        dims = ("sample", *(found.dims or _dims_of(found.attribution, inputs, model.feature_dims)))
        names = target_names(model, targets) if found.target_name is None else [found.target_name] * len(inputs)
        variables: dict[str, Any] = {
            "attribution": (dims, found.attribution),
            "inputs": (input_dims, inputs),
            "target": (("sample",) if targets.ndim == 1 else ("sample", "pair"), targets),
            "target_name": (("sample",), np.array(names, dtype=object)),
            "score": (("sample",), scores if found.score is None else np.asarray(found.score, dtype=float)),
        }
        if found.baseline_score is not None:
            variables["baseline_score"] = (("sample",), np.asarray(found.baseline_score, dtype=float))
        if found.standard_error is not None:
            variables["standard_error"] = (dims, found.standard_error)
        variables.update(found.extra)
        facts = {
            "model_kind": model.kind,
            "signed": int(self.signed),
            "complete": int(self.complete),
            **found.flags,
        }
        return xr.Dataset(variables, attrs=facts).assign_coords(dict(model.feature_labels(inputs)))


def checked_inputs(method: Any, model: Any, inputs: Any) -> Array:
    """What a method is asked to explain, encoded (sample, *feature), once it is sure that the method can.

    Parameters
    ----------
    method : a `Parameterised` with the class attributes `needs`, `instead` and `kinds`, see `Explainer`.

    Raises
    ------
    CapabilityError, InputError : see `explicate.errors`.
    """
    method.check_fields()
    require(model, method.needs, method.name, method.instead)
    if model.kind not in method.kinds:
        raise InputError(
            f"{method.name} is for models of {' and '.join(method.kinds)}; {model.name!r} is one of {model.kind}"
        )
    encoded: Array = model.encode(inputs)
    if len(encoded) == 0:
        raise InputError(f"{method.name}: no samples to explain")
    return check_finite(encoded, f"inputs of {model.name!r}")


def _dims_of(attribution: Array, inputs: Array, feature_dims: tuple[str, ...]) -> tuple[str, ...]:
    if attribution.shape == inputs.shape:
        return feature_dims
    if feature_dims == ("channel", "row", "column") and attribution.shape == (
        inputs.shape[0],
        *inputs.shape[2:],
    ):
        return ("row", "column")
    raise InputError(
        f"an attribution of shape {attribution.shape} for inputs of shape {inputs.shape}: name its dimensions"
    )
