"""Local function approximation: are eight explainers one fit, which model do they recover, where does each do well?

Source: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254, experiments 1 to 3 and theorem 1. Its tables (WHO, HELOC) are
replaced by breast cancer (12 features), diabetes, and the numeric columns of Adult.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from explicate.attribution import lfa
from explicate.core.capabilities import Array, Floats
from explicate.errors import ModelError
from explicate.evaluation.agreement import cosine_distance, l1_distance
from explicate.evaluation.perturbation import perturbation_test
from explicate.reproductions import local_function_approximation_claims as judged
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.local_function_approximation_peers import (
    METHODS,
    captum_attributions,
    captum_installed,
    captum_kernel_shap,
    captum_lime,
    exact_shapley_values,
    own_attributions,
    require_peers,
)
from explicate.runtime.runner import run
from explicate.runtime.seeds import generator

DATASETS = ("breast-cancer", "adult", "diabetes")
LAYERS = (3, 5, 8)
BREAST_CANCER_FEATURES = 12  # the first ones: the ten means, and two standard errors
ADULT_ROWS = 4000  # drawn at random
SCALES = (0.3, 0.2, 0.1, 0.05, 0.01)
LOWS = (0.0, 0.5, 0.65, 0.8, 0.95)
DRAWS_OF_A_DEAD_NETWORK = 10
POINTS_OF_MATCHED_KERNEL = 20
NEARLY = 1e-5  # how far from its limit a limit is taken: the noise of the gradient, the line of gradient × input


def reproduce(context: Context) -> Sequence[Claim]:
    """Three networks on each of three tables, linear and logistic models, and sines; claims of the paper and page."""
    if not context.smoke:
        require_peers()
    size = {"points": 12, "n": 1000, "epochs": 30} if context.smoke else {"points": 60, "n": 1000, "epochs": 300}
    datasets, layers = (DATASETS[:2], LAYERS[:1]) if context.smoke else (DATASETS, LAYERS)
    seeds = context.seeds[:1] if context.smoke else context.seeds
    each: list[dict[str, Any]] = [
        {"part": "network", "dataset": dataset, "layers": depth, "model_seed": seed, **size}
        for dataset in datasets
        for depth in layers
        for seed in seeds
    ]
    each += [{"part": "recovery", "dataset": name, "model_seed": seed, **size} for name in datasets for seed in seeds]
    each += [{"part": "no-free-lunch", "features": d, "model_seed": seed, **size} for d in (1, 2) for seed in seeds]
    done = run(
        _work,
        each,
        context.folder / "local-function-approximation" / context.scale,
        name="local-function-approximation",
        workers=context.workers,
        backend=context.backend,  # type: ignore[arg-type]
        max_error_rate=0.0,
    )
    records = [{**unit, **record} for unit, record in zip(done.units, done.records, strict=True)]
    return judged.claims(records)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    if unit["part"] == "network":
        return _network(unit, seed)
    return _recovery(unit, seed) if unit["part"] == "recovery" else _sine(unit, seed)


# -- data and models ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Split:
    """Rows scaled to [0, 1] by the training rows' range (diabetes: its labels too), and rows to explain."""

    classification: bool
    names: tuple[str, ...]
    training: Floats
    labels: Floats
    test: Floats
    test_labels: Floats


@cache
def prepared(dataset: str) -> Split:
    """One division of each table, the same for all models: 80 % to train on."""
    from explicate.data.tables import table

    whole = table(dataset).numeric()
    if dataset == "breast-cancer":
        whole = whole.columns([feature.name for feature in whole.features][:BREAST_CANCER_FEATURES])
    if dataset == "adult":
        whole = whole.take(generator(0, "rows").permutation(len(whole))[:ADULT_ROWS])
    training, test = whole.split(test=0.2, seed=0)
    low, high = training.values().min(axis=0), training.values().max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    labels, test_labels = training.labels.astype(float), test.labels.astype(float)
    classification = whole.task == "classification"
    if not classification:
        least, most = labels.min(), labels.max()
        labels, test_labels = (labels - least) / (most - least), (test_labels - least) / (most - least)
    return Split(
        classification,
        tuple(feature.name for feature in whole.features),
        (training.values() - low) / span,
        labels,
        (test.values() - low) / span,
        test_labels,
    )


def _handle(module: Any, data: Split, name: str) -> Any:
    from explicate.models.torch_tabular import TorchTabularModel

    return TorchTabularModel(
        module,
        data.training,
        features=data.names,
        score="probability" if data.classification else "logit",
        class_names=("no", "yes") if data.classification else None,
        name=name,
    )


