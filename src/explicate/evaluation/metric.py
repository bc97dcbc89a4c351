"""What all metrics share: who is asked what, a number with its interval, and what it cost.

A metric is a frozen dataclass with one method, `compute`, that gives one number per sample. `score` adds the interval
and the cost. The randomness of a sample depends on the seed and on the sample alone: every method that is compared
meets the same perturbations, and neither chunks nor workers change a number.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from explicate.core import registry
from explicate.core.capabilities import Predictor, require
from explicate.core.cost import measure
from explicate.core.kinds import Attribution
from explicate.core.method import Parameterised
from explicate.errors import CapabilityError, InputError
from explicate.evaluation.measurement import Measurement, Scores, weighted_interval, weighted_mean
from explicate.models.loading import resolve_model
from explicate.runtime.seeds import generator

__all__ = ["Context", "Measurement", "Metric", "Scores", "evaluate", "explainer_of", "metric_of"]


@dataclass(frozen=True, eq=False)
class Context:
    """What some metrics need beside the explanation and the model.

    Attributes
    ----------
    explainer : makes the explanation again for changed inputs or a changed model; by default the one that the
        explanation's provenance names.
    masks : (sample, row, column), where the object is: booleans, or 0 for the background and 1, 2, ... for instances.
    training : (inputs, labels) that an estimator can be fitted to again.
    """

    explainer: Any = None
    masks: Any = None
    training: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Metric(Parameterised):
    """Base of all metrics on attributions. A subclass is a frozen dataclass with one method, `compute`.

    Class attributes
    ----------------
    higher_is_better : None where neither end is.
    range : the values it can take.
    needs : the capability that the model must offer; None where the explanation alone is enough.
    kinds : kinds of model that it is for.
    needs_explainer, needs_masks, needs_training : which parts of the context it cannot do without.
    chance : what an attribution without information gets, in words.
    """

    higher_is_better: ClassVar[bool | None] = True
    range: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    needs: ClassVar[type | None] = Predictor
    kinds: ClassVar[tuple[str, ...]] = ("table", "image", "text")
    needs_explainer: ClassVar[bool] = False
    needs_masks: ClassVar[bool] = False
    needs_training: ClassVar[bool] = False
    chance: ClassVar[str] = "the value of the method `random` in the same table"

    @abstractmethod
    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        """Score every sample; `rngs` has one generator per sample."""

    @classmethod
    def can_take(cls, model: Any, training: bool) -> bool:
        """Whether it can be taken of a model that offers `needs`, with or without inputs and labels to fit it again."""
        return True

    def cost(self, explanation: Attribution, model: Any) -> int:
        """Evaluations that `compute` will spend on all samples; it does not depend on the attributions' values."""
        return 0

    def verdict(self, low: float, high: float) -> str | None:
        """For a metric that is a test: "pass", "fail" or "inconclusive", from the ends of its interval."""
        return None

    def score(
        self,
        explanation: Attribution,
        model: Any = None,
        *,
        seed: int = 0,
        explainer: Any = None,
        masks: Any = None,
        training: tuple[Any, Any] | None = None,
    ) -> Measurement:
        """Measure an explanation.

        Parameters
        ----------
        explanation : of the model's scores.
        model : the handle that was explained; not needed where `needs` is None.
        seed : the perturbations come from it, and from each sample's content.
        explainer, masks, training : see `Context`.

        Raises
        ------
        CapabilityError : the model, or the context, lacks what the metric needs.
        InputError : the explanation does not fit the model or the metric.
        """
        self._check(explanation, model, masks, training)
        doubts = () if self.needs is None else doubts_about(explanation, model)
        if self.needs_explainer and explainer is None:
            explainer = explainer_of(explanation)
        context = Context(explainer, None if masks is None else np.asarray(masks), training)
        with measure() as cost:
            found = self.compute(explanation, model, self.generators(explanation, seed), context)
        found = replace(found, notes=(*doubts, *found.notes))
        return self._measurement(found, cost.evaluations, cost.gradients, cost.seconds)

    def joined(self, parts: Sequence[Measurement]) -> Measurement:
        """One measurement of consecutive parts of the samples."""
        grids = {name: array for name, array in parts[0].details.items() if name.startswith("grid_")}
        rows = [name for name in parts[0].details if name not in grids]
        chances = [part.chance for part in parts]
        found = Scores(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.weights for part in parts]),
            None if any(item is None for item in chances) else np.concatenate([c for c in chances if c is not None]),
            {**grids, **{name: np.concatenate([part.details[name] for part in parts]) for name in rows}},
            tuple(dict.fromkeys(note for part in parts for note in part.notes if not note.startswith(UNDEFINED))),
        )
        return self._measurement(
            found,
            sum(part.evaluations for part in parts),
            sum(part.gradients for part in parts),
            sum(part.seconds for part in parts),
        )

    def generators(self, explanation: Attribution, seed: int) -> list[np.random.Generator]:
        """One generator per sample, from the metric, the sample and its target."""
        inputs, targets = np.asarray(explanation["inputs"].values), explanation.targets
        return [generator(seed, self.name, inputs[i], targets[i]) for i in range(len(inputs))]

    def _check(self, explanation: Attribution, model: Any, masks: Any, training: Any) -> None:
        if self.needs is not None:
            if model is None:
                raise InputError(f"{self.name} asks the model: give it as `model`")
            require(model, self.needs, self.name)
        kind = str(explanation.data.attrs.get("model_kind", getattr(model, "kind", "table")))
        if kind not in self.kinds:
            raise InputError(f"{self.name} is for models of {' and '.join(self.kinds)}, not of {kind}")
        if model is not None and model.kind != kind:
            raise InputError(f"the explanation is of a {kind} model, {model.name!r} is one of {model.kind}")
        if self.needs is not None:
            model.encode(explanation["inputs"].values)  # refuses inputs of another width or size in its own words
        if self.needs_masks and masks is None:
            raise CapabilityError(f"{self.name} needs to know where the object is: give `masks` (sample, row, column)")
        if self.needs_masks and len(masks) != len(explanation):
            raise InputError(f"{self.name}: {len(masks)} masks for {len(explanation)} samples; give one for each")
        if self.needs_training and training is None:
            raise CapabilityError(f"{self.name} fits the model again: give `training`, inputs and labels")

    def _measurement(self, found: Scores, evaluations: int, gradients: int, seconds: float) -> Measurement:
        values = np.asarray(found.values, dtype=float)
        weights = np.ones(len(values)) if found.weights is None else np.asarray(found.weights, dtype=float)
        interval = weighted_interval(values, weights, self.range)
        value = weighted_mean(values, weights)
        ends = (value, value) if interval is None else (interval.low, interval.high)
        verdict = self.verdict(*ends) if np.isfinite(value) else None
        notes = found.notes
        undefined = int((~np.isfinite(values)).sum())
        if undefined:
            notes = (*notes, f"{UNDEFINED} {undefined} of {len(values)} samples, which are left out")
        return Measurement(
            metric=self.name,
            values=values,
            weights=weights,
            interval=interval,
            higher_is_better=self.higher_is_better,
            evaluations=evaluations,
            gradients=gradients,
            seconds=seconds,
            parameters=self.parameters(),
            chance=found.chance,
            details=found.details,
            notes=notes,
            verdict=verdict,
            range=self.range,
        )


