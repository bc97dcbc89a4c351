"""Checks of models that are readable by design: for all of them, and for each of the five perspectives.

The list of checks is that of "A Comprehensive Survey on Self-Interpretable Neural Networks" (2025), arXiv 2501.15638.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution, Concepts, Rules
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox, replay
from explicate.glassbox.kinds import FormulaExplanation, Prototypes, ShapeCurves
from explicate.runtime.seeds import generator

# -- all families --------------------------------------------------------------------------------------------------


def replay_error(model: GlassBox, X: Any) -> float:
    """Largest difference between predictions and their replay: of values as it is, of labels the share that differ."""
    expected = np.asarray(model.predict(X))
    found = replay(model.explain(X))
    if expected.dtype.kind == "f" and found.dtype.kind == "f":
        return float(np.abs(found - expected).max(initial=0.0))
    return float(np.mean([one != other for one, other in zip(found.tolist(), expected.tolist(), strict=True)]))


def numbers_of(explanation: Explanation) -> Floats:
    """What an explanation says of each case, as numbers (sample, part).

    Contributions, activations, similarities, the formula's value, or which rules fire.
    """
    for kind, name in (
        (Attribution, "attribution"),
        (Concepts, "activation"),
        (Prototypes, "similarity"),
        (FormulaExplanation, "score"),
        (Rules, "fires"),
    ):
        if isinstance(explanation, kind):
            if name not in explanation.data:
                raise InputError("the explanation is of the whole model, not of cases; give explain(X)")
            values = explanation["contribution" if "contribution" in explanation.data else name].values
            return np.asarray(values, dtype=float).reshape(len(values), -1)
    raise InputError(f"{type(explanation).__name__} says nothing of cases")


def stability(model: GlassBox, X: Array, scale: float = 0.05, perturbations: int = 20, seed: int = 0) -> Floats:
    """Local Lipschitz constant of the explanation (case,): its largest change over the change of the case.

    Parameters
    ----------
    X : (case, ...) numbers. scale : standard deviation of the Gaussian noise, in the cases' units.
    """
    X = np.asarray(X, dtype=float)
    rng = generator(seed, "stability")
    start = numbers_of(model.explain(X))
    largest = np.zeros(len(X))
    for _ in range(perturbations):
        moved = X + rng.normal(0, scale, X.shape)
        change = np.linalg.norm(numbers_of(model.explain(moved)) - start, axis=1)
        largest = np.maximum(largest, change / np.linalg.norm((moved - X).reshape(len(X), -1), axis=1))
    return largest


def explanation_size(explanation: Explanation) -> int:
    """How much there is to read: points of curves, operations of a formula, weights not 0, prototypes, literals."""
    data = explanation.data
    if isinstance(explanation, FormulaExplanation):
        return formula_length(explanation)
    if isinstance(explanation, Prototypes):
        return int(data.sizes["prototype"])
    if isinstance(explanation, Rules):
        return int(data.sizes.get("literal", len(explanation.texts)))
    if isinstance(explanation, Concepts):
        return int(np.count_nonzero(data["weight"].values))
    if isinstance(explanation, Attribution | ShapeCurves):
        return int(data.sizes["point"])
    raise InputError(f"{type(explanation).__name__} has no size")


# -- attribution ---------------------------------------------------------------------------------------------------


def completeness_error(explanation: Attribution) -> float:
    """Largest gap between the sum of the contributions and score - baseline score."""
    data = explanation.data
    parts = explanation.values.reshape(len(explanation), -1).sum(axis=1)
    return float(np.abs(parts - (data["score"].values - data["baseline_score"].values)).max(initial=0.0))


def deletion_curve(explanation: Attribution, order: str = "largest", seed: int = 0) -> Floats:
    """Mean score (removed + 1,) as contributions are taken out of an additive model, one after the other.

    Parameters
    ----------
    order : "largest" takes the largest of each case first, "random" any.
    """
    values = explanation.values.reshape(len(explanation), -1)
    if order == "random":
        places = generator(seed, "deletion").permuted(np.tile(np.arange(values.shape[1]), (len(values), 1)), axis=1)
    elif order == "largest":
        places = np.argsort(-values, axis=1, kind="stable")
    else:
        raise InputError(f"order {order!r} is unknown; use 'largest' or 'random'")
    gone = np.cumsum(np.take_along_axis(values, places, axis=1), axis=1)
    scores = explanation["score"].values[:, None] - np.concatenate([np.zeros((len(values), 1)), gone], axis=1)
    return np.asarray(scores.mean(axis=0))


def shape_correlation(model: Any, X: Any, truth: Sequence[Callable[[Array], Array]]) -> tuple[Floats, Floats]:
    """How well an additive model's curves follow true ones: correlation of each (column,), and each curve's range.

    Parameters
    ----------
    truth : for each column its true function; a constant one (an irrelevant column) gets the correlation NaN.
    """
    explanation = model.explain(X)
    found = np.asarray(explanation["contribution"].values)[:, : len(truth), 0]
    inputs = np.asarray(explanation["inputs"].values)
    correlations = np.full(len(truth), np.nan)
    for column, function in enumerate(truth):
        expected = np.broadcast_to(function(inputs[:, column]), len(inputs))
        if np.ptp(expected) and np.ptp(found[:, column]):
            correlations[column] = np.corrcoef(found[:, column], expected)[0, 1]
    return correlations, np.ptp(found, axis=0)


# -- function ------------------------------------------------------------------------------------------------------


def formula_length(explanation: FormulaExplanation) -> int:
    """Operations in the formula's steps."""
    import ast

    trees = [ast.parse(str(step)) for step in explanation["step"].values]
    kinds = (ast.BinOp, ast.UnaryOp, ast.Call)
    return sum(isinstance(node, kinds) for tree in trees for node in ast.walk(tree))


