"""The context knob (arXiv 2411.07404): a task, a layer search and one coordinate between context and memory.

The paper tunes models of 7 to 9 billion parameters. Here: small decoders trained from scratch, in which every fact is
known to be known, and SmolLM2-135M, tuned on capitals that it knows and tested on countries that it was not tuned on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from explicate.reproductions import context_knob_claims as claims
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.context_knob_controlled import SIZES, controlled
from explicate.reproductions.context_knob_records import near
from explicate.reproductions.context_knob_smollm2 import knob_in, task_and_layers, untuned
from explicate.reproductions.units import measured

DECIDING = ("context to prior", "prior to context")
LAYERS_OF_SMOLLM2 = 30


def reproduce(context: Context) -> Sequence[Claim]:
    """Parts (a) to (c) of the system's page; of SmolLM2 at small scale only what it does untuned."""
    (first,) = _run(context, "untuned", [{"part": "untuned"}])
    found = claims.untuned_claims(first)
    if not context.smoke:
        (copy,) = _run(context, "tuned", [{"part": "task and layers"}])
        deciding = [layer for role in DECIDING for layer in copy["layers"][role]["layers"]]
        layers = near(deciding, LAYERS_OF_SMOLLM2)
        knobs = _run(context, "knobs", [{"part": "knob", "layers": layers, "seed": seed} for seed in context.seeds])
        found = [*claims.tuned_claims(copy, knobs), *claims.transfer_claims(first, knobs), *found]
    seeds = [{"part": "controlled", "seed": seed} for seed in context.seeds]
    small = _run(context, "controlled", seeds, SIZES[context.scale])
    return [
        *claims.task_claims(small),
        *claims.layer_claims(small),
        *claims.knob_claims(small),
        *claims.correlation_claims(small),
        *found,
    ]


def _run(context: Context, what: str, units: list[dict[str, Any]], sizes: Any = None) -> list[Any]:
    return measured(context, "context-knob", _work, units, sizes, stage=what)


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    if unit["part"] == "controlled":
        return controlled(unit["scale"], unit["seed"])
    if unit["part"] == "task and layers":
        return task_and_layers()
    return knob_in(unit["layers"], unit["seed"]) if unit["part"] == "knob" else untuned(unit["scale"])
