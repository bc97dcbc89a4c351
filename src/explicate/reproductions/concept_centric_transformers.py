"""Concept-centric transformers (arXiv 2305.15775): logits that are sums over concepts, on three worlds of known truth.

The paper's data sets are on no package. Here are digits with the digit as the concept of their parity, rendered birds
with backgrounds and annotated parts, and the same birds without annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.explained import Explained
from explicate.data.rendered_birds import ATTRIBUTES, BACKGROUNDS, DEFINING, rendered_birds
from explicate.evaluation.concept_metrics import concept_accuracy, concept_f1, consistency, purity, shuffled
from explicate.glassbox import replay
from explicate.glassbox.concept_transformer import ConceptCentricTransformer, ConceptTransformer
from explicate.models.tiny.token_classifier import TokenClassifier
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.concept_centric_transformers_claims import claims_of
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

SEEDS = 5
FEW = 100  # training images of the second part of the digits
DIGIT_WEIGHT = 5.0  # of the explanation loss on digits; WEIGHTS are those swept beside it
WEIGHTS = (0.0, 0.5, 1.0)
MODELS: dict[str, tuple[type, dict[str, Any]]] = {
    "cct": (ConceptCentricTransformer, {}),
    "ct": (ConceptTransformer, {}),
    "plain": (TokenClassifier, {}),
    "isa": (ConceptCentricTransformer, {"memory": "isa"}),
    "bo_qsa": (ConceptCentricTransformer, {"memory": "bo_qsa"}),
    "cls": (ConceptCentricTransformer, {"slot_input": "cls"}),
    "static space": (ConceptCentricTransformer, {"spatial_memory": "static"}),
    "cct whole": (ConceptCentricTransformer, {}),
    "ct whole": (ConceptTransformer, {}),
}
WHOLE = ("cct whole", "ct whole")  # a control: all concepts are of the whole picture, none of patches
COMPARED = ("cct", "ct", "plain")
VARIANTS = ("isa", "bo_qsa", "cls", "static space")
SIZES: dict[str, dict[str, Any]] = {
    "full": {"epochs": 120, "few epochs": 100, "birds": 4000, "test": 400, "bird epochs": 40, "top": 30, "found": 12},
    "smoke": {"epochs": 1, "few epochs": 1, "birds": 64, "test": 48, "bird epochs": 1, "top": 10, "found": 12},
}
NAMES = (*BACKGROUNDS, *ATTRIBUTES)
PATCH = {"digits": 2, "birds": 16}  # both give 16 tokens
LEARNING_RATE = {"digits": 1e-3, "birds": 3e-3}  # these and the epochs were chosen on seed 100
SPARING: dict[str, Any] = {"batch": 25, "validation": 0.0, "learning_rate": 3e-3}  # ten images choose no epoch


def reproduce(context: Context) -> Sequence[Claim]:
    """All parts of the system's page."""
    seeds = context.seeds if context.smoke else five(context.seeds)
    units: list[dict[str, Any]] = []
    for seed in seeds:
        units += [{"part": "digits", "model": model, "seed": seed} for model in COMPARED]
        units += [{"part": "few", "model": model, "seed": seed, "weight": DIGIT_WEIGHT} for model in COMPARED]
        units += [{"part": "ceiling", "model": "plain", "seed": seed}]
        units += [{"part": "birds", "model": model, "seed": seed} for model in COMPARED]
        units += [{"part": "found", "model": model, "seed": seed} for model in ("cct", "ct")]
    variants, weights = (VARIANTS[:1], WEIGHTS[:1]) if context.smoke else (VARIANTS, WEIGHTS)
    units += [{"part": "variant", "model": model, "seed": seeds[0]} for model in variants]
    units += [{"part": "whole", "model": model, "seed": seeds[0]} for model in WHOLE]
    units += [{"part": "weight", "model": "cct", "seed": seeds[0], "weight": weight} for weight in weights]
    return claims_of(by_part(measured(context, "concept-centric-transformers", _work, units, SIZES[context.scale])))


