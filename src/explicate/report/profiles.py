"""Pictures of what probes read: scores along the layers, with their controls, or a heat map of layers and places."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.kinds import Profile
from explicate.core.registry import register
from explicate.report.fragments import origin, picture
from explicate.report.pictures import NEUTRAL, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#2f6fb3", "#c8402f", "#3b8f5a", "#8a5aa8", "#c28a1e", "#4a4a4a")


@register("profile", "pictures")
def profile(explanation: Profile, measure: str | None = None, ax: Axes | None = None) -> Axes:
    """Scores along the layers: a line for each kind of site and position, a heat map where there are many.

    Dashed: control labels; dotted: always the same answer; thin: the untrained model; shaded: the interval.

    Parameters
    ----------
    measure : "accuracy", "f1", "auc", "r2", ...; the first by default.
    """
    measure = measure or explanation.measures[0]
    curves = explanation.curves("score", measure)
    if len(curves) > len(COLOURS):
        return _heat_map(explanation, measure, ax)
    ax = ax or new_axes(height=3.2)
    first = measure == explanation.measures[0]
    for (name, (layers, values)), colour in zip(curves.items(), COLOURS, strict=False):
        ax.plot(layers, values, color=colour, marker="o", markersize=3, linewidth=1.4, label=name.rstrip("@"))
        if first and "low" in explanation.data:
            low, high = (explanation.curves(end)[name][1] for end in ("low", "high"))
            ax.fill_between(layers, low, high, color=colour, alpha=0.15, linewidth=0)
        if "control" in explanation.data:
            ax.plot(*explanation.curves("control", measure)[name], color=colour, linestyle="--", linewidth=1)
        if "untrained" in explanation.data:
            ax.plot(*explanation.curves("untrained", measure)[name], color=colour, linewidth=0.6)
    if first:
        ax.axhline(explanation.chance, color=NEUTRAL, linewidth=0.8, linestyle=":")
    ax.set_xlabel("layer")
    ax.set_ylabel(f"{measure} on held-out samples")
    if len(curves) > 1:
        ax.legend(fontsize=8, frameon=False)
    return bare(ax)


def depth_curves(
    profiles: Mapping[str, Profile],
    measure: str | None = None,
    marks: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Several profiles of one kind of site over relative depth: tasks, models or disturbances side by side.

    Dashed: control labels. Shaded: the interval.

    Parameters
    ----------
    profiles : by the name in the legend. marks : depths (0, 1] to mark on curves, by name, such as where they converge.
    """
    ax = ax or new_axes(height=3.6)
    for (name, explanation), colour in zip(profiles.items(), cycle(COLOURS), strict=False):
        own = explanation.isel(site=np.flatnonzero(explanation["layer"].values >= 0))
        chosen = measure or own.measures[0]
        values = own.curve("score", chosen)
        depth = np.arange(1, len(values) + 1) / len(values)
        ax.plot(depth, values, color=colour, linewidth=1.5, label=name)
        if chosen == own.measures[0] and "low" in own.data:
            ax.fill_between(depth, own.curve("low"), own.curve("high"), color=colour, alpha=0.12, linewidth=0)
        if "control" in own.data:
            ax.plot(depth, own.curve("control", chosen), color=colour, linestyle="--", linewidth=0.8)
        if marks is not None and name in marks:
            ax.plot(marks[name], np.interp(marks[name], depth, values), color=colour, marker="o", markersize=7)
    ax.set_xlabel("depth (layer / layers)")
    ax.set_ylabel(f"{measure or 'score'} on held-out samples")
    ax.legend(fontsize=8, frameon=False)
    return bare(ax)


def _heat_map(explanation: Profile, measure: str, ax: Axes | None) -> Axes:
    """Layers across, kinds of sites and positions down."""
    curves = explanation.curves("score", measure)
    layers = sorted({int(layer) for own, _ in curves.values() for layer in own})
    grid = np.full((len(curves), len(layers)), np.nan)
    for row, (own, values) in enumerate(curves.values()):
        grid[row, np.searchsorted(layers, own)] = values
    ax = ax or new_axes(width=2 + 0.3 * len(layers), height=1.5 + 0.25 * len(curves))
    shown = ax.imshow(grid, cmap="viridis", aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(layers)), [str(layer) for layer in layers], fontsize=7)
    ax.set_yticks(range(len(curves)), [name.rstrip("@") for name in curves], fontsize=7)
    ax.set_xlabel("layer")
    ax.figure.colorbar(shown, ax=ax, label=f"{measure} on held-out samples")
    return ax


@register("profile", "fragments")
def fragment(explanation: Profile) -> str:
    """A profile: its curves, and a line on where it came from."""
    body = picture(profile(explanation), "scores of probes along the layers")
    return f'<div class="explanation">{body}{origin(explanation)}</div>'
