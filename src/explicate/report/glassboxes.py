"""Comparisons of readable models with black boxes as one report that needs no knowledge of machine learning."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core import registry
from explicate.core.explanation import Explanation
from explicate.core.kinds import Rules, Terms
from explicate.evaluation.glassboxes.measures import MEASURES
from explicate.evaluation.glassboxes.result import GlassBoxComparison, Standing
from explicate.evaluation.glassboxes.verdict import percent, points, verdict
from explicate.glassbox.kinds import ShapeCurves
from explicate.report import fragments
from explicate.report.document import Cell, Figure, Grid, Part, Report, Section
from explicate.report.pictures import LOWERS, NEUTRAL, RAISES, bare, new_axes
from explicate.report.readable import ranked_terms, shape_curves
from explicate.report.terms import term_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INTRODUCTION = (
    "Must the model that decides be a black box? For each table below, models that can be read in full stand beside "
    "black boxes. Each was taught on part of the rows and asked about rows that it had never seen; the report says how "
    "often each was right, whether the differences may be chance, how much there is to read, and shows every model."
)
HEADS = {
    "accuracy": Cell("right ↑", hint="accuracy: share of unseen rows predicted rightly"),
    "balanced-accuracy": Cell("right, classes equal ↑", hint="balanced accuracy: mean over the classes"),
    "auc": Cell("ranked rightly ↑", hint="AUC: of two rows of different classes, the right one is ranked higher"),
}


def glassbox_report(comparisons: Sequence[GlassBoxComparison], command: str = "") -> Report:
    """One report of one or several comparisons.

    Parameters
    ----------
    command : the line that makes it again.
    """
    names = ", ".join(one.table.name for one in comparisons)
    sections = [_overview(comparisons)] if len(comparisons) > 1 else []
    sections += [_section(one) for one in comparisons]
    return Report(f"Readable models beside black boxes: {names}", INTRODUCTION, sections, command, key=False)


def standings(comparison: GlassBoxComparison, ax: Axes | None = None) -> Axes:
    """How far each model is from the best black box by the chosen measure, with paired 95 % intervals."""
    best, by = comparison.reference, comparison.by
    shown = [*comparison.of("readable"), *comparison.of("black box"), *comparison.of("control")]
    shown.sort(key=lambda one: -one.values[by].value)
    ax = ax or new_axes(width=6.0, height=1.1 + 0.34 * len(shown))
    colours = {"readable": RAISES, "black box": "#333333", "control": NEUTRAL}
    for place, one in enumerate(shown):
        gap = one.behind.get(by)
        value, ends = (0.0, (0.0, 0.0)) if gap is None else (gap.value, (gap.value - gap.low, gap.high - gap.value))
        ax.errorbar(100 * value, place, xerr=100 * np.array(ends)[:, None], fmt="o", color=colours[one.kind],
                    markersize=6, capsize=3, linewidth=1.4)  # fmt: skip
    ax.axvline(0, color="#333333", linewidth=0.8, linestyle=":")
    ax.set_yticks(range(len(shown)), [_titled(one) for one in shown])
    for label, one in zip(ax.get_yticklabels(), shown, strict=True):
        label.set_color(colours[one.kind])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_xlabel(f"{by}: points above or below {best.model} on the same rows; lines: 95 % intervals")
    return bare(ax)


def importance(standing: Standing, most: int = 12, ax: Axes | None = None) -> Axes:
    """What a black box looks at: how much accuracy goes when a column is shuffled."""
    items = sorted(standing.importance.items(), key=lambda item: -item[1])[:most]
    ax = ax or new_axes(width=6.0, height=1.0 + 0.28 * len(items))
    ax.barh(range(len(items)), [100 * value for _, value in items], color=LOWERS, height=0.7)
    ax.set_yticks(range(len(items)), [name for name, _ in items], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("points of accuracy lost on unseen rows when the column is shuffled")
    return bare(ax)


def _short(seconds: float | None, unit: float = 1) -> str:
    value = unit * (seconds or 0)
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _titled(one: Standing) -> str:
    return f"{one.model} ({one.length})" if one.kind == "readable" else one.model


def shown_model(explanation: Explanation) -> str:
    """A readable model as HTML: its own picture if it has one, rules as sentences, else what its kind has."""
    method, kind = explanation.provenance.method, explanation.kind
    if method in registry.names("pictures"):
        return fragments.picture(registry.find(method, "pictures")(explanation), f"the whole of {method}")
    if isinstance(explanation, Rules):
        return rule_list(explanation)
    if isinstance(explanation, Terms):
        return fragments.picture(explanation.plot(), f"the largest weights of {method}") + term_table(explanation)
    if isinstance(explanation, ShapeCurves):
        return all_curves(explanation)
    if kind in registry.names("fragments"):
        return str(registry.find(kind, "fragments")(explanation))
    if kind in registry.names("pictures"):
        return fragments.picture(explanation.plot(), f"the whole of {method}")
    return f"<p>{html.escape(method)} has no picture; its explanation is {html.escape(repr(explanation))}.</p>"


def all_curves(explanation: ShapeCurves, most: int = 6) -> str:
    """The curves of an additive model, those of the largest ranges first; all but `most` to be opened."""
    drawn = [
        fragments.picture(shape_curves(explanation, term), f"what {term} adds to the score")
        for term in ranked_terms(explanation)
    ]
    first = f'<div class="figures">{"".join(drawn[:most])}</div>'
    if len(drawn) <= most:
        return first
    rest = f'<div class="figures">{"".join(drawn[most:])}</div>'
    return f"{first}<details><summary>The other {len(drawn) - most} curves</summary>{rest}</details>"


def rule_list(explanation: Rules) -> str:
    """Rules as sentences, each with a bar for the rows that it holds for, and what holds where none does."""
    data = explanation.data
    names = [str(name) for name in data["clause"].values] if "clause" in data else [""] * len(explanation.texts)
    covered = np.asarray(data["coverage"].values, dtype=float) if "coverage" in data else np.zeros(len(names))
    shares = np.asarray(data["precision"].values, dtype=float) if "precision" in data else covered * np.nan
    most = max(1.0, float(covered.max(initial=0)))
    items = []
    for name, text, count, share in zip(names, explanation.texts, covered, shares, strict=True):
        right = f", and is right for {percent(share, 0)} of them" if np.isfinite(share) else ""
        bar = "" if not np.isfinite(share) else (
            f'<span class="bar"><span style="width:{100 * count / most:.0f}%"></span>'
            f'<span class="right" style="width:{100 * count * share / most:.0f}%"></span></span>'
        )  # fmt: skip
        title = f"<b>Rule {html.escape(name[4:])}.</b> " if name.startswith("rule") else ""
        items.append(f"<li>{title}{html.escape(text)}.<small>Holds for {count:,.0f} rows{right}.</small>{bar}</li>")
    otherwise = int(data.attrs.get("otherwise", -1))
    if otherwise >= 0:
        label, target = str(data["label"].values[otherwise]), str(data.attrs.get("target", "label"))
        items.append(f"<li>In all other cases: {html.escape(target)} is {html.escape(repr(label))}.</li>")
    return f'<ul class="rules">{"".join(items)}</ul>'


def _overview(comparisons: Sequence[GlassBoxComparison]) -> Section:
    heads = [Cell("table"), Cell("rows"), Cell("best black box"), Cell("best readable model"),
             Cell("difference, points", hint="readable less black box, paired 95 % interval"),
             Cell("may be chance?")]  # fmt: skip
    rows, lines = [], []
    for one in comparisons:
        found = verdict(one)
        lines.append(f"{one.table.name}: {found.headline}")
        if not one.of("readable"):
            continue
        best, own = one.reference, one.standing(found.choice) if found.choice else one.of("readable")[0]
        gap = own.behind[one.by]
        answer = "better" if gap.low > 0 else "yes" if gap.high >= 0 else "no"
        rows.append([
            Cell(one.table.name), Cell(f"{len(one.table):,}"),
            Cell(f"{best.model} {percent(best.values[one.by].value)}"),
            Cell(f"{own.model} {percent(own.values[one.by].value)}", hint=own.length),
            Cell(f"{100 * gap.value:+.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"),
            Cell(answer, "best" if answer != "no" else "bad"),
        ])  # fmt: skip
    return Section("In short", findings=lines, parts=[Part("All tables", grid=Grid(heads, rows))])


def _section(comparison: GlassBoxComparison) -> Section:
    found = verdict(comparison)
    figure = Figure(
        fragments.picture(standings(comparison), f"models beside {comparison.reference.model}"),
        "Red: readable; black: black boxes; grey: always the larger class. A line that crosses the dotted one is not "
        "told apart from the best black box.",
    )
    parts = [
        Part("How often each is right", _measured(comparison), [figure]),
        Part("In figures", ["Green: not told apart from the best black box, or better. Hover for intervals."],
             grid=_grid(comparison)),
        *_models(comparison),
    ]  # fmt: skip
    return Section(
        comparison.table.name, _card(comparison), [found.headline, *found.lines], parts, _cautions(comparison)
    )


def _card(comparison: GlassBoxComparison) -> dict[str, str]:
    table = comparison.table
    shares = list(comparison.shares.items())
    outcome = ", ".join(f"{name} ({percent(share)})" for name, share in shares[:4])
    facts = {
        "rows": f"{len(table):,}, each one case",
        "columns": f"{len(table.features)}: {', '.join(feature.name for feature in table.features[:30])}",
        "what is predicted": outcome + (f" and {len(shares) - 4} more" if len(shares) > 4 else ""),
        "licence": table.licence,
    }
    if table.source:
        facts["source"] = table.source
    if table.description:
        facts["about"] = table.description
    return facts


def _measured(comparison: GlassBoxComparison) -> list[str]:
    folds, repeats = comparison.folds, comparison.repeats
    again = f", {repeats} times over" if repeats > 1 else ""
    return [
        f"The {len(comparison.table):,} rows were divided into {folds} parts{again}. Each part in turn was hidden; "
        "every model was taught on the others and asked about the hidden one, so each row was predicted without having "
        "been seen. All models met the same parts."
    ]


def _grid(comparison: GlassBoxComparison) -> Grid:
    best, by = comparison.reference, comparison.by
    heads = [Cell("model"), *[HEADS[measure] for measure in MEASURES],
             Cell(f"against {best.model}, points", hint=f"{by}, paired 95 % interval"), Cell("to read"),
             Cell("teach, s"), Cell("predict 1,000, ms")]  # fmt: skip
    rows = []
    for one in [*comparison.of("readable"), *comparison.of("black box"), *comparison.of("control")]:
        cells = [Cell(one.model)]
        for measure in MEASURES:
            value = one.values[measure]
            hint = f"95 % interval {percent(value.low)} to {percent(value.high)}"
            level = one.kind == "readable" and one.behind[measure].high >= 0
            cells.append(Cell(f"{100 * value.value:.1f}", "best" if level else "", hint))
        gap = one.behind.get(by)
        cells.append(Cell("–" if gap is None else points(gap).replace(" points", "")))
        cells.append(
            Cell(one.length if one.kind == "readable" else {"control": "nothing"}.get(one.kind, "a black box"))
        )
        cells += [Cell(_short(one.fit_seconds)), Cell(_short(one.predict_seconds, 1000))]
        rows.append(cells)
    refused = "; ".join(f"{one.model} does not apply: {one.reason}" for one in comparison.standings if one.reason)
    return Grid(heads, rows, refused)


def _models(comparison: GlassBoxComparison) -> list[Part]:
    parts = []
    for one in comparison.of("readable"):
        if one.model in comparison.explanations:
            right = f"Right for {percent(one.values['accuracy'].value)} of unseen rows; shown as taught on all rows."
            figure = Figure(shown_model(comparison.explanations[one.model]), right)
            parts.append(Part(f"To read: {_titled(one)}", [_how(one.model)], [figure]))
    dark = [
        Figure(fragments.picture(importance(one), f"columns that {one.model} looks at"), one.model)
        for one in comparison.of("black box")
        if one.importance
    ]
    outside = "These pictures are not the models, which nobody can read: only which columns matter to them."
    return [*parts, Part("The black boxes, from outside", [outside], dark)]


def _how(name: str) -> str:
    """What kind of model it is: the first line that its class says of itself."""
    return (registry.find(name, "glassboxes").__doc__ or "").strip().split("\n")[0]


def _cautions(comparison: GlassBoxComparison) -> list[str]:
    lines = [
        "Intervals are for other rows of the same kind. They do not cover another time, place or population.",
        "The best black box was picked by the same rows, which favours it a little.",
        "A model that can be read is not thereby fair, nor are its rules causes: it says what it does, not what is "
        "true of people.",
        "The models shown were taught on all rows, those measured on all parts but one: rules may differ a little.",
    ]
    sensitive = comparison.table.sensitive
    if sensitive:
        lines.append(f"Columns that say to which protected group a person belongs were used: {', '.join(sensitive)}.")
    return lines


def written(comparisons: Sequence[GlassBoxComparison]) -> list[dict[str, Any]]:
    """What machines get of each comparison: its figures and what they say."""
    found = []
    for one in comparisons:
        said = verdict(one)
        found.append({**one.to_dict(), "choice": said.choice, "verdict": [said.headline, *said.lines]})
    return found