def five(seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds, made five by the next whole numbers; the page asks for so many."""
    further = (n for n in range(SEEDS + len(seeds)) if n not in seeds)
    return (*seeds, *(next(further) for _ in range(SEEDS - len(seeds))))


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "digits": _digits, "few": _few, "weight": _few, "ceiling": _ceiling, "birds": _birds, "variant": _birds,
        "whole": _whole, "found": _found,
    }  # fmt: skip
    return parts[unit["part"]](unit)


def _model(unit: dict[str, Any], world: str, epochs: int, **options: Any) -> Any:
    kind, own = MODELS[unit["model"]]
    if unit["model"] == "plain":
        options = {}
    own = {**own, **options, "patch": PATCH[world], "learning_rate": LEARNING_RATE[world]}
    return kind(**own, epochs=epochs, seed=unit["seed"])


# -- digits --------------------------------------------------------------------------------------------------------


def _digits(unit: dict[str, Any]) -> dict[str, Any]:
    """Even or odd, with all training images."""
    sizes = SIZES[unit["scale"]]
    return _parity(_model(unit, "digits", sizes["epochs"], explanation=DIGIT_WEIGHT), unit, None)


def _few(unit: dict[str, Any]) -> dict[str, Any]:
    """Even or odd, with 100 of them."""
    sizes = SIZES[unit["scale"]]
    return _parity(_model(unit, "digits", sizes["few epochs"], explanation=unit["weight"]), unit, FEW)


def _ceiling(unit: dict[str, Any]) -> dict[str, Any]:
    """How well the backbone learns the digits themselves from 100 images, and the parity that follows from them."""
    images, digits, training, held = _split(unit["seed"], FEW)
    model = _model(unit, "digits", SIZES[unit["scale"]]["few epochs"]).set_params(**SPARING)
    said = model.fit(images[training], digits[training]).predict(images[held])
    return {"digit": float((said == digits[held]).mean()), "accuracy": float((said % 2 == digits[held] % 2).mean())}


def _parity(model: Any, unit: dict[str, Any], rows: int | None) -> dict[str, Any]:
    images, digits, training, held = _split(unit["seed"], rows)
    if rows is not None:
        model.set_params(**SPARING)
    concepts = np.eye(10)[digits]
    if unit["model"] == "plain":
        model.fit(images[training], digits[training] % 2)
        return {"accuracy": model.score(images[held], digits[held] % 2)}
    model.fit(images[training], digits[training] % 2, concepts[training])
    attention = model.attend(images[held])["global"][:, 0]
    return {
        "accuracy": model.score(images[held], digits[held] % 2),
        "digit": concept_accuracy(attention, concepts[held]),
    }


def _split(seed: int, rows: int | None) -> tuple[Array, Array, Array, Array]:
    """Images, digits, and the places of training and test images."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = generator(seed, "split").permutation(len(data.target))
    return data.images[:, None] / 16, data.target, order[len(order) // 5 :][:rows], order[: len(order) // 5]


# -- birds ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _flock(scale: str, seed: int) -> tuple[Explained, Explained]:
    """Training and test pictures of one seed."""
    training, test = (
        rendered_birds(SIZES[scale][part], generator(seed, part), PATCH["birds"]) for part in ("birds", "test")
    )
    return training, test


def _birds(unit: dict[str, Any]) -> dict[str, Any]:
    """Accuracy, concepts on annotated patches, and what masking does."""
    training, test = _flock(unit["scale"], unit["seed"])
    model = _model(unit, "birds", SIZES[unit["scale"]]["bird epochs"])
    if unit["model"] == "plain":
        return {"accuracy": model.fit(training.images, training.labels).score(test.images, test.labels)}
    model.fit(training.images, training.labels, training.global_targets, training.spatial_targets, training.names)
    attention, predicted = model.attend(test.images), model.predict(test.images)
    rng = generator(unit["seed"], "controls")
    mixed = {stream: shuffled(rows, rng) for stream, rows in attention.items()}
    noisy = np.clip(test.images + rng.normal(0, 0.02, test.images.shape), 0, 1)
    return {
        "accuracy": float((predicted == test.labels).mean()),
        "background": concept_accuracy(attention["global"][:, 0], test.global_targets),
        "f1": concept_f1(attention["spatial"], test.spatial_targets),
        "shuffled f1": concept_f1(mixed["spatial"], test.spatial_targets),
        "shuffled accuracy": float((replay(model.intervene(test.images, attention=mixed)) == test.labels).mean()),
        "consistency": consistency(attention["spatial"], model.attend(noisy)["spatial"]),
        **_masked(model, test, predicted, rng),
    }


def _whole(unit: dict[str, Any]) -> dict[str, Any]:
    """What masking does where each picture has one query, which attends to its background and its three parts."""
    training, test = _flock(unit["scale"], unit["seed"])
    model = _model(unit, "birds", SIZES[unit["scale"]]["bird epochs"])
    model.fit(training.images, training.labels, picture_attributes(training), names={"global": NAMES})
    predicted = model.predict(test.images)
    found = _masked(model, test, predicted, generator(unit["seed"], "controls"))
    return {"accuracy": float((predicted == test.labels).mean()), **found}


def _masked(model: Any, test: Explained, predicted: Array, rng: np.random.Generator) -> dict[str, Any]:
    """Shares of changed predictions when the class's defining concept is masked, and when a random other one is."""
    own = np.array([NAMES.index(DEFINING[label]) for label in test.labels])
    other = (own + rng.integers(1, len(NAMES), len(own))) % len(NAMES)
    changed = np.stack([replay(model.intervene(test.images, [name])) != predicted for name in NAMES], axis=1)
    rows = np.arange(len(own))
    places = own < len(BACKGROUNDS)
    return {
        "masked": float(changed[rows, own].mean()),
        "masked other": float(changed[rows, other].mean()),
        "masked background": float(changed[rows, own][places].mean()),
        "masked part": float(changed[rows, own][~places].mean()),
    }


# -- concepts that are found ---------------------------------------------------------------------------------------


def _found(unit: dict[str, Any]) -> dict[str, Any]:
    """Spatial concepts without annotations: what their top pictures share, beside shuffled attention."""
    sizes = SIZES[unit["scale"]]
    training, test = _flock(unit["scale"], unit["seed"])
    options = {"explanation": 0.0, "sparsity": 0.0, "spatial_concepts": sizes["found"]}
    model = _model(unit, "birds", sizes["bird epochs"], **options).fit(training.images, training.labels)
    attention = model.attend(test.images)["spatial"]
    shown = patch_attributes(test)
    rng = generator(unit["seed"], "controls")
    real, control = purity(attention, shown, sizes["top"]), purity(shuffled(attention, rng), shown, sizes["top"])
    classes = purity(attention.sum(axis=1), np.eye(len(DEFINING))[test.labels], sizes["top"])
    return {
        "accuracy": model.score(test.images, test.labels),
        "purity": real.mean,
        "shuffled": control.mean,
        "of classes": classes.mean,
        "used": int(real.used.sum()),
    }


def picture_attributes(data: Explained) -> Array:
    """(case, attribute): the background and the parts of each picture, in the order of their names."""
    assert data.spatial_targets is not None
    assert data.global_targets is not None
    return np.concatenate([data.global_targets, np.nan_to_num(data.spatial_targets).max(axis=1)], axis=1)


def patch_attributes(data: Explained) -> Array:
    """(case, patch, attribute): the parts that a patch holds, or else its background; each patch shows at least one."""
    assert data.spatial_targets is not None
    assert data.global_targets is not None
    parts = np.nan_to_num(data.spatial_targets)
    bare = parts.sum(axis=2, keepdims=True) == 0
    return np.concatenate([parts, bare * data.global_targets[:, None]], axis=2)
