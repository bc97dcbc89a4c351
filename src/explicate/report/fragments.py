"""Explanations as pieces of HTML: what a notebook shows, and what the report is made of. No network, no script."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np

from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution, Circuit, DoseResponse, Effects
from explicate.core.registry import register
from explicate.report import kinds, pictures

RESOLUTION = 130  # dots per inch of pictures
SHOWN_INCH = 72  # pixels that an inch of a picture takes on a page


def picture(axes: Any, description: str) -> str:
    """Matplotlib axes as an `img` element with the picture inside; `description` is read out to who cannot see it."""
    content = io.BytesIO()
    axes.figure.savefig(content, format="png", dpi=RESOLUTION, bbox_inches="tight")
    png = content.getvalue()
    width = round(int.from_bytes(png[16:20], "big") * SHOWN_INCH / RESOLUTION)  # a PNG begins with its width
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" width="{width}" alt="{html.escape(description, quote=True)}">'


def highlighted(explanation: Attribution, sample: int = 0) -> str:
    """A text whose tokens stand on the colour of their contribution; hovering shows the number."""
    values, labels = pictures.contributions(explanation, sample)
    limit = float(np.abs(values).max()) or 1.0
    spans = []
    for label, value in zip(labels, values, strict=True):
        shade = pictures.blend(pictures.RAISES if value > 0 else pictures.LOWERS, abs(value) / limit)
        text = html.escape(label).replace("\n", "&#9166;<br>")
        spans.append(f'<span class="token" style="background:{shade}" title="{value:+.4g}">{text}</span>')
    return f'<p class="highlighted">{"".join(spans)}</p>'


@register("attribution", "fragments")
def attribution(explanation: Attribution, most: int = 4) -> str:
    """An attribution: pictures of at most `most` samples, and a line on where it came from."""
    kind = explanation.data.attrs.get("model_kind", "table")
    shown = range(min(most, len(explanation)))
    if kind == "text":
        body = "".join(highlighted(explanation, sample) for sample in shown)
    elif kind == "image":
        body = "".join(
            picture(pictures.heat_map(explanation, sample), f"heat map of sample {sample}") for sample in shown
        )
    else:
        body = picture(pictures.attribution(explanation), "contributions of the features")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'


@register("effects", "fragments")
@register("successor-report", "fragments")
def effects(explanation: Effects) -> str:
    """Effects of interventions: the heat map of their means, and a line on where they came from."""
    body = picture(pictures.effects(explanation), "heat map of the effects of interventions")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'


@register("circuit", "fragments")
def circuit(explanation: Circuit) -> str:
    """A circuit: its sites' effects, and a line on where it came from."""
    body = picture(pictures.circuit(explanation), "effects of the circuit's sites")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'


@register("dose-response", "fragments")
def dose_response(explanation: DoseResponse) -> str:
    """Doses and responses: the curves, and a line on where they came from."""
    body = picture(kinds.dose_response(explanation), "accuracy, divergence and entropy over the strength")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'


@register("explanation", "fragments")
@register("counterfactuals", "fragments")
@register("direction", "fragments")
@register("narrative", "fragments")
def any_kind(explanation: Explanation) -> str:
    """A kind without pictures of its own: the arrays as xarray shows them."""
    return f'<div class="explanation">{explanation.data._repr_html_()}{origin(explanation)}</div>'


def origin(explanation: Explanation) -> str:
    """A line on where an explanation came from."""
    return f'<p class="provenance">{html.escape(explanation.provenance.summary())}</p>'
