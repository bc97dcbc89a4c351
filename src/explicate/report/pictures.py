"""Pictures of attributions with matplotlib. Every function draws into `ax` (a new one by default) and returns it.

Red raises the explained score, blue lowers it, here and in the report; the strength of a colour is the size of the
contribution relative to the largest of the same picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution, Circuit, Effects
from explicate.core.registry import register
from explicate.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RAISES, LOWERS, NEUTRAL = "#c8402f", "#2f6fb3", "#777777"
MAP_LIMIT = 99.5  # percentile of |attribution| that gets the full colour; single pixels would bleach the rest


@register("attribution", "pictures")
def attribution(explanation: Attribution, view: str | None = None, **options: Any) -> Axes:
    """Draw an attribution the way that suits it.

    Parameters
    ----------
    view : "waterfall", "importance", "beeswarm", "heat-map" or "tokens"; by default what suits the model and, for
        tables, one sample (waterfall) or several (beeswarm).
    options : of that picture; `sample` picks one of several, and for tables its waterfall.
    """
    views: dict[str, Callable[..., Axes]] = {
        "waterfall": waterfall,
        "importance": importance,
        "beeswarm": beeswarm,
        "heat-map": heat_map,
        "tokens": tokens,
    }
    if view is None:
        kind = explanation.data.attrs.get("model_kind", "table")
        several = "beeswarm" if len(explanation) > 1 and "sample" not in options else "waterfall"
        view = {"image": "heat-map", "text": "tokens"}.get(kind, several)
    if view not in views:
        raise InputError(f"no picture named {view!r}; there are {', '.join(views)}")
    if "sample" in options and view in ("beeswarm", "importance"):
        raise InputError(f"a picture of the kind {view!r} shows all samples; leave out `sample`, or view='waterfall'")
    return views[view](explanation, **options)


def waterfall(explanation: Attribution, sample: int = 0, most: int = 10, ax: Axes | None = None) -> Axes:
    """One sample: how the contributions lead from the baseline score to the score, largest first.

    Parameters
    ----------
    sample : which one. most : features shown singly; the rest is one bar.
    """
    values, labels = contributions(explanation, sample)
    errors = _errors(explanation, sample)
    order = np.argsort(-np.abs(values))
    shown, rest = order[:most], order[most:]
    widths = [float(values[j]) for j in shown]
    names = [labels[j] for j in shown]
    bars_error = None if errors is None else [float(errors[j]) for j in shown]
    if len(rest):
        widths.append(float(values[rest].sum()))
        names.append(f"{len(rest)} others")
        if bars_error is not None and errors is not None:
            bars_error.append(float(np.sqrt((errors[rest] ** 2).sum())))
    start = float(explanation["baseline_score"].values[sample]) if "baseline_score" in explanation.data else 0.0
    ends = start + np.cumsum(widths)
    ax = ax or new_axes(height=1.2 + 0.32 * len(names))
    rows = np.arange(len(names))[::-1]
    ax.barh(rows, widths, left=np.concatenate([[start], ends[:-1]]), color=[_colour(w) for w in widths], height=0.7)
    if bars_error is not None:
        ax.errorbar(ends, rows, xerr=1.96 * np.array(bars_error), fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    for row, width, end, error in zip(rows, widths, ends, bars_error or [0.0] * len(rows), strict=True):
        side, place = ("left", end + 1.96 * error) if width >= 0 else ("right", end - 1.96 * error)
        ax.annotate(f" {width:+.3g} ", (place, row), ha=side, va="center", fontsize=8, color="#333333")
    ax.axvline(start, color=NEUTRAL, linewidth=0.8, linestyle=":")
    ax.axvline(ends[-1], color="black", linewidth=0.8)
    ax.set_yticks(rows, names)
    ax.use_sticky_edges = False  # or bars that begin at the edge have their numbers over the names
    ax.margins(x=0.15)
    ax.set_xlabel(_ends_of(explanation, sample, start, float(ends[-1])))
    return bare(ax)


def _ends_of(explanation: Attribution, sample: int, start: float, end: float) -> str:
    """What a waterfall's ends are; contributions of some methods do not lead from one score to the other."""
    name, score = _target(explanation, sample), float(explanation["score"].values[sample])
    if "baseline_score" in explanation.data and abs(end - score) <= 0.01 * max(abs(score - start), 1e-12):
        return f"score of {name}: {start:.3g} without, {end:.3g} with all features"
    return f"score of {name}: {score:.3g}; the contributions add up to {end - start:+.3g}"


