"""Structural recursion (arXiv 2401.12947, 2305.14699): short-cuts of small Transformers, found and foretold.

Models are half as wide as the page's (64, not 128), so that a run takes minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.benchmarks.recursion import (
    ERRORS,
    Items,
    SuccessorTask,
    TraversalTask,
    all_numbers,
    baselines,
    check_trace,
    kind_of_input,
    score,
    short_cuts,
    wrong_trace,
)
from explicate.data.recursion import SUCCESSOR, Call
from explicate.data.recursion.successor import numbers
from explicate.data.recursion.trees import Order, random_tree, shape_of
from explicate.mechanisms.algorithms import failure_prediction, foretold, head_effects, reconstruct
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.translator import Translator, TranslatorShape
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.structural_recursion_claims import claims
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

ORDERS = ("natural", "reverse")
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "digits": 10, "shallow": 4, "deep": 7, "width": 64, "steps": 1000, "tree_steps": 2500, "trees": 20_000,
        "levels": 4, "test": 400, "long_digits": 14, "probes": 500, "fresh": 1000,
    },
    "smoke": {
        "digits": 5, "shallow": 1, "deep": 3, "width": 16, "steps": 40, "tree_steps": 10, "trees": 100,
        "levels": 3, "test": 20, "long_digits": 6, "probes": 24, "fresh": 24,
    },
}  # fmt: skip


def reproduce(context: Context) -> Sequence[Claim]:
    """The successor by training and depth, its reconstruction, traversals, and the classes of wrong reductions."""
    sizes = SIZES[context.scale]
    parts: list[dict[str, Any]] = [
        {"part": part, "order": order, "seed": seed}
        for part in ("all", "shallow", "balanced", "reconstruction")
        for order in ORDERS
        for seed in context.seeds
    ]
    parts += [{"part": "tree", "order": order, "seed": context.seeds[0]} for order in ("inorder", "preorder")]
    parts += [{"part": "reductions", "seed": context.seeds[0]}]
    return claims(by_part(measured(context, "structural-recursion", _work, parts, sizes)), sizes)


# -- units ---------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    sizes = SIZES[unit["scale"]]
    other = {"reconstruction": _reconstruction, "tree": _tree, "reductions": _reductions}
    return other.get(unit["part"], _successor)(unit, sizes)


def _successor(unit: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """A model of one kind of training: exact match in distribution, by depth, and what its heads do to it."""
    task = SuccessorTask(unit["order"] == "reverse")
    items = all_numbers(task, sizes["digits"])
    held_out = generator(unit["seed"], "held out").random(len(items)) < 0.1
    shown = ~held_out & ((items.depths <= sizes["shallow"]) | (unit["part"] != "shallow"))
    model = _trained(task, items.where(shown), items, unit, sizes, unit["part"] == "balanced")
    whole, fresh = score(model, items), items.where(held_out)
    own, floors = score(model, fresh), baselines(fresh)
    effects = head_effects(model, items.inputs, items.outputs, items.depths.tolist())
    return {
        "held_out": own.exact(), "held_out_shallow": own.exact(0, sizes["shallow"]),
        "deep": whole.exact(sizes["deep"]), "by_depth": {str(key): one for key, one in whole.by_depth().items()},
        "floors": {name: one.exact() for name, one in floors.items()}, "outcomes": whole.counts(),
        "head": str(effects.recursion_head()), "contrast": float(effects.contrast().max()),
    }  # fmt: skip


def _reconstruction(unit: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """A program chosen by what a model trained on shallow inputs does, and the failures that it foretells.

    Inputs have more digits than those of the other parts, for else too few go deep; half of the probes and of the fresh
    inputs are deeper than what was trained on.
    """
    task, rng = SuccessorTask(unit["order"] == "reverse"), generator(unit["seed"], "probes")
    items = all_numbers(task, sizes["long_digits"])
    deep = items.depths > sizes["shallow"]
    half, quarter = sizes["fresh"] // 2, sizes["probes"] // 2
    sides = [rng.permutation(np.flatnonzero(side))[: half + quarter] for side in (deep, ~deep)]
    probes = items.where(np.concatenate([side[:quarter] for side in sides]))
    fresh = items.where(np.concatenate([side[quarter:] for side in sides]))
    unseen = np.zeros(len(items), dtype=bool)
    unseen[np.concatenate(sides)] = True
    model = _trained(task, items.where(~deep & ~unseen), items, unit, sizes, balanced=False)
    program = reconstruct(
        short_cuts(task, sizes["shallow"] + 2), probes.inputs, model.answers(probes.inputs), kind=kind_of_input(task)
    )
    answers = model.answers(fresh.inputs)
    found = failure_prediction(program, fresh.inputs, fresh.outputs, answers)
    rule = [None if depth > sizes["shallow"] else true for depth, true in zip(fresh.depths, fresh.outputs, strict=True)]
    plain = foretold(rule, fresh.outputs, answers)
    return {
        "recall": found.recall, "precision": found.precision, "agreement": found.agreement,
        "agreement_failing": found.agreement_failing, "failures": found.failures, "inputs": found.inputs,
        "program": program.text(), "probe_agreement": program.agreement,
        "plain": {"recall": plain.recall, "precision": plain.precision, "agreement": plain.agreement},
    }  # fmt: skip


def _tree(unit: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """A traversal: unseen shapes of the trained levels, and one level more at no more words than were trained on."""
    order: Order = unit["order"]
    task, rng, levels = TraversalTask(order), generator(unit["seed"], "trees"), sizes["levels"]
    trees = list(dict.fromkeys(random_tree(rng, levels) for _ in range(sizes["trees"] + sizes["test"])))
    shapes = list(dict.fromkeys(map(shape_of, trees)))
    kept = {shapes[row] for row in rng.permutation(len(shapes))[: max(len(shapes) * 9 // 10, 1)]}
    shown = task.items([tree for tree in trees if shape_of(tree) in kept][: sizes["trees"]])
    unseen = task.items([tree for tree in trees if shape_of(tree) not in kept][: sizes["test"]])
    longest = max(map(len, shown.inputs))
    deeper = task.items([random_tree(rng, levels + 1, exact=True) for _ in range(4 * sizes["test"])])
    deeper = deeper.where([len(words) <= longest for words in deeper.inputs])
    model = _trained(task, shown, shown, unit, {**sizes, "steps": sizes["tree_steps"]}, balanced=False)
    floors = baselines(unseen)
    return {
        "unseen": score(model, unseen).exact(), "deeper": score(model, deeper).exact(),
        "unseen_tokens": score(model, unseen).tokens(), "unseen_shapes": len(shapes) - len(kept),
        "floors": {name: one.exact() for name, one in floors.items()},
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


def _trained(
    task: Any, shown: Items, every: Items, unit: dict[str, Any], sizes: dict[str, Any], balanced: bool
) -> Translator:
    shape = TranslatorShape(
        task.words, max(map(len, every.inputs)), max(map(len, every.outputs)) + 1, width=sizes["width"], heads=2,
        inner=2 * sizes["width"],
    )  # fmt: skip
    recipe = DecoderRecipe(steps=sizes["steps"], batch=64, learning_rate=1e-3, seed=unit["seed"])
    return Translator.train(shape, shown.pairs(balanced), recipe, name=f"{task.name}, {unit['part']}")
