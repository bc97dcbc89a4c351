"""Anchors: the shortest conditions under which a prediction of table rows (almost) always stays what it is.

Source: Ribeiro, Singh, Guestrin (2018), "Anchors: High-Precision Model-Agnostic Explanations", AAAI, algorithms 1 and
2; Kaufmann and Kalyanakrishnan (2013) for KL-LUCB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
import xarray as xr
from scipy.special import rel_entr

from explicate.attribution.explainer import checked_inputs
from explicate.core.capabilities import Array, Floats, Predictor
from explicate.core.cost import measure
from explicate.core.kinds import Rules
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.errors import CapabilityError, InputError
from explicate.runtime.seeds import generator

Conditions: TypeAlias = frozenset[int]
"""The features that must have the row's own values."""
ALPHA, FACTOR = 1.1, 405.5  # of the exploration rate of KL-LUCB
BISECTIONS = 17  # of a bound: 2^-17 of the unit interval


@register("anchor")
@dataclass(frozen=True)
class Anchor(Parameterised):
    """Conditions "feature = the row's value" under which other rows get the row's prediction with high probability.

    Other rows are drawn from the model's background, and the conditions' values put into them. Conditions are added one
    by one; of each size the most precise sets are found with as few draws as KL-LUCB needs. Of the sets that are
    precise enough, the one that covers most background rows is taken; where none is, the most precise one, and
    `reached` says so.

    Parameters
    ----------
    precision : the share of rows with the same prediction that is asked for.
    delta : how often a bound may be wrong.
    tolerance : how far the sets taken into the next round may be from the most precise ones ("tau" of the source).
    slack : how far below `precision` the lower bound of an accepted set may lie.
    beam : sets that are extended. batch : rows a draw.
    most : conditions at most; None: as many as there are features.
    draws : rows at most that one set is judged by; keeps a precision that equals the demand from being asked for ever.

    Notes
    -----
    Gives `Rules`, one for each row: `precision`, `coverage`, `reached`, `predicted` (rule,), and the conditions as
    `literal_rule`, `literal_column`, `literal_operator`, `literal_number`, `literal_text`.
    """

    precision: float = 0.95
    delta: float = 0.05
    tolerance: float = 0.1
    slack: float = 0.05
    beam: int = 10
    batch: int = 50
    most: int | None = None
    draws: int = 5000
    needs: ClassVar[type] = Predictor
    instead: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("table",)

    def __post_init__(self) -> None:
        for name, value in (("precision", self.precision), ("delta", self.delta)):
            if not 0 < value < 1:
                raise InputError(f"anchor: {name} is {value}; give a share between 0 and 1")
        if not self.tolerance > 0 or not self.slack > 0:
            raise InputError("anchor: tolerance and slack must be above 0; the source has 0.1 and 0.05")
        for name, count in (("beam", self.beam), ("batch", self.batch), ("draws", self.draws)):
            if count < 1:
                raise InputError(f"anchor: {name} is {count}; give 1 or more")

    def explain(self, model: Any, inputs: Any, seed: int = 0) -> Rules:
        """An anchor for the prediction of each row.

        Parameters
        ----------
        model : a handle on table rows with a background. inputs : rows. seed : all randomness comes from it.
        """
        encoded = checked_inputs(self, model, inputs)
        background = getattr(model, "background", None)
        if background is None:
            raise CapabilityError(f"anchor needs rows to draw from, which the model {model.name!r} does not have")
        with measure() as cost:
            found = [
                _Search(self, model, np.asarray(background, dtype=float), row, generator(seed, "anchor", row)).run()
                for row in encoded
            ]
        provenance = Provenance.of(self, model, encoded, cost, seed)
        return Rules(_dataset(model, encoded, found), provenance)


@dataclass
class _Arm:
    """A set of conditions and what is known of its precision."""

    conditions: Conditions
    hits: int = 0
    draws: int = 0

    @property
    def mean(self) -> float:
        return self.hits / self.draws if self.draws else 0.0


@dataclass(frozen=True)
class _FoundAnchor:
    conditions: tuple[int, ...]
    precision: float
    coverage: float
    reached: bool
    predicted: int
    draws: int