UNDEFINED = "not defined for"


def evaluate(
    explanation: Attribution,
    model: Any = None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    **options: Any,
) -> list[Measurement]:
    """Measure one explanation by several metrics.

    Parameters
    ----------
    model : the handle that was explained, or text that `load_model` understands.
    metrics : names, classes or metrics, several or one; default: all that fit the explanation, the model and what else
        is given.
    options : `seed`, `explainer`, `masks`, `training`, as `Metric.score` takes them.
    """
    model = None if model is None else resolve_model(model)
    if metrics is None:
        kind = str(explanation.data.attrs.get("model_kind", getattr(model, "kind", "table")))
        given = {name: options.get(name) is not None for name in ("masks", "training")}
        metrics = fitting_metrics(model, kind, **given)
    elif isinstance(metrics, str | Metric | type):
        metrics = [metrics]
    if not len(metrics):
        raise InputError("evaluate: no metric given; name at least one")
    return [metric_of(metric).score(explanation, model, **options) for metric in metrics]


def fitting_metrics(model: Any, kind: str | None = None, *, masks: bool = False, training: bool = False) -> list[str]:
    """Names of the metrics that can be taken of explanations of `model` with their defaults.

    Parameters
    ----------
    model : a handle; None where only the explanation is at hand.
    kind : of model; by default `model`'s own.
    masks, training : whether masks of the object, and inputs and labels to fit the model again, are at hand.
    """
    found = []
    for name in registry.names("metrics"):
        metric = registry.find(name, "metrics")
        if not (isinstance(metric, type) and issubclass(metric, Metric) and has_defaults(metric)):
            continue
        offered = metric.needs is None or isinstance(model, metric.needs)
        lacking = (metric.needs_masks and not masks) or (metric.needs_training and not training)
        if offered and not lacking and (kind or model.kind) in metric.kinds and metric.can_take(model, training):
            found.append(name)
    return found


def has_defaults(kind: type) -> bool:
    """Whether a method or metric can be made without saying anything."""
    try:
        kind()
    except (TypeError, ValueError):
        return False
    return True


def doubts_about(explanation: Attribution, model: Any) -> tuple[str, ...]:
    """A sentence where the fingerprints say that `model` is not the one that was explained; else nothing."""
    explained, given = explanation.provenance.model_fingerprint, model.fingerprint()
    if not explained or explained == given:
        return ()
    return (
        f"the explanation is of another model: {explanation.provenance.model!r} with fingerprint {explained[:8]}, "
        f"not {model.name!r} with {given[:8]}",
    )


def metric_of(metric: Any) -> Metric:
    """A metric from its name, its class or itself."""
    if isinstance(metric, str):
        metric = registry.find(metric, "metrics")
    found = metric() if isinstance(metric, type) else metric
    if not isinstance(found, Metric):
        raise InputError(f"{found!r} is no metric; give a registered name or a Metric")
    return found


def explainer_of(explanation: Attribution) -> Any:
    """The method that made an explanation, with its parameters."""
    about = explanation.provenance
    return registry.find(about.method, "methods").from_parameters(about.parameters)
