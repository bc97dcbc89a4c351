"""The study: worlds x strengths x models x setups x trials, each measured by the same six metrics.

Source: Mhasawade et al. (2024), arXiv 2401.14539. Unlike the published scripts, every trial draws fresh data and trains
a fresh model: with one data set for all trials the intervals hold the explainer's randomness alone (`vary="explainer"`
does that) and are far too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import clone

from explicate.attribution.explainer import Explainer
from explicate.attribution.lime_tabular import LIME
from explicate.benchmarks.explanation_disparity.worlds import Split, World
from explicate.core.capabilities import Array, Differentiable
from explicate.core.kinds import Attribution
from explicate.errors import CapabilityError, InputError
from explicate.evaluation import disparity
from explicate.models.tabular import TabularModel
from explicate.models.tiny.classifier import NetworkClassifier, fit_networks
from explicate.models.torch_tabular import TorchTabularModel
from explicate.runtime.parallel import Backend
from explicate.runtime.runner import run
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

Vary = Literal["all", "explainer"]
Row = dict[str, Any]
HIGHER_IS_WORSE = ("residual_gap", "probability_residual_gap")


def default_models() -> dict[str, Any]:
    """The paper's two: logistic regression, and layers of 50, 100 and 200; Adam, 100 epochs."""
    return {"logistic": NetworkClassifier(()), "network": NetworkClassifier((50, 100, 200))}


def default_explainers() -> dict[str, Explainer]:
    """LIME with 1,000 samples."""
    return {"lime": LIME()}


