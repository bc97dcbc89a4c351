"""How well what one head writes fits what a later head reads: of whole matrices, and of their rank-one components.

For heads 1 and 2, with M the later head's form (Q: W_QK, K: its transpose, V: W_OV), the whole matrices score
||W_OV1 M|| / (||W_OV1|| ||M||). With W_OV1 = sum_i s_i u_i v_i, component i alone scores ||v_i M|| / ||M||: its size
cancels, and the whole score is the mean of its components', weighted by s_i^2, as squares. A unit vector drawn at
random scores 1/width on average as a square, exactly; the spread follows from M. Source: Elhage et al. (2021), "A
Mathematical Framework for Transformer Circuits", "Composition"; Merullo, Eickhoff, Pavlick (2024), "Talking Heads:
Understanding Inter-layer Communication in Transformer Language Models", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError
from explicate.mechanisms.weights.heads import HeadWeights
from explicate.mechanisms.weights.low_rank import LowRank, root

Kind = Literal["q", "k", "v"]
KINDS: tuple[Kind, ...] = ("q", "k", "v")
Over = Literal["mean", "max"]
Read = Literal["form", "rotation-free"]
Decompose = Literal["source", "destination", "both"]


@dataclass(frozen=True)
class Reading:
    """What of the later head counts.

    Parameters
    ----------
    kind : "q" and "k", what it attends by, as the one that asks or the one that is asked; "v", what it moves.
    offsets : with rotary positions, how many tokens back the key is, for "q" and "k".
    over : what becomes of the scores at several offsets, "mean" or "max".
    read : "form", the whole form; "rotation-free", only the map from the stream, W_Q or W_K (or W_V), which no offset
        changes.
    """

    kind: Kind = "q"
    offsets: tuple[int, ...] = (0,)
    over: Over = "mean"
    read: Read = "form"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"kind {self.kind!r} is unknown; use one of {', '.join(KINDS)}")
        if self.over not in ("mean", "max") or self.read not in ("form", "rotation-free"):
            raise InputError("over is 'mean' or 'max', read is 'form' or 'rotation-free'")
        if not self.offsets or min(self.offsets) < 0:
            raise InputError(f"offsets {self.offsets}: give how many tokens back the keys are, 0 or more")

    def halves(self, weights: HeadWeights, layer: int) -> list[Floats]:
        """For each offset a matrix (head, width, rank) with ||v half|| = ||v M|| / ||M|| for every row v."""
        if self.read == "rotation-free":
            each = {"q": weights.query, "k": _repeated(weights, weights.key), "v": _repeated(weights, weights.value)}
            return [_scaled(each[self.kind][layer])]
        if self.kind == "v":
            output = weights.output[layer]
            return [_half(_repeated(weights, weights.value)[layer], output @ np.swapaxes(output, -1, -2))]
        key = _repeated(weights, weights.key)[layer]
        found = []
        for offset in self.offsets if weights.frequencies is not None else self.offsets[:1]:
            query = weights.turned(layer, offset)
            first, second = (query, key) if self.kind == "q" else (key, query)
            found.append(_half(first, np.swapaxes(second, -1, -2) @ second))
        return found

    def form(self, weights: HeadWeights, layer: int, head: int, offset: int) -> LowRank:
        """M of one head."""
        if self.read == "rotation-free":
            maps = {"q": weights.query[layer, head], "k": weights.key[layer, weights.group(head)],
                    "v": weights.value[layer, weights.group(head)]}  # fmt: skip
            return LowRank(maps[self.kind], np.eye(weights.head_width, dtype=weights.query.dtype))
        if self.kind == "v":
            return weights.ov(layer, head)
        found = weights.qk(layer, head, offset)
        return found if self.kind == "q" else found.T

    def over_offsets(self, scores: Sequence[Floats]) -> Floats:
        """One score from those at each offset."""
        stacked = np.stack(scores)
        return np.asarray(stacked.mean(axis=0) if self.over == "mean" else stacked.max(axis=0))


@dataclass(frozen=True, eq=False)
class Scores:
    """How well earlier heads fit one later head.

    Attributes
    ----------
    full : of whole matrices, (layer, head); NaN where the layer is not earlier.
    component : of rank-one components, (layer, head, component); NaN alike. With the destination decomposed the
        components are those of the destination; with both, (layer, head, component, component of the destination).
    destination, reading : what they fit.
    width : of the stream.
    spread : standard deviation of the squared score of a random unit vector; its mean is 1 / width.
    """

    full: Floats
    component: Floats
    destination: tuple[int, int]
    reading: Reading
    width: int
    spread: float

    @property
    def z(self) -> Floats:
        """Scores in standard deviations from their mean, over all (earlier head, component) pairs."""
        return np.asarray((self.component - np.nanmean(self.component)) / np.nanstd(self.component))

    @property
    def z_of_null(self) -> Floats:
        """Squared scores in standard deviations of random unit vectors from their mean, 1 / width."""
        return np.asarray((self.component**2 - 1.0 / self.width) / self.spread)

    @property
    def rank(self) -> Floats:
        """Place of each pair, 1 for the largest score; NaN where there is none."""
        flat = self.component.ravel()
        found = np.full(flat.shape, np.nan)
        order = np.argsort(-np.where(np.isnan(flat), -np.inf, flat), kind="stable")[: int((~np.isnan(flat)).sum())]
        found[order] = np.arange(1, len(order) + 1)
        return found.reshape(self.component.shape)

    def strongest(self, most: int = 10) -> list[tuple[int, ...]]:
        """The indices of the largest scores, (layer, head, component[, component])."""
        order = np.argsort(self.rank, axis=None, kind="stable")[:most]
        return [tuple(int(i) for i in np.unravel_index(place, self.component.shape)) for place in order]


def component_scores(
    weights: HeadWeights,
    destination: tuple[int, int],
    reading: Reading | Kind = "q",
    *,
    decompose: Decompose = "source",
) -> Scores:
    """Score every earlier head's components against one later head.

    Parameters
    ----------
    destination : (layer, head).
    decompose : "source", components of what the earlier heads write against the whole later form; "destination", whole
        earlier heads against components t_j a_j b_j of the later form, t_j ||W_OV1 a_j|| / (||W_OV1|| ||M||); "both",
        pair by pair, t_j |v_i a_j| / ||M||. Components of a later form are those at the first offset.

    Raises
    ------
    SiteError : a head that is not there. InputError : a destination in the first layer, which nothing precedes.
    """
    reading = Reading(reading) if isinstance(reading, str) else reading
    layer, head = destination
    weights.check(layer, head)
    if layer == 0:
        raise InputError("the destination's layer 0 has no earlier layer; composition is defined for earlier sources")
    if decompose not in ("source", "destination", "both"):
        raise InputError(f"decompose {decompose!r} is unknown; use source, destination or both")
    sizes, written = weights.written
    sizes, written = sizes[:layer], written[:layer]
    halves = [each[head] for each in reading.halves(weights, layer)]
    parts = reading.over_offsets([np.linalg.norm(written @ half, axis=-1) for half in halves])
    weighting = sizes**2 / np.sum(sizes**2, axis=-1, keepdims=True)
    whole = reading.over_offsets(
        [np.sqrt(np.sum(weighting * np.sum((written @ half) ** 2, axis=-1), axis=-1)) for half in halves]
    )
    if decompose != "source":
        form = reading.form(weights, layer, head, reading.offsets[0])
        later = form.components()
        reads = later.read.T * (later.size / form.norm)
        overlap = np.abs(written @ reads)
        parts = overlap if decompose == "both" else np.sqrt(np.sum(weighting[..., None] * overlap**2, axis=-2))
    moment = float(np.mean([np.sum((half.T @ half) ** 2) for half in halves]))
    return Scores(
        _padded(whole, weights.layers),
        _padded(parts, weights.layers),
        (layer, head),
        reading,
        weights.width,
        random_spread(moment, weights.width),
    )


def random_spread(moment: float, width: int) -> float:
    """Standard deviation of v G v' for a random unit vector v, where trace G = 1 and `moment` is the trace of G^2."""
    return float(np.sqrt(max(0.0, 2.0 * (moment - 1.0 / width) / (width * (width + 2.0)))))


