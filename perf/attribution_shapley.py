"""Shapley values: error at equal numbers of coalitions, and wall time over the bare model evaluations, against peers.

Adult, 12 features, 50 background rows; gradient-boosted trees and an MLP. The truth comes from all 4,096 coalitions,
and every estimator plays the tabulated game, so errors are of the estimators alone. Error: |estimate - truth|^2 /
|truth|^2, median over 16 people and 3 seeds. `ratio` is ours over the best peer's. Time: whole explanations of one
person by the real model, in turns, over the bare evaluation of budget x 50 rows. Equal inputs are evaluated once, for
people share values with the background rows; the rows "every input evaluated" do without, as tables of numbers alone
must. `extra_ms` is what the default adds per person to plain least squares; `spread` is the root mean square of error
over standard error (1 is right).
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from explicate.attribution import games
from explicate.attribution.kernel_shap import KernelShap
from explicate.attribution.shapley import all_coalitions, shapley_estimate, shapley_values
from explicate.data import table
from explicate.models.tabular import TabularModel

BUDGETS = (64, 128, 256, 512, 1024, 2048)
PEOPLE, SEEDS, ROWS, ROUNDS = 16, 3, 50, 5
TIMED = 8  # people explained in one timed call
LEFT_OUT = "education"  # says the same as education-num; 12 features remain


def models() -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """The two models as functions of rows, 50 background rows, and 16 held-out people."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    adult = table("adult")
    adult = adult.columns([f.name for f in adult.features if f.name != LEFT_OUT])
    training, held_out = adult.take(slice(32_561)), adult.take(slice(32_561, None))
    rows = training.values()
    tree = GradientBoostingClassifier(random_state=0).fit(rows, training.labels)
    mlp = make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=30, random_state=0)).fit(rows, training.labels)
    rng = np.random.default_rng(0)
    background = rows[rng.permutation(len(rows))[:ROWS]]
    people = held_out.values()[rng.permutation(len(held_out))[:PEOPLE]]
    return {"tree": tree, "mlp": mlp}, background, people


class Tabulated:
    """A game whose worth is looked up."""

    def __init__(self, worth: np.ndarray) -> None:
        self.worth = worth
        self.bits = 1 << np.arange(len(worth).bit_length() - 1)

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        return self.worth[(np.asarray(masks) != 0) @ self.bits]


def tabulate(model: Any, background: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The worth of all coalitions of one person."""
    masks = all_coalitions(len(person))
    filled = np.where(masks[:, None, :], person, background).reshape(-1, len(person))
    return model.predict_proba(filled)[:, 1].reshape(len(masks), -1).mean(axis=1)


def ours(game: Tabulated, budget: int, seed: int) -> np.ndarray:
    """explicate's default estimator."""
    return shapley_estimate(game, 12, budget, np.random.default_rng(seed))[0].values


def spread(games: list[Tabulated], truths: list[np.ndarray], budget: int) -> float:
    """Root mean square of error over standard error of the default estimator."""
    found = []
    for game, truth in zip(games, truths, strict=True):
        for seed in range(SEEDS):
            estimate = shapley_estimate(game, 12, budget, np.random.default_rng(seed))[0]
            found.append((estimate.values - truth) / estimate.standard_error)
    return float(np.sqrt(np.mean(np.square(found))))


def plain(game: Tabulated, budget: int, seed: int) -> np.ndarray:
    """explicate's plain weighted least squares."""
    return shapley_estimate(game, 12, budget, np.random.default_rng(seed), "least-squares")[0].values


def shap_kernel(game: Tabulated, budget: int, seed: int) -> np.ndarray:
    """shap's KernelExplainer."""
    import shap

    np.random.seed(seed)  # noqa: NPY002  shap has no other seed
    explainer = shap.KernelExplainer(game, np.zeros((1, 12)))
    return np.asarray(explainer.shap_values(np.ones((1, 12)), nsamples=budget, silent=True, l1_reg=0))[0]


def shapiq_paired(game: Tabulated, budget: int, seed: int) -> np.ndarray:
    """shapiq's KernelSHAP with paired sampling, the best peer."""
    import shapiq

    approximator = shapiq.KernelSHAP(n=12, pairing_trick=True, random_state=seed)
    found = approximator.approximate(budget=budget, game=game)
    return np.array([found[(player,)] for player in range(12)])


def errors(
    games: list[Tabulated], truths: list[np.ndarray], estimator: Callable[..., np.ndarray], budget: int
) -> float:
    """Median relative squared error."""
    found = [
        ((estimator(game, budget, seed) - truth) ** 2).sum() / (truth**2).sum()
        for game, truth in zip(games, truths, strict=True)
        for seed in range(SEEDS)
    ]
    return float(np.median(found))


def report(
    work: str, mine: float, peer: float | None, reference: float | None, ratio: float, goal: float, **more: Any
) -> None:
    """Print one measurement."""
    row = {"work": work, "ours": mine, "peer": peer, "reference": reference, "ratio": ratio, "goal": goal}
    row = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in row.items()}
    more = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in more.items()}
    print(json.dumps(row | {"met": bool(ratio <= goal), "load": round(os.getloadavg()[0], 2), **more}), flush=True)


