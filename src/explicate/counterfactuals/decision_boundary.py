"""Decision boundary: the way from a table row to the nearest row that is predicted otherwise, one edit at a time.

Source: Hase and Bansal (2020), "Evaluating Explainable AI: Which Algorithmic Explanations Help Users Predict Model
Behavior?", arXiv 2005.01831, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from explicate.attribution.explainer import checked_inputs
from explicate.core.capabilities import Array, Floats, Predictor
from explicate.core.cost import measure
from explicate.core.kinds import Counterfactuals
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.errors import CapabilityError, InputError
from explicate.runtime.seeds import generator

HELD = 1 << 16  # edited rows in memory at once


@register("decision-boundary")
@dataclass(frozen=True)
class DecisionBoundary(Parameterised):
    """Edits of a row that change its prediction, in the order in which each step changes the predicted score least.

    Random rows are drawn with 1 to `edits` features at other values than the row's (other categories, or other values
    of the background). Of those that the model predicts otherwise the one is taken with the smallest number of edits
    plus squared distance in the model's latent space. The model offers that space as `latent(inputs)`; without it, only
    edits count.

    Parameters
    ----------
    samples : rows drawn. edits : most features that a drawn row changes.
    tries : where no row is predicted otherwise, others are drawn, with up to `edits` more changes each time (the source
        has 10 tries of 1,000 for sentences, and one of 10,000 for tables).

    Notes
    -----
    Gives `Counterfactuals`: `counterfactual` (sample, candidate, feature) is the row after each step, the last one
    across the boundary; `margin` (sample, candidate) the score of the row's own class less the best other one; `edited`
    (sample, candidate) the feature of the step, `edited_text` its new value. `steps` (sample,) says how many there are,
    0 where no drawn row was predicted otherwise; places after it repeat the last row, and -1 in `edited`.
    `start_margin` (sample,) is that of the row.
    """

    samples: int = 10_000
    edits: int = 3
    tries: int = 1
    needs: ClassVar[type] = Predictor
    instead: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("table",)

    def __post_init__(self) -> None:
        if min(self.samples, self.edits, self.tries) < 1:
            raise InputError(
                f"decision-boundary: {self.tries} tries of {self.samples} samples of {self.edits} edits; give 1 or "
                "more of each"
            )

    def explain(self, model: Any, inputs: Any, seed: int = 0) -> Counterfactuals:
        """The way across the boundary for each row.

        Parameters
        ----------
        model : a classifier of table rows with a background. inputs : rows. seed : all randomness comes from it.
        """
        encoded = checked_inputs(self, model, inputs)
        with measure() as cost:
            values = other_values(model)
            margins = Margins.of(model, encoded)
            found = [self._path(model, margins, row, values, place, seed) for place, row in enumerate(encoded)]
        most = max([1, *(len(edited) for edited in found)])
        rows = np.repeat(encoded[:, None], most, axis=1)
        edited, steps = np.full((len(encoded), most), -1), np.zeros(len(encoded), dtype=int)
        for sample, path in enumerate(found):
            steps[sample] = len(path)
            for step, (feature, value) in enumerate(path):
                rows[sample, step:, feature] = value
                edited[sample, step] = feature
        margin = margins.each(rows.reshape(-1, rows.shape[2]), np.repeat(np.arange(len(encoded)), most))
        data = xr.Dataset(
            {
                "counterfactual": (("sample", "candidate", "feature"), rows),
                "score": (("sample", "candidate"), margin.reshape(rows.shape[:2])),
                "margin": (("sample", "candidate"), margin.reshape(rows.shape[:2])),
                "edited": (("sample", "candidate"), edited),
                "edited_text": (("sample", "candidate"), _edited_texts(model, rows, edited)),
                "steps": ("sample", steps),
                "start_margin": ("sample", margins.each(encoded, np.arange(len(encoded)))),
                "target": ("sample", margins.own),
                "inputs": (("sample", "feature"), encoded),
            },
            attrs={"model_kind": model.kind},
        ).assign_coords(dict(model.feature_labels(encoded)))
        return Counterfactuals(data, Provenance.of(self, model, encoded, cost, seed))

    def _path(
        self, model: Any, margins: Margins, row: Array, values: list[Array], place: int, seed: int
    ) -> list[tuple[int, float]]:
        """The edits across the boundary, in order, as (feature, value)."""
        rng = generator(seed, "decision-boundary", row)
        across = row[None][:0]
        for number in range(1, self.tries + 1):
            drawn = perturbed(row, values, self.samples, number * self.edits, rng)
            parts = np.array_split(drawn, max(1, len(drawn) // HELD))
            margin = np.concatenate([margins.each(part, np.full(len(part), place)) for part in parts])
            across = drawn[margin < 0]
            if len(across):
                break
        if not len(across):
            return []
        far = (across != row).sum(axis=1).astype(float)
        latent = getattr(model, "latent", None)
        if latent is not None:
            far += ((latent(across) - latent(row[None])) ** 2).sum(axis=1)
        goal = across[int(np.argmin(far))]
        left = [int(j) for j in np.flatnonzero(goal != row)]
        start = margins.scores(row[None], place)[0]
        current, path = row.copy(), []
        while left:
            options = np.repeat(current[None], len(left), axis=0)
            options[np.arange(len(left)), left] = goal[left]
            change = np.abs(margins.scores(options, place) - start)
            chosen = left.pop(int(np.argmin(change)))
            start = margins.scores(options[[int(np.argmin(change))]], place)[0]
            current[chosen] = goal[chosen]
            path.append((chosen, float(goal[chosen])))
        return path


def _edited_texts(model: Any, rows: Array, edited: Array) -> Array:
    """The new value of each step as people write it (sample, candidate)."""
    flat = rows.reshape(-1, rows.shape[2])
    words = model.feature_labels(flat)["input_text"][1].reshape(rows.shape)
    found = np.take_along_axis(words, np.maximum(edited, 0)[:, :, None], axis=2)[:, :, 0]
    return np.where(edited < 0, "", found).astype(object)


@dataclass(frozen=True)
class Margins:
    """Scores of each row's own predicted class, alone and less the best other one; log-odds where they can be had."""

    model: Any
    own: Array
    logits: bool

    @classmethod
    def of(cls, model: Any, rows: Array) -> Margins:
        """The classes that rows are predicted now."""
        outputs = model.predict(rows)
        if outputs.shape[1] < 2:
            raise CapabilityError(
                f"decision-boundary needs a score for each class; the model {model.name!r} has one output"
            )
        return cls(model, outputs.argmax(axis=1), getattr(model, "score", "probability") == "logit")

    def scores(self, rows: Array, place: int) -> Floats:
        """The score of the class that row `place` was predicted: (row,)."""
        return np.asarray(self._outputs(rows)[:, self.own[place]])

    def each(self, rows: Array, places: Array) -> Floats:
        """Score of the own class of row `places` less the best other one: (row,); below 0 across the boundary."""
        outputs = self._outputs(rows)
        index = np.arange(len(rows))
        mine = outputs[index, self.own[places]].copy()
        outputs[index, self.own[places]] = -np.inf
        return np.asarray(mine - outputs.max(axis=1))

    def _outputs(self, rows: Array) -> Floats:
        found = np.array(self.model.predict(rows), dtype=float)
        return found if self.logits else np.log(np.clip(found, 1e-12, None))