def importance(explanation: Attribution, most: int = 15, ax: Axes | None = None) -> Axes:
    """All samples: the mean size of each feature's contribution."""
    values = np.abs(_flat(explanation)).mean(axis=0)
    names = _feature_names(explanation, values.size)
    order = np.argsort(-values)[:most][::-1]
    ax = ax or new_axes(height=1.0 + 0.28 * len(order))
    ax.barh(range(len(order)), values[order], color=NEUTRAL, height=0.7)
    ax.set_yticks(range(len(order)), [names[j] for j in order])
    ax.set_xlabel(
        f"mean |contribution| over {len(explanation)} samples, in units of the score of {_targets(explanation)}"
    )
    return bare(ax)


def beeswarm(explanation: Attribution, most: int = 12, ax: Axes | None = None) -> Axes:
    """All samples of a table: one point per sample and feature, coloured by the feature's own value (dark is high)."""
    values = _flat(explanation)
    inputs = explanation["inputs"].values
    if inputs.shape != values.shape:
        raise InputError("a beeswarm needs one contribution per input value; use view='importance'")
    names = _feature_names(explanation, values.shape[1])
    order = np.argsort(-np.abs(values).mean(axis=0))[:most][::-1]
    ax = ax or new_axes(height=1.2 + 0.34 * len(order))
    for row, j in enumerate(order):
        spread = _spread_out(values[:, j])
        low, high = np.quantile(inputs[:, j], [0.02, 0.98])
        shade = np.clip((inputs[:, j] - low) / (high - low), 0, 1) if high > low else np.full(len(inputs), 0.5)
        ax.scatter(values[:, j], row + spread, c=shade, cmap="viridis_r", vmin=0, vmax=1, s=9, linewidths=0)
    ax.axvline(0, color=NEUTRAL, linewidth=0.8)
    ax.set_yticks(range(len(order)), [names[j] for j in order])
    ax.set_xlabel(f"contribution to the score of {_targets(explanation)}; dark: high value of the feature, light: low")
    return bare(ax)


def heat_map(explanation: Attribution, sample: int = 0, ax: Axes | None = None, overlay: bool = True) -> Axes:
    """One image: its attribution as colours over the picture in grey."""
    values = explanation.over_pixels()[sample]
    signed = bool(explanation.data.attrs.get("signed", 1)) and bool((values < 0).any())
    ax = ax or new_axes(width=4, height=4)
    if overlay:
        ax.imshow(_grey(explanation["inputs"].values[sample]), cmap="gray", vmin=0, vmax=1)
    limit = float(np.percentile(np.abs(values), MAP_LIMIT)) or float(np.abs(values).max()) or 1.0
    strength = np.clip(np.abs(values) / limit, 0, 1)
    picture = ax.imshow(
        values,
        cmap="RdBu_r" if signed else "inferno",
        vmin=-limit if signed else 0,
        vmax=limit,
        alpha=0.75 * strength**0.7 if overlay else None,
        interpolation="nearest",
    )
    picture.set_gid("attribution")
    ax.set_axis_off()
    ax.set_title(f"{explanation.provenance.method}: {_target(explanation, sample)}", fontsize=9)
    return ax


def tokens(explanation: Attribution, sample: int = 0, ax: Axes | None = None, line: int = 70) -> Axes:
    """One text: each token on a background of its contribution's colour.

    Parameters
    ----------
    line : characters after which a new line begins.
    """
    values, labels = contributions(explanation, sample)
    limit = float(np.abs(values).max()) or 1.0
    rows: list[list[tuple[str, float]]] = [[]]
    used = 0
    for text, value in zip(labels, values, strict=True):
        if used + len(text) > line and rows[-1]:
            rows.append([])
            used = 0
        rows[-1].append((text, float(value)))
        used += len(text)
    ax = ax or new_axes(height=0.7 + 0.4 * len(rows))
    for height, row in enumerate(rows):
        place = 0
        for text, value in row:
            shade = blend(RAISES if value > 0 else LOWERS, abs(value) / limit)
            ax.text(
                place,
                -height,
                text.replace("$", r"\$"),
                family="monospace",
                fontsize=9,
                va="center",
                bbox={"facecolor": shade, "edgecolor": "none", "pad": 1.5},
            )
            place += len(text)
    ax.set_xlim(0, line)
    ax.set_ylim(-len(rows) + 0.4, 0.6)
    ax.set_axis_off()
    ax.set_title(f"{explanation.provenance.method}: {_target(explanation, sample)}", fontsize=9, loc="left")
    return ax


