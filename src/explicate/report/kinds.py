"""Plain pictures of the kinds that have none of their own: concepts, counterfactuals, directions, responses, texts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.kinds import Concepts, Counterfactuals, Direction, DoseResponse, Narrative
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.report.pictures import LOWERS, NEUTRAL, RAISES, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE = 90  # characters of a text in one line


@register("concepts", "pictures")
def concepts(explanation: Concepts, most: int = 20, ax: Axes | None = None) -> Axes:
    """Activations of the concepts that are strongest on average, samples down, concepts across.

    Parameters
    ----------
    most : concepts shown.
    """
    values = np.asarray(explanation["activation"].values, dtype=float)
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:most]
    limit = float(np.abs(values).max()) or 1.0
    ax = ax or new_axes(width=1.5 + 0.35 * len(order), height=1.5 + 0.25 * len(values))
    ax.imshow(values[:, order], cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    names = _labels(explanation, "concept", values.shape[1])
    ax.set_xticks(range(len(order)), [names[j] for j in order], rotation=60, ha="right")
    ax.set_yticks(range(len(values)), _labels(explanation, "sample", len(values)))
    ax.set_title("activation of each concept", fontsize=9)
    return ax


@register("counterfactuals", "pictures")
def counterfactuals(explanation: Counterfactuals, sample: int = 0, ax: Axes | None = None) -> Axes:
    """What each candidate changes about one sample: a bar per changed feature, labelled with the candidate's score.

    Needs `inputs` (sample, feature); without it, the scores of the candidates are shown.

    Parameters
    ----------
    sample : which one.
    """
    found = np.asarray(explanation["counterfactual"].values)[sample]
    scores = np.asarray(explanation["score"].values, dtype=float)[sample]
    if "inputs" not in explanation.data or found.ndim != 2:
        ax = ax or new_axes(height=1.0 + 0.3 * len(scores))
        ax.barh(range(len(scores)), scores, color=NEUTRAL)
        ax.set_yticks(range(len(scores)), [f"candidate {n}" for n in range(len(scores))])
        ax.set_xlabel("score")
        return ax
    before = np.asarray(explanation["inputs"].values)[sample]
    if before.shape != found.shape[1:]:
        raise InputError(f"inputs of shape {before.shape} for counterfactuals of shape {found.shape[1:]}")
    names = _labels(explanation, "feature", len(before))
    bars = [
        (
            f"candidate {n} (score {scores[n]:.3g}): {names[j]} {before[j]:.4g} → {each[j]:.4g}",
            float(each[j] - before[j]),
        )
        for n, each in enumerate(found)
        for j in np.flatnonzero(each != before)
    ]
    ax = ax or new_axes(height=1.0 + 0.3 * max(1, len(bars)))
    ax.barh(range(len(bars)), [change for _, change in bars], color=[RAISES if c > 0 else LOWERS for _, c in bars])
    ax.set_yticks(range(len(bars)), [label for label, _ in bars])
    ax.invert_yaxis()
    ax.axvline(0, color=NEUTRAL, linewidth=0.8)
    ax.set_xlabel("change of the feature")
    return ax


@register("direction", "pictures")
def direction(explanation: Direction, most: int = 30, ax: Axes | None = None) -> Axes:
    """The largest coordinates of a direction; of several, the length of each.

    Parameters
    ----------
    most : coordinates shown.
    """
    values = np.asarray(explanation["direction"].values, dtype=float)
    if values.ndim > 1:
        lengths = np.linalg.norm(values, axis=-1).ravel()
        ax = ax or new_axes(height=3)
        ax.bar(range(len(lengths)), lengths, color=NEUTRAL)
        ax.set_xlabel(", ".join(map(str, explanation["direction"].dims[:-1])))
        ax.set_ylabel("length")
        return ax
    order = np.argsort(-np.abs(values), kind="stable")[:most]
    ax = ax or new_axes(height=3)
    ax.bar(range(len(order)), values[order], color=[RAISES if values[j] > 0 else LOWERS for j in order])
    ax.set_xticks(range(len(order)), [str(j) for j in order], rotation=90, fontsize=7)
    ax.set_xlabel(f"the {len(order)} largest of {len(values)} coordinates; length {np.linalg.norm(values):.3g}")
    return ax


@register("dose-response", "pictures")
def dose_response(explanation: DoseResponse, ax: Axes | None = None) -> Axes:
    """Accuracy (or, without answers, nothing), divergence and entropy over the strength; divergence's axis is right."""
    frame = explanation.to_frame()
    ax = ax or new_axes(height=3.5)
    lines = []
    if "accuracy" in frame:
        lines += ax.plot(frame["strength"], frame["accuracy"], color=RAISES, label="accuracy")
        mass = frame["right mass among answers"]
        lines += ax.plot(frame["strength"], mass, color=RAISES, linestyle="--", label="mass of the right answer")
        ax.set_ylim(0, 1)
    prices = ax.twinx() if lines else ax
    for name, style in (("divergence (nats)", "-"), ("entropy (bits)", ":")):
        lines += prices.plot(frame["strength"], frame[name], color=NEUTRAL, linestyle=style, label=name)
    prices.set_ylim(bottom=0)
    ax.set_xlabel("strength")
    ax.legend(handles=lines, fontsize=8, frameon=False)
    return ax


@register("narrative", "pictures")
def narrative(explanation: Narrative, most: int = 4, ax: Axes | None = None) -> Axes:
    """The texts of the first samples.

    Parameters
    ----------
    most : texts shown.
    """
    texts = [str(text) for text in explanation["text"].values[:most]]
    blocks = ["\n".join(textwrap.wrap(text, LINE) or [""]) for text in texts]
    lines = sum(block.count("\n") + 2 for block in blocks)
    ax = ax or new_axes(height=0.4 + 0.22 * lines)
    written: Any = "\n\n".join(blocks).replace("$", r"\$")
    ax.text(0, 1, written, va="top", ha="left", fontsize=9, transform=ax.transAxes)
    ax.set_axis_off()
    return ax


def _labels(explanation: Any, dim: str, count: int) -> list[str]:
    known = explanation.data.coords.get(dim)
    return [str(value) for value in known.values] if known is not None else [f"{dim} {n}" for n in range(count)]
