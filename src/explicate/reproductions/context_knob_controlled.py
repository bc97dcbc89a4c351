"""The context knob in small decoders trained from scratch, whose facts, tasks and entities are all known."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.benchmarks.context_sensitivity import (
    ControlledPosing,
    FactsAndContexts,
    FactWorld,
    Posed,
    ask,
    find_layer_ranges,
    separation_of,
    train_knob,
    turn,
    untrained_knob,
)
from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.data.language.context_prompts import ContextPrompt
from explicate.mechanisms import interchanged
from explicate.mechanisms.knobs import Knob, KnobTraining, LayerSearch, random_direction
from explicate.mechanisms.knobs.training import won
from explicate.mechanisms.patchscope import Patchscope
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, train_decoder
from explicate.reproductions.context_knob_records import facts_of, layers_record, near
from explicate.runtime.seeds import generator

SAID = ControlledPosing()
SILENT = ControlledPosing(ContextPrompt("none"))
RANKS = (1, 8)
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "world": {"entities": 100, "relations": 5, "values": 30},
        "decoder": {"layers": 5, "width": 128, "heads": 4, "mlp_width": 344},
        "base": {"steps": 600, "batch": 80, "learning_rate": 3e-3},
        "tuned": {"steps": 250, "batch": 96, "learning_rate": 1e-3},
        "checkpoints": (0, 5, 10, 20, 30, 40, 60, 80, 120, 160, 200),
        "contexts": 1,
        "for knob": 64,
        "knob": {"epochs": 10},
        "pairs": 50,
        "random": 5,
    },
    "smoke": {
        "world": {"entities": 20, "relations": 2, "values": 8},
        "decoder": {"layers": 3, "width": 48, "heads": 4, "mlp_width": 96},
        "base": {"steps": 250, "batch": 48, "learning_rate": 5e-3},
        "tuned": {"steps": 200, "batch": 48, "learning_rate": 2e-3},
        "checkpoints": (0, 20, 40, 60, 80, 120),
        "contexts": 4,
        "for knob": 20,
        "knob": {"epochs": 4},
        "pairs": 20,
        "random": 3,
    },
}


def controlled(scale: str, seed: int) -> dict[str, Any]:
    """Train, tune, search the layers and the knob on validation entities, and measure on held-out ones."""
    sizes = SIZES[scale]
    world = FactWorld(**sizes["world"], seed=seed)
    base, models = trained(world, sizes, seed)
    tuned = models[-1][1]
    test = world.questions("test", sizes["contexts"])
    said, silent = Posed.of(tuned, test, SAID), Posed.of(tuned, test, SILENT)
    ranges = find_layer_ranges(
        tuned,
        world.questions("training"),
        SAID,
        search=LayerSearch(patchscope=Patchscope(world.identity)),
        most=sizes["pairs"],
        seed=seed,
    )
    deciding = {*ranges.layers("context to prior"), *ranges.layers("prior to context")}
    training = world.questions("training").sample(sizes["for knob"], seed)
    validation = world.questions("validation", sizes["contexts"])
    knob, by_layer = train_knob(
        tuned,
        training,
        validation,
        SAID,
        SILENT,
        near(deciding, tuned.layer_count),
        how=KnobTraining(**sizes["knob"]),
        seed=seed,
    )
    plain = untrained_knob(tuned, training, validation, SAID, SILENT, knob.layer)
    rng = generator(seed, "random directions")
    others = [knob.with_direction(random_direction(tuned.width, rng)) for _ in range(sizes["random"])]
    control, *random = [each.pair_accuracy for each in turn([plain, *others], tuned, silent)]
    return {
        "base": ask(base, test, SAID).to_dict(),
        "tuned": ask(tuned, test, SAID).to_dict(),
        "silent": ask(tuned, test, SILENT, alone=False).to_dict(),
        "knob": facts_of(knob) | {"by_layer": {str(layer): value for layer, value in by_layer.items()}},
        "turned": ask(tuned, test, SILENT, knob=knob).to_dict(),
        "random": random,
        "mean difference": control,
        "whole state": _whole_state(tuned, said, silent),
        "subspace": {str(rank): _subspace(tuned, Posed.of(tuned, training, SAID), said, knob, rank) for rank in RANKS},
        "separation": {"auroc": separation_of(knob, tuned, said).auroc, "layers": ranges.layers("context to prior")},
        "checkpoints": [_checkpoint(step, model, knob, said) for step, model in models],
        "layers": layers_record(ranges),
        "layer_count": tuned.layer_count,
    }


def trained(
    world: FactWorld, sizes: dict[str, Any], seed: int
) -> tuple[LanguageModel, list[tuple[int, LanguageModel]]]:
    """The base model, and the tuned one after each checkpoint and at the end."""
    decoder = Decoder(world.vocabulary, context=32, tied=True, **sizes["decoder"])
    base = train_decoder(
        decoder, FactsAndContexts(world), DecoderRecipe(**sizes["base"], seed=seed), name=f"facts and contexts, {seed}"
    )
    steps = sizes["checkpoints"]
    recipe = DecoderRecipe(**sizes["tuned"], warmup=10, seed=seed, checkpoints=steps)
    tuned = train_decoder(
        decoder, FactsAndContexts(world, intents=True), recipe, name=f"intents, {seed}", start=base.model
    )
    return base.model, [*((step, tuned.at(step)) for step in steps), (tuned.steps, tuned.model)]


def _whole_state(model: LanguageModel, said: Posed, silent: Posed) -> dict[str, float]:
    """What no direction can exceed: prior answers to silent prompts whose whole last state is a prior prompt's."""
    found = {}
    for layer in range(model.layer_count):
        site = Site("resid_post", layer, None, (-1,))
        with model.intervene(Patch(site, model.capture(said.prompts["prior"], [site])[site])):
            found[str(layer)] = float(won(model, silent.prompts["prior"], silent.tokens["prior"]).mean())
    return found


def _subspace(model: LanguageModel, training: Posed, said: Posed, knob: Knob, rank: int) -> float:
    """Held-out context prompts that give the prior answer with a prior prompt's coordinates in a trained subspace."""
    (found,) = KnobTraining(layers=(knob.layer,), dimensions=rank).fit(
        model,
        training.prompts["prior"],
        training.prompts["context"],
        training.tokens["prior"],
        training.tokens["context"],
    )
    target = [int(token) for token in said.tokens["prior"]]
    given = interchanged(model, found, said.prompts["context"], said.prompts["prior"], target=target)
    return float(given.data.attrs["accuracy"])


def _checkpoint(step: int, model: LanguageModel, knob: Knob, said: Posed) -> dict[str, float]:
    """Pair accuracy by first tokens, and how far the final knob's coordinate tells the intents apart by then."""
    separation = separation_of(knob, model, said)
    pairs = float(np.mean(said.right(model).all(axis=0)))
    return {"step": step, "pair_accuracy": pairs, "auroc": separation.auroc, "distance": separation.distance}
