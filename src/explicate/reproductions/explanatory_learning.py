"""Explanatory Learning (arXiv 2201.10222): rules are stated, criticised and then followed, on a small Odeen.

The paper's tables could not be found as numbers. Measured here is what they say in words, on rules without connectives
whose meaning no network has seen, with data, networks and trainings that one processor core can do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any

from explicate.benchmarks.odeen import (
    BEAMS,
    empiricist_scores,
    interpreter_scores,
    network_scores,
    probed_structures,
    random_floor,
)
from explicate.data.odeen import OdeenSplit, language
from explicate.glassbox.explanatory import SMALL, Configuration, NetworkShape
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.explanatory_learning_claims import claims_of
from explicate.reproductions.units import by_part, measured

UNIFORM = 200  # structures drawn uniformly, on which the interpreter is judged beside those chosen for each rule
PARTS = ("interpreter", "network", "rules", "labels")
SIZES: dict[str, dict[str, Any]] = {
    "full": {"beams": BEAMS, "probes": 1000},
    "smoke": {"beams": (1, 5, 20), "probes": 100},
}


def reproduce(context: Context) -> Sequence[Claim]:
    """The interpreter, the network with its generator (EMP-C), and the two other empiricists, once for each seed."""
    parts = [{"part": part, "seed": seed} for seed in context.seeds for part in PARTS]
    sizes = {"configuration": repr(configuration(context.scale)), **SIZES[context.scale]}
    return claims_of(by_part(measured(context, "explanatory-learning", _work, parts, sizes)), sizes["beams"])


@cache
def configuration(scale: str) -> Configuration:
    """What is trained at a scale; the small one proves that it runs."""
    if scale == "full":
        return SMALL
    return dataclasses.replace(
        SMALL,
        split=OdeenSplit(training=40, validation=5, test=12, structures=60, judged=40),
        interpreter=NetworkShape(32, 2, 32, 1),
        generator=NetworkShape(32, 2, 32, 1),
        interpreter_recipe=dataclasses.replace(SMALL.interpreter_recipe, steps=60, batch=256, checkpoints=(30,)),
        generator_recipe=dataclasses.replace(SMALL.generator_recipe, steps=60, batch=32, checkpoints=(30,)),
    )


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    """Everything is decided by the unit's own seed; the runner's is not needed."""
    own = configuration(unit["scale"]).seeded(unit["seed"])
    sizes = SIZES[unit["scale"]]
    test, rules = own.phenomena()["test"], language(own.split.language)
    probes = probed_structures(unit["seed"], sizes["probes"])
    if unit["part"] == "interpreter":
        scores: list[Any] = interpreter_scores(own.trained_interpreter(), test, probes[:UNIFORM])
        extra = {"floor": random_floor(test.rules, rules), "constant": int(rules.constant.sum())}
        return {"scores": scores, **extra}
    if unit["part"] == "network":
        generator, interpreter = own.trained_generator(), own.trained_interpreter()
        return {"scores": network_scores(generator, interpreter, test, rules, probes, sizes["beams"])}
    return {"scores": empiricist_scores(own.trained_rival(unit["part"]), test, rules, probes)}