def _living_network(data: Split, unit: dict[str, Any]) -> tuple[Any, int]:
    """The network of a seed. One that answers everywhere alike has nothing to explain: it is drawn again."""
    from explicate.models.tiny.mlp import trained_network

    for draw in range(DRAWS_OF_A_DEAD_NETWORK):
        module = trained_network(
            data.training,
            data.labels,
            classification=data.classification,
            layers=unit["layers"],
            seed=unit["model_seed"] + 100 * draw,
            epochs=unit["epochs"],
        )
        model = _handle(module, data, f"{unit['dataset']}, {unit['layers']} layers")
        if model.predict(data.training).std() > 1e-3:
            return model, draw
    raise ModelError(f"{DRAWS_OF_A_DEAD_NETWORK} networks in a row answer everywhere alike: {unit}")


def _quality(model: Any, data: Split) -> dict[str, float]:
    """Accuracy beside the larger class's share, or R squared beside 0, on the test rows."""
    scores = model.predict(data.test)[:, 0]
    if data.classification:
        share = float(data.test_labels.mean())
        return {
            "quality": float(((scores > 0.5) == (data.test_labels > 0.5)).mean()),
            "chance": max(share, 1 - share),
        }
    left = ((scores - data.test_labels) ** 2).mean() / data.test_labels.var()
    return {"quality": 1 - float(left), "chance": 0.0}


# -- experiments 1 and 3, and the limits -------------------------------------------------------------------------------


def _network(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    data = prepared(unit["dataset"])
    model, redrawn = _living_network(data, unit)
    rows = generator(0, "points", unit["dataset"]).permutation(len(data.test))[: unit["points"]]
    points, n = data.test[np.sort(rows)], unit["n"]
    fitted = {name: make(n=n).explain(model, points, 0, seed) for name, make in lfa.FACTORIES.items()}
    some = slice(0, POINTS_OF_MATCHED_KERNEL)
    if captum_installed():
        reference = captum_attributions(model, points, n, seed)
        in_the_limit = reference | {"kernel_shap": exact_shapley_values(model, points)}
        matched_kernel = captum_lime(model, points[some], n, seed, width=np.sqrt(0.5))
        again = [find(model, points[some], n, seed + 1) for find in (captum_lime, captum_kernel_shap)]
    else:
        reference = in_the_limit = own_attributions(model, points, seed)
        matched_kernel = reference["lime"][some]
        again = [reference[name][some] for name in judged.MASKED]
    ours = {name: fitted[name].values for name in METHODS}
    limits = {name: lfa.FACTORIES[name](exact=True) for name in judged.MASKED}
    limits |= {
        "vanilla_gradient": lfa.vanilla_gradient(NEARLY, n),
        "gradient_x_input": lfa.gradient_x_input(1 - NEARLY, n),
    }
    whole = {name: method.explain(model, points, 0, seed).values for name, method in limits.items()}
    smooth = [lfa.smooth_grad(scale, n).explain(model, points, 0, seed).values for scale in SCALES]
    line = [lfa.gradient_x_input(low, n).explain(model, points, 0, seed).values for low in LOWS]
    selection_rows = generator(0, "selection", unit["dataset"]).permutation(len(data.training))[: unit["points"]]
    selection = data.training[np.sort(selection_rows)]
    fitted_there = {name: make(n=n).explain(model, selection, 0, seed) for name, make in lfa.FACTORIES.items()}
    return {
        **_quality(model, data),
        "classification": data.classification,
        "redrawn": redrawn,
        "reference": "captum" if captum_installed() else "own dedicated implementations",
        "l1": _matrix(l1_distance, reference, ours),
        "cosine": _matrix(_cosine, reference, ours),
        "l1_limit": _matrix(l1_distance, in_the_limit, ours | whole),
        "cosine_limit": _matrix(_cosine, in_the_limit, ours | whole),
        "l1_to_all_masks": {
            name: [float(l1_distance(found[name], whole[name]).mean()) for found in (ours, reference)]
            for name in judged.MASKED
        },
        "cosine_to_another_draw": {
            name: float(_cosine(reference[name][some], other).mean())
            for name, other in zip(judged.MASKED, again, strict=True)
        },
        "lime_matched_kernel": [
            *(
                float(l1_distance(found[some], ours["lime"][some]).mean())
                for found in (reference["lime"], matched_kernel)
            ),
        ],
        "smooth_grad_limit": [_rounded(l1_distance(reference["vanilla_gradient"], found)) for found in smooth],
        "line_limit": [_rounded(l1_distance(reference["gradient_x_input"], found)) for found in line],
        "perturbation": _perturbation(fitted, model),
        "perturbation_selection": _perturbation(fitted_there, model),
    }


def _matrix(distance: Any, reference: dict[str, Floats], ours: dict[str, Floats]) -> list[Any]:
    """[reference method][our method][point]."""
    return [[_rounded(distance(reference[a], ours[b])) for b in METHODS] for a in METHODS]


def _cosine(first: Floats, second: Floats) -> Floats:
    """Cosine distance; 0 where both are zero vectors (a flat region of the network), 1 where one is."""
    empty = [np.linalg.norm(values, axis=1) < 1e-12 for values in (first, second)]
    distances = np.asarray(cosine_distance(first, second))
    return np.where(empty[0] & empty[1], 0.0, np.where(empty[0] | empty[1], 1.0, distances))


def _perturbation(explanations: dict[str, Any], model: Any) -> dict[str, Any]:
    """[method] -> {"binary, bottom": [point], ...}: mean |change| over the number of perturbed features."""
    found: dict[str, Any] = {}
    for name, explanation in explanations.items():
        mean = perturbation_test(explanation, model)["mean_change"]
        found[name] = {
            f"{kind}, {order}": _rounded(mean.sel(kind=kind, order=order).values)
            for kind in ("binary", "continuous")
            for order in ("bottom", "top")
        }
    return found


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.6g}") for value in np.asarray(values, dtype=float)]


