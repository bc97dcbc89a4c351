"""The result of a comparison: one row per method and metric, the explanations behind it, and how far they agree."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from explicate.core.kinds import Attribution
from explicate.errors import FileFormatError, InputError
from explicate.evaluation.agreement import agreement_matrix
from explicate.evaluation.measurement import Measurement
from explicate.runtime.files import make_folder, write_json

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
FILE = "comparison.json"
EXPLANATIONS = "methods"
CHECK = "randomisation"


CONTROL = "random"  # the method that the others are held against


@dataclass(frozen=True)
class Row:
    """One method by one metric.

    Attributes
    ----------
    value, low, high : the mean over samples and its 95 % interval; None where not applicable, or of a single sample.
    rank : 1 is the best; equal values share a rank. None where the metric has no better end, and for the control.
    behind, behind_low, behind_high : the difference to the best method on the same samples, with its paired interval.
    chance : what an attribution without information gets, where known. verdict : of a metric that is a test.
    undefined : samples left out.
    evaluations, gradients, seconds : what explaining cost. metric_... : what measuring cost.
    reason : why it does not apply, or caveats.
    """

    method: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    rank: int | None
    behind: float | None
    behind_low: float | None
    behind_high: float | None
    higher_is_better: bool | None
    chance: float | None
    verdict: str | None
    undefined: int
    evaluations: int | None
    gradients: int | None
    seconds: float | None
    metric_evaluations: int | None
    metric_gradients: int | None
    metric_seconds: float | None
    reason: str

    @property
    def as_good_as_best(self) -> bool:
        """Whether it is the best, or its paired interval against the best holds 0; never for what has no rank."""
        if self.rank is None or self.rank == 1:
            return self.rank == 1
        return self.behind_low is not None and self.behind_high is not None and self.behind_low <= 0 <= self.behind_high


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods side by side.

    Attributes
    ----------
    model : its name. samples, seed, budget : as they were asked for.
    rows : one per method and metric, in the order given; the control is among the methods.
    measurements : (method, metric) -> what is behind a row: values per sample, curves, notes.
    explanations : method -> `Attribution` of all samples.
    folder : where it is kept; None where it is not.
    """

    model: str
    samples: int
    seed: int
    budget: int | None
    rows: tuple[Row, ...]
    measurements: Mapping[tuple[str, str], Measurement] = field(default_factory=dict, repr=False)
    explanations: Mapping[str, Attribution] = field(default_factory=dict, repr=False)
    folder: Path | None = field(default=None, repr=False)

    @property
    def methods(self) -> list[str]:
        """Labels of the methods."""
        return list(dict.fromkeys(row.method for row in self.rows))

    @property
    def metrics(self) -> list[str]:
        """Labels of the metrics."""
        return list(dict.fromkeys(row.metric for row in self.rows))

    def row(self, method: str, metric: str) -> Row:
        """The row of a method and a metric."""
        for row in self.rows:
            if (row.method, row.metric) == (method, metric):
                return row
        raise InputError(f"no row for {method!r} and {metric!r}; methods: {self.methods}, metrics: {self.metrics}")

    def to_frame(self) -> pd.DataFrame:
        """All rows, with the fields of `Row` as columns and `as_good_as_best`; None becomes NaN in numbers."""
        import pandas as pd

        records = [{**dataclasses.asdict(row), "as_good_as_best": row.as_good_as_best} for row in self.rows]
        frame = pd.DataFrame(records)
        texts = {"method", "metric", "verdict", "reason", "higher_is_better", "as_good_as_best"}
        return frame.astype({name: float for name in frame.columns if name not in texts and name != "undefined"})

    @property
    def randomisation(self) -> dict[str, str | None]:
        """The verdict of the randomisation check per method: "pass", "fail", "inconclusive", or None: not checked."""
        found: dict[str, str | None] = dict.fromkeys(self.methods)
        for row in self.rows:
            if row.verdict is not None:
                found[row.method] = row.verdict
        return found

    def failed_randomisation(self) -> list[str]:
        """Methods, the control aside, whose explanations a model without knowledge gets too."""
        return [method for method, verdict in self.randomisation.items() if verdict == "fail" and method != CONTROL]

    def not_applicable(self) -> dict[tuple[str, str], str]:
        """(method, metric) -> why there is no value."""
        return {(row.method, row.metric): row.reason for row in self.rows if row.value is None}

    def agreement(self, measure: str = "rank-correlation", **options: Any) -> xr.DataArray:
        """How far the methods' explanations agree, (one, other); see `explicate.evaluation.agreement`.

        Methods whose attributions have no values in common with the others' (other dimensions) are left out.
        """
        shapes = {name: self._comparable(item) for name, item in self.explanations.items()}
        if not shapes:
            raise InputError("no explanations to compare: no method applied")
        common = max(shapes.values(), key=list(shapes.values()).count)
        return agreement_matrix(
            {name: item for name, item in self.explanations.items() if shapes[name] == common}, measure, **options
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without values per sample."""
        return {
            "model": self.model,
            "samples": self.samples,
            "seed": self.seed,
            "budget": self.budget,
            "rows": [{name: _plain(value) for name, value in dataclasses.asdict(row).items()} for row in self.rows],
            "randomisation": self.randomisation,
            "agreement": self._agreement_dict,
        }

    def save(self, folder: str | Path) -> Path:
        """Write `comparison.json`, and the explanations as NetCDF4 files beside it; returns the folder."""
        folder = make_folder(folder)
        files = {name: f"{EXPLANATIONS}/{number:02d}.nc" for number, name in enumerate(self.explanations)}
        for name, file in files.items():
            self.explanations[name].save(folder / file)
        measurements = [
            {"method": method, "label": metric, **item.to_record(), "seconds": item.seconds}
            for (method, metric), item in self.measurements.items()
        ]
        content = {"format": FORMAT, **self.to_dict(), "measurements": measurements, "explanations": files}
        write_json(folder / FILE, content)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Read what `save` wrote."""
        folder = Path(folder)
        path = folder / FILE
        if not path.is_file():
            raise InputError(f"there is no comparison in {folder}: {FILE} is missing")
        try:
            content = json.loads(path.read_bytes())
            version = content["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{path} cannot be read as a comparison ({error}); make it again") from error
        if version != FORMAT:
            raise FileFormatError(f"{path} has format {version}, this version reads {FORMAT}; update explicate")
        try:
            rows = tuple(Row(**{name: _back(value) for name, value in row.items()}) for row in content["rows"])
            measurements = {
                (item["method"], item["label"]): Measurement.from_record(item) for item in content["measurements"]
            }
            head = {name: content[name] for name in ("model", "samples", "seed", "budget")}
        except (KeyError, TypeError) as error:
            raise FileFormatError(f"{path} is damaged ({error}); make it again") from error
        explanations = {name: Attribution.load(folder / file) for name, file in content["explanations"].items()}
        return cls(**head, rows=rows, measurements=measurements, explanations=explanations, folder=folder)

    def __str__(self) -> str:
        head = f"{self.model}, {self.samples} samples, seed {self.seed}"
        table = [
            ["method", *[f"{metric}{self._arrow(metric)}" for metric in self.metrics], "evaluations + gradients"],
            *[
                [self._title(m), *[self._cell(m, metric) for metric in self.metrics], self._cost(m)]
                for m in self.methods
            ],
        ]
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in table]
        foot = ["* the best, or not told apart from it by a paired 95 % interval; the random control takes no part"]
        foot += [f"{method} does not apply: {reason}" for method, reason in self._refused().items()]
        nowhere = [m for m in self.metrics if all(self.row(name, m).value is None for name in self.explanations)]
        foot += [
            f"{metric} does not apply: {self.row(next(iter(self.explanations)), metric).reason}" for metric in nowhere
        ]
        return "\n".join([head, *[line.rstrip() for line in lines], *foot])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{html.escape(metric + self._arrow(metric))}</th>" for metric in self.metrics)
        body = []
        for method in self.methods:
            cells = []
            for metric in self.metrics:
                row = self.row(method, metric)
                text = html.escape(self._cell(method, metric))
                ends = "" if row.low is None else f"95 % interval {row.low:.3g} to {row.high:.3g}. "
                hint = html.escape(ends + row.reason, quote=True)
                cells.append(
                    f'<td title="{hint}">{f"<b>{text}</b>" if row.rank and row.as_good_as_best else text}</td>'
                )
            body.append(
                f"<tr><th>{html.escape(self._title(method))}</th>{''.join(cells)}"
                f"<td>{html.escape(self._cost(method))}</td></tr>"
            )
        caption = html.escape(f"{self.model}, {self.samples} samples; bold: the best, or not told apart from it")
        return (
            f'<table class="explicate-comparison"><caption>{caption}</caption><thead><tr><th>method</th>{heads}'
            f"<th>evaluations + gradients</th></tr></thead><tbody>{''.join(body)}</tbody></table>"
        )

    @cached_property
    def _agreement_dict(self) -> dict[str, dict[str, float | None]]:
        if not self.explanations:
            return {}
        matrix = self.agreement()
        names = [str(name) for name in matrix["one"].values]
        return {a: {b: _plain(float(matrix.sel(one=a, other=b))) for b in names} for a in names}

    @staticmethod
    def _comparable(item: Attribution) -> tuple[Any, ...]:
        dims = item.feature_dims
        if {"row", "column"} <= set(dims):
            return (item.data.sizes["row"], item.data.sizes["column"])
        return tuple(item.data.sizes[dim] for dim in dims)

    def _arrow(self, metric: str) -> str:
        higher = next(row.higher_is_better for row in self.rows if row.metric == metric)
        return {True: " ↑", False: " ↓", None: ""}[higher]

    def _title(self, method: str) -> str:
        return f"{method} (fails {CHECK})" if self.randomisation[method] == "fail" else method

    def _cell(self, method: str, metric: str) -> str:
        row = self.row(method, metric)
        if row.value is None or not np.isfinite(row.value):
            return "–"
        ends = "" if row.low is None else f" [{row.low:.3g}, {row.high:.3g}]"
        return f"{row.value:.3g}{ends}{'*' if row.rank and row.as_good_as_best else ''}"

    def _cost(self, method: str) -> str:
        row = next(row for row in self.rows if row.method == method)
        return "–" if row.evaluations is None else f"{row.evaluations:,} + {row.gradients or 0:,}"

    def _refused(self) -> dict[str, str]:
        """Methods without any explanation, and why."""
        return {row.method: row.reason for row in self.rows if row.evaluations is None}


def _plain(value: Any) -> Any:
    """Undefined numbers as the text "undefined": JSON has no NaN, and null says that there is nothing."""
    return "undefined" if isinstance(value, float) and not np.isfinite(value) else value


def _back(value: Any) -> Any:
    return float("nan") if isinstance(value, str) and value == "undefined" else value