def composition_score(
    weights: HeadWeights, source: tuple[int, int], destination: tuple[int, int], reading: Reading | Kind = "q"
) -> float:
    """The score of one pair's whole matrices.

    Raises
    ------
    InputError : the source's layer is not before the destination's; both are named.
    """
    reading = Reading(reading) if isinstance(reading, str) else reading
    weights.check(*source)
    weights.check(*destination)
    if source[0] >= destination[0]:
        raise InputError(
            f"head L{source[0]}.H{source[1]} cannot feed L{destination[0]}.H{destination[1]}: layer {source[0]} is not "
            f"before layer {destination[0]}"
        )
    ov = weights.ov(*source)
    offsets = reading.offsets if reading.read == "form" and reading.kind != "v" else (0,)
    forms = [reading.form(weights, *destination, offset) for offset in offsets]
    return float(reading.over_offsets([np.array((ov @ form).norm / (ov.norm * form.norm)) for form in forms]))


@dataclass(frozen=True, eq=False)
class CompositionScores:
    """All pairs of heads: what `component_scores` gives for every destination, at offset 0 unless asked otherwise.

    Attributes
    ----------
    full : for each kind (source layer, source head, layer, head); NaN where the source's layer is not the earlier one.
    component : for each kind (source layer, source head, layer, head, component), or empty where not asked for.
    tests : for each kind how many pairs of a component and a reader there are; heads that share keys and values read
        the same space by them, so for "k" and "v" they count once.
    """

    full: dict[str, Floats]
    component: dict[str, Floats]
    tests: dict[str, int]


