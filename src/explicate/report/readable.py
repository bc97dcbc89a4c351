"""Pictures and HTML of whole models that are readable by design: curves, a formula, prototypes."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.kinds import FormulaExplanation, Prototypes, ShapeCurves
from explicate.report.fragments import origin, picture
from explicate.report.pictures import NEUTRAL, RAISES, bare, blend, new_axes, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@register("shape-curves", "pictures")
def shape_curves(explanation: ShapeCurves, term: str | None = None, output: int = 0, ax: Axes | None = None) -> Axes:
    """One term of an additive model: its curve, the ensemble's spread around it, and below it how many rows lie where.

    Parameters
    ----------
    term : a column, or a pair "a × b"; by default the one of the largest range. output : which score.
    """
    data = explanation.data
    names = [str(name) for name in data["term"].values]
    if term is None:
        term = ranked_terms(explanation, output)[0]
    if term not in names:
        raise InputError(f"no term {term!r}; there are {', '.join(names)}")
    place = names.index(term)
    own = np.flatnonzero(data["point_term"].values == place)
    values, spread = (data[name].values[own, output] for name in ("contribution_at", "spread"))
    ax = ax or new_axes(width=4.2, height=3.0)
    if int(data["term_column2"].values[place]) >= 0:
        _pair(explanation, own, values, ax)
    elif str(data["column_kind"].values[data["term_column"].values[place]]) == "categorical":
        words = [shortened(str(word), 24) for word in data["point_text"].values[own]]
        ax.bar(range(len(words)), values, yerr=spread, color=blend(RAISES, 0.6), ecolor="black")
        ax.set_xticks(range(len(words)), words, rotation=60, ha="right", fontsize=7)
    else:
        numbers = data["point_number"].values[own]
        ax.fill_between(numbers, values - spread, values + spread, color=blend(RAISES, 0.3), linewidth=0)
        ax.plot(numbers, values, color=RAISES)
        _density(explanation, int(data["term_column"].values[place]), ax)
    ax.axhline(0, color=NEUTRAL, linewidth=0.8)
    ax.set_xlabel(term)
    ax.set_title(f"what {term} adds to {data['output'].values[output]}", fontsize=9)
    return bare(ax)


def ranked_terms(explanation: ShapeCurves, output: int = 0) -> list[str]:
    """The terms of an additive model, the one of the largest range first."""
    data = explanation.data
    owner, values = data["point_term"].values, data["contribution_at"].values[:, output]
    ranges = [np.ptp(values[owner == place]) for place in range(data.sizes["term"])]
    return [str(data["term"].values[place]) for place in np.argsort(-np.array(ranges), kind="stable")]


def _pair(explanation: ShapeCurves, own: Any, values: Any, ax: Axes) -> None:
    data = explanation.data
    numbers, words = data["point_number"].values[own], data["point_text"].values[own]
    first = [str(word) or f"{number:.4g}" for number, word in zip(numbers, words, strict=True)]
    rows = len(dict.fromkeys(first))
    limit = float(np.abs(values).max()) or 1.0
    grid = values.reshape(rows, -1)
    ax.imshow(grid, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", origin="lower")
    ax.set_yticks([0, rows - 1], [first[0], first[-1]], fontsize=7)
    ax.set_xticks([])


def _density(explanation: ShapeCurves, column: int, ax: Axes) -> None:
    data = explanation.data
    own = np.flatnonzero(data["bin_column"].values == column)
    if not len(own):
        return
    counts = data["bin_count"].values[own]
    low, high = ax.get_ylim()
    foot = low - 0.2 * (high - low)
    starts, ends = data["bin_from"].values[own], data["bin_to"].values[own]
    heights = 0.18 * (high - low) * counts / max(1, counts.max())
    ax.bar(starts, heights, width=ends - starts, bottom=foot, align="edge", color="#cccccc")
    ax.set_ylim(foot, high)


@register("shape-curves", "fragments")
def curves_listed(explanation: ShapeCurves, most: int = 6) -> str:
    """The curves of the largest ranges."""
    shown = ranked_terms(explanation)[:most]
    body = "".join(picture(shape_curves(explanation, term), f"what {term} adds to the score") for term in shown)
    rest = explanation.data.sizes["term"] - len(shown)
    more = f"<p>{rest} further terms of smaller range.</p>" if rest else ""
    return f'<div class="explanation">{body}{more}{origin(explanation)}</div>'


@register("formula", "pictures")
def formula(explanation: FormulaExplanation, ax: Axes | None = None) -> Axes:
    """The rounded formula, as text."""
    import textwrap

    lines = textwrap.wrap(f"y = {explanation.text}", 80)
    ax = ax or new_axes(height=0.6 + 0.25 * len(lines))
    ax.text(0, 1, "\n".join(lines), family="monospace", fontsize=9, va="top", transform=ax.transAxes)
    ax.set_axis_off()
    return ax


@register("formula", "fragments")
def formula_listed(explanation: FormulaExplanation) -> str:
    """The rounded formula, and the steps in full precision."""
    steps = "\n".join(str(step) for step in explanation["step"].values)
    shown = f"<p><code>y = {html.escape(explanation.text)}</code></p><pre>{html.escape(steps)}</pre>"
    return f'<div class="explanation">{shown}{origin(explanation)}</div>'


@register("prototypes", "pictures")
def prototypes(explanation: Prototypes, sample: int | None = None, most: int = 8, ax: Axes | None = None) -> Axes:
    """Of a case, what its most similar prototypes add to the score of its prediction; else the prototypes' weights.

    Parameters
    ----------
    sample : which case; by default the first one where there are any. most : prototypes shown.
    """
    data = explanation.data
    labels = [str(label) for label in data["label"].values]
    owners = data["prototype_class"].values
    if "similarity" in data:
        parts = explanation.contributions()[sample or 0]
        label = int(parts.sum(axis=0).argmax())
        values, title = parts[:, label], f"similarity times weight, for {labels[label]}"
    else:
        values = data["weight"].values[np.arange(len(owners)), owners]
        title = "weight for the own class"
    order = np.argsort(-np.abs(values), kind="stable")[:most]
    names = [f"case {data['source'].values[n]} of {labels[owners[n]]}" for n in order]
    ax = ax or new_axes(height=1.0 + 0.3 * len(order))
    ax.barh(range(len(order)), values[order], color=[RAISES if values[n] > 0 else "#2f6fb3" for n in order])
    ax.set_yticks(range(len(order)), names)
    ax.invert_yaxis()
    ax.set_xlabel(title)
    return bare(ax)


def source_pictures(explanation: Prototypes, most: int = 10) -> Any:
    """The training pictures that prototypes come from, each with its box, as one row of matplotlib axes."""
    from matplotlib.patches import Rectangle

    data = explanation.data
    if "source_box" not in data:
        raise InputError("these prototypes are of no pictures")
    count = min(most, data.sizes["prototype"])
    shown = np.linspace(0, data.sizes["prototype"] - 1, count).round().astype(int)
    tiles = data["source_input"].values[shown].mean(axis=1)
    ax = new_axes(width=1.1 * count, height=1.5)
    columns = tiles.shape[2]
    edges = [np.pad(tile, ((0, 0), (0, 1)), constant_values=tiles.max()) for tile in tiles]
    ax.imshow(np.concatenate(edges, axis=1), cmap="gray")
    for place, prototype in enumerate(shown):
        top, bottom, left, right = data["source_box"].values[prototype]
        corner = (place * (columns + 1) + left - 0.5, top - 0.5)
        ax.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, edgecolor=RAISES, linewidth=1.5))
    ax.set_axis_off()
    ax.set_title("parts of training pictures", fontsize=9)
    return ax


@register("prototypes", "fragments")
def prototypes_listed(explanation: Prototypes, most: int = 4) -> str:
    """The training pictures of the prototypes, where they are pictures, and what they add up to for some cases."""
    body = ""
    if "source_box" in explanation.data:
        body += picture(source_pictures(explanation), "training pictures with boxes")
    cases: Any = range(min(most, len(explanation))) if "similarity" in explanation.data else [None]
    body += "".join(picture(prototypes(explanation, sample), "contributions of the prototypes") for sample in cases)
    return f'<div class="explanation">{body}{origin(explanation)}</div>'