def other_values(model: Any) -> list[Array]:
    """For each feature the values that edits can give it: codes of categories, or the background's distinct numbers."""
    features = getattr(model, "features", None)
    background = getattr(model, "background", None)
    if features is None or background is None:
        raise CapabilityError(f"edits need features and typical rows, which the model {model.name!r} does not have")
    return [
        np.arange(len(feature.categories), dtype=float) if feature.categories else np.unique(background[:, j])
        for j, feature in enumerate(features)
    ]


def perturbed(row: Array, values: list[Array], count: int, edits: int, rng: np.random.Generator) -> Array:
    """Random rows (count, feature) with 1 to `edits` features of `row` at other values; each number is as likely.

    Parameters
    ----------
    values : for each feature the values it can have, see `other_values`. A feature with no other one is left alone.
    """
    others = [options[options != row[j]] for j, options in enumerate(values)]
    free = np.flatnonzero([len(options) > 0 for options in others])
    if not len(free):
        raise InputError("no feature of this row has another value to be edited to")
    most = min(edits, len(free))
    rows = np.repeat(row[None], count, axis=0)
    numbers = rng.integers(1, most + 1, size=count)
    order = np.argsort(rng.random((count, len(free))), axis=1)
    for place in range(most):
        chosen = free[order[:, place]]
        uniform = rng.random(count)
        for j in np.unique(chosen):
            at = np.flatnonzero((chosen == j) & (numbers > place))
            rows[at, j] = others[j][(uniform[at] * len(others[j])).astype(int)]
    return rows