def root_mean_square_error(model: Any, X: Array, y: Array) -> float:
    """Of a regressor; inside the training range the interpolation error, outside it the extrapolation error."""
    return float(np.sqrt(np.mean((np.asarray(model.predict(X)) - np.asarray(y)) ** 2)))


def network_gap(model: Any, X: Array) -> float:
    """Largest difference between a formula and the network that it was read from."""
    return float(np.abs(model.predict(X) - model.network_outputs(X)).max())


# -- concepts ------------------------------------------------------------------------------------------------------


def concept_accuracy(model: Any, X: Array, concepts: Array) -> float:
    """Share of concepts that are predicted right, over cases and concepts."""
    return float(((np.asarray(model.concepts(X)) > 0.5) == (np.asarray(concepts) > 0.5)).mean())


def intervention_curve(model: Any, X: Array, y: Array, concepts: Array, seed: int = 0) -> Floats:
    """Accuracy (known + 1,) as one concept after the other, in random order, is set to its truth."""
    truth = np.asarray(concepts)
    order = generator(seed, "interventions").permutation(truth.shape[1])
    found = []
    for count in range(truth.shape[1] + 1):
        known: Mapping[str, Array] = {model.concepts_[place]: truth[:, place] for place in order[:count]}
        found.append(float((replay(model.intervene(X, known)) == np.asarray(y)).mean()))
    return np.array(found)


def leakage(model: Any, X: Array, y: Array, concepts: Array, seed: int = 0) -> tuple[float, float]:
    """Accuracy before and after the activations are shuffled among cases with the same true concepts.

    What a concept says beyond its truth is lost; what the accuracy loses with it had leaked through. Source of
    the idea: Mahinpei et al. (2021), arXiv 2106.13314.
    """
    explanation = model.explain(X)
    activation = np.asarray(explanation["activation"].values).copy()
    rng = generator(seed, "leakage")
    for column, truth in enumerate(np.asarray(concepts).T):
        for value in np.unique(truth):
            own = np.flatnonzero(truth == value)
            activation[own, column] = activation[rng.permutation(own), column]
    shuffled = Concepts(explanation.data.assign(activation=(("sample", "concept"), activation)), explanation.provenance)
    return tuple(float((replay(each) == np.asarray(y)).mean()) for each in (explanation, shuffled))  # type: ignore[return-value]


# -- prototypes ----------------------------------------------------------------------------------------------------


def source_distances(model: Any) -> Floats:
    """Squared distance of each prototype to the patch that it was pushed to (prototype,); 0 after a push."""
    data = model.explain().data
    cases = model.explain(data["source_input"].values)
    patches = model.network_.patches(model._scaled(cases["inputs"].values))
    own = patches[np.arange(len(patches)), data["source_patch"].values]
    return np.asarray(np.square(own - model.network_.prototypes.detach().numpy()).sum(axis=1))


def purity(explanation: Prototypes, codes: Array, most: int = 10) -> Floats:
    """Share of each prototype's nearest cases that are of its class (prototype,).

    Parameters
    ----------
    codes : (sample,) places of the cases' classes in `label`. most : nearest cases that are looked at.
    """
    nearest = np.argsort(explanation["distance"].values, axis=0, kind="stable")[:most]
    return np.asarray((np.asarray(codes)[nearest] == explanation["prototype_class"].values).mean(axis=0))


def duplicate_rate(explanation: Prototypes) -> float:
    """Share of prototypes whose training case and patch another one has too."""
    pairs = list(zip(explanation["source"].values.tolist(), explanation["source_patch"].values.tolist(), strict=True))
    return float(np.mean([pairs.count(pair) > 1 for pair in pairs]))


def consistency(explanation: Prototypes, codes: Array, share: float = 0.5) -> float:
    """Share of prototypes that are seen at the same patch in at least so many of their class's cases.

    With annotated parts one would count parts; on pictures that are laid out alike a place is a part.
    """
    places = explanation["patch"].values
    found = []
    for prototype, own in enumerate(explanation["prototype_class"].values):
        seen = places[np.asarray(codes) == own, prototype]
        found.append(bool(len(seen)) and np.bincount(seen).max() >= share * len(seen))
    return float(np.mean(found))


def place_stability(model: Any, X: Array, codes: Array, scale: float = 0.05, seed: int = 0) -> float:
    """Share of cases and prototypes of their class that are seen at the same patch after Gaussian noise."""
    X = np.asarray(X, dtype=float)
    noisy = X + generator(seed, "noise").normal(0, scale, X.shape)
    before, after = model.explain(X), model.explain(noisy)
    own = np.asarray(codes)[:, None] == before["prototype_class"].values
    return float((before["patch"].values == after["patch"].values)[own].mean())


# -- rules ---------------------------------------------------------------------------------------------------------


def rule_counts(explanation: Rules) -> dict[str, float]:
    """Rules, literals, and the share of the cases that some rule decides."""
    found = {"rules": float(len(explanation.texts)), "literals": float(explanation.data.sizes.get("literal", 0))}
    if "decision" in explanation.data:
        found["coverage"] = float((explanation["decision"].values >= 0).mean())
    return found


def agreement(model: GlassBox, X: Any) -> float:
    """Share of cases for which the printed rules, or the program, say what the model says."""
    return 1.0 - replay_error(model, X)