@dataclass(frozen=True, eq=False)
class DisparityStudy:
    """One world, studied.

    Parameters
    ----------
    world : where the data come from.
    models : by name, estimators in scikit-learn's manner with `predict_proba`; each trial trains a clone. A parameter
        `seed` or `random_state` is set per trial, `categories` to what the columns are.
    explainers : by name, methods whose explanations predict the score (see `disparity.local_prediction`). A LIME given
        as `"fixed"` stands for LIME with its radius from the world's unshifted rows.
    strengths, setups : default: the world's.
    trials : fresh data, models and neighbours in each; at least 2, the protocol asks for 10.
    points : test rows explained, equally many of each group.
    vary : "all", or "explainer": one data set and one model for all trials.
    seed : of the data; explainers take seed + trial.
    permutations : of the groups, for the chance level.
    """

    world: World
    models: Mapping[str, Any] = field(default_factory=default_models)
    explainers: Mapping[str, Explainer | str] = field(default_factory=default_explainers)
    strengths: Sequence[float] | None = None
    setups: Sequence[int] | None = None
    trials: int = 10
    points: int = 1000
    vary: Vary = "all"
    seed: int = 123
    permutations: int = 20

    def __post_init__(self) -> None:
        if self.trials < 2:
            raise InputError(f"trials is {self.trials}; an interval needs at least 2, the protocol asks for 10")
        if self.points < 2 * disparity.FEWEST:
            raise InputError(f"points is {self.points}; give at least {2 * disparity.FEWEST}")
        if self.vary not in ("all", "explainer"):
            raise InputError(f"vary is {self.vary!r}; use 'all' or 'explainer'")
        if not self.models or not self.explainers:
            raise InputError("the study needs at least one model and one explainer")
        for name, model in self.models.items():
            if not hasattr(model, "predict_proba"):
                raise CapabilityError(
                    f"model {name!r}, a {type(model).__name__}, has no predict_proba; the study compares "
                    "probabilities, so wrap it, for example in CalibratedClassifierCV"
                )
        for name, explainer in self.explainers.items():
            if not isinstance(explainer, Explainer) and explainer != "fixed":
                raise InputError(
                    f"explainer {name!r} is {explainer!r}; give a method, or 'fixed' for LIME of fixed radius"
                )

    def units(self) -> list[Row]:
        """One unit for each strength, model and setup; it holds all trials, whose networks are trained together."""
        strengths = self.world.grid() if self.strengths is None else self.strengths
        setups = self.world.setups if self.setups is None else self.setups
        return [
            {"strength": float(strength), "model": model, "setup": setup}
            for strength in strengths
            for model in self.models
            for setup in setups
        ]

    def spec(self) -> dict[str, Any]:
        """What the study is, as JSON."""
        explainers = {
            name: item if isinstance(item, str) else {"name": item.name, **item.parameters()}
            for name, item in self.explainers.items()
        }
        models = {name: f"{type(model).__name__}({_listed(model)})" for name, model in self.models.items()}
        plain = ("trials", "points", "vary", "seed", "permutations")
        return {
            "world": {"kind": type(self.world).__name__, "label": self.world.label, **self.world.parameters()},
            "models": models,
            "explainers": explainers,
            **{name: getattr(self, name) for name in plain},
        }

    def run(
        self, folder: str | Path | None = None, *, workers: int = 1, backend: Backend = "processes", **options: Any
    ) -> pd.DataFrame:
        """Do every unit that is not done yet and give the tidy table, one row per metric and trial.

        Columns: objective, strength, model, setup, trial, explainer, metric, value (NaN: undefined), overall (fidelity
        over everybody), groups (fidelity of each, a dict), worse_group, undefined_pairs, start (whether the strength is
        that without effect), note.
        """
        found = run(
            self.cell,
            self.units(),
            folder,
            name=f"explanation-disparity {self.world.label}",
            spec=self.spec(),
            seed=self.seed,
            workers=workers,
            backend=backend,
            **options,
        )
        return as_table([row for record in found.records if record is not None for row in record])

    def cell(self, unit: Row, seed: int = 0) -> list[Row]:
        """All trials of one strength, model and setup, as rows. The seeds are the study's own, so that trials pair."""
        kinds = range(self.trials) if self.vary == "all" else range(1)
        splits = [
            self.world.sample(unit["strength"], unit["setup"], generator(self.seed, "data", trial)) for trial in kinds
        ]
        estimators = self._fitted(unit["model"], splits)
        rows = []
        for trial in range(self.trials):
            place = trial if self.vary == "all" else 0
            rows += self._trial(unit, trial, splits[place], estimators[place])
        return rows

    def _fitted(self, name: str, splits: list[Split]) -> list[Any]:
        estimators = []
        for trial, split in enumerate(splits):
            estimator = clone(self.models[name])
            known = estimator.get_params()
            wanted = {"seed": trial, "random_state": trial, "categories": _categories(split)}
            estimator.set_params(**{key: value for key, value in wanted.items() if key in known})
            estimators.append(estimator)
        if all(isinstance(estimator, NetworkClassifier) for estimator in estimators):
            inputs = [split.train_inputs for split in splits]
            return fit_networks(estimators, inputs, [split.train_labels for split in splits])
        return [
            estimator.fit(split.train_inputs, split.train_labels)
            for estimator, split in zip(estimators, splits, strict=True)
        ]

    def _trial(self, unit: Row, trial: int, split: Split, estimator: Any) -> list[Row]:
        chosen = balanced(split.test_sensitive, self.points)
        inputs, sensitive = split.test_inputs[chosen], split.test_sensitive[chosen]
        about = {"objective": self.world.label, **unit, "trial": trial, "start": unit["strength"] == self.world.start()}
        about["note"] = "; ".join(split.notes)
        rows: list[Row] = []
        right = estimator.predict(split.test_inputs) == split.test_labels
        accuracy = disparity.accuracy_gap(right, split.test_sensitive)
        rows.append({**about, "explainer": "", **_row("model_accuracy_gap", accuracy)})
        for name, explainer in self.explainers.items():
            method = LIME(radius="fixed", reference=split.reference) if isinstance(explainer, str) else explainer
            handle = handle_of(estimator, split, method)
            explanation = method.explain(handle, inputs, target=1, seed=self.seed + trial)
            for row in self._measured(explanation, handle, split, estimator, inputs, sensitive, trial):
                rows.append({**about, "explainer": name, **row})  # noqa: PERF401
        return rows

    def _measured(
        self,
        explanation: Attribution,
        handle: Any,
        split: Split,
        estimator: Any,
        inputs: Array,
        sensitive: Array,
        trial: int,
    ) -> list[Row]:
        probability = np.asarray(explanation["score"].values)
        predicted = disparity.local_prediction(explanation, split.train_inputs.mean(axis=0), handle)
        gaps = disparity.fidelity_gaps(probability, predicted, sensitive)
        rows = [_row(f"{name}_gap", gap) for name, gap in gaps.items()]
        rng = generator(self.seed, "permutation", trial)
        chance = disparity.permuted_gaps(probability, predicted, sensitive, rng, self.permutations)
        rows += [
            {**_EMPTY, "metric": f"{name}_gap_permuted", "value": _number(value)} for name, value in chance.items()
        ]
        test = disparity.difference_between_groups(-np.abs(probability - predicted), sensitive)
        rows.append({**_EMPTY, "metric": f"{test.name}_p", "value": test.p_value})
        if isinstance(estimator, NetworkClassifier) and not estimator.hidden:
            effects = estimator.linear_effects(inputs, split.train_inputs)
            k = min(self.world.k, effects.shape[1])
            shares = disparity.ground_truth_fidelity(explanation.values, effects, k)
            rows.append(_row("ground_truth_fidelity_gap", disparity.accuracy_gap(shares, sensitive)))
        return rows


