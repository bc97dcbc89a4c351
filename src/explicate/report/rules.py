"""Rules as a picture and as HTML: what they say, how many cases they hold for, and how often they are right."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.kinds import Rules
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.report.fragments import origin
from explicate.report.pictures import RAISES, bare, blend, new_axes, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@register("rules", "pictures")
def coverage(explanation: Rules, most: int = 20, ax: Axes | None = None) -> Axes:
    """A bar per rule with an outcome: how many training cases it holds for, and as its strong part how many it is
    right for.

    Parameters
    ----------
    most : rules shown, in their order.
    """
    if "coverage" not in explanation.data or "precision" not in explanation.data:
        raise InputError(f"the rules by {explanation.provenance.method!r} have no coverage and precision to draw")
    shares = np.asarray(explanation["precision"].values, dtype=float)
    shown = np.flatnonzero(np.isfinite(shares))[:most]
    counts = np.asarray(explanation["coverage"].values, dtype=float)[shown]
    ax = ax or new_axes(height=1.0 + 0.5 * max(1, len(shown)))
    places = np.arange(len(shown))
    ax.barh(places, counts, color=blend(RAISES, 0.3), height=0.6)
    ax.barh(places, counts * shares[shown], color=RAISES, height=0.6)
    ax.set_yticks(places, [shortened(explanation.texts[place], 60) for place in shown])
    ax.invert_yaxis()
    ax.set_xlabel("training cases that the rule holds for; strong: those it is right for")
    return bare(ax)


@register("rules", "fragments")
def listed(explanation: Rules, most: int = 10) -> str:
    """The rules as a table, and the proofs of at most `most` cases."""
    data = explanation.data
    head, rows = ["rule"], [[html.escape(text)] for text in explanation.texts]
    for name, form in (("coverage", "{:,.0f}"), ("precision", "{:.3f}")):
        if name in data:
            head.append(name)
            for row, value in zip(rows, np.asarray(data[name].values, dtype=float), strict=True):
                row.append(form.format(value) if np.isfinite(value) else "–")
    lines = ["<tr>" + "".join(f"<th>{title}</th>" for title in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    proofs = data["proof"].values[:most] if "proof" in data else np.empty(0)
    body = "".join(f"<pre>{html.escape(str(proof))}</pre>" for proof in proofs)
    return f'<div class="explanation"><table>{"".join(lines)}</table>{body}{origin(explanation)}</div>'
