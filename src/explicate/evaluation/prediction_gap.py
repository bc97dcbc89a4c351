"""Prediction gaps of the k most important features, for every k, and the area over k.

PGI(x, e, k) is E|f(x) - f(x')| with the top k features of the explanation e perturbed, PGU with all others. A feature
set that many explanations share is perturbed once, so that tables of methods are cheap and their differences paired.

Source: Agarwal et al. (2022), "OpenXAI", section 3; the settings are those of Kroeger et al. (2023), arXiv 2310.05797.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.errors import InputError
from explicate.rationales.neighbourhood import Neighbourhood
from explicate.runtime.seeds import generator

Subset: TypeAlias = frozenset[int]


@dataclass
class PredictionGaps:
    """How far a model's score moves at each row when a set of features is perturbed; computed once per set.

    Parameters
    ----------
    model : a handle on table rows. rows : (sample, feature), encoded. target : the output whose score is taken.
    neighbourhood : steps and flips, in units of the columns.
    types : "c" or "d" (a 0/1 column) for each column; None: all "c".
    seed : of the noise, which is the same for all sets of one row.
    """

    model: Any
    rows: Array
    target: int = 1
    neighbourhood: Neighbourhood = field(default_factory=Neighbourhood)
    types: Sequence[str] | None = None
    seed: int = 0
    _known: dict[int, dict[Subset, float]] = field(default_factory=dict, repr=False)

    def gaps(self, instance: int, subsets: Sequence[Subset]) -> Floats:
        """E|f(x) - f(x')| at row `instance` with each set of features perturbed: (subset,)."""
        if not 0 <= instance < len(self.rows):
            raise InputError(f"there is no row {instance}; there are {len(self.rows)}")
        known = self._known.setdefault(instance, {frozenset(): 0.0})
        missing = [one for one in dict.fromkeys(subsets) if one not in known]
        if missing:
            row = self.rows[instance]
            types = self.types or ("c",) * len(row)
            cloud = self.neighbourhood.draw(row, types, generator(self.seed, "gap", row))
            start = float(self._scores(row[None])[0])
            for one in missing:
                points = np.repeat(row[None], len(cloud), axis=0)
                columns = sorted(one)
                points[:, columns] = cloud[:, columns]
                known[one] = float(np.abs(self._scores(points) - start).mean())
        return np.array([known[one] for one in subsets])

    def _scores(self, points: Array) -> Floats:
        targets = np.full(len(points), min(self.target, self.model.output_count - 1), dtype=np.int64)
        return np.asarray(self.model.scores(points, targets), dtype=float)


def pgi(explanation: Attribution, gaps: PredictionGaps, k: int) -> Floats:
    """The gap with the k most important features perturbed: (sample,). Higher is better."""
    return _gap(explanation, gaps, k, important=True)


def pgu(explanation: Attribution, gaps: PredictionGaps, k: int) -> Floats:
    """The gap with all but the k most important features perturbed: (sample,). Lower is better."""
    return _gap(explanation, gaps, k, important=False)


def auc_over_k(values: Sequence[Floats]) -> Floats:
    """Area under a measure over k = 1, ..., K (trapezoids, k on an axis of length 1): values (k, sample) -> (sample,).

    For K = 1 it is the measure itself.
    """
    stacked = np.asarray(values, dtype=float)
    if len(stacked) == 1:
        return np.asarray(stacked[0])
    return np.asarray(np.trapezoid(stacked, np.linspace(0, 1, len(stacked)), axis=0))


def _gap(explanation: Attribution, gaps: PredictionGaps, k: int, important: bool) -> Floats:
    values = np.abs(explanation.values)
    if values.ndim != 2 or not 1 <= k <= values.shape[1]:
        raise InputError(f"k is {k} for an attribution of shape {values.shape}; take 1 to {values.shape[-1]} features")
    instances = explanation["instance"].values if "instance" in explanation.data else np.arange(len(values))
    found = []
    for own, instance, inputs in zip(values, instances, explanation["inputs"].values, strict=True):
        if not np.array_equal(gaps.rows[int(instance)], inputs):
            raise InputError(f"row {instance} of the prediction gaps is not the one that was explained")
        order = np.argsort(-own, kind="stable")
        found.append(gaps.gaps(int(instance), [frozenset(map(int, order[:k] if important else order[k:]))])[0])
    return np.array(found)