@dataclass
class _Search:
    """The beam search for one row."""

    method: Anchor
    model: Any
    background: Array
    row: Array
    rng: np.random.Generator
    predicted: int = field(init=False)
    equal: Array = field(init=False)

    def __post_init__(self) -> None:
        self.predicted = int(_classes(self.model, self.row[None])[0])
        self.equal = self.background == self.row

    def run(self) -> _FoundAnchor:
        method = self.method
        empty = _Arm(frozenset())
        if self._accepted(empty):
            return self._found(empty, reached=True)
        best: list[_Arm] = [empty]
        overall = empty
        features = len(self.row)
        for size in range(1, 1 + min(features, method.most or features)):
            sets = {arm.conditions | {j} for arm in best for j in range(features) if j not in arm.conditions}
            arms = [_Arm(conditions) for conditions in sorted(sets, key=sorted)]
            best = self._most_precise(arms, size)
            accepted = [arm for arm in best if self._accepted(arm)]
            if accepted:
                return self._found(max(accepted, key=lambda arm: (self._coverage(arm), arm.mean)), reached=True)
            overall = max([overall, *best], key=lambda arm: arm.mean)
        return self._found(overall, reached=False)

    def _most_precise(self, arms: list[_Arm], size: int) -> list[_Arm]:
        """The `beam` arms of the highest precision, up to `tolerance`, by KL-LUCB."""
        count = min(self.method.beam, len(arms))
        self._draw(arms)
        step = 0
        while True:
            step += 1
            means = np.array([arm.mean for arm in arms])
            order = np.argsort(-means, kind="stable")
            top, rest = order[:count], order[count:]
            if not len(rest):
                return [arms[place] for place in top]
            levels = _rate(len(arms), step, self.method.delta) / np.array([arm.draws for arm in arms])
            lows, highs = kl_lower(means[top], levels[top]), kl_upper(means[rest], levels[rest])
            weakest, rival = int(np.argmin(lows)), int(np.argmax(highs))
            pair = [arms[top[weakest]], arms[rest[rival]]]
            spent = all(arm.draws >= self.method.draws for arm in pair)
            if highs[rival] - lows[weakest] < self.method.tolerance or spent:
                return [arms[place] for place in top]
            self._draw([arm for arm in pair if arm.draws < self.method.draws])

    def _accepted(self, arm: _Arm) -> bool:
        """Draw until it is clear whether the precision is high enough."""
        method = self.method
        level = math.log(1.0 / method.delta)
        if not arm.draws:
            self._draw([arm])
        while arm.draws < method.draws:
            low, high = kl_lower(arm.mean, level / arm.draws), kl_upper(arm.mean, level / arm.draws)
            open_above = arm.mean >= method.precision and low < method.precision - method.slack
            open_below = arm.mean < method.precision and high >= method.precision + method.slack
            if not (open_above or open_below):
                break
            self._draw([arm])
        return arm.mean >= method.precision and kl_lower(arm.mean, level / arm.draws) > method.precision - method.slack

    def _draw(self, arms: Sequence[_Arm]) -> None:
        batch = self.method.batch
        rows = self.background[self.rng.integers(len(self.background), size=(len(arms), batch))]
        for place, arm in enumerate(arms):
            columns = sorted(arm.conditions)
            rows[place][:, columns] = self.row[columns]
        same = (_classes(self.model, rows.reshape(-1, len(self.row))) == self.predicted).reshape(len(arms), batch)
        for arm, hits in zip(arms, same.sum(axis=1), strict=True):
            arm.hits, arm.draws = arm.hits + int(hits), arm.draws + batch

    def _coverage(self, arm: _Arm) -> float:
        return float(self.equal[:, sorted(arm.conditions)].all(axis=1).mean())

    def _found(self, arm: _Arm, *, reached: bool) -> _FoundAnchor:
        return _FoundAnchor(
            tuple(sorted(arm.conditions)), arm.mean, self._coverage(arm), reached, self.predicted, arm.draws
        )


def kl_upper(share: Any, level: Any) -> Any:
    """The largest q with KL(share || q) <= level, of Bernoulli variables; from below, up to 2^-17. Arrays too."""
    share = np.asarray(share, dtype=float)
    low, high = share.copy(), np.ones(share.shape)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        near = rel_entr(share, middle) + rel_entr(1 - share, 1 - middle) <= level
        low, high = np.where(near, middle, low), np.where(near, high, middle)
    return low


def kl_lower(share: Any, level: Any) -> Any:
    """The smallest q with KL(share || q) <= level; from above."""
    return 1.0 - kl_upper(1.0 - np.asarray(share, dtype=float), level)


def _rate(arms: int, step: int, delta: float) -> float:
    """The exploration rate beta(t, delta) of KL-LUCB."""
    inner = math.log(FACTOR * arms * step**ALPHA / delta)
    return inner + math.log(inner)


def _classes(model: Any, rows: Array) -> Array:
    """The predicted class of each row; one output changes class at log-odds 0, or at probability one half."""
    outputs = model.predict(rows)
    if outputs.shape[1] > 1:
        return np.asarray(outputs.argmax(axis=1))
    return np.asarray(outputs[:, 0] > (0.0 if getattr(model, "score", "") == "logit" else 0.5)).astype(int)


def _dataset(model: Any, encoded: Floats, found: Sequence[_FoundAnchor]) -> xr.Dataset:
    texts = dict(model.feature_labels(encoded))
    names = [str(name) for name in texts["feature"]]
    values = texts["input_text"][1]
    classes = model.class_names or tuple(model.output_name(index) for index in range(model.output_count))
    rules, literals = [], []
    for sample, one in enumerate(found):
        parts = [f"{names[j]} = {values[sample, j]}" for j in one.conditions]
        rules.append(f"{classes[one.predicted]} if {' and '.join(parts) or 'anything'}")
        literals += [(sample, names[j], str(values[sample, j])) for j in one.conditions]
    each = {name: np.array([getattr(one, name) for one in found]) for name in ("precision", "coverage", "draws")}
    return xr.Dataset(
        {
            "rule": ("rule", _objects(rules)),
            **{name: ("rule", array) for name, array in each.items()},
            "reached": ("rule", np.array([one.reached for one in found])),
            "head": ("rule", np.array([one.predicted for one in found])),
            "prediction": ("sample", np.array([one.predicted for one in found])),
            "decision": ("sample", np.arange(len(found))),
            "literal_rule": ("literal", np.array([rule for rule, _, _ in literals], dtype=int)),
            "literal_column": ("literal", _objects([name for _, name, _ in literals])),
            "literal_operator": ("literal", _objects(["=="] * len(literals))),
            "literal_number": ("literal", np.full(len(literals), np.nan)),
            "literal_text": ("literal", _objects([text for _, _, text in literals])),
        },
        {"label": _objects(classes)},
    )


def _objects(values: Sequence[str]) -> Array:
    return np.array(list(values), dtype=object)
