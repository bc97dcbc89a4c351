"""The self-interpretable survey (arXiv 2501.15638): five ways to be readable by design, each against a black-box twin.

The survey reports no benchmark of its own, so nothing is claimed; the bars are the page's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.core.kinds import Attribution
from explicate.data import table
from explicate.data.graphs import motif_graphs
from explicate.data.seven_segments import SEGMENTS, segments
from explicate.data.tables import Table
from explicate.evaluation import glassbox_metrics as metrics
from explicate.glassbox.additive import NeuralAdditiveClassifier, NeuralAdditiveRegressor
from explicate.glassbox.additive.policy import cross_entropy_policy, returns
from explicate.glassbox.bottleneck import MODES, ConceptBottleneckClassifier
from explicate.glassbox.equation import EquationRegressor
from explicate.glassbox.fold import FoldSEMulticlassClassifier
from explicate.glassbox.prototypes import PrototypeClassifier, PrototypePartsClassifier
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.self_interpretable_survey_claims import all_claims
from explicate.reproductions.self_interpretable_survey_twins import boosting, multilayer, network_accuracy
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

TRUTHS = (
    lambda v: np.sin(3 * v),
    lambda v: 2 * v**2,
    lambda v: np.where(v > 0.2, 1.0, -1.0),
    lambda v: 1.5 * v,
    lambda v: 0 * v,
    lambda v: 0 * v,
)
GRAPH: dict[str, Any] = {  # chosen on the validation tenth of graphs of another seed
    "encoder": "graphs", "encoder_rate": 1e-2, "batch": 32, "cluster": 0.1, "separation": 0.01,
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "tables": {"breast-cancer": None, "adult": 8000, "german-credit": None, "compas": 3000, "wine": None},
        "additive": {"members": 5, "batch": 256, "epochs": 200, "patience": 30},
        "rows": 2000,
        "equation": {"restarts": 5, "epochs": 600, "learning_rate": 1e-2, "batch": 64},
        "equation_rows": 500,
        "parts": {"epochs": 30},
        "pictures": None,
        "bottleneck": 60,
        "graphs": 1000,
        "graph": {"epochs": 60, "push_start": 20, "push_every": 20},
        "policy": {"iterations": 25, "episodes": 24, "elite": 8, "enough": 475.0},
    },
    "smoke": {
        "tables": {"breast-cancer": None},
        "additive": {"members": 1, "batch": 64, "epochs": 12, "hidden": (16, 8)},
        "rows": 400,
        "equation": {"restarts": 2, "epochs": 15, "learning_rate": 1e-2, "batch": 64, "penalties": (1e-3,)},
        "equation_rows": 200,
        "parts": {"epochs": 4, "push_start": 4, "prototypes": 3},
        "pictures": 400,
        "bottleneck": 10,
        "graphs": 100,
        "graph": {"epochs": 6, "push_start": 6, "prototypes": 3},
        "policy": {"iterations": 3, "episodes": 10, "elite": 4},
    },
}


def reproduce(context: Context) -> Sequence[Claim]:
    """Each representative on its own task, with its checks and its twin."""
    scale = SIZES[context.scale]
    parts: list[dict[str, Any]] = []
    for seed in context.seeds:
        parts += [{"part": "table", "table": name, "seed": seed} for name in scale["tables"]]
        for part in ("additive", "exclusive", "equation", "ratio", "parts", "concepts", "rules", "graphs", "policy"):
            parts.append({"part": part, "seed": seed})
    return all_claims(by_part(measured(context, "self-interpretable-survey", _work, parts, scale)))


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "table": _table, "additive": _additive, "exclusive": _exclusive, "equation": _equation, "ratio": _ratio,
        "parts": _parts, "concepts": _concepts, "rules": _rules, "graphs": _graphs, "policy": _policy,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # guards and small samples, which the figures show
        return parts[unit["part"]](unit, SIZES[unit["scale"]])


# -- attribution ---------------------------------------------------------------------------------------------------


def _table(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """One 80/20 split of a table: area under the curve of the additive model and of gradient boosting."""
    data: Table = table(unit["table"])
    rows = scale["tables"][unit["table"]]
    if rows is not None:
        data = data.take(generator(unit["seed"], "rows").permutation(len(data))[: round(rows / 0.8)])
    training, held_out = data.split(0.2, seed=unit["seed"])
    model = NeuralAdditiveClassifier(**scale["additive"], seed=unit["seed"]).fit(training.frame, training.labels)
    shares = model.predict_proba(held_out.frame)
    explained = model.explain(held_out.frame)
    assert isinstance(explained, Attribution)
    return {
        "auc": _area(held_out.labels, shares),
        "twin": _area(held_out.labels, boosting(training, held_out)),
        "rows": len(training),
        "replay": metrics.replay_error(model, held_out.frame),
        "completeness": metrics.completeness_error(explained),
        "size": metrics.explanation_size(explained),
        "drop": float(np.diff(metrics.deletion_curve(explained)[:2])[0]),
        "random_drop": float(np.diff(metrics.deletion_curve(explained, "random")[:2])[0]),
    }


def _additive(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """A sum of four functions, with two columns that do nothing."""
    rng = generator(unit["seed"], "additive")
    x = rng.uniform(-1, 1, (scale["rows"], len(TRUTHS)))
    y = sum(function(x[:, j]) for j, function in enumerate(TRUTHS)) + rng.normal(0, 0.1, len(x))
    model = NeuralAdditiveRegressor(**scale["additive"], seed=unit["seed"]).fit(x, y)
    test = rng.uniform(-1, 1, (1000, len(TRUTHS)))
    correlations, ranges = metrics.shape_correlation(model, test, TRUTHS)
    return {
        "correlations": [float(value) for value in correlations[:4]],
        "irrelevant": float(ranges[4:].max() / ranges.max()),
        "stability": float(np.mean(metrics.stability(model, test[:50]))),
    }


def _exclusive(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """The exclusive or of two signs, without and with a network of the pair."""
    import pandas as pd

    rng = generator(unit["seed"], "exclusive or")
    rows = scale["rows"]
    x = pd.DataFrame(rng.uniform(-1, 1, (2 * rows, 2)), columns=["a", "b"])
    y = (x["a"] * x["b"] > 0).to_numpy()
    found = {}
    choices: dict[str, tuple[tuple[str, str], ...]] = {"without": (), "with": (("a", "b"),)}
    for name, pairs in choices.items():
        model = NeuralAdditiveClassifier(**scale["additive"], pairs=pairs, seed=unit["seed"])
        model.fit(x[:rows], y[:rows])
        found[name] = _area(y[rows:], model.predict_proba(x[rows:]))
    return found


# -- function ------------------------------------------------------------------------------------------------------


def _formula(x: np.ndarray) -> np.ndarray:
    """The test formula of Martius and Lampert (2016)."""
    return np.asarray(
        (np.sin(np.pi * x[:, 0]) + np.sin(2 * np.pi * x[:, 1] + np.pi / 8) + x[:, 1] - x[:, 2] * x[:, 3]) / 3
    )


def _equation(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    return _extrapolated(unit, scale, _formula, 4, {})


def _ratio(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """A rational function, for the division: (x1 - x2) / (1 + x1 ^ 2)."""
    options: dict[str, Any] = {"division": True, "layers": (2,), "units": ("identity", "square")}
    return _extrapolated(unit, scale, lambda x: (x[:, 0] - x[:, 1]) / (1 + x[:, 0] ** 2), 2, options)


def _extrapolated(
    unit: dict[str, Any], scale: dict[str, Any], truth: Any, columns: int, options: Any
) -> dict[str, Any]:
    """Train on [-1, 1], test there and on [-2, 2]; the network is chosen by validation error only."""
    rng = generator(unit["seed"], "equation")
    x = rng.uniform(-1, 1, (scale["equation_rows"], columns))
    inside, outside = rng.uniform(-1, 1, (1000, columns)), rng.uniform(-2, 2, (1000, columns))
    model = EquationRegressor(**scale["equation"], **options, choice="error", seed=unit["seed"]).fit(x, truth(x))
    ranked = EquationRegressor(**scale["equation"], **options, seed=unit["seed"]).choose(model.candidates_, x)
    twin = multilayer(x, truth(x), unit["seed"])
    whole = model.explain()
    return {
        "interpolation": metrics.root_mean_square_error(model, inside, truth(inside)),
        "extrapolation": metrics.root_mean_square_error(model, outside, truth(outside)),
        "ranked": metrics.root_mean_square_error(ranked, outside, truth(outside)),
        "gap": metrics.network_gap(model, inside),
        "twin_interpolation": metrics.root_mean_square_error(twin, inside, truth(inside)),
        "twin": metrics.root_mean_square_error(twin, outside, truth(outside)),
        "spread": float(np.std(truth(outside))),
        "length": metrics.formula_length(whole),
        "formula": whole.text[:400],
        "validation": model.chosen_.error,
    }


# -- prototypes ----------------------------------------------------------------------------------------------------


def _digits(seed: int, most: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (picture, 1, 8, 8) in [0, 1] and digits: training, training, test, test."""
    data = table("digits")
    data = data if most is None else data.take(generator(seed, "pictures").permutation(len(data))[:most])
    training, held_out = data.split(0.2, seed=seed)
    first, second = (part.values().reshape(-1, 1, 8, 8) / 16 for part in (training, held_out))
    return first, training.labels, second, held_out.labels


