"""The kinds of explanation that only glass boxes have: whole models of curves, formulas and prototypes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.explanation import Explanation
from explicate.core.registry import register


@register("shape-curves", "kinds")
class ShapeCurves(Explanation):
    """A whole additive model: what each column, or pair of columns, adds to each score at each of its values.

    Variables
    ---------
    contribution_at : (point, output), between neighbouring points of a number the curve is straight; `spread` alike,
        the standard deviation over the members of an ensemble.
    point_term, point_number, point_text : (point,), the term and where on its column: a number, or (where that is NaN)
        a category; `point_number2, point_text2` on the second column of a pair.
    missing : (term, output), what a gap adds. intercept : (output,).
    term_column, term_column2 : (term,), places in `column`; the second is -1 but for pairs.
    column_kind, column_gaps : (column,), "numeric" or "categorical"; whether gaps are read.
    bin_column, bin_from, bin_to, bin_count : (bin,), how many training rows lie where; categories by their place.
    label : (label,), optional: the classes.
    """

    kind: ClassVar[str] = "shape-curves"
    main: ClassVar[str] = "contribution_at"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "contribution_at": ("point", "output"),
        "intercept": ("output",),
        "point_term": ("point",),
    }


@register("formula", "kinds")
class FormulaExplanation(Explanation):
    """A whole model that is one formula.

    Variables
    ---------
    formula : (form,), "exact" and "rounded" to three digits, each in one line.
    step : (line,), the same in short steps of full precision, from which it can be run; symbol : (column,), what the
        steps call each column.
    inputs : (sample, column), score : (sample,), optional: cases and their values.
    """

    kind: ClassVar[str] = "formula"
    main: ClassVar[str] = "formula"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"formula": ("form",), "step": ("line",), "symbol": ("column",)}

    @property
    def text(self) -> str:
        """The rounded formula."""
        return str(self.data["formula"].sel(form="rounded").item())


@register("prototypes", "kinds")
class Prototypes(Explanation):
    """Training cases, or parts of them, that cases are compared with, and what each similarity adds to each score.

    Variables
    ---------
    weight : (prototype, label). prototype_class : (prototype,), the place of its class in `label`.
    source, source_patch : (prototype,), the training case and the place in it; source_input : (prototype, *feature).
    source_box : (prototype, side), optional: of pictures: top, bottom, left, right.
    similarity, distance, patch : (sample, prototype), optional: how near each case's nearest patch is, and which it is.
    box : (sample, prototype, side), optional. inputs : (sample, *feature), optional.
    """

    kind: ClassVar[str] = "prototypes"
    main: ClassVar[str] = "weight"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "weight": ("prototype", "label"),
        "prototype_class": ("prototype",),
        "source": ("prototype",),
    }

    def contributions(self) -> Array:
        """(sample, prototype, label): similarity times weight; they add up to the scores."""
        return np.asarray(self.data["similarity"].values[:, :, None] * self.data["weight"].values)


def texts(values: Any) -> Array:
    """An array of texts, which NetCDF keeps whatever their length."""
    found = [str(value) for value in values]
    array = np.empty(len(found), dtype=object)
    array[:] = found
    return array
