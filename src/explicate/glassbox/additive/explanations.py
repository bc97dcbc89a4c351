"""An additive model as an explanation: labelled arrays from which it can be read back and run again."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.explanation import Explanation
from explicate.errors import InputError
from explicate.glassbox.additive.curves import Axis, Curve, Curves
from explicate.glassbox.kinds import texts

BINS = 20


def curves_dataset(curves: Curves, outputs: list[str], cells: list[tuple[Array, Array]]) -> xr.Dataset:
    """All of a model, in the variables of `ShapeCurves`; `cells` are the training rows, for the density."""
    points: dict[str, list[Any]] = {key: [] for key in ("term", "number", "text", "number2", "text2")}
    values, spreads = [], []
    for place, term in enumerate(curves.terms):
        sides = [_labels(axis) for axis in term.axes]
        count = term.values.reshape(-1, curves.outputs)
        values.append(count)
        spreads.append(term.spread.reshape(-1, curves.outputs))
        points["term"] += [place] * len(count)
        for one in sides[0]:
            for other in sides[1] if len(sides) > 1 else [(np.nan, "")]:
                points["number"].append(one[0])
                points["text"].append(one[1])
                points["number2"].append(other[0])
                points["text2"].append(other[1])
    bins = [
        row
        for place, (axis, each) in enumerate(zip(curves.axes, cells, strict=True))
        for row in _bins(place, axis, *each)
    ]
    density = np.array(bins, dtype=float).reshape(-1, 4)
    second = [term.columns[1] if len(term.columns) > 1 else -1 for term in curves.terms]
    return xr.Dataset(
        {
            "contribution_at": (("point", "output"), np.concatenate(values)),
            "spread": (("point", "output"), np.concatenate(spreads)),
            "missing": (("term", "output"), np.stack([term.missing for term in curves.terms])),
            "intercept": ("output", curves.intercept),
            "point_term": ("point", np.array(points["term"], dtype=np.int64)),
            "point_number": ("point", np.array(points["number"], dtype=float)),
            "point_text": ("point", texts(points["text"])),
            "point_number2": ("point", np.array(points["number2"], dtype=float)),
            "point_text2": ("point", texts(points["text2"])),
            "term_column": ("term", np.array([term.columns[0] for term in curves.terms], dtype=np.int64)),
            "term_column2": ("term", np.array(second, dtype=np.int64)),
            "column_kind": ("column", texts("numeric" if axis.numeric else "categorical" for axis in curves.axes)),
            "column_gaps": ("column", np.array([axis.gaps for axis in curves.axes], dtype=np.int8)),
            "bin_column": ("bin", density[:, 0].astype(np.int64)),
            "bin_from": ("bin", density[:, 1]),
            "bin_to": ("bin", density[:, 2]),
            "bin_count": ("bin", density[:, 3].astype(np.int64)),
        },
        {
            "term": texts(term.name for term in curves.terms),
            "column": texts(axis.name for axis in curves.axes),
            "output": texts(outputs),
        },
    )


def curves_of(explanation: Explanation) -> Curves:
    """The model that an explanation holds.

    Raises
    ------
    InputError : the explanation has none.
    """
    data = explanation.data
    if "contribution_at" not in data:
        raise InputError(f"the explanation by {explanation.provenance.method!r} holds no shape curves")
    names = [str(name) for name in data["column"].values]
    categorical = [str(kind) == "categorical" for kind in data["column_kind"].values]
    gaps = data["column_gaps"].values.astype(bool)
    owner, outputs = data["point_term"].values, data.sizes["output"]
    axes: dict[int, Axis] = {}
    terms = []
    for place in range(data.sizes["term"]):
        own = np.flatnonzero(owner == place)
        columns = [int(data["term_column"].values[place]), int(data["term_column2"].values[place])]
        columns = columns[: 1 if columns[1] < 0 else 2]
        sides = []
        for column, suffix in zip(columns, ("", "2"), strict=False):
            if categorical[column]:
                words = dict.fromkeys(str(text) for text in data[f"point_text{suffix}"].values[own])
                axis = Axis(names[column], np.empty(0), tuple(words), bool(gaps[column]))
            else:
                numbers = data[f"point_number{suffix}"].values[own]
                axis = Axis(names[column], np.unique(numbers), (), bool(gaps[column]))
            sides.append(axis)
        shape = (*(len(axis) for axis in sides), outputs)
        values, spread = (data[name].values[own].reshape(shape) for name in ("contribution_at", "spread"))
        terms.append(Curve(tuple(columns), tuple(sides), values, data["missing"].values[place], spread))
        if len(columns) == 1:
            axes[columns[0]] = sides[0]
    return Curves(data["intercept"].values, tuple(terms), tuple(axes[column] for column in range(len(names))))


def _labels(axis: Axis) -> list[tuple[float, str]]:
    if axis.numeric:
        return [(float(number), "") for number in axis.points]
    return [(np.nan, word) for word in axis.words]


def _bins(place: int, axis: Axis, numbers: Array, codes: Array) -> list[tuple[float, ...]]:
    """How many rows there are in each part of a column: (column, from, to, count); categories by their place."""
    if not axis.numeric:
        counts = np.bincount(codes, minlength=len(axis))[: len(axis)]
        return [(place, each, each, count) for each, count in enumerate(counts)]
    numbers = numbers[codes < 0]
    if not len(numbers):
        return []
    counts, edges = np.histogram(numbers, bins=BINS)
    return [(place, *row) for row in zip(edges[:-1], edges[1:], counts, strict=True)]