def _parts(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """Digits: parts of training pictures, against the same convolutions with a dense layer."""
    x, y, test, labels = _digits(unit["seed"], scale["pictures"])
    model = PrototypePartsClassifier(**scale["parts"], seed=unit["seed"]).fit(x, y)
    cases = model.explain(test)
    last = model.pushes_[-1]
    return {
        "accuracy": model.score(test, labels),
        "twin": network_accuracy("pictures", x, y, test, labels, scale["parts"]["epochs"], unit["seed"]),
        "before": last.before,
        "pushed": last.pushed,
        "after": last.after,
        "distance": float(metrics.source_distances(model).max()),
        "purity": float(metrics.purity(cases, labels).mean()),
        "duplicates": metrics.duplicate_rate(cases),
        "consistency": metrics.consistency(cases, labels),
        "stability": metrics.place_stability(model, test, labels),
        "replay": metrics.replay_error(model, test),
    }


def _graphs(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """House or ring: whole training graphs as prototypes, 80 % for training and the last tenth for the test."""
    data = motif_graphs(scale["graphs"], unit["seed"])
    order = generator(unit["seed"], "graphs").permutation(len(data))
    training, held_out = order[: round(0.8 * len(order))], order[round(0.9 * len(order)) :]
    x, y = data.adjacency[training], data.labels[training]
    test, labels = data.adjacency[held_out], data.labels[held_out]
    options: dict[str, Any] = {**GRAPH, **scale["graph"]}
    model = PrototypeClassifier(**options, seed=unit["seed"]).fit(x, y)
    return {
        "accuracy": model.score(test, labels),
        "twin": network_accuracy("graphs", x, y, test, labels, scale["graph"]["epochs"], unit["seed"]),
        "distance": float(metrics.source_distances(model).max()),
        "replay": metrics.replay_error(model, test),
    }


# -- concepts, rules, policy ---------------------------------------------------------------------------------------


def _concepts(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """Digits through the segments of a seven-segment display."""
    import pandas as pd

    x, y, test, labels = _digits(unit["seed"], scale["pictures"])
    train, truth = (pd.DataFrame(segments(digits), columns=list(SEGMENTS)) for digits in (y, labels))
    found: dict[str, Any] = {}
    for mode in MODES:
        model = ConceptBottleneckClassifier(mode, epochs=scale["bottleneck"], seed=unit["seed"]).fit(x, y, train)
        curve = metrics.intervention_curve(model, test, labels, truth)
        before, shuffled = metrics.leakage(model, test, labels, truth)
        found[mode] = {
            "curve": curve.tolist(),
            "concepts": metrics.concept_accuracy(model, test, truth),
            "leakage": before - shuffled,
            "replay": metrics.replay_error(model, test),
        }
    return found


def _rules(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """Rules of wine: what is printed says what the model says."""
    training, held_out = table("wine").split(0.2, seed=unit["seed"])
    model = FoldSEMulticlassClassifier(tail=5).fit(training.frame, training.labels)
    counts = metrics.rule_counts(model.explain(held_out.frame))
    return {"agreement": metrics.agreement(model, held_out.frame), **counts}


def _policy(unit: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """A pole on a cart, balanced by four curves."""
    options: dict[str, Any] = {"members": 1, "hidden": (32, 16), "epochs": 15, "batch": 256, "validation": 0.0}
    model = NeuralAdditiveClassifier(**options, seed=unit["seed"])
    policy = cross_entropy_policy("CartPole-v1", model, **scale["policy"], seed=unit["seed"])
    return {
        "return": float(returns("CartPole-v1", policy, 20, unit["seed"]).mean()),
        "chance": float(returns("CartPole-v1", None, 20, unit["seed"]).mean()),
    }


def _area(labels: np.ndarray, shares: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    if shares.shape[1] == 2:
        return float(roc_auc_score(labels, shares[:, 1]))
    return float(roc_auc_score(labels, shares, multi_class="ovr"))
