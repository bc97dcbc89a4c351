"""A comparison as a report: the model's card, pictures of every method, the table, and what to believe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from explicate.core.kinds import Attribution
from explicate.evaluation.beliefs import beliefs
from explicate.evaluation.comparison_table import CONTROL, Comparison
from explicate.report import fragments, pictures
from explicate.report.document import Figure, Part, Report, Section, comparison_grid

SHOWN = 3  # samples of which there are pictures
INTRODUCTION = (
    "Several explanations of the same predictions, each measured beside a random control at a stated number of model "
    "evaluations: which parts of the input speak for the answer, and which of the methods can be believed."
)


def comparison_report(comparison: Comparison, model: Any = None, command: str = "") -> Report:
    """A report of one comparison.

    Parameters
    ----------
    model : the handle that was explained, for its card; None leaves out what only the model knows.
    command : the line that makes it again.
    """
    found = beliefs(comparison)
    explanations = {name: each for name, each in comparison.explanations.items() if name != CONTROL}
    parts = [*_pictures(list(explanations.values())), *_side_by_side(comparison)]
    section = Section(comparison.model, card(comparison, model), _findings(explanations), parts, found.lines)
    return Report(f"{comparison.model}: {len(explanations)} explanations, checked", INTRODUCTION, [section], command)


def card(comparison: Comparison, model: Any) -> dict[str, str]:
    """Facts about the model and what was explained, as name -> text."""
    first = next(iter(comparison.explanations.values()), None)
    facts = {"model": comparison.model}
    if model is not None:
        facts |= {"kind": str(model.kind), "fingerprint": str(model.fingerprint())}
        if model.source:
            facts["loaded from"] = str(model.source)
    elif first is not None:
        facts["fingerprint"] = first.provenance.model_fingerprint
    if first is not None:
        names = list(dict.fromkeys(map(str, first["target_name"].values)))
        facts["explained"] = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return facts | {"samples": str(comparison.samples), "seed": str(comparison.seed)}


def _findings(explanations: dict[str, Attribution]) -> list[str]:
    """The largest contributions to the first sample's score, by each method whose features have names."""
    found = []
    for name, each in explanations.items():
        parts = [f"{label.strip()} ({value:+.2g})" for label, value in pictures.largest(each, 0, 3)]
        if parts:
            found.append(f"first sample, {name}: {', '.join(parts)}")
    return found


def _pictures(explanations: Sequence[Attribution]) -> list[Part]:
    if not explanations:
        return []
    kind, count = explanations[0].data.attrs.get("model_kind", "table"), len(explanations[0])
    parts = []
    if kind == "table" and count > 1:
        overall = [
            Figure(
                fragments.picture(pictures.beeswarm(each), f"{each.provenance.method}, all samples"),
                each.provenance.summary(),
            )
            for each in explanations
            if each["inputs"].shape == each.values.shape
        ]
        parts.append(Part("Overall", [f"Contributions to the scores of all {count} samples."], overall))
    for sample in range(min(SHOWN if kind != "table" else 1, count)):
        shown = [Figure(_one(each, sample, kind), each.provenance.summary()) for each in explanations]
        name = explanations[0]["target_name"].values[sample]
        parts.append(Part(f"Sample {sample + 1} of {count}", [f"What speaks for and against {name}."], shown))
    return parts


def _one(explanation: Attribution, sample: int, kind: str) -> str:
    if kind == "text":
        return fragments.highlighted(explanation, sample)
    view = pictures.heat_map if kind == "image" else pictures.waterfall
    return fragments.picture(view(explanation, sample), f"{explanation.provenance.method}, sample {sample + 1}")


def _side_by_side(comparison: Comparison) -> list[Part]:
    refused = [f"{method}, {metric}: {why}" for (method, metric), why in comparison.not_applicable().items()]
    lines = [f"{comparison.samples} samples. Green: best of its column. Hover over a figure for its interval."]
    return [Part("Methods side by side", [*lines, *dict.fromkeys(refused)], grid=comparison_grid(comparison))]