@register("effects", "pictures")
@register("successor-report", "pictures")
def effects(
    explanation: Effects,
    sample: int | None = None,
    over: str | None = None,
    relative: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Effects of interventions as a heat map: layers upwards, heads or positions to the right.

    Parameters
    ----------
    sample : which one; None: the mean over all.
    over : dimensions beyond two are reduced to the largest effect over this one, or over the last ones by default.
    relative : as shares of the way from the untouched score to the source's.
    """
    array = explanation.relative() if relative else explanation["effect"]
    if "there" in explanation.data:
        array = array.where(explanation["there"])
    array = array.mean("sample") if sample is None else array.isel(sample=sample)
    dims = [str(dim) for dim in array.dims]
    while len(dims) > 2:
        gone = over if over in dims else next(dim for dim in ("part", "position", "head") if dim in dims)
        array = array.isel({gone: abs(array).argmax(gone)})
        dims.remove(gone)
    if len(dims) == 1:
        array = array.expand_dims("", axis=1)
    rows, columns = (str(dim) for dim in array.dims)
    values = array.values
    ax = ax or new_axes(width=1.8 + 0.34 * max(8, values.shape[1]), height=1.4 + 0.17 * max(12, values.shape[0]))
    limit = float(np.nanmax(np.abs(values))) or 1.0
    drawn = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", origin="lower")
    ax.figure.colorbar(drawn, ax=ax, label="share of the way" if relative else _unit(explanation))
    for axis, dim in ((ax.yaxis, rows), (ax.xaxis, columns)):
        labels = _place_names(explanation, dim, sample)
        axis.set_ticks(range(len(labels)), labels)
        axis.set_label_text(dim)
        axis.set_tick_params(labelsize=7, length=0, rotation=90 if dim in ("position", "place") else 0)
    what = explanation.data.attrs.get("part", "") if "part" not in explanation.place_dims else ""
    ax.set_title(f"{explanation.provenance.method} {what}: {_target(explanation, sample or 0)}", fontsize=9)
    return ax


@register("circuit", "pictures")
def circuit(explanation: Circuit, most: int = 25, ax: Axes | None = None) -> Axes:
    """The largest effects of a circuit's sites as bars, the mean over the samples."""
    array = explanation["effect"]
    values = array.mean([dim for dim in array.dims if dim != "site"]).values
    names = [str(name) for name in explanation.data["site"].values] if "site" in explanation.data.coords else []
    names = names or [str(i) for i in range(values.size)]
    order = np.argsort(-np.abs(values), kind="stable")[:most][::-1]
    ax = ax or new_axes(height=1.2 + 0.28 * len(order))
    ax.barh(range(len(order)), values[order], color=[_colour(float(v)) for v in values[order]], height=0.7)
    ax.set_yticks(range(len(order)), [names[i] for i in order])
    ax.axvline(0, color=NEUTRAL, linewidth=0.8)
    ax.set_xlabel(_unit(explanation))
    return bare(ax)


def _unit(explanation: Explanation) -> str:
    if "unit" in explanation.data.attrs:
        return str(explanation.data.attrs["unit"])
    return f"change of {str(explanation.data.attrs.get('metric', 'the score')).replace('-', ' ')}"


def _place_names(explanation: Effects, dim: str, sample: int | None) -> list[str]:
    if dim not in explanation.data.coords:
        return [""]
    labels = [str(label) for label in explanation.data[dim].values]
    if dim == "position" and "input_text" in explanation.data and (sample is not None or len(explanation) == 1):
        texts = explanation.data["input_text"].values[sample or 0]
        return [f"{texts[int(i)]} {i}".replace("$", r"\$") for i in labels]
    return labels


def contributions(explanation: Attribution, sample: int) -> tuple[np.ndarray, list[str]]:
    """One sample's contributions (feature,) and what to call each feature, without padding."""
    if not -len(explanation) <= sample < len(explanation):
        raise InputError(f"there is no sample {sample}; the explanation has {len(explanation)}")
    values = explanation.values[sample].ravel()
    texts = explanation.data["input_text"].values[sample].ravel() if "input_text" in explanation.data else None
    if explanation.feature_dims == ("token",):
        labels = [str(text) for text in texts] if texts is not None else [f"[{i}]" for i in range(values.size)]
        present = explanation.present[sample]
        return values[present], [label for label, there in zip(labels, present, strict=True) if there]
    names = _feature_names(explanation, values.size)
    if texts is not None and texts.size == values.size:
        names = [f"{name} = {text}" for name, text in zip(names, texts, strict=True)]
    return values, names


def largest(explanation: Attribution, sample: int, most: int) -> list[tuple[str, float]]:
    """The largest contributions to one sample's score, as (label, value); none where features have no labels."""
    if explanation.feature_dims not in (("feature",), ("token",)):
        return []
    values, labels = contributions(explanation, sample)
    order = np.argsort(-np.abs(values), kind="stable")[:most]
    return [(labels[j], float(values[j])) for j in order]


def _errors(explanation: Attribution, sample: int) -> np.ndarray | None:
    if "standard_error" not in explanation.data:
        return None
    found = np.asarray(explanation["standard_error"].values[sample]).ravel()
    return found if found.any() else None


def _flat(explanation: Attribution) -> np.ndarray:
    return explanation.values.reshape(len(explanation), -1)


def _feature_names(explanation: Attribution, count: int) -> list[str]:
    if "feature" in explanation.data.coords:
        return [str(name) for name in explanation.data.coords["feature"].values]
    return [f"x{j}" for j in range(count)]


def _target(explanation: Explanation, sample: int) -> str:
    return str(explanation["target_name"].values[sample]) if "target_name" in explanation.data else "the target"


def _targets(explanation: Attribution) -> str:
    """What was explained; a picture of several samples must not hide that their targets differ."""
    names = list(dict.fromkeys(map(str, explanation["target_name"].values)))
    return (
        names[0] if len(names) == 1 else f"each sample's own target ({', '.join(names[:3])}{', …' * (len(names) > 3)})"
    )


def _spread_out(values: np.ndarray, bins: int = 40, width: float = 0.36) -> np.ndarray:
    """Vertical places that keep points of similar value apart: alternating around the row, fuller bins wider."""
    span = float(np.ptp(values)) or 1.0
    slots = np.minimum(((values - values.min()) / span * bins).astype(int), bins - 1)
    places = np.zeros(len(values))
    fullest = int(np.bincount(slots).max())
    for slot in np.unique(slots):
        members = np.flatnonzero(slots == slot)
        turn = np.arange(len(members))
        places[members] = (turn + 1) // 2 * np.where(turn % 2, 1, -1) * width / max(1, fullest / 2)
    return places


def _grey(image: np.ndarray) -> np.ndarray:
    grey = image.mean(axis=0)
    low, high = float(grey.min()), float(grey.max())
    return (grey - low) / (high - low) if high > low else np.zeros_like(grey)


def _colour(value: float) -> str:
    return RAISES if value > 0 else LOWERS if value < 0 else NEUTRAL


def shortened(text: str, width: int) -> str:
    """A text that fits beside a picture: cut, with an ellipsis, where it is longer than `width`."""
    return text if len(text) <= width else text[: width - 1] + "…"


def blend(colour: str, share: float) -> str:
    """`colour` over white; at most 0.75 of it, so that black text stays readable."""
    share = 0.75 * float(np.clip(share, 0, 1))
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)


def new_axes(width: float = 7.0, height: float = 4.0) -> Axes:
    """Axes of a new figure; width and height in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.pyplot import isinteractive

    if isinteractive():  # a notebook or shell shows what pyplot knows of; a script gets a figure that nobody must close
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=(width, height), layout="constrained")[1]
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def bare(ax: Axes) -> Axes:
    """Axes without the lines that carry nothing."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax
