"""The weights of a model that is a sum of terms, as bars."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.kinds import Terms
from explicate.core.registry import register
from explicate.report.fragments import origin, picture
from explicate.report.pictures import LOWERS, NEUTRAL, RAISES, bare, new_axes, shortened
from explicate.report.profiles import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@register("terms", "pictures")
def weights(explanation: Terms, most: int = 20, ax: Axes | None = None) -> Axes:
    """The largest weights, a bar each; with several outputs a colour each.

    Parameters
    ----------
    most : terms shown, those that weigh most for any output.
    """
    values = np.asarray(explanation["weight"].values)
    names = [str(name) for name in explanation["term"].values]
    outputs = [str(name) for name in explanation["output"].values]
    order = np.argsort(-np.abs(values).max(axis=1), kind="stable")[:most]
    ax = ax or new_axes(width=6.0, height=1.0 + 0.27 * len(order) * max(1, 0.6 * len(outputs)))
    places, height = np.arange(len(order)), 0.75 / len(outputs)
    for output, name in enumerate(outputs):
        own = values[order, output]
        colours = [RAISES if value > 0 else LOWERS for value in own] if len(outputs) == 1 else COLOURS[output % 8]
        shift = (output - (len(outputs) - 1) / 2) * height
        ax.barh(places + shift, own, height=height * 0.9, color=colours, label=name)
    ax.set_yticks(places, [shortened(names[place], 46) for place in order], fontsize=8)
    ax.invert_yaxis()
    ax.axvline(0, color=NEUTRAL, linewidth=0.8)
    left = len(names) - len(order)
    what = f"log-odds {outputs[0]}" if len(outputs) == 1 else "score of each class"
    ax.set_xlabel(f"what each term adds to the {what}" + (f"; {left} smaller ones not shown" if left else ""))
    if len(outputs) > 1:
        ax.legend(fontsize=8, frameon=False)
    return bare(ax)


@register("terms", "fragments")
def fragment(explanation: Terms) -> str:
    """The bars, and a line on where they came from."""
    body = picture(weights(explanation), "weights of the terms")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'


def term_table(explanation: Terms) -> str:
    """All weights, to be opened, the largest first; and where the sum starts."""
    values = np.asarray(explanation["weight"].values)
    starts = np.asarray(explanation["intercept"].values)
    outputs = [str(name) for name in explanation["output"].values]
    order = np.argsort(-np.abs(values).max(axis=1), kind="stable")
    rows = [("start", starts), *((str(explanation["term"].values[place]), values[place]) for place in order)]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in outputs)
    lines = [f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{x:+.3f}</td>' for x in own)}</tr>" for name, own in rows]
    table = f"<table><tr><th>term</th>{head}</tr>{''.join(lines)}</table>"
    return f'<details><summary>All {len(values)} terms</summary><div class="scroll">{table}</div></details>'
