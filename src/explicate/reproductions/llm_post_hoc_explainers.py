"""In-context explainers (arXiv 2310.05797): does a chat model, or a one-line rule, find the features of a model?

The paper's chat models do not fit here. Programs that see nothing but the prompt show what sampler, serialiser and
parser carry; SmolLM2-135M-Instruct and Gemma-3-270M answer the same prompts. Of the paper's tables Adult and COMPAS
are on packages; German credit and breast cancer stand for the others. Columns are scaled to [0, 1]; a category becomes
a 0/1 column, "is the most frequent one".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from explicate.attribution.gradient import Gradient, GradientTimesInput, SmoothGrad
from explicate.attribution.integrated_gradients import IntegratedGradients
from explicate.attribution.kernel_shap import KernelShap
from explicate.attribution.lime_tabular import LIME
from explicate.attribution.missingness import Mean
from explicate.attribution.random_baseline import RandomAttribution
from explicate.core.capabilities import Array
from explicate.data import table
from explicate.errors import InputError, MissingDependencyError
from explicate.evaluation.agreement import feature_agreement, rank_agreement
from explicate.evaluation.prediction_gap import PredictionGaps, auc_over_k, pgi, pgu
from explicate.models.tiny.classifier import NetworkClassifier
from explicate.models.torch_tabular import TorchTabularModel
from explicate.rationales import InContextExplainer, Neighbourhood, scripted_rankers, solved
from explicate.reproductions import llm_post_hoc_explainers_claims as judged
from explicate.reproductions.chats import zoo_chat
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

TABLES = ("adult", "compas", "german-credit", "breast-cancer")
PREDICTIVE = 8  # columns of breast cancer
MODELS: dict[str, tuple[int, ...]] = {"LR": (), "ANN": (64, 32, 16)}
K = 3
BATCH, LINEAR_STEPS = 64, 3000
SHOTS = (4, 8, 12, 16, 32, 64)
MAIN = ("correlation", "random", "Grad", "LIME-1000", "SHAP", "GradxInput")  # with prediction gaps
CHATS = (("smollm2-135m", None), ("gemma-3-270m", "plain"))  # the second one is a base model without a template
CHAT_TABLES = ("breast-cancer", "compas")
STRATEGIES = ("perturbation", "prediction", "instruction", "explanation")
SIZES: dict[str, dict[str, Any]] = {
    "full": {"rows": None, "instances": 100, "points": 10_000, "epochs": 30, "asked": 6},
    "smoke": {"rows": 1200, "instances": 12, "points": 1000, "epochs": 20, "asked": 0},
}


def reproduce(context: Context) -> Sequence[Claim]:
    """Rankings by programs, chat models and gradient or sampling methods, against the weights and prediction gaps."""
    size = SIZES[context.scale]
    tables = CHAT_TABLES if context.smoke else TABLES
    units: list[dict[str, Any]] = [
        {"part": "table", "table": name, "model": model, "seed": seed}
        for seed in context.seeds
        for name in tables
        for model in MODELS
    ]
    if size["asked"]:
        units += [
            {"part": "chat", "table": name, "chat": chat, "strategy": strategy}
            for chat, _ in CHATS
            for name in CHAT_TABLES
            for strategy in STRATEGIES
        ]
    found = by_part(measured(context, "llm-post-hoc-explainers", _work, units, size))
    return judged.claims(found["table"], found.get("chat", []))


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    return _asked(unit) if unit["part"] == "chat" else _scored(unit)


# -- data and models -----------------------------------------------------------------------------------------------


def _prepared(name: str, seed: int, scale: str) -> tuple[tuple[str, ...], list[Array], list[Array]]:
    """Names of the columns; inputs scaled to [0, 1] by the training part; labels: of training, examples and test."""
    data = table(name)
    rows = SIZES[scale]["rows"]
    if rows is not None and len(data) > rows:
        data = data.take(generator(seed, "rows").permutation(len(data))[:rows])
    rest, test = data.split(0.2, seed=seed)
    training, examples = rest.split(0.2, seed=seed + 1)
    parts = [part.values() for part in (training, examples, test)]
    for j, feature in enumerate(data.features):
        if feature.kind == "categorical":
            codes, counts = np.unique(parts[0][:, j], return_counts=True)
            for part in parts:
                part[:, j] = part[:, j] == codes[counts.argmax()]
    low, high = parts[0].min(axis=0), parts[0].max(axis=0)
    kept = np.flatnonzero(high > low)
    if name == "breast-cancer":
        related = np.abs(np.corrcoef(parts[0].T, training.labels)[-1, :-1])
        kept = np.sort(np.argsort(-related, kind="stable")[:PREDICTIVE])
    scaled = [((part - low) / np.where(high > low, high - low, 1))[:, kept] for part in parts]
    names = tuple(data.features[int(j)].name for j in kept)
    return names, scaled, [part.labels for part in (training, examples, test)]


@cache
def _trained(name: str, model: str, seed: int, scale: str) -> tuple[TorchTabularModel, Array, Array, float]:
    """A model, the rows to show as examples, the test rows, and the accuracy on the test part."""
    names, (training, examples, test), (labels, _, truth) = _prepared(name, seed, scale)
    epochs, rate = SIZES[scale]["epochs"], 0.002
    if model == "LR":  # to its optimum, also on few rows
        epochs, rate = max(epochs, -(-LINEAR_STEPS * BATCH // len(training))), 0.01
    network = NetworkClassifier(MODELS[model], learning_rate=rate, batch=BATCH, epochs=epochs, seed=seed)
    network.fit(training, labels)
    handle = TorchTabularModel(
        network.module(), training, features=names, score="probability", class_names=("0", "1"), name=f"{model} {name}"
    )
    picked = generator(seed, "instances").permutation(len(test))[: SIZES[scale]["instances"]]
    return handle, examples, test[picked], float((network.predict(test) == truth).mean())


def _weights(handle: TorchTabularModel) -> Array:
    """The true importance in a linear model: w_1 - w_0."""
    return np.asarray(handle.module[0].weight.detach().numpy()[0], dtype=float)  # type: ignore[index]


# -- rankings ------------------------------------------------------------------------------------------------------


def _baselines(features: int) -> dict[str, Any]:
    """Post hoc methods with the paper's settings; LIME's steps have the standard deviation 0.1.

    The kernel width 0.75 is in units of sqrt(features), as OpenXAI, whose methods the paper takes, passes it on.
    """
    steps = np.stack([np.full(features, 0.4), np.full(features, 0.6)])

    def lime(samples: int) -> LIME:
        return LIME(samples=samples, radius="fixed", reference=steps)

    return {
        "LIME-1000": lime(1000),
        "LIME-16": lime(16),
        "Grad": Gradient(absolute=True),
        "SmoothGrad": SmoothGrad(samples=100, noise=0.005, noise_unit="absolute"),
        "IG": IntegratedGradients(steps=50, rule="gauss-legendre", multiply=False),
        "GradxInput": GradientTimesInput(),
        "SHAP": KernelShap(budget=500, estimator="least-squares", missingness=Mean()),
        "random attribution": RandomAttribution(),
    }


def _in_context(scale: str, chat: Any, **fields: Any) -> InContextExplainer:
    cloud = Neighbourhood(n_samples=SIZES[scale]["points"])
    return InContextExplainer(**{"chat": chat, "neighbourhood": cloud, "scale": "unit", **fields})


def _variants(scale: str, examples: Array, ablations: bool) -> dict[str, InContextExplainer]:
    """Programs that answer the prompts of every strategy, and of every ablation."""

    def by(chat: Callable[..., Any], **fields: Any) -> InContextExplainer:
        return _in_context(scale, chat(chatty=True), **fields)

    rule, any_order = scripted_rankers.correlation, scripted_rankers.random
    found = {
        "correlation": by(rule),
        "correlation, raw": by(rule, format="raw"),
        "correlation, prediction": by(rule, strategy="prediction"),
        "correlation, instruction": by(rule, strategy="instruction"),
        "correlation, random shots": by(rule, sampler="random"),
        "correlation, soft": by(rule, soft=True),
        "random": by(any_order),
    }
    for name, explainer in (
        ("Grad", Gradient(absolute=True)),
        ("LIME-1000", _baselines(examples.shape[1])["LIME-1000"]),
    ):
        found[f"copy of {name}"] = _in_context(
            scale, scripted_rankers.copy(), strategy="explanation", explainer=explainer, examples=examples
        )
    if ablations:
        found |= {f"correlation, {count} shots": by(rule, n_icl=count) for count in SHOTS if count != 16}
        found["correlation, flips"] = by(rule)  # its feature types are set where the rows are known
    return found


def _scored(unit: dict[str, Any]) -> dict[str, Any]:
    """All methods on the test rows of one model."""
    handle, examples, rows, accuracy = _trained(unit["table"], unit["model"], unit["seed"], unit["scale"])
    features = rows.shape[1]
    linear = unit["model"] == "LR"
    truth = np.tile(np.abs(_weights(handle)), (len(rows), 1)) if linear else None
    gaps = PredictionGaps(handle, rows, 0, Neighbourhood(n_samples=SIZES[unit["scale"]]["points"]), seed=unit["seed"])
    record: dict[str, Any] = {"features": features, "accuracy": accuracy, "methods": {}}
    if truth is not None:
        first, second = np.sort(truth[0])[::-1][:2]
        record["truth_gap"] = float(first / max(second, 1e-12))
    methods: dict[str, Any] = _variants(unit["scale"], examples, ablations=unit["seed"] == 0) | _baselines(features)
    rankings = {}
    for name, method in methods.items():
        if name.endswith("flips"):
            method = _with_flips(method, rows, handle.background)
        found = method.explain(handle, rows, target=0, seed=unit["seed"])
        asked = isinstance(method, InContextExplainer)
        own: dict[str, Any] = {"total": len(rows), "evaluations": found.provenance.evaluations}
        if asked:
            own |= {f"{what}": found.data.attrs[f"count_{what}"] for what in ("ok", "bad_reply", "unsolvable")}
            if name in ("correlation", "correlation, raw"):
                rankings[name] = found["ranking"].values.tolist()
            if not own["ok"]:  # nothing to score
                record["methods"][name] = own
                continue
            if name.endswith("prediction"):
                known = found["hidden_output"].values != -9
                right = found["hidden_output"].values == found["predicted_output"].values
                own["prediction_accuracy"] = float(right[known].mean())
                _, counts = np.unique(found["hidden_output"].values[known], return_counts=True)
                own["prediction_majority"] = float(counts.max() / counts.sum())
            found = solved(found)
        kept = found["instance"].values if asked else np.arange(len(rows))
        own["instances"] = [int(i) for i in kept]
        if truth is not None:
            agreed = [feature_agreement(found, truth[kept], k) for k in range(1, K + 1)]
            own |= {
                "fa1": agreed[0].tolist(),
                "fa3": agreed[-1].tolist(),
                "fa_auc": auc_over_k(agreed).tolist(),
                "ra_auc": auc_over_k([rank_agreement(found, truth[kept], k) for k in range(1, K + 1)]).tolist(),
            }
        if name in MAIN:
            own["pgi_auc"] = auc_over_k([pgi(found, gaps, k) for k in range(1, K + 1)]).tolist()
            own["pgu_auc"] = auc_over_k([pgu(found, gaps, k) for k in range(1, K + 1)]).tolist()
        record["methods"][name] = own
    same = [a == b for a, b in zip(rankings["correlation"], rankings["correlation, raw"], strict=True)]
    record["delta_is_raw"] = float(np.mean(same))
    return record


def _with_flips(method: InContextExplainer, rows: Array, background: Array) -> InContextExplainer:
    from dataclasses import replace

    seen = np.concatenate([rows, background]).T
    return replace(method, feature_types=tuple("d" if np.isin(column, (0, 1)).all() else "c" for column in seen))


# -- chat models ---------------------------------------------------------------------------------------------------


def _asked(unit: dict[str, Any]) -> dict[str, Any]:
    """What a chat model makes of a few instances; a record without figures where it is not installed."""
    handle, examples, rows, _ = _trained(unit["table"], "LR", 0, unit["scale"])
    rows = rows[: SIZES[unit["scale"]]["asked"]]
    fields: dict[str, Any] = {"strategy": unit["strategy"], "k": K, "max_new_tokens": 48, "reasoning": False}
    if unit["strategy"] == "explanation":
        fields |= {"explainer": Gradient(absolute=True), "examples": examples}
    try:
        chat = zoo_chat(unit["chat"], dict(CHATS)[unit["chat"]])
    except MissingDependencyError as error:
        return {"missing": str(error)}
    found = _in_context(unit["scale"], chat, **fields).explain(handle, rows, target=0)
    record: dict[str, Any] = {
        "total": len(rows),
        "tokens": int(found["step_prompt_tokens"].values.sum() + found["step_completion_tokens"].values.sum()),
        "seconds": found.provenance.seconds,
        "first_reply": str(found["step_reply"].values[0, 0])[:200],
        **{what: found.data.attrs[f"count_{what}"] for what in ("ok", "bad_reply", "unsolvable")},
    }
    try:
        found = solved(found)
    except InputError:
        return record
    truth = np.tile(np.abs(_weights(handle)), (len(found), 1))
    record["fa1"] = feature_agreement(found, truth, 1).tolist()
    record["fa_auc"] = auc_over_k([feature_agreement(found, truth, k) for k in range(1, K + 1)]).tolist()
    return record
