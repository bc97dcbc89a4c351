"""The report on a simulation study: accuracy before and after explanations, what can be seen with so many readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explicate.evaluation.simulatability.analysis import Effect, Summary
from explicate.evaluation.simulatability.study import SimulationStudy
from explicate.report.document import Cell, Figure, Grid, Part, Report, Section
from explicate.report.fragments import picture
from explicate.report.pictures import NEUTRAL, RAISES, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIMULATED = "Simulated readers"
CAUTION = (
    "The readers of this report are programs with fixed rules, not people: they bound what the texts afford, and say "
    "nothing about what people make of them."
)


def simulation_report(result: Summary, study: SimulationStudy, command: str = "") -> Report:
    """The page."""
    tests = list(dict.fromkeys(one.test for one in result.effects))
    parts = []
    for test in tests:
        own = [one for one in result.effects if one.test == test]
        name = f"{test} test" if test else "both tests together"
        caption = f"Change of accuracy, {name}, with 95 % intervals" + (
            " (simulated readers)" if result.simulated else ""
        )
        figure = Figure(picture(changes(own), f"change of accuracy by method, {name}"), caption)
        parts.append(Part(name.capitalize(), figures=[figure], grid=_grid(own)))
    findings = [_finding(one) for one in result.effects if one.test == (tests[-1])]
    for each in result.ratings:
        clear = each.low > 0 or each.high < 0
        findings.append(
            f"Ratings ({each.scale}) {'tell' if clear else 'do not clearly tell'} who predicts better: "
            f"log-odds {each.slope:+.2f} [{each.low:+.2f}, {each.high:+.2f}]."
        )
    planted = "a made-up model whose rules are known" if study.planted else "a trained model"
    card = {
        "readers": SIMULATED if result.simulated else "people",
        "model": planted,
        "classes": ", ".join(study.classes),
        "methods": ", ".join(study.methods),
    }
    section = Section(
        (f"{SIMULATED}: " if result.simulated else "") + study.title, card, findings, parts,
        beliefs=[CAUTION] if result.simulated else [],
    )  # fmt: skip
    introduction = (
        "Readers predict a model's answers before and after they have seen explanations; the change is what the "
        "explanations are worth. A reader that guesses is right in half of the cases."
    )
    return Report("Do explanations help to predict the model?", introduction, [section], command, key=False)


def changes(effects: list[Effect], ax: Axes | None = None) -> Axes:
    """The change by each method as a point with its interval, and 0."""
    ax = ax or new_axes(width=4.6, height=0.9 + 0.35 * len(effects))
    places = range(len(effects))
    for place, one in zip(places, effects, strict=True):
        ax.plot([100 * one.low, 100 * one.high], [place, place], color=RAISES, linewidth=2, solid_capstyle="round")
        ax.plot(100 * one.change, place, "o", color=RAISES, markersize=6)
    ax.axvline(0, color=NEUTRAL, linewidth=1)
    ax.set_yticks(list(places), [one.method for one in effects])
    ax.set_ylim(len(effects) - 0.5, -0.5)
    ax.set_xlabel("change of accuracy, points")
    return bare(ax)


def _grid(effects: list[Effect]) -> Grid:
    heads = [
        Cell("method"), Cell("readers"), Cell("pairs", hint="answers before and after that could be read"),
        Cell("unread"), Cell("before"), Cell("after"), Cell("change"), Cell("95 % interval"), Cell("p"),
        Cell("detectable", hint="the smallest change that would be found with a chance of 80 %"),
    ]  # fmt: skip
    rows = []
    for one in effects:
        mark = "best" if one.low > 0 else "bad" if one.high < 0 else ""
        rows.append(
            [
                Cell(one.method), Cell(f"{one.users}{' simulated' if one.simulated else ''}"), Cell(str(one.answers)),
                Cell(str(one.unread)), Cell(f"{one.pre:.1%}"), Cell(f"{one.post:.1%}"),
                Cell(f"{100 * one.change:+.1f}", mark), Cell(f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"),
                Cell(f"{one.p:.3f}"), Cell(f"{100 * one.detectable:.0f} points"),
            ]
        )  # fmt: skip
    singular = effects[0].singular if effects else 0
    caption = f"{singular} of {effects[0].rounds} resamples were singular and are left out" if effects else ""
    return Grid(heads, rows, caption)


def _finding(one: Effect) -> str:
    if one.low > 0:
        said = "helps"
    elif one.high < 0:
        said = "harms"
    else:
        said = "has no clear effect"
    who = " (simulated readers)" if one.simulated else ""
    return f"{one.method} {said}{who}: {100 * one.change:+.1f} points [{100 * one.low:+.1f}, {100 * one.high:+.1f}]."
