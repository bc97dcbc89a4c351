"""Documents whose sentences and words open with a click, on the colour of what they did to an answer. No script."""

from __future__ import annotations

import html
import itertools
from typing import TYPE_CHECKING

import numpy as np

from explicate.attribution.textgenshap.result import HierarchicalAttribution
from explicate.core.registry import register
from explicate.report.document import Figure, Part, Report, Section
from explicate.report.fragments import origin
from explicate.report.pictures import LOWERS, RAISES, bare, blend, new_axes, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTPUTS = 4  # that can be chosen
_numbers = itertools.count()
STYLE = """<style>
.hierarchy {
  margin: .5rem 0 1rem;
  max-width: 100%;
}
.hierarchy input {
  position: absolute;
  opacity: 0;
}
.hierarchy > label {
  display: inline-block;
  margin: .15rem .3rem .35rem 0;
  padding: .1rem .6rem;
  border: 1px solid #c3cad4;
  border-radius: 1rem;
  cursor: pointer;
  font-size: .85rem;
}
.hierarchy > input:checked + label {
  background: #1d2430;
  color: #fff;
  border-color: #1d2430;
}
.hierarchy > input:focus-visible + label {
  outline: 2px solid #2f6fb3;
  outline-offset: 2px;
}
.hierarchy .view {
  display: none;
}
.hierarchy details, .hierarchy .closed {
  border: 1px solid #d9dee6;
  border-radius: .4rem;
  margin: .3rem 0;
  color: #111;
  overflow-wrap: anywhere;
}
.hierarchy summary, .hierarchy .closed {
  padding: .35rem .6rem;
}
.hierarchy summary {
  cursor: pointer;
}
.hierarchy .number {
  float: right;
  margin-left: .8rem;
  font-variant-numeric: tabular-nums;
  font-size: .82rem;
}
.hierarchy .inside {
  padding: .3rem .7rem .5rem;
  line-height: 1.9;
  background: #fff;
  border-radius: 0 0 .4rem .4rem;
}
.hierarchy .phrase, .hierarchy .word {
  padding: .12rem 0;
  border-radius: .2rem;
}
.hierarchy .rest {
  color: #5c6675;
  font-size: .85rem;
  margin: .3rem 0 0;
  white-space: pre-line;
}
</style>"""


@register("hierarchical-attribution", "fragments")
def hierarchy(explanation: HierarchicalAttribution, most: int = 4) -> str:
    """Documents of at most `most` samples, each on the colour of its value; those that were opened open with a click.

    The output to colour by is chosen above them: the explained one first, then those written most often.
    """
    body = "".join(_sample(explanation, sample) for sample in range(min(most, len(explanation))))
    return f'{STYLE}<div class="explanation">{body}{origin(explanation)}</div>'


def _sample(explanation: HierarchicalAttribution, sample: int) -> str:
    data = explanation.data
    names = [str(name) for name in data["output"].values[sample]]
    counts = data["output_count"].values[sample]
    first = int(data["explained"].values[sample])
    others = [int(i) for i in np.argsort(-counts, kind="stable") if i != first and counts[i] > 0]
    chosen, group = [first, *others[: OUTPUTS - 1]], f"output-{next(_numbers)}"
    rules, parts = [], []
    for place, output in enumerate(chosen):
        mark = f"{group}-{place}"
        checked = " checked" if place == 0 else ""
        label = html.escape(names[output]) or "(nothing)"
        parts.append(f'<input type="radio" name="{group}" id="{mark}"{checked}><label for="{mark}">{label}</label>')
        rules.append(f"#{mark}:checked ~ .{mark} {{ display: block; }}")
    views = "".join(
        f'<div class="view {group}-{place}">{_documents(explanation, sample, output)}</div>'
        for place, output in enumerate(chosen)
    )
    tail = str(data["prompt"].values[sample])[int(data["piece_end"].values[sample].max()) :].strip()
    rest = (
        f'<p class="rest">{html.escape(tail)} <strong>{html.escape(str(data["written"].values[sample]))}</strong></p>'
    )
    return f'<div class="hierarchy"><style>{"".join(rules)}</style>{"".join(parts)}{views}{rest}</div>'


