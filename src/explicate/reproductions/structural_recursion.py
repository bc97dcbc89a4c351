"""Structural recursion (arXiv 2401.12947, 2305.14699): short-cuts of small Transformers, found and foretold.

Models are half as wide as the page's (64, not 128), so that a run takes minutes. This file has the units on the whole
recursion; `structural_recursion_programs` those that reconstruct what was learned, and `structural_recursion_arms`
decoders, partial tasks and a chat model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from explicate.benchmarks.recursion import (
    ERRORS,
    Items,
    TraversalTask,
    baselines,
    check_trace,
    score,
    wrong_trace,
)
from explicate.data.recursion import SUCCESSOR, Call
from explicate.data.recursion.successor import numbers
from explicate.data.recursion.trees import Order
from explicate.mechanisms.algorithms import dependence_agreement, each, head_effects
from explicate.models.tiny.translator import Translator
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.structural_recursion_arms import chatting, decoding, reducing
from explicate.reproductions.structural_recursion_claims import claims
from explicate.reproductions.structural_recursion_programs import reconstructed
from explicate.reproductions.structural_recursion_training import forest, lesson, trained
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

ORDERS = ("natural", "reverse")
WAYS_OUT: tuple[Literal["zero", "mean"], ...] = ("zero", "mean")
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "digits": 10, "shallow": 4, "deep": 7, "width": 64, "steps": 1000, "tree_steps": 2500, "trees": 20_000,
        "levels": 4, "test": 400, "long_digits": 14, "probes": 500, "fresh": 1000, "exchanged": 100, "k": [1, 2, 3],
        "partial_trees": 8000, "partial_steps": 1000, "asked": 12, "reduced": 8, "rates": [[3e-4, 2000], [1e-4, 3000]],
    },
    "smoke": {
        "digits": 5, "shallow": 1, "deep": 3, "width": 16, "steps": 40, "tree_steps": 10, "trees": 100,
        "levels": 3, "test": 20, "long_digits": 6, "probes": 24, "fresh": 24, "exchanged": 8, "k": [1],
        "partial_trees": 100, "partial_steps": 10, "asked": 0, "reduced": 0, "rates": [[3e-4, 40], [1e-4, 40]],
    },
}  # fmt: skip


def reproduce(context: Context) -> Sequence[Claim]:
    """The successor by training and depth, programs for it, traversals, arms, and the classes of wrong reductions."""
    sizes, first = SIZES[context.scale], context.seeds[0]
    parts: list[dict[str, Any]] = [
        {"part": part, "order": order, "seed": seed}
        for part in ("all", "shallow", "balanced", "reconstruction")
        for order in ORDERS
        for seed in context.seeds
    ]
    parts += [{"part": "tree", "order": order, "seed": first} for order in ("inorder", "preorder")]
    parts += [{"part": "reductions", "seed": first}]
    parts += [
        {"part": "rate", "order": "natural", "seed": seed, "rate": rate, "steps": steps}
        for rate, steps in sizes["rates"]  # the lower the rate, the longer
        for seed in context.seeds
    ]
    parts += [
        {"part": "decoder", "order": order, "seed": first, "training": training}
        for order in ORDERS
        for training in ("shallow", "balanced")
    ]
    parts += [{"part": "partial", "k": k, "seed": first} for k in sizes["k"]]
    parts += [{"part": "chat", "template": way, "seed": first} for way in (None, "plain") if sizes["asked"]]
    return claims(by_part(measured(context, "structural-recursion", _work, parts, sizes, version=2)), sizes)


# -- units ---------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    works = {
        "reconstruction": reconstructed, "rate": reconstructed, "tree": _tree, "reductions": _reductions,
        "decoder": decoding, "partial": reducing, "chat": chatting,
    }  # fmt: skip
    return works.get(unit["part"], _successor)(unit, SIZES[unit["scale"]])


def _successor(unit: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """A model of one kind of training: exact match in distribution and by depth, heads, what its words depend on."""
    every, shown, held_out = lesson(unit, sizes)
    model = trained(shown, every, unit, sizes, balanced=unit["part"] == "balanced")
    whole, fresh = score(model, every), every.where(held_out)
    own, floors, rng = score(model, fresh), baselines(fresh), generator(unit["seed"], "exchanges")
    depends, exchangeable = {}, np.array([len(words) > 1 for words in every.inputs])
    for side, rows in (("shallow", every.depths <= sizes["shallow"]), ("deep", every.depths >= sizes["deep"])):
        chosen = every.where(rng.permutation(np.flatnonzero(rows & exchangeable))[: sizes["exchanged"]])
        found = dependence_agreement(model.answers, each(every.task.machine()), chosen.inputs, every.task.swaps)
        depends[side] = {"recall": found.recall, "precision": found.precision, "inputs": found.inputs}
    return {
        "held_out": own.exact(), "held_out_shallow": own.exact(0, sizes["shallow"]),
        "deep": whole.exact(sizes["deep"]), "by_depth": {str(key): one for key, one in whole.by_depth().items()},
        "floors": {name: one.exact() for name, one in floors.items()}, "outcomes": whole.counts(),
        "depends": depends, "heads": _heads(model, every, unit["seed"]) if unit["part"] == "balanced" else {},
    }  # fmt: skip


def _heads(model: Translator, every: Items, seed: int) -> dict[str, Any]:
    """The head whose removal hurts deep inputs most beyond shallow ones, at zero and at its mean."""
    rows = generator(seed, "reference").permutation(len(every))[:256]
    reference, heads = [every.inputs[row] for row in rows], dict[str, Any]()
    for how in WAYS_OUT:
        effects = head_effects(model, every.inputs, every.outputs, every.depths.tolist(), how=how, reference=reference)
        best = int(effects.contrast().argmax())
        heads[how] = {
            "head": str(effects.heads[best]), "contrast": float(effects.contrast()[best]),
            "deep": float(effects.drop(2)[best]), "none": float(effects.drop(0, 0)[best]),
        }  # fmt: skip
    return heads


def _tree(unit: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """A traversal: unseen shapes of the trained levels, and one level more at no more words than were trained on."""
    order: Order = unit["order"]
    found = forest(TraversalTask(order), sizes, sizes["levels"], unit["seed"])
    model = trained(found.shown, found.shown, unit, sizes, steps=sizes["tree_steps"])
    unseen = score(model, found.unseen)
    return {
        "unseen": unseen.exact(), "deeper": score(model, found.deeper).exact(), "unseen_tokens": unseen.tokens(),
        "unseen_shapes": found.unseen_shapes,
        "floors": {name: one.exact() for name, one in baselines(found.unseen).items()},
    }  # fmt: skip


def _reductions(unit: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """The share of scripted reductions, each with one class of error, that are labelled as what they are."""
    right = made = 0
    for error in ERRORS:
        for number, term in enumerate(numbers(6)):
            start = Call(SUCCESSOR.name, (term,))
            lines = wrong_trace(SUCCESSOR, start, error, generator(unit["seed"], "errors", number))
            if lines is not None:
                made += 1
                right += check_trace(SUCCESSOR, start, lines).kind == error
    return {"labelled": right / made, "made": made}
