"""The units beside the main ones: decoders of the same size, partial tasks, and a small chat model."""

from __future__ import annotations

from typing import Any

from explicate.benchmarks.recursion import (
    Items,
    PartialTask,
    SuccessorTask,
    TraversalTask,
    all_numbers,
    ask_by_examples,
    ask_for_reductions,
    baselines,
    score,
)
from explicate.data.recursion.successor import term_of
from explicate.errors import MissingDependencyError
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.separated_decoder import SeparatedDecoder
from explicate.reproductions.chats import zoo_chat
from explicate.reproductions.structural_recursion_training import Sizes, Unit, forest, lesson, recipe, trained
from explicate.runtime.seeds import generator

SHOWN_REDUCTIONS = (2, 5, 11)


def decoding(unit: Unit, sizes: Sizes) -> dict[str, Any]:
    """A decoder of as many weights as the encoder-decoder: four layers instead of two and two, trained alike."""
    every, shown, held_out = lesson(unit, sizes)
    width, longest = sizes["width"], max(map(len, every.inputs)) + max(map(len, every.outputs)) + 3
    decoder = Decoder(
        every.task.words, layers=4, width=width, heads=2, mlp_width=2 * width, positions="learned", context=longest
    )
    pairs = shown.pairs(unit["training"] == "balanced")
    model = SeparatedDecoder.train(decoder, pairs, recipe(unit, sizes), name=f"{every.task.name}, decoder")
    whole, own = score(model, every), score(model, every.where(held_out))
    return {
        "held_out": own.exact(), "held_out_shallow": own.exact(0, sizes["shallow"]), "deep": whole.exact(sizes["deep"]),
        "by_depth": {str(key): one for key, one in whole.by_depth().items()}, "outcomes": whole.counts(),
    }  # fmt: skip


def reducing(unit: Unit, sizes: Sizes) -> dict[str, Any]:
    """So many steps of the reduction of an inorder traversal, on smaller trees than the whole is asked of."""
    task = PartialTask(TraversalTask("inorder"), unit["k"])
    found = forest(task, {**sizes, "trees": sizes["partial_trees"]}, sizes["levels"] - 1, unit["seed"])
    model = trained(found.shown, found.shown, unit, sizes, steps=sizes["partial_steps"])
    unseen, deeper = score(model, found.unseen), score(model, found.deeper)
    return {
        "unseen": unseen.exact(), "deeper": deeper.exact(), "unseen_tokens": unseen.tokens(),
        "outcomes": unseen.counts(), "trees": [len(found.unseen), len(found.deeper)],
        "floors": {name: one.exact() for name, one in baselines(found.unseen).items()},
    }  # fmt: skip


def chatting(unit: Unit, sizes: Sizes) -> dict[str, Any]:
    """SmolLM2 on both chat protocols: examples of the rule, and reductions; no figures where it is not installed.

    It is asked through its chat template, or "plain", as a text that it continues.
    """
    try:
        chat = zoo_chat(template=unit["template"])
    except MissingDependencyError as error:
        return {"missing": str(error)}
    task, rng = SuccessorTask(), generator(unit["seed"], "chat")
    items = all_numbers(task, 5, least=2)
    rows = rng.permutation(len(items))
    asked = items.where(rows[: sizes["asked"]])
    by_examples = ask_by_examples(chat, items.where(rows[sizes["asked"] :]), asked, max_new_tokens=24, each=8)
    terms = [term for term in asked.terms if term not in map(term_of, SHOWN_REDUCTIONS)][: sizes["reduced"]]
    by_steps = ask_for_reductions(chat, task, list(map(term_of, SHOWN_REDUCTIONS)), terms, max_new_tokens=64)
    return {
        "exact": by_examples.exact(), "tokens": by_examples.tokens(), "outcomes": by_examples.counts(),
        "same_as_floor": _same(asked, list(by_examples.answers)),
        "floors": {name: one.exact() for name, one in baselines(asked).items()},
        "asked": len(asked), "reduced": len(terms), "right": by_steps.right, "verdicts": by_steps.counts(),
        "right_steps": sum(one.right_steps for one in by_steps.verdicts),
        "first_replies": [*(" ".join(one or ()) for one in by_examples.answers[:3]), *by_steps.replies[:2]],
    }  # fmt: skip


def _same(asked: Items, answers: list[Any]) -> dict[str, int]:
    """How many answers are just what a floor gives: the error that a wrong guess at the rule makes."""
    return {
        name: sum(own == other for own, other in zip(answers, floor.answers, strict=True))
        for name, floor in baselines(asked).items()
    }