def error_rows(name: str, model: Any, background: np.ndarray, people: np.ndarray) -> None:
    """Errors at each budget."""
    games = [Tabulated(tabulate(model, background, person)) for person in people]
    truths = [shapley_values(game.worth) for game in games]
    for budget in BUDGETS:
        found = {
            each.__name__: errors(games, truths, each, budget) for each in (ours, plain, shap_kernel, shapiq_paired)
        }
        peer = min(found["shap_kernel"], found["shapiq_paired"])
        goal = 0.75 if budget == 64 else 0.5
        work = f"attribution/shapley error/{name}/{budget} coalitions"
        about = {"runs": PEOPLE * SEEDS, "plain": found["plain"], "spread": spread(games, truths, budget)}
        report(work, found["ours"], peer, None, found["ours"] / peer, goal, **about)


def time_rows(name: str, model: Any, background: np.ndarray, people: np.ndarray) -> None:
    """Wall time of one explanation over the bare evaluations."""
    import shap
    import shapiq

    handle = TabularModel(model, background, fingerprint="timed")
    people = people[:TIMED]

    def function(rows: np.ndarray) -> np.ndarray:
        return model.predict_proba(rows)[:, 1]

    def bare(budget: int) -> None:
        rows = np.tile(background, (budget, 1))
        for _ in people:
            function(rows)

    def shapiq_all(budget: int) -> None:
        for person in people:

            def imputed(masks: np.ndarray, person: np.ndarray = person) -> np.ndarray:
                filled = np.where(masks[:, None, :], person, background).reshape(-1, 12)
                return function(filled).reshape(len(masks), -1).mean(axis=1)

            shapiq.KernelSHAP(n=12, pairing_trick=True, random_state=0).approximate(budget, imputed)

    def unshared(budget: int) -> None:
        limit, games.WORTH_SHARING = games.WORTH_SHARING, -1.0
        KernelShap(budget, estimator="least-squares").explain(handle, people, target=1)
        games.WORTH_SHARING = limit

    for budget in (128, 512, 2048):
        explainer = shap.KernelExplainer(function, background)
        runs: dict[str, Callable[[], object]] = {
            "bare": lambda b=budget: bare(b),
            "plain": lambda b=budget: KernelShap(b, estimator="least-squares").explain(handle, people, target=1),
            "unshared": lambda b=budget: unshared(b),
            "default": lambda b=budget: KernelShap(b).explain(handle, people, target=1),
            "shap": lambda b=budget, e=explainer: e.shap_values(people, nsamples=b, silent=True, l1_reg=0),
            "shapiq": lambda b=budget: shapiq_all(b),
        }
        seconds: dict[str, list[float]] = {key: [] for key in runs}
        for turn in range(ROUNDS + 1):
            for key, call in runs.items():
                start = time.perf_counter()
                call()
                if turn:
                    seconds[key].append(time.perf_counter() - start)
        took = {key: statistics.median(values) for key, values in seconds.items()}
        peer = min(took["shap"], took["shapiq"])
        work = f"attribution/shapley seconds/{name}/{budget} coalitions"
        limit = 1.05 if budget >= 512 else 1.5
        extra = 1000 * (took["default"] - took["plain"]) / len(people)
        for key, title, goal in [
            ("plain", "least squares", limit),
            ("unshared", "least squares, every input evaluated", limit),
            ("default", "default", 1.25 if budget >= 512 else 1.5),
        ]:
            about = {"runs": ROUNDS} | ({"extra_ms": extra} if key == "default" else {})
            report(f"{work}, {title}", took[key], peer, took["bare"], took[key] / took["bare"], goal, **about)


def main() -> None:
    """Print all measurements."""
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        known, background, people = models()
        for name, model in known.items():
            error_rows(name, model, background, people)
        for name, model in known.items():
            time_rows(name, model, background, people)


if __name__ == "__main__":
    main()