# -- experiment 2 ------------------------------------------------------------------------------------------------------


def _recovery(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    """Linear or logistic models on real tables: how far is each explanation from their weights?"""
    import torch
    from sklearn.linear_model import LinearRegression, LogisticRegression

    data = prepared(unit["dataset"])
    learner = LogisticRegression(max_iter=5000) if data.classification else LinearRegression()
    rows = generator(unit["model_seed"], "resample").integers(len(data.training), size=len(data.training))
    learner.fit(data.training[rows], data.labels[rows])
    weights = np.ravel(learner.coef_).astype(float)
    module = torch.nn.Linear(len(weights), 1).double()
    with torch.no_grad():
        module.weight.copy_(torch.as_tensor(weights)[None])
        module.bias.copy_(torch.as_tensor(np.ravel(learner.intercept_)))
    chosen = generator(unit["model_seed"], "points").permutation(len(data.test))[: unit["points"]]
    points, n = data.test[chosen], unit["n"]

    def distances(model: Any, method: Any) -> list[float]:
        found = method.explain(model, points, 0, seed).values
        return [float(part.mean()) for part in lfa.model_recovery(found, weights, points)]

    linear = _handle(module, dataclasses.replace(data, classification=False), "linear")  # before any link
    record: dict[str, Any] = {"linear": {name: distances(linear, make(n=n)) for name, make in lfa.FACTORIES.items()}}
    if data.classification:
        logistic = _handle(module, data, "logistic")
        record["logistic, linear surrogate"] = {
            name: distances(logistic, make(n=n)) for name, make in lfa.FACTORIES.items()
        }
        for solver in ("newton", "sgd"):
            record[f"logistic, {solver}"] = {
                name: distances(logistic, lfa.FACTORIES[name](n=n, surrogate=lfa.Logistic(), solver=solver))
                for name in ("c_lime", "smooth_grad", "vanilla_gradient")
            }
    return record


# -- no free lunch -----------------------------------------------------------------------------------------------------


def _sine(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    """f = the sum of sines on [-2 pi, 2 pi]^d, g linear: the worst loss of each explanation, and d(f, G)."""
    import torch

    from explicate.models.torch_tabular import TorchTabularModel

    class Sine(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.phase = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x + self.phase).sum(dim=1)

    features = unit["features"]
    edge = 2 * np.pi
    rng = generator(unit["model_seed"], "sine", features)
    points = rng.uniform(-edge, edge, (2 if unit["epochs"] < 300 else 5, features))
    model = TorchTabularModel(Sine(), points, name="sine")
    found: dict[str, Any] = {}
    for name, make in lfa.FACTORIES.items():
        lunches = [
            lfa.no_free_lunch(model, fit, box=[(-edge, edge)] * features)
            for fit in make(n=unit["n"]).fit(model, points, 0, seed)
        ]
        found[name] = [
            {"witness": each.witness_loss, "distance": each.distance, "bound": each.distance_bound} for each in lunches
        ]
    return {"lunches": found}
