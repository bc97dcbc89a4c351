"""Odeen's structures as pictures, and what was found behind a table of them: the rule, and the rejected ones."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.registry import register
from explicate.report.fragments import origin
from explicate.report.pictures import LOWERS, NEUTRAL, RAISES, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explicate.glassbox.explanatory.explanation import Conjectures

CELL = 22  # pixels of a cell on a page
COLOURS = {**dict.fromkeys("avb", LOWERS), **dict.fromkeys("AVB", RAISES)}  # blue and red
OUTLINES = {
    **dict.fromkeys("aA", ((0.12, 0.85), (0.5, 0.15), (0.88, 0.85))),
    **dict.fromkeys("vV", ((0.12, 0.15), (0.5, 0.85), (0.88, 0.15))),
    **dict.fromkeys("bB", ((0.16, 0.16), (0.84, 0.16), (0.84, 0.84), (0.16, 0.84))),
}
"""Corners of each piece in its cell, from the left and from the top."""

TRUE, FALSE, NONE = "✓", "✗", "?"


def structure_svg(structure: str) -> str:
    """A structure as an SVG element: triangles and squares in a row of cells."""
    width = CELL * len(structure)
    parts = [f'<rect width="{width}" height="{CELL}" fill="none" stroke="{NEUTRAL}" stroke-width="1"/>']
    for place, symbol in enumerate(structure):
        if place:
            parts.append(f'<path d="M{CELL * place} 0V{CELL}" stroke="{NEUTRAL}" stroke-width="0.5"/>')
        if symbol in OUTLINES:
            corners = " ".join(f"{CELL * (place + x):.1f},{CELL * y:.1f}" for x, y in OUTLINES[symbol])
            parts.append(f'<polygon points="{corners}" fill="{COLOURS[symbol]}"/>')
    name = html.escape(structure, quote=True)
    return (
        f'<svg viewBox="-1 -1 {width + 2} {CELL + 2}" width="{width + 2}" height="{CELL + 2}" role="img" '
        f'aria-label="structure {name}">{"".join(parts)}</svg>'
    )


@register("conjectures", "pictures")
def drawn(explanation: Conjectures, most: int = 32, ax: Axes | None = None) -> Axes:
    """The table: each structure with its tag, those that contradict the stated rule marked.

    Parameters
    ----------
    most : observations shown; those that contradict the rule first.
    """
    from matplotlib.patches import Polygon, Rectangle

    order = _shown(explanation, most)
    texts = [str(text) for text in explanation["table_structure"].values[order]]
    tags = explanation["table_tag"].values[order]
    wrong = _contradicting(explanation)[order]
    cells = max(map(len, texts), default=6)
    ax = ax or new_axes(width=2.5 + 0.3 * cells, height=0.9 + 0.3 * len(texts))
    for row, (text, tag, against) in enumerate(zip(texts, tags, wrong, strict=True)):
        for place, symbol in enumerate(text):
            ax.add_patch(Rectangle((place, row), 1, 0.9, fill=False, edgecolor=NEUTRAL, linewidth=0.5))
            if symbol in OUTLINES:
                corners = [(place + x, row + 0.9 * y) for x, y in OUTLINES[symbol]]
                ax.add_patch(Polygon(corners, facecolor=COLOURS[symbol]))
        said = "true" if tag else "false"
        note = f"{said}, against the rule" if against else said
        ax.text(cells + 0.3, row + 0.5, note, va="center", fontsize=8, weight="bold" if against else "normal")
    ax.set_xlim(-0.2, cells + 5)
    ax.set_ylim(len(texts) + 0.1, -0.2)
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set_title(f"{explanation.chosen or 'no rule'}\n{explanation.statement}", fontsize=9, loc="left")
    return ax


@register("conjectures", "fragments")
def listed(explanation: Conjectures, most: int = 10) -> str:
    """The rule, how far to trust it, the table and the new structures as drawings, and the likeliest rejected rules.

    Parameters
    ----------
    most : rejected conjectures shown.
    """
    rule = html.escape(explanation.chosen) if explanation.chosen else "no rule is stated"
    parts = [f"<p><strong>{rule}</strong></p><p>{html.escape(explanation.statement)}</p>"]
    order = _shown(explanation, explanation.observations)
    if len(order):
        rows = [
            (str(explanation["table_structure"].values[place]), int(explanation["table_tag"].values[place]),
             "against the rule" if against else "")
            for place, against in zip(order, _contradicting(explanation)[order], strict=True)
        ]  # fmt: skip
        parts.append(_rows("observation", "tag", rows))
    if "prediction" in explanation.data:
        found = zip(explanation["structure"].values, explanation["prediction"].values, strict=True)
        parts.append(_rows("new structure", "prediction", [(str(text), int(tag), "") for text, tag in found]))
    frame = explanation.to_frame()
    rejected = frame[frame["verdict"] == "rejected"].head(most)
    if len(rejected):
        lines = ["<tr><th>rejected conjecture</th><th>contradictions</th><th>log-probability</th></tr>"]
        lines += [
            f"<tr><td>{html.escape(row.rule)}</td><td>{row.contradictions}</td><td>{row.log_probability:.2f}</td></tr>"
            for row in rejected.itertuples()
        ]
        parts.append(f"<table>{''.join(lines)}</table>")
    malformed = explanation.malformed_count
    if malformed:
        parts.append(f"<p>{malformed} further conjectures were outside the grammar.</p>")
    return f'<div class="explanation">{"".join(parts)}{origin(explanation)}</div>'


def _rows(head: str, tag: str, rows: Sequence[tuple[str, int, str]]) -> str:
    marks = {1: TRUE, 0: FALSE, -1: NONE}
    lines = [f"<tr><th>{head}</th><th>{tag}</th><th></th></tr>"]
    lines += [
        f"<tr><td>{structure_svg(text)}</td><td>{marks[value]}</td><td>{note}</td></tr>" for text, value, note in rows
    ]
    return f"<table>{''.join(lines)}</table>"


def _contradicting(explanation: Conjectures) -> np.ndarray:
    """(observation,): which of the table contradict the stated rule."""
    if explanation.chosen is None:
        return np.zeros(explanation.observations, dtype=bool)
    return np.asarray(explanation["reading"].values[0] != explanation["table_tag"].values)


def _shown(explanation: Conjectures, most: int) -> np.ndarray:
    """Places in the table: contradictions first, then the true ones."""
    keys = (-explanation["table_tag"].values.astype(int), ~_contradicting(explanation))
    return np.lexsort(keys)[:most]
