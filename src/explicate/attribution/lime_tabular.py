"""LIME for tables: a weighted ridge regression of the score on random neighbours of the row.

Source: Ribeiro, Singh, Guestrin (2016), "Why Should I Trust You?", eq. 1, in the form for tables without discretisation
that Mhasawade et al. (2024), arXiv 2401.14539, study.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.least_squares import LinearFits, fit_linear_each
from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.registry import register
from explicate.errors import CapabilityError, InputError

NEIGHBOURS_HELD = 1 << 16  # neighbours in memory at once: they stay in the processor's cache


class Column(NamedTuple):
    """How one column is perturbed.

    Attributes
    ----------
    scale : standard deviation of a continuous column; 0 leaves it as it is.
    codes, cumulative : a categorical column's codes and their cumulative frequencies; empty for a continuous one.
    """

    scale: float
    codes: Floats
    cumulative: Floats


@dataclass(frozen=True, eq=False)
class RowNeighbourhood:
    """Random rows around a row: continuous columns plus noise, categorical ones resampled by frequency."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, rows: Array, features: Any = ()) -> Self:
        """Standard deviations and frequencies of `rows` (sample, feature), whose columns `features` describe."""
        columns = []
        for j in range(rows.shape[1]):
            if features and features[j].kind == "categorical":
                codes, counts = np.unique(rows[:, j], return_counts=True)
                columns.append(Column(0.0, codes, np.cumsum(counts) / counts.sum()))
            else:
                columns.append(Column(float(rows[:, j].std()), np.empty(0), np.empty(0)))
        return cls(tuple(columns))

    def draw(
        self, rows: Array, samples: int, noise: np.random.Generator, choice: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Neighbours of each row and what the surrogate sees of them, both (row, samples, feature).

        The first neighbour is the row itself. The surrogate sees a continuous column in standard deviations, and a
        categorical one as whether it equals the row's value. Continuous noise and choices of categories come from
        generators of their own, row by row, so that cutting `rows` into chunks changes nothing.
        """
        points = np.repeat(rows[:, None, :], samples, axis=1)
        design = np.zeros(points.shape)
        continuous = [j for j, column in enumerate(self.columns) if len(column.codes) == 0]
        categorical = [j for j, column in enumerate(self.columns) if len(column.codes)]
        if continuous:
            scales = np.array([self.columns[j].scale for j in continuous])
            steps = noise.standard_normal((len(rows), samples, len(continuous)))
            steps[:, 0] = 0.0
            steps *= scales > 0  # a column that never varied is left alone
            points[:, :, continuous] += steps * scales
            origin = np.divide(rows[:, continuous], scales, out=np.zeros((len(rows), len(scales))), where=scales > 0)
            design[:, :, continuous] = steps + origin[:, None]
        if categorical:
            uniform = choice.random((len(rows), samples, len(categorical)))
            for place, j in enumerate(categorical):
                codes, cumulative = self.columns[j].codes, self.columns[j].cumulative
                picked = np.searchsorted(cumulative, uniform[:, :, place], side="right")
                points[:, 1:, j] = codes[np.minimum(picked, len(codes) - 1)][:, 1:]
                design[:, :, j] = points[:, :, j] == rows[:, None, j]
        return points, design


@register("lime")
@dataclass(frozen=True)
class LIME(Explainer):
    """The weights of a ridge regression of the score on random neighbours of the row, the near ones counting more.

    A neighbour adds N(0, 1) times the training standard deviation to each continuous column and draws each categorical
    column from its training frequencies. The regression sees continuous columns in standard deviations and categorical
    ones as "equals the row's value"; a neighbour at Euclidean distance d in these coordinates weighs
    sqrt(exp(-d^2 / width^2)).

    Weights are in units of the score: per standard deviation of a continuous column, and for having the row's own
    category rather than one drawn at random. They do not add up to the score; the surrogate's own estimate of it is
    `local_prediction`. Columns are perturbed independently of each other, so a column that is computed from others
    (a product, a ratio) takes values that no real row has.

    Parameters
    ----------
    samples : neighbours per row, the row itself included; the cost is as many evaluations per row.
    width : of the kernel; None: 0.75 sqrt(number of features).
    ridge : penalty on the weights; the intercept is free.
    radius : where standard deviations and frequencies come from: "training", the model's background, so that a change
        of the training data also changes the neighbourhood; or "fixed", `reference`, which keeps it the same for
        models of different training data.
    reference : rows (sample, feature), encoded; only for "fixed".
    kept : so many columns, those of the largest weights, are fitted again alone, and the others get 0; None: all. Then
        intercept and weights of the kept columns add up to `local_prediction`.

    Notes
    -----
    Found beside the attribution: `local_prediction` and `intercept` (sample,), and `determination` (sample,), the
    weighted R squared of the fit. The standard errors are over the draw of neighbours.
    """

    samples: int = 1000
    width: float | None = None
    ridge: float = 1.0
    radius: Literal["training", "fixed"] = "training"
    reference: Any = None
    kept: int | None = None
    kinds: ClassVar[tuple[str, ...]] = ("table",)

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise InputError(f"lime: samples is {self.samples}; a regression needs at least 2, the default is 1000")
        if self.width is not None and not self.width > 0:
            raise InputError(f"lime: width is {self.width}; give a positive number, or None for 0.75 sqrt(features)")
        if not self.ridge >= 0:
            raise InputError(f"lime: ridge is {self.ridge}; give 0 or more")
        if self.radius not in ("training", "fixed"):
            raise InputError(f"lime: radius is {self.radius!r}; use 'training' or 'fixed'")
        if (self.radius == "fixed") != (self.reference is not None):
            raise InputError("lime: radius='fixed' and reference= belong together: the rows that set the radius")
        if self.kept is not None and self.kept < 1:
            raise InputError(f"lime: kept is {self.kept}; keep 1 or more columns, or None for all")

    def neighbourhood(self, model: Any, features: int) -> RowNeighbourhood:
        """What the rows of a model with so many features are perturbed by."""
        rows = getattr(model, "background", None) if self.radius == "training" else self.reference
        if rows is None:
            raise CapabilityError(
                f"lime needs training rows, which the model {model.name!r} does not have; give it a background, or "
                "take radius='fixed' and reference rows"
            )
        rows = np.asarray(rows, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != features or len(rows) == 0 or not np.isfinite(rows).all():
            raise InputError(f"lime: reference rows must be finite and (sample, {features}), not {rows.shape}")
        return RowNeighbourhood.of(rows, getattr(model, "features", ()))

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        count, features = inputs.shape
        if self.ridge == 0 and self.samples < features + 1:
            raise InputError(
                f"lime: {self.samples} samples cannot determine {features + 1} parameters; take more, or a ridge"
            )
        neighbourhood = self.neighbourhood(model, features)
        width = 0.75 * np.sqrt(features) if self.width is None else self.width
        noise, choice = rng.spawn(2)
        weights, errors = np.empty((count, features)), np.empty((count, features))
        intercepts, local, determination = np.empty(count), np.empty(count), np.empty(count)
        step = max(1, NEIGHBOURS_HELD // self.samples)
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            points, design = neighbourhood.draw(inputs[part], self.samples, noise, choice)
            asked = np.repeat(targets[part], self.samples, axis=0)
            scores = np.asarray(model.scores(points.reshape(-1, features), asked), dtype=float)
            squared = ((design - design[:, :1]) ** 2).sum(axis=2)
            near = np.sqrt(np.exp(-squared / width**2))
            fit = self._fit(design, scores.reshape(near.shape), near)
            weights[part], intercepts[part], errors[part] = fit.weights, fit.intercepts, fit.standard_errors
            local[part] = fit.intercepts + (design[:, 0] * fit.weights).sum(axis=1)
            determination[part] = fit.determination
        return Found(
            weights,
            standard_error=errors,
            extra={
                "local_prediction": (("sample",), local),
                "intercept": (("sample",), intercepts),
                "determination": (("sample",), determination),
            },
            flags={"kernel_width": float(width)},
        )

    def _fit(self, design: Array, values: Array, near: Array) -> LinearFits:
        """The regression on all columns, or again on those of the largest weights alone."""
        fit = fit_linear_each(design, values, near, ridge=self.ridge)
        if self.kept is None or self.kept >= design.shape[2]:
            return fit
        largest = np.argsort(-np.abs(fit.weights), axis=1, kind="stable")[:, : self.kept]
        again = fit_linear_each(np.take_along_axis(design, largest[:, None], axis=2), values, near, ridge=self.ridge)
        weights, errors = np.zeros(fit.weights.shape), np.zeros(fit.weights.shape)
        np.put_along_axis(weights, largest, again.weights, axis=1)
        np.put_along_axis(errors, largest, again.standard_errors, axis=1)
        return again._replace(weights=weights, standard_errors=errors)
