"""Explainers on the two axes of faithfulness and plausibility: a picture, and a page with every test beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from explicate.errors import InputError
from explicate.evaluation.self_explanation import PROFILES, Axis, Quadrant, RequirementProfile, compare
from explicate.report.document import Cell, Figure, Grid, Part, Report, Section
from explicate.report.fragments import picture
from explicate.report.pictures import LOWERS, NEUTRAL, RAISES, bare, new_axes
from explicate.runtime.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CORNERS = {
    (0.25, 0.75): "plausible, not faithful",
    (0.75, 0.75): "faithful and plausible",
    (0.25, 0.25): "neither",
    (0.75, 0.25): "faithful, not plausible",
}
CAUTION = (
    "The mean of an axis hides how far its tests disagree: read the parts. Erased inputs are unlike those that a model "
    "has seen, and a cue that is mentioned need not be used as stated."
)
SCRIPTED = "Some of these explainers are programs in the place of a model, made so that their place is known."


def scatter(points: Mapping[str, Quadrant], moved: Sequence[tuple[str, str]] = (), ax: Axes | None = None) -> Axes:
    """Each explainer as a point with its intervals on both axes, between the thresholds.

    Parameters
    ----------
    points : by name; those that are not measurable have no place, and all must have the same thresholds.
    moved : pairs of names, before and after, joined by an arrow.

    Raises
    ------
    InputError : no points, thresholds that differ, or a movement between points that are not there.
    """
    thresholds = {point.thresholds for point in points.values()}
    if len(thresholds) != 1:
        raise InputError(f"{len(points)} explainers with {len(thresholds)} kinds of thresholds; draw those with one")
    for name in (name for pair in moved for name in pair):
        if name not in points:
            raise InputError(f"there is no explainer {name!r} to move; there are {', '.join(points)}")
    ax = ax or new_axes(width=6.2, height=5.6)
    (across, up) = thresholds.pop()
    ax.axvline(across, color=NEUTRAL, linewidth=1)
    ax.axhline(up, color=NEUTRAL, linewidth=1)
    for (x, y), name in CORNERS.items():
        ax.text(x, y, name, color=NEUTRAL, fontsize=9, ha="center", va="center")
    places = {name: _place(point) for name, point in points.items()}
    known = {name: place for name, place in places.items() if place is not None}
    for number, (name, (own, other)) in enumerate(known.items(), start=1):
        colour = RAISES if points[name].name == "undecided" else LOWERS
        ax.plot([own.low, own.high], [other.value] * 2, color=colour, linewidth=1.5)
        ax.plot([own.value] * 2, [other.low, other.high], color=colour, linewidth=1.5)
        ax.plot(own.value, other.value, "o", color=colour, markersize=6)
        left, low = own.value > 0.5, other.value > 0.5
        ax.annotate(str(number), (own.value, other.value), (-9 if left else 9, -9 if low else 9),
                    textcoords="offset points", ha="center", va="center", fontsize=9)  # fmt: skip
    for before, after in moved:
        if before in known and after in known:
            start, end = ((known[name][0].value, known[name][1].value) for name in (before, after))
            ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": NEUTRAL, "linewidth": 1.2})
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("faithfulness: is it what the model computes?")
    ax.set_ylabel("plausibility: does it convince?")
    return bare(ax)


def _place(point: Quadrant) -> tuple[Interval, Interval] | None:
    own, other = point.faithfulness.interval(), point.plausibility.interval()
    return None if own is None or other is None else (own, other)


def quadrant_report(
    points: Mapping[str, Quadrant],
    moved: Sequence[tuple[str, str]] = (),
    profiles: Sequence[RequirementProfile] = PROFILES,
    command: str = "",
) -> Report:
    """The page: the picture, every test of every explainer, and which applications it is good enough for."""
    figure = Figure(
        picture(scatter(points, moved), "explainers by faithfulness and plausibility"),
        "Means of the tests of each axis with 95 % intervals over items; numbers as in the table. Red: undecided, an "
        "interval crosses its threshold." + (" Arrows lead from before to after." if moved else ""),
    )
    findings = [f"{name}: {point.name}." for name, point in points.items()]
    for before, after in moved:
        findings.append(f"From {before} to {after}: {compare(points[before], points[after])}.")
    parts = [
        Part("Both axes", figures=[figure], grid=_overview(points)),
        Part("Every test", grid=_tests(points)),
        Part("Good enough for what?", grid=_verdicts(points, profiles)),
    ]
    scripted = any(point.faithfulness.scripted for point in points.values())
    section = Section("Explainers", {}, findings, parts, [CAUTION, *([SCRIPTED] if scripted else [])])
    introduction = (
        "An explanation that convinces need not be what the model computes. Both were measured apart: the tests of "
        "faithfulness never see what people marked, those of plausibility never ask the model."
    )
    return Report("Faithful, or only plausible?", introduction, [section], command, key=False)


def _overview(points: Mapping[str, Quadrant]) -> Grid:
    heads = [
        Cell("explainer"), Cell("number"), Cell("faithfulness"), Cell("plausibility"), Cell("quadrant"),
        Cell("read", hint="share of the explanations that could be read"),
        Cell("correlation", hint="Spearman's, of the items' own values on both axes"),
    ]  # fmt: skip
    rows, number = [], 0
    for name, point in points.items():
        placed = _place(point) is not None
        number += placed
        rho, n = point.association
        rows.append([
            Cell(name), Cell(str(number) if placed else "-"), _axis(point.faithfulness), _axis(point.plausibility),
            Cell(point.name), Cell(f"{point.faithfulness.parse_rate:.0%}"),
            Cell(f"{rho:.2f} (n = {n})" if rho == rho else "-", hint="" if rho == rho else "one of both is constant"),
        ])  # fmt: skip
    return Grid(heads, rows)


def _axis(axis: Axis) -> Cell:
    interval = axis.interval()
    return Cell("not measurable", "bad", axis.reason) if interval is None else Cell(_shown(interval))


def _shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _tests(points: Mapping[str, Quadrant]) -> Grid:
    heads = [Cell("explainer"), Cell("axis"), Cell("test"), Cell("score"), Cell("items"), Cell("counts")]
    rows = []
    for name, point in points.items():
        for axis in (point.faithfulness, point.plausibility):
            for test in axis.tests:
                interval = test.interval()
                score = Cell("none", "", test.reason) if interval is None else Cell(_shown(interval))
                used = (
                    Cell("yes") if test.used else Cell("no", "bad", test.reason or "too few items, or not of the axis")
                )
                rows.append([Cell(name), Cell(axis.name), Cell(test.name), score, Cell(str(test.n)), used])
    return Grid(heads, rows, "A test counts from 30 items on, and an axis from two tests on.")


def _verdicts(points: Mapping[str, Quadrant], profiles: Sequence[RequirementProfile]) -> Grid:
    heads = [
        Cell("explainer"),
        *(
            Cell(one.application, hint=f"faithfulness >= {one.faithfulness:g}, plausibility >= {one.plausibility:g}")
            for one in profiles
        ),
    ]
    rows = []
    for name, point in points.items():
        verdicts = [one.check(point) for one in profiles]
        cells = [
            Cell(f"{one.result}{': ' + one.limiting if one.result == 'fail' else ''}",
                 "best" if one.passed else "bad", one.limiting or one.note)
            for one in verdicts
        ]  # fmt: skip
        rows.append([Cell(name), *cells])
    return Grid(heads, rows, "What each application asks for is a choice of ours; give profiles of your own.")
