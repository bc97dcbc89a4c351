"""The picture of a study of program semantics: what a model can do and what its states tell, while it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explicate.core.kinds import SemanticProbeReport
from explicate.core.registry import register
from explicate.report.fragments import origin, picture
from explicate.report.pictures import NEUTRAL, bare, new_axes
from explicate.report.profiles import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@register("semantic-probes", "pictures")
def semantic_probes(explanation: SemanticProbeReport, feature: str | None = None, ax: Axes | None = None) -> Axes:
    """Shares of right programs, and accuracies of probes for a feature at each offset, along the training steps.

    Parameters
    ----------
    feature : the first one by default.
    """
    feature = feature or str(explanation["feature"].values[0])
    steps = explanation["checkpoint"].values
    ax = ax or new_axes(height=3.2)
    ax.plot(steps, explanation["generative_accuracy"].values, color="black", linewidth=1.8, label="programs right")
    for offset, colour in zip(explanation["offset"].values.tolist(), COLOURS, strict=False):
        label = f"{feature}, offset {offset}"
        ax.plot(steps, explanation.curve(feature, offset), color=colour, marker="o", markersize=3, label=label)
    if "majority" in explanation.data:
        majority = explanation["majority"].sel(feature=feature).isel(offset=0).values
        ax.plot(steps, majority, color=NEUTRAL, linewidth=0.8, linestyle=":", label="always the same label")
    ax.set_xscale("symlog", linthresh=max(1, int(steps[steps > 0].min())) if (steps > 0).any() else 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel("training step")
    ax.set_ylabel("share right")
    ax.legend(fontsize=8, frameon=False)
    return bare(ax)


@register("semantic-probes", "fragments")
def fragment(explanation: SemanticProbeReport) -> str:
    """The curves, and a line on where they came from."""
    body = picture(semantic_probes(explanation), "accuracy of programs and of probes along the training")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'