def _documents(explanation: HierarchicalAttribution, sample: int, output: int) -> str:
    data = explanation.data
    values, errors = (data[name].values[sample, :, output] for name in ("value", "value_error"))
    level, parent, text = (data[f"piece_{name}"].values[sample] for name in ("level", "parent", "text"))
    limits = {depth: float(np.abs(values[level == depth]).max(initial=0.0)) or 1.0 for depth in (1, 2, 3)}

    def shade(place: int) -> str:
        colour = RAISES if values[place] > 0 else LOWERS
        title = f"{values[place]:+.3f} ± {errors[place]:.3f}"
        return f'style="background:{blend(colour, abs(values[place]) / limits[int(level[place])])}" title="{title}"'

    def inside(place: int) -> str:
        children = np.flatnonzero(parent == place).tolist()
        if not children:
            return html.escape(str(text[place]))
        kind = {2: "phrase", 3: "word"}
        return "".join(f'<span class="{kind[int(level[c])]}" {shade(c)}>{inside(c)}</span>' for c in children)

    found = []
    for place in np.flatnonzero(level == 1).tolist():
        number = f'<span class="number">{values[place]:+.3f} ± {errors[place]:.3f}</span>'
        head = html.escape(shortened(str(text[place]).strip(), 110)) or "(no text)"
        if (parent == place).any():
            found.append(
                f"<details open><summary {shade(place)}>{number}{head}</summary>"
                f'<div class="inside">{inside(place)}</div></details>'
            )
        else:
            found.append(f'<div class="closed" {shade(place)}>{number}{head}</div>')
    return "".join(found)


@register("hierarchical-attribution", "pictures")
def bars(explanation: HierarchicalAttribution, sample: int = 0, most: int = 25, ax: Axes | None = None) -> Axes:
    """Values of one sample's documents, and below an opened one those of its phrases and words, with 95 % intervals.

    Parameters
    ----------
    most : pieces shown; documents first, then the largest others, all in the order of the text.
    """
    data = explanation.data
    level = data["piece_level"].values[sample]
    output = int(data["explained"].values[sample])
    values, errors = (data[name].values[sample, :, output] for name in ("value", "value_error"))
    there = np.flatnonzero(level > 0)
    order = sorted(there, key=lambda place: (level[place] > 1, -abs(values[place])))[:most]
    begin = data["piece_begin"].values[sample]
    shown = sorted(order, key=lambda place: (begin[place], level[place]))
    labels = [
        "    " * (int(level[place]) - 1) + shortened(str(data["piece_text"].values[sample, place]).strip(), 48)
        for place in shown
    ]
    ax = ax or new_axes(width=9.0, height=1.0 + 0.27 * len(shown))
    rows = np.arange(len(shown))
    ax.barh(
        rows,
        values[shown],
        xerr=1.96 * errors[shown],
        color=[blend(RAISES if values[place] > 0 else LOWERS, 1.4 - 0.3 * level[place]) for place in shown],
        error_kw={"elinewidth": 0.8, "capsize": 2},
    )
    ax.set_yticks(rows, [label.replace("$", r"\$") for label in labels], fontsize=8)
    ax.invert_yaxis()
    name = str(data["target_name"].values[sample]).replace("$", r"\$")
    ax.set_xlabel(f"value for {name!r}", fontsize=8)
    ax.set_title(explanation.provenance.summary(), fontsize=8, loc="left")
    return bare(ax)


def hierarchy_report(explanation: HierarchicalAttribution, command: str = "") -> Report:
    """A page about one explanation: what was written, from which documents, sentences and words, and at what cost."""
    sections = []
    for sample in range(len(explanation)):
        data = explanation.data
        ranked = explanation.rerank(sample=sample)[:3]
        values, pieces = explanation.values_of(1, sample=sample), explanation.pieces(1, sample)
        texts = data["piece_text"].values[sample]
        finding = "; ".join(f"{shortened(str(texts[pieces[d]]).strip(), 70)} ({values[d]:+.2f})" for d in ranked)
        outputs = ", ".join(f"{name or '(nothing)'} ({count})" for name, count in explanation.outputs(sample).items())
        card = {
            "written": str(data["written"].values[sample]),
            "explained": str(data["target_name"].values[sample]),
            "masking": str(data.attrs["masking"]),
            "attention": str(data.attrs["attention"]),
            "outputs seen": shortened(outputs, 400),
        }
        for cost in (one for one in explanation.cost if one["sample"] == sample):
            spent = f"{cost['draws']} draws, {cost['coalitions']} coalitions, {cost['seconds']:.1f} s"
            card[f"level {cost['level']}"] = spent
        caption = "Choose an output above; a document with a triangle opens. Numbers: value and its standard error."
        figure = Figure(hierarchy(explanation.isel(sample=sample)), caption)
        beliefs = [
            "Values say what the documents' presence does to this model's answer, not whether the answer is true.",
            *(
                ["Documents did not see each other here: this is another model than the one that reads them in a row."]
                if data.attrs["attention"] == "blocks"
                else []
            ),
        ]
        title = shortened(str(data["target_name"].values[sample]), 110) or f"prompt {sample + 1}"
        sections.append(Section(title, card, [f"Most important: {finding}"], [Part("Evidence", (), [figure])], beliefs))
    introduction = "Which documents, sentences and words made the model write its answer."
    return Report(f"{explanation.provenance.model}: where its answer comes from", introduction, sections, command)