def composition_scores(
    weights: HeadWeights,
    kinds: Sequence[Kind] = KINDS,
    *,
    components: bool = True,
    later: Sequence[int] | None = None,
    offsets: Sequence[int] = (0,),
    over: Over = "mean",
    read: Read = "form",
) -> CompositionScores:
    """Score every pair of heads; the products of a later layer's heads with all earlier ones are one matrix product.

    Parameters
    ----------
    components : whether the components' scores are kept. later : layers of the later heads; None: all that have earlier
        ones. offsets, over, read : see `Reading`.
    """
    sizes, written = weights.written
    layers, heads, rank = sizes.shape
    chosen = [layer for layer in (range(layers) if later is None else later) if layer > 0]
    for layer in chosen:
        weights.check(layer, 0)
    rows = written.reshape(layers * heads * rank, weights.width).astype(weights.query.dtype)
    weighting = sizes**2 / np.sum(sizes**2, axis=-1, keepdims=True)
    full: dict[str, Floats] = {
        kind: np.full((layers, heads, layers, heads), np.nan, dtype=np.float32) for kind in kinds
    }
    parts: dict[str, Floats] = {}
    for kind in kinds:
        reading = Reading(kind, tuple(offsets), over, read)
        if components:
            parts[kind] = np.full((layers, heads, layers, heads, rank), np.nan, dtype=np.float32)
        for layer in chosen:
            squares = [
                _row_squares(rows[: layer * heads * rank], half).reshape(layer, heads, rank, heads)
                for half in reading.halves(weights, layer)
            ]
            full[kind][:layer, :, layer] = reading.over_offsets(
                [np.sqrt(np.einsum("abi,abih->abh", weighting[:layer], square)) for square in squares]
            )
            if components:
                found = reading.over_offsets([np.sqrt(square) for square in squares])
                parts[kind][:layer, :, layer] = np.moveaxis(found, -2, -1)
    pairs = sum(chosen) * heads * rank
    tests: dict[str, int] = {kind: pairs * (heads if kind == "q" else weights.groups) for kind in kinds}
    return CompositionScores(full, parts, tests)


def _row_squares(rows: Floats, half: Floats) -> Floats:
    """||row half_h||^2 of every row for each head h, (row, head)."""
    heads, width, rank = half.shape
    product = rows @ half.transpose(1, 0, 2).reshape(width, heads * rank).astype(rows.dtype)
    return np.asarray(np.sum(product.reshape(-1, heads, rank) ** 2, axis=-1))


def _repeated(weights: HeadWeights, grouped: Floats) -> Floats:
    """Keys or values for each query head."""
    return np.repeat(grouped, weights.heads // weights.groups, axis=1)


def _half(first: Floats, gram: Floats) -> Floats:
    """`first` times the root of the second factor's Gram matrix, of Frobenius norm 1."""
    return _scaled(first @ root(gram.astype(np.float64)))


def _scaled(matrices: Floats) -> Floats:
    return np.asarray(matrices / np.linalg.norm(matrices, axis=(-2, -1), keepdims=True))


def _padded(found: Floats, layers: int) -> Floats:
    whole = np.full((layers, *found.shape[1:]), np.nan)
    whole[: len(found)] = found
    return whole
