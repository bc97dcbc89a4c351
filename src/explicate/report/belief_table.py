"""The belief table as a page: every reason with its parts on the colour of their verdict, and the figures below."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from explicate.core.registry import register
from explicate.evaluation.belief.evidence import AgainstOthers
from explicate.evaluation.belief.parts import CONTRADICTED, NOT_TESTED, SUPPORTED, UNDECIDED
from explicate.evaluation.belief.table import CAVEAT, CONTROLS, BeliefTable, Part, Prediction
from explicate.report.document import Cell, Figure, Grid, Report, Section
from explicate.report.document import Part as PagePart
from explicate.report.fragments import picture
from explicate.report.pictures import NEUTRAL, RAISES, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explicate.runtime.statistics import Interval

SHOWN = 30  # predictions on a page
CLASSES = {SUPPORTED: "yes", CONTRADICTED: "no", UNDECIDED: "open", NOT_TESTED: "none"}
SIGNS = {SUPPORTED: "✓", CONTRADICTED: "✗", UNDECIDED: "?", NOT_TESTED: "–"}
TITLE = "May its reasons be believed?"
INTRODUCTION = (
    "A model gave a reason for each of its answers. Here each part of each reason stands beside what was measured on "
    "the same answer: what the named words are worth by attribution, what happens when they are edited, and whether a "
    "reader who knows the reason foretells the model better. Words that the reason does not name are the control."
)
STYLE = """<style>
.belief {
  container-type: inline-size;
  contain-intrinsic-inline-size: 68rem;
  color: #1d2430;
  font-size: 16px;
  line-height: 1.5;
}
.belief article {
  border: 1px solid #d9dee6;
  border-radius: 8px;
  margin: 0 0 16px;
  padding: 12px 16px 10px;
  background: #fff;
}
.belief header {
  display: flex;
  flex-wrap: wrap;
  gap: 2px 14px;
  font-size: .85em;
  color: #5c6675;
}
.belief header b {
  color: #1d2430;
}
.belief .input {
  margin: 3px 0 8px;
  font-size: .9em;
  color: #5c6675;
  overflow-wrap: anywhere;
}
.belief .said {
  margin: 0 0 10px;
  padding-left: 12px;
  border-left: 3px solid #c3cad4;
  font-size: 1.05em;
  overflow-wrap: anywhere;
}
.belief .said span, .belief .chip {
  border-radius: 4px;
  padding: 1px 5px;
}
.belief .chip {
  white-space: nowrap;
  font-size: .8em;
}
.belief .yes {
  background: #d9efdd;
  color: #14532b;
}
.belief .no {
  background: #fbdcd6;
  color: #8c1d12;
  text-decoration: line-through;
  text-decoration-thickness: 1px;
}
.belief .chip.no {
  text-decoration: none;
}
.belief .open {
  background: #fdeec4;
  color: #6b4a00;
}
.belief .none {
  background: #eceff3;
  color: #4a5362;
}
.belief .row {
  display: grid;
  grid-template-columns: 115px minmax(90px, 140px) minmax(0, 1fr) minmax(0, 1fr);
  gap: 2px 14px;
  align-items: center;
  padding: 6px 0;
  border-top: 1px solid #eceff3;
}
.belief .row .part {
  font-weight: 600;
  overflow-wrap: anywhere;
}
.belief .row .wide {
  grid-column: 2 / -1;
  font-weight: 400;
}
.belief .why {
  grid-column: 2 / -1;
  font-size: .82em;
  color: #5c6675;
}
.belief .bars {
  font-size: .78em;
  font-variant-numeric: tabular-nums;
  color: #5c6675;
}
.belief .track {
  display: grid;
  grid-template-columns: 68px minmax(20px, 1fr) 42px;
  gap: 6px;
  align-items: center;
  line-height: 1.35;
}
.belief .track i {
  display: block;
  height: 8px;
  min-width: 1px;
  border-radius: 2px;
  background: #2f6fb3;
}
.belief .track.others i {
  background: #b9c1cc;
}
.belief .track output {
  text-align: right;
}
.belief .also {
  margin: 6px 0 0;
  padding-top: 6px;
  border-top: 1px solid #eceff3;
  font-size: .85em;
  color: #3c4553;
}
@container (max-width: 720px) {
  .belief .row {
    grid-template-columns: auto 1fr;
  }
  .belief .row .bars, .belief .why {
    grid-column: 1 / -1;
  }
  .belief article {
    padding: 10px 12px 8px;
  }
}
</style>"""


@register("belief-table", "fragments")
def belief_table(table: BeliefTable, most: int = 5) -> str:
    """At most `most` predictions: the explanation with its parts marked, and a row of figures for each part."""
    return f'{STYLE}<div class="belief">{"".join(_article(one) for one in table.predictions[:most])}</div>'


def _article(one: Prediction) -> str:
    chance = "" if one.probability is None else f"<span>p = {one.probability:.2f}</span>"
    answer = f"<span>answer <b>{_text(one.choice or 'none')}</b></span>"
    found = [f"<header><b>{_text(one.item)}</b>{answer}{chance}</header>", f'<p class="input">{_text(one.input)}</p>']
    found.append(
        f'<p class="said">{marked(one)}</p>' if one.text else f'<p class="said">no reason: {_text(one.status)}</p>'
    )
    figures = [figure for part in (*one.parts, *one.left_out) for figure in (part.attribution, part.edits) if figure]
    scale = max([max(abs(figure.effect), figure.others.value) for figure in figures], default=1.0) or 1.0
    found += [_row(part, scale) for part in one.parts]
    found += [_row(part, scale, "left out") for part in one.left_out]
    found.append(_also(one))
    return f"<article>{''.join(found)}</article>"


def marked(one: Prediction) -> str:
    """The explanation as HTML, the words and clauses that were judged on the colour of their verdict."""
    known = {part.text.lower(): part for part in one.parts if part.kind != "edit"}
    if not known:
        return _text(one.text)
    found, last = [], 0
    for match in re.finditer("|".join(_pattern(text) for text in sorted(known, key=len, reverse=True)), one.text, re.I):
        part = known.get(match.group(0).lower())
        if part is None:
            continue
        hint = html.escape(f"{part.verdict}: {part.reason}", quote=True)
        found.append(_text(one.text[last : match.start()]))
        found.append(f'<span class="{CLASSES[part.verdict]}" title="{hint}">{_text(match.group(0))}</span>')
        last = match.end()
    return "".join([*found, _text(one.text[last:])])


def _pattern(text: str) -> str:
    return rf"(?<!\w){re.escape(text)}(?!\w)"


def _row(part: Part, scale: float, name: str = "") -> str:
    verdict = _chip(
        name or part.verdict, "open" if name else CLASSES[part.verdict], "!" if name else SIGNS[part.verdict]
    )
    if part.edits is None and part.attribution is None:
        said = f'<span class="part wide">{_text(part.text)}</span><span class="why">{_text(part.reason)}</span>'
        return f'<div class="row"><span>{verdict}</span>{said}</div>'
    bars = _bars("attribution", part.attribution, scale) + _bars("edits", part.edits, scale)
    why = "not named, and it moves the answer more than the other words" if name else part.reason
    if part.flips is not None and part.flips == part.flips:
        why += f"; {part.flips:.0%} of the edits of it change the answer"
    cells = f'<span class="part">{_text(part.text)}</span>{bars}<span class="why">{_text(why)}</span>'
    return f'<div class="row"><span>{verdict}</span>{cells}</div>'


def _chip(text: str, kind: str, sign: str) -> str:
    return f'<span class="chip {kind}">{sign} {text}</span>'


def _bars(name: str, figure: AgainstOthers | None, scale: float) -> str:
    if figure is None:
        return "<span></span>"
    mean, low, high = figure.ends
    hint = f"log-odds of the answer; others {mean:.2f}, 95 % interval {low:.2f} to {high:.2f}"
    rows = [("", name, figure.effect), (" others", "others", mean)]
    tracks = "".join(
        f'<span class="track{kind}"><span>{label}</span>'
        f'<i style="width:{100 * min(1.0, max(0.0, value / scale)):.0f}%"></i>'
        f"<output>{round(value, 2) + 0.0:.2f}</output></span>"
        for kind, label, value in rows
    )
    return f'<span class="bars" title="{hint}">{tracks}</span>'


def _also(one: Prediction) -> str:
    return f'<p class="also">{_text(" ".join(one.notes()))}</p>' if one.notes() else ""


def _text(text: str) -> str:
    return html.escape(text)


def belief_report(table: BeliefTable, command: str = "") -> Report:
    """The page."""
    counts = table.counts()
    card = {
        "model": table.model + (" (a scripted model)" if table.scripted else ""),
        "reasons": table.form.replace("-", " "),
        "predictions": str(len(table.predictions)),
        "parts": ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number) or "none",
        "attribution": table.attribution or "none",
        "reader": f"{table.reader}, simulated",
        "questions asked": f"{table.questions:,}",
    }
    shown = table.predictions[:SHOWN]
    parts = []
    if table.supported() is not None:
        caption = (
            "Share of the tested parts that are supported, and of what is no reason of these answers, by the same rule"
        )
        parts.append(
            PagePart(
                "What the reasons are held against",
                figures=[Figure(picture(shares(table), "shares of supported parts and of the controls"), caption)],
                grid=_grid(table),
            )
        )
    lines = [
        "Bars are log-odds of the answer: in blue what the word is worth, in grey what words that are not named are "
        "worth on average."
    ]
    if len(table.predictions) > SHOWN:
        lines.append(f"The first {SHOWN} of {len(table.predictions)}; all are in the file beside this page.")
    parts.append(PagePart("Each prediction", lines, [Figure(belief_table(table, len(shown)), "")]))
    section = Section(table.model, card, table.lines(), parts, [str(table.rule), CAVEAT])
    return Report(TITLE, INTRODUCTION, [section], command, key=False)


def _rows(table: BeliefTable) -> list[tuple[str, Interval]]:
    found = [("named in the reasons", table.supported()), *((name, table.control(name)) for name in CONTROLS)]
    return [(name, interval) for name, interval in found if interval is not None]


def _grid(table: BeliefTable) -> Grid:
    heads = [Cell("words"), Cell("supported"), Cell("95 % interval"), Cell("parts"), Cell("predictions")]
    rows: list[Sequence[Cell]] = [
        [
            Cell(name), Cell(f"{one.value:.0%}"), Cell(f"{one.low:.0%} to {one.high:.0%}"), Cell(str(one.n)),
            Cell(str(one.clusters)),
        ]
        for name, one in _rows(table)
    ]  # fmt: skip
    return Grid(heads, rows)


def shares(table: BeliefTable, ax: Axes | None = None) -> Axes:
    """The share of supported parts beside the same share of the controls, with intervals."""
    rows = _rows(table)
    ax = ax or new_axes(width=5.4, height=0.8 + 0.35 * len(rows))
    for place, (_, one) in enumerate(rows):
        colour = RAISES if place == 0 else NEUTRAL
        ax.plot([100 * one.low, 100 * one.high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
        ax.plot(100 * one.value, place, "o", color=colour, markersize=6)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(-3, 103)
    ax.set_xlabel("supported, %")
    return bare(ax)
