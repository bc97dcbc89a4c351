"""What a metric gives: one number per sample, their mean with its interval, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.runtime.statistics import (
    FEW_CLUSTERS,
    Interval,
    bootstrap_interval,
    paired_difference,
    proportion_interval,
    t_interval,
)

Range = tuple[float, float]
ANYWHERE: Range = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Scores:
    """What a metric computed.

    Attributes
    ----------
    values : (sample,); NaN where the metric is not defined for a sample.
    weights : (sample,), what each sample counts in the mean; by default all the same.
    chance : (sample,), what an attribution without information would get, where that is known in closed form.
    details : further arrays with the sample as first dimension (curves, for example); what begins with another
        dimension must be the same for all samples and its name must begin with "grid_".
    notes : caveats, one sentence each.
    """

    values: Floats
    weights: Floats | None = None
    chance: Floats | None = None
    details: Mapping[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Measurement:
    """One metric of one explanation.

    Attributes
    ----------
    metric, parameters : its registered name and its fields.
    values, weights : (sample,); NaN values are samples that the metric is not defined for.
    interval : 95 % interval of the weighted mean, see `weighted_interval`; None where there are fewer than two values.
    higher_is_better : None where neither end is.
    evaluations, gradients, seconds : what measuring cost.
    chance : what an attribution without information would get, where that is known in closed form.
    details : arrays behind the number, see `Scores`. notes : caveats.
    verdict : "pass", "fail" or "inconclusive" for a metric that is a test, else None.
    range : the values that the metric can take; no interval reaches beyond.
    """

    metric: str
    values: Floats
    weights: Floats
    interval: Interval | None
    higher_is_better: bool | None
    evaluations: int
    gradients: int
    seconds: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    chance: Floats | None = None
    details: Mapping[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    verdict: str | None = None
    range: Range = ANYWHERE

    @property
    def value(self) -> float:
        """The weighted mean over the samples for which it is defined; NaN where there are none."""
        return weighted_mean(self.values, self.weights)

    @property
    def undefined(self) -> int:
        """Number of samples that the metric is not defined for."""
        return int((~np.isfinite(self.values)).sum())

    @property
    def chance_level(self) -> float | None:
        """The mean of `chance` over the samples."""
        return None if self.chance is None else weighted_mean(self.chance, self.weights)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without `details`; undefined numbers are None."""
        return {
            "metric": self.metric,
            "parameters": dict(self.parameters),
            "value": _number(self.value),
            "low": None if self.interval is None else _number(self.interval.low),
            "high": None if self.interval is None else _number(self.interval.high),
            "higher_is_better": self.higher_is_better,
            "chance": None if self.chance_level is None else _number(self.chance_level),
            "verdict": self.verdict,
            "samples": len(self.values),
            "undefined": self.undefined,
            "evaluations": self.evaluations,
            "gradients": self.gradients,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    def to_record(self) -> dict[str, Any]:
        """Everything as JSON, except for the seconds; `from_record` undoes it."""
        return {
            "metric": self.metric,
            "parameters": dict(self.parameters),
            "values": _listed(self.values),
            "weights": _listed(self.weights),
            "chance": None if self.chance is None else _listed(self.chance),
            "higher_is_better": self.higher_is_better,
            "verdict": self.verdict,
            "evaluations": self.evaluations,
            "gradients": self.gradients,
            "details": {name: _listed(np.asarray(array, dtype=float)) for name, array in self.details.items()},
            "notes": list(self.notes),
            "range": [_number(end) for end in self.range],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_record`; `seconds` may have been added."""
        values, weights = (np.array(record[name], dtype=float) for name in ("values", "weights"))
        given = record.get("range", (None, None))
        low, high = (end if known is None else float(known) for known, end in zip(given, ANYWHERE, strict=True))
        return cls(
            metric=record["metric"],
            values=values,
            weights=weights,
            interval=weighted_interval(values, weights, (low, high)),
            higher_is_better=record["higher_is_better"],
            evaluations=record["evaluations"],
            gradients=record["gradients"],
            seconds=float(record.get("seconds", 0.0)),
            parameters=record["parameters"],
            chance=None if record["chance"] is None else np.array(record["chance"], dtype=float),
            details={name: np.array(item, dtype=float) for name, item in record["details"].items()},
            notes=tuple(record["notes"]),
            verdict=record["verdict"],
            range=(low, high),
        )

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return f"{self.metric}: undefined for all {len(self.values)} samples ({'; '.join(self.notes)})"
        ends = "" if self.interval is None else f" [{self.interval.low:.4g}, {self.interval.high:.4g}]"
        better = {True: ", higher is better", False: ", lower is better", None: ""}[self.higher_is_better]
        chance = "" if self.chance_level is None else f", chance {self.chance_level:.3g}"
        verdict = "" if self.verdict is None else f", {self.verdict}"
        return (
            f"{self.metric}: {self.value:.4g}{ends}{better}{chance}{verdict} "
            f"({self.evaluations:,} evaluations, {self.gradients:,} gradients)"
        )


def weighted_mean(values: Floats, weights: Floats) -> float:
    """The mean of the finite values; NaN where there are none, or all weigh nothing."""
    good = np.isfinite(values) & (weights > 0)
    return float(np.average(values[good], weights=weights[good])) if good.any() else float("nan")


def linearised(values: Floats, weights: Floats) -> Floats:
    """Values whose plain mean is the weighted mean R, and varies like it: R + w_i (v_i - R) / mean(w); NaN stays NaN.

    The linearisation of a ratio; see Cochran (1977), "Sampling Techniques", section 6.4.
    """
    good = np.isfinite(values) & (weights > 0)
    if not good.any():
        return np.full(len(values), np.nan)
    centre = np.average(values[good], weights=weights[good])
    return np.where(good, centre + weights * (np.where(good, values, centre) - centre) / weights[good].mean(), np.nan)


def weighted_interval(values: Floats, weights: Floats, range: Range = ANYWHERE) -> Interval | None:
    """The weighted mean with its 95 % interval over samples; None with fewer than two finite values.

    Percentile bootstrap, or Student's t of fewer than ten values; of a metric between 0 and 1 whose values are all 0 or
    1 and count alike, the interval of a proportion. It is cut at the ends of `range`, the values that there can be.

    Where a few samples have most of the weight it is too narrow, like any bootstrap of a ratio: for weights from an
    exponential distribution that the values follow, it held the truth in 83, 90 and 92 % of 600 trials with 30, 150 and
    600 samples.
    """
    plain = linearised(values, weights)
    plain = plain[np.isfinite(plain)]
    if len(plain) < 2:
        return None
    counted = np.isfinite(values) & (weights > 0)
    if range == (0.0, 1.0) and np.isin(values[counted], (0, 1)).all() and np.ptp(weights[counted]) == 0:
        return proportion_interval(values[counted])
    return _within(t_interval(plain) if len(plain) < FEW_CLUSTERS else bootstrap_interval(plain), range)


def paired_interval(first: Measurement, second: Measurement) -> Interval | None:
    """The difference of two measurements of the same samples, first - second; None with fewer than two in common."""
    common = np.isfinite(first.values) & np.isfinite(second.values) & (first.weights > 0) & (second.weights > 0)
    if common.sum() < 2:
        return None
    one, two = (linearised(item.values[common], item.weights[common]) for item in (first, second))
    found = t_interval(one - two) if common.sum() < FEW_CLUSTERS else paired_difference(one, two)
    return _within(found, (first.range[0] - second.range[1], first.range[1] - second.range[0]))


def _within(interval: Interval, range: Range) -> Interval:
    """Cut the ends where no value can be."""
    return replace(interval, low=max(interval.low, range[0]), high=min(interval.high, range[1]))


def _listed(array: Floats) -> Any:
    """Nested lists; NaN becomes None."""
    if array.ndim == 0:
        return _number(float(array))
    return [_listed(item) for item in array] if array.ndim > 1 else [_number(item) for item in array]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
