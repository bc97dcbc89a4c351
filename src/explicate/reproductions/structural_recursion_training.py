"""What the models of the structural recursion reproduction learn from and are asked, and their training."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from explicate.benchmarks.recursion import Items, RecursionTask, SuccessorTask, all_numbers
from explicate.data.recursion.trees import random_tree, shape_of
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.translator import Translator, TranslatorShape
from explicate.runtime.seeds import generator

Unit = dict[str, Any]
Sizes = dict[str, Any]


class Numbers(NamedTuple):
    """All numbers, those that are trained on, and which of them no model has seen (item,)."""

    every: Items
    shown: Items
    held_out: np.ndarray


class Probed(NamedTuple):
    """All numbers, those that are trained on, the probes and the fresh inputs."""

    every: Items
    shown: Items
    probes: Items
    fresh: Items


class Forest(NamedTuple):
    """Trees that are trained on, of other shapes, and of one level more with no more words than were trained on."""

    shown: Items
    unseen: Items
    deeper: Items
    unseen_shapes: int


def lesson(unit: Unit, sizes: Sizes) -> Numbers:
    """The numbers of a unit: a tenth is held out; with training "shallow", deep ones are not shown either."""
    every = all_numbers(SuccessorTask(unit["order"] == "reverse"), sizes["digits"])
    held_out = generator(unit["seed"], "held out").random(len(every)) < 0.1
    shallow = every.depths <= sizes["shallow"]
    shown = ~held_out & (shallow | (unit.get("training", unit["part"]) != "shallow"))
    return Numbers(every, every.where(shown), held_out)


def probed(unit: Unit, sizes: Sizes) -> Probed:
    """Shallow numbers to train on, probes and fresh inputs, half of which are deeper than what was trained on.

    They have more digits than those of the other parts, for else too few go deep.
    """
    rng, every = generator(unit["seed"], "probes"), _long(unit["order"] == "reverse", sizes["long_digits"])
    deep = every.depths > sizes["shallow"]
    half, quarter = sizes["fresh"] // 2, sizes["probes"] // 2
    sides = [rng.permutation(np.flatnonzero(side))[: half + quarter] for side in (deep, ~deep)]
    unseen = np.zeros(len(every), dtype=bool)
    unseen[np.concatenate(sides)] = True
    probes, fresh = (np.concatenate(rows) for rows in zip(*((s[:quarter], s[quarter:]) for s in sides), strict=True))
    return Probed(every, every.where(~deep & ~unseen), every.where(probes), every.where(fresh))


def forest(task: RecursionTask, sizes: Sizes, levels: int, seed: int) -> Forest:
    """Trees of a task; nine tenths of the shapes are trained on."""
    rng = generator(seed, "trees")
    trees = list(dict.fromkeys(random_tree(rng, levels) for _ in range(sizes["trees"] + sizes["test"])))
    shapes = list(dict.fromkeys(map(shape_of, trees)))
    kept = {shapes[row] for row in rng.permutation(len(shapes))[: max(len(shapes) * 9 // 10, 1)]}
    shown = task.items([tree for tree in trees if shape_of(tree) in kept][: sizes["trees"]])
    unseen = task.items([tree for tree in trees if shape_of(tree) not in kept][: sizes["test"]])
    longest = max(map(len, shown.inputs))
    deeper = task.items([random_tree(rng, levels + 1, exact=True) for _ in range(4 * sizes["test"])])
    return Forest(
        shown, unseen, deeper.where([len(words) <= longest for words in deeper.inputs]), len(shapes) - len(kept)
    )


def trained(
    shown: Items, every: Items, unit: Unit, sizes: Sizes, *, steps: int | None = None, balanced: bool = False
) -> Translator:
    """An encoder-decoder with room for `every` item, trained on those that are shown."""
    shape = TranslatorShape(
        every.task.words, max(map(len, every.inputs)), max(map(len, every.outputs)) + 1, width=sizes["width"], heads=2,
        inner=2 * sizes["width"],
    )  # fmt: skip
    return Translator.train(
        shape, shown.pairs(balanced), recipe(unit, sizes, steps), name=f"{every.task.name}, {unit['part']}"
    )


def recipe(unit: Unit, sizes: Sizes, steps: int | None = None) -> DecoderRecipe:
    """How every model here is trained, with the unit's own steps and learning rate if it has some."""
    count: int = steps or unit.get("steps") or sizes["steps"]
    return DecoderRecipe(steps=count, batch=64, learning_rate=unit.get("rate", 1e-3), seed=unit["seed"])


@lru_cache(maxsize=2)
def _long(reverse: bool, digits: int) -> Items:
    return all_numbers(SuccessorTask(reverse), digits)
