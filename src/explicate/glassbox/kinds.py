"""The kinds of explanation that only glass boxes have: whole models of curves, formulas and prototypes."""

from __future__ import annotations

from typing import ClassVar

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