_EMPTY: Row = {"overall": None, "groups": {}, "worse_group": "", "undefined_pairs": 0}


def handle_of(estimator: Any, split: Split, method: Explainer) -> Any:
    """The estimator as a model handle whose background is all training rows; with gradients where `method` needs them.

    Raises
    ------
    CapabilityError : the estimator has no `predict_proba`, or its values leave [0, 1].
    """
    rows = split.train_inputs
    if method.needs is Differentiable and isinstance(estimator, NetworkClassifier):
        handle: Any = TorchTabularModel(
            estimator.module(), rows, features=split.features, score="probability", class_names=("0", "1")
        )
    else:
        handle = TabularModel(estimator, rows, features=split.features, output="predict_proba")
    handle.background = handle.encode(rows)
    found = handle.predict(split.test_inputs[:64])
    if (found < 0).any() or (found > 1).any():
        raise CapabilityError(
            f"the model {handle.name!r} has a predict_proba whose values leave [0, 1]; calibrate it first"
        )
    return handle


def balanced(sensitive: Array, points: int) -> Array:
    """The first rows of each group, equally many: `points` in all, or as many as the smallest group allows."""
    names, codes = disparity.group_labels(sensitive)
    each = min(points // len(names), int(np.bincount(codes).min()))
    return np.sort(np.concatenate([np.flatnonzero(codes == k)[:each] for k in range(len(names))]))


def as_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a data frame; null becomes NaN."""
    import pandas as pd

    table = pd.DataFrame(list(rows))
    table["metric"] = table["metric"].str.replace("-", "_")
    for name in ("value", "overall"):
        table[name] = table[name].astype(float)
    return table


def _row(metric: str, gap: disparity.Gap) -> Row:
    groups = {name: _number(value) for name, value in gap.groups.items()}
    defined = {name: value for name, value in groups.items() if value is not None}
    pick = max if metric in HIGHER_IS_WORSE else min
    return {
        "metric": metric,
        "value": _number(gap.value),
        "overall": _number(gap.overall),
        "groups": groups,
        "worse_group": pick(defined, key=lambda name: defined[name]) if len(set(defined.values())) > 1 else "",
        "undefined_pairs": gap.undefined_pairs,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _categories(split: Split) -> tuple[int, ...]:
    """Columns of more than two categories become one column each; two are a 0/1 column already."""
    codes = tuple(len(feature.categories) if len(feature.categories) > 2 else 0 for feature in split.features)
    return codes if any(codes) else ()


def _listed(model: Any) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in sorted(model.get_params().items()))
