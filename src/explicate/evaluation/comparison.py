"""Methods side by side: every method on the same samples, by the same metrics, at the same budget, beside a control."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core import registry
from explicate.core.kinds import Attribution
from explicate.core.targets import Target, resolve_targets
from explicate.errors import InputError
from explicate.evaluation.comparison_table import CONTROL, Comparison, Row
from explicate.evaluation.comparison_work import Work, joined
from explicate.evaluation.measurement import Measurement, paired_interval
from explicate.evaluation.metric import Metric, fitting_metrics, has_defaults, metric_of
from explicate.evaluation.shipping import Here, ship
from explicate.models.base import check_finite
from explicate.models.loading import resolve_model
from explicate.runtime import log
from explicate.runtime.fingerprint import canonical_json, digest
from explicate.runtime.parallel import Backend
from explicate.runtime.run_folder import LOG
from explicate.runtime.runner import run

__all__ = ["Comparison", "compare", "fitting_methods", "fitting_metrics"]

CHUNK = {"table": 64, "image": 4, "text": 8}


def compare(
    model: Any,
    inputs: Any,
    methods: Sequence[Any] | Mapping[str, Any] | None = None,
    metrics: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    target: Target = None,
    labels: Any = None,
    training: tuple[Any, Any] | None = None,
    masks: Any = None,
    seed: int = 0,
    budget: int | None = None,
    folder: str | Path | None = None,
    workers: int = 1,
    backend: Backend = "processes",
    resume: bool = True,
    new_run: bool = False,
    within: str | Path | None = None,
    chunk: int | None = None,
) -> Comparison:
    """Explain `inputs` by several methods and measure each explanation.

    The control `random` is always among the methods. What a method or metric cannot do with this model is not an error:
    the table says why. All methods meet the same perturbations, so their differences are paired.

    Parameters
    ----------
    model : a handle, or text that `load_model` understands.
    inputs : rows, pictures or texts, as the model takes them.
    methods, metrics : names, classes or objects; a mapping gives them labels of your own. Default: all that fit the
        model, and the masks, labels or training data where they are given.
    target : output index, name or `Contrast`, one for all samples or one each; default: the highest score.
    labels : (sample,), true labels of `inputs`, to which an estimator is fitted again, permuted, for `randomisation`.
    training : (inputs, labels) to use for that instead.
    masks : (sample, row, column), where the object is, for metrics of localisation.
    seed : all randomness comes from it.
    budget : evaluations that every method with a field `budget` gets; the table states the real cost of all of them.
    folder : where explanations and measurements are kept as they finish, so that a comparison that was killed, or whose
        model failed half-way, goes on from there; None keeps nothing.
    workers, backend : see `explicate.runtime.parallel`; they change no number.
    resume : False refuses a folder that already holds a comparison.
    new_run : starts anew; what was measured before is moved aside, explanations made before are removed.
    within : instead of `folder`, a folder in which every comparison has one of its own, named by the model and by a
        hash of all that identifies it: the same comparison goes on in it, another one is not in its way.
    chunk : samples explained at once. Fixed by kind of model, because a method's random draws depend on it.

    Raises
    ------
    InputError : bad inputs, nothing to compare, or labels that do not fit.
    RunError : the model, a method or a metric failed (finished units stay in `folder`), or `folder` holds another run.
    """
    model = resolve_model(model)
    encoded = check_finite(model.encode(inputs), f"inputs of {model.name!r}")
    if len(encoded) == 0:
        raise InputError("compare: no samples given")
    targets = resolve_targets(model, encoded, target)  # also finds the number of outputs, before any cost is counted
    explainers = _methods(model, methods, budget)
    training = _training(inputs, len(encoded), labels, training)
    if metrics is None:
        metrics = fitting_metrics(model, masks=masks is not None, training=training is not None)
    measures = _metrics(metrics)
    if masks is not None and len(masks) != len(encoded):
        raise InputError(f"compare: {len(masks)} masks for {len(encoded)} samples; give one for each")
    if folder is not None and within is not None:
        raise InputError("compare: give `folder` or `within`, not both")
    size = chunk or CHUNK[model.kind]
    starts = range(0, len(encoded), size)
    far = workers != 1 and backend in ("processes", "ray", "dask")
    work = Work(
        ship(model) if far else Here(model),
        encoded,
        targets,
        explainers,
        measures,
        None if masks is None else np.asarray(masks),
        training,
        seed,
        size,
        folder="",
    )
    spec = _spec(model, work, budget)
    if within is not None:
        folder = (
            Path(within) / f"{re.sub('[^A-Za-z0-9.+-]+', '-', model.name)}-{digest(canonical_json(spec), seed)[:8]}"
        )
    with _kept(folder) as place:
        work = dataclasses.replace(work, folder=str(place / "explanations"))
        if new_run:
            work.forget()
        how: dict[str, Any] = {"workers": workers, "backend": backend, "resume": resume, "new_run": new_run}
        how |= {"seed": seed, "attempts": 1, "max_error_rate": 0.0}
        units: list[dict[str, Any]] = [{"method": name, "start": start} for name in explainers for start in starts]
        first = run(work.explain, units, place / "explanations", name="explanations", spec=spec, label="explain", **how)
        refused = {
            unit["method"]: str(record["not_applicable"])
            for unit, record in zip(units, first.records, strict=True)
            if "not_applicable" in record
        }
        explained = [name for name in explainers if name not in refused]
        parts = {name: [work.explanation(name, start) for start in starts] for name in explained}
        units = [
            {"method": name, "metric": metric, "start": start}
            for name in explained
            for start in starts
            for metric in measures
        ]
        second = run(
            work.measure, units, place / "measurements", name="measurements", spec=spec, label="measure", **how
        )
        seconds = _seconds(place / "measurements" / LOG)
        found: dict[tuple[str, str], list[Measurement]] = {}
        reasons = {(name, metric): reason for name, reason in refused.items() for metric in measures}
        for unit, record in zip(units, second.records, strict=True):
            cell = (unit["method"], unit["metric"])
            if "not_applicable" in record:
                reasons[cell] = str(record["not_applicable"])
            else:
                timed = {**record, "seconds": seconds.get(canonical_json(unit), 0.0)}
                found.setdefault(cell, []).append(Measurement.from_record(timed))
        measurements = {cell: measures[cell[1]].joined(items) for cell, items in found.items() if cell not in reasons}
        comparison = Comparison(
            model=model.name,
            samples=len(encoded),
            seed=seed,
            budget=budget,
            rows=_rows(explainers, measures, measurements, reasons, parts),
            measurements=measurements,
            explanations={name: joined(items, seed) for name, items in parts.items()},
            folder=None if folder is None else Path(folder),
        )
        if folder is not None:
            comparison.save(folder)
    return comparison


def fitting_methods(model: Any) -> list[str]:
    """Names of the methods that can explain `model` with their defaults, without the control."""
    from explicate.attribution.explainer import Explainer

    found = []
    for name in registry.names("methods"):
        method = registry.find(name, "methods")
        fits = isinstance(method, type) and issubclass(method, Explainer) and model.kind in method.kinds
        if fits and method.compared and name != CONTROL and isinstance(model, method.needs) and has_defaults(method):
            found.append(name)
    return found


def _rows(
    explainers: Mapping[str, Any],
    metrics: Mapping[str, Metric],
    measurements: Mapping[tuple[str, str], Measurement],
    reasons: Mapping[tuple[str, str], str],
    parts: Mapping[str, Sequence[Attribution]],
) -> tuple[Row, ...]:
    rows = []
    for label, metric in metrics.items():
        own = {name: measurements[name, label] for name in explainers if (name, label) in measurements}
        # The control takes no part: it may well come first by a metric that does not look at the model, as stability.
        ranked = {name: item for name, item in own.items() if explainers[name].name != CONTROL}
        values = {name: item.value for name, item in ranked.items() if np.isfinite(item.value)}
        sign = {True: -1.0, False: 1.0, None: 0.0}[metric.higher_is_better]
        order = sorted(values, key=lambda name: sign * values[name])
        best = order[0] if order and sign else None
        for name in explainers:
            item = own.get(name)
            made = [part.provenance for part in parts.get(name, ())]
            behind = paired_interval(item, own[best]) if item is not None and best not in (None, name) else None
            rank = sum(sign * values[other] < sign * values[name] for other in values) + 1 if name in values else None
            rows.append(
                Row(
                    method=name,
                    metric=label,
                    value=None if item is None else item.value,
                    low=None if item is None or item.interval is None else item.interval.low,
                    high=None if item is None or item.interval is None else item.interval.high,
                    rank=rank if sign else None,
                    behind=None if behind is None else behind.value,
                    behind_low=None if behind is None else behind.low,
                    behind_high=None if behind is None else behind.high,
                    higher_is_better=metric.higher_is_better,
                    chance=None if item is None else item.chance_level,
                    verdict=None if item is None else item.verdict,
                    undefined=0 if item is None else item.undefined,
                    evaluations=sum(one.evaluations for one in made) if made else None,
                    gradients=sum(one.gradients for one in made) if made else None,
                    seconds=sum(one.seconds for one in made) if made else None,
                    metric_evaluations=None if item is None else item.evaluations,
                    metric_gradients=None if item is None else item.gradients,
                    metric_seconds=None if item is None else item.seconds,
                    reason=reasons.get((name, label), "") if item is None else "; ".join(item.notes),
                )
            )
    return tuple(rows)


def _methods(model: Any, methods: Any, budget: int | None) -> dict[str, Any]:
    from explicate.attribution.explainer import Explainer

    given = _labelled(fitting_methods(model) if methods is None else methods, "method")
    found: dict[str, Any] = {}
    for label, method in given:
        if isinstance(method, str):
            method = registry.find(method, "methods")
        explainer = method if isinstance(method, Explainer) else method()
        if not isinstance(explainer, Explainer):
            raise InputError(f"compare: {method!r} is no attribution method; give a registered name or an Explainer")
        if budget is not None and "budget" in {field.name for field in dataclasses.fields(explainer)}:
            explainer = dataclasses.replace(explainer, **{"budget": budget})
        found[_free(label or explainer.name, found)] = explainer
    if not any(explainer.name == CONTROL for explainer in found.values()):
        found[_free(CONTROL, found)] = registry.find(CONTROL, "methods")()
    return found


def _metrics(metrics: Any) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for label, given in _labelled(metrics, "metric"):
        metric = metric_of(given)
        found[_free(label or metric.name, found)] = metric
    return found


def _labelled(given: Any, what: str) -> list[tuple[str, Any]]:
    if isinstance(given, str):
        given = [given]
    items = list(given.items()) if isinstance(given, Mapping) else [("", item) for item in given]
    if not items:
        raise InputError(f"compare: no {what} given; name at least one")
    return items


def _free(label: str, taken: Mapping[str, Any]) -> str:
    number = 2
    free = label
    while free in taken:
        free, number = f"{label} {number}", number + 1
    return free


def _training(inputs: Any, count: int, labels: Any, training: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
    if training is not None or labels is None:
        return training
    if len(labels) != count:
        raise InputError(f"compare: {len(labels)} labels for {count} samples; give one for each")
    return inputs, np.asarray(labels)


def _spec(model: Any, work: Work, budget: int | None) -> dict[str, Any]:
    training = None
    if work.training is not None:
        training = digest(model.encode(work.training[0]), np.asarray(work.training[1]))
    return {
        "model": model.name,
        "model_fingerprint": model.fingerprint(),
        "inputs": digest(work.inputs),
        "targets": work.targets.tolist(),
        "methods": {name: {"name": item.name, **item.parameters()} for name, item in work.explainers.items()},
        "metrics": {name: {"name": item.name, **item.parameters()} for name, item in work.metrics.items()},
        "masks": None if work.masks is None else digest(work.masks),
        "training": training,
        "budget": budget,
        "chunk": work.size,
    }


@contextlib.contextmanager
def _kept(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="explicate-compare-") as temporary:
        yield Path(temporary)


def _seconds(path: Path) -> dict[str, float]:
    """Wall time of each unit, from the log: times are no results, so the records do not hold them."""
    found = {}
    for line in log.read(path):
        if line["status"] == "ok":
            found[canonical_json(line["unit"])] = float(line["seconds"])
    return found
