"""The report: one HTML file with everything inside, for a screen, a phone or paper. It asks no network for anything."""

from __future__ import annotations

import datetime
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explicate.core.provenance import installed_versions
from explicate.runtime.files import write_text


@dataclass(frozen=True)
class Figure:
    """A piece of HTML from `report.fragments`, with a caption in plain text."""

    body: str
    caption: str


@dataclass(frozen=True)
class Cell:
    """A table cell: text, and whether it is the best of its column ("best"), marked ("bad") or neither ("")."""

    text: str
    mark: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: column heads (with a hint each) and rows of cells; the first cell of a row names it."""

    heads: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Part:
    """A headed part of a section: text, pictures, a table; what is empty is left out."""

    title: str
    lines: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    grid: Grid | None = None


@dataclass(frozen=True)
class Section:
    """What the report says about one model.

    Attributes
    ----------
    card : facts about model and data, as name -> text.
    findings : what was found, one sentence each. beliefs : what to believe and what not.
    """

    title: str
    card: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[str] = ()
    parts: Sequence[Part] = ()
    beliefs: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes
    ----------
    command : the line that makes it again; printed at its foot beside versions.
    key : whether to say what red and blue stand for in pictures of attributions.
    """

    title: str
    introduction: str
    sections: Sequence[Section]
    command: str = ""
    key: bool = True

    def to_html(self) -> str:
        """The page."""
        return (
            page_environment()
            .get_template("report.html")
            .render(
                report=self,
                versions=installed_versions(),
                made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            )
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to `path`."""
        return write_text(path, self.to_html())


def page_environment() -> Any:
    """What turns the templates of this package into pages: everything is escaped, nothing may be missing."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("explicate.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def comparison_grid(comparison: Any) -> Grid:
    """The table of a comparison: methods down, metrics across, with intervals, the best marked, failures named.

    Parameters
    ----------
    comparison : an `explicate.evaluation.comparison.Comparison`.
    """
    frame = comparison.to_frame()
    metrics = list(dict.fromkeys(frame["metric"]))
    methods = list(dict.fromkeys(frame["method"]))
    best = frame.loc[frame["rank"] == 1].groupby("metric")["method"].agg(set).to_dict()
    heads = [
        Cell("method"),
        *[_head(frame, metric) for metric in metrics],
        Cell("cost", hint="evaluations + gradients"),
    ]
    rows = []
    for method in methods:
        own = frame[frame["method"] == method]
        cells = [Cell(method)]
        for metric in metrics:
            found = own[own["metric"] == metric]
            if found.empty or found["value"].isna().all():
                cells.append(Cell("–", hint="not applicable"))
                continue
            row = found.iloc[0]
            mark = "bad" if row.get("verdict") == "fail" else "best" if method in best.get(metric, set()) else ""
            of_one = row["low"] != row["low"]
            hint = "of one sample" if of_one else f"95 % interval {row['low']:.3g} to {row['high']:.3g}"
            cells.append(Cell(f"{row['value']:.3g}", mark, f"{hint}; fails the check" if mark == "bad" else hint))
        evaluations, gradients = (int(own[name].fillna(0).max()) for name in ("evaluations", "gradients"))
        cells.append(Cell(" + ".join([f"{evaluations:,}", *([f"{gradients:,}"] if gradients else [])])))
        rows.append(cells)
    return Grid(heads, rows)


def _head(frame: Any, metric: str) -> Cell:
    higher = frame.loc[frame["metric"] == metric, "higher_is_better"].iloc[0]
    if higher is None:
        return Cell(metric, hint="neither high nor low is better")
    return Cell(f"{metric} {'↑' if higher else '↓'}", hint=f"{'higher' if higher else 'lower'} is better")


def paragraph(text: str) -> str:
    """Plain text as a paragraph of HTML, everything escaped."""
    return f"<p>{html.escape(text)}</p>"
