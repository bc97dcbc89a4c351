"""Evidence of meaning (arXiv 2305.11169): a decoder trained on programs holds their states; other meanings are harder.

The papers' texts have over 700 tokens. Here worlds are 5 x 5 cells, three examples are shown, and a grid is a few
words, so that a small decoder learns from scratch in minutes. A second decoder is shown one example of each task: it
is the same study without the need for one program that fits several.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

from explicate.benchmarks.program_semantics import (
    ProgramSemantics,
    program_prefix,
    projected,
    true_state,
)
from explicate.data.language.karel import (
    ALTERNATIVES,
    ORIGINAL,
    Karel,
    ProgramCorpus,
    Tasks,
    TaskSource,
    feature,
)
from explicate.data.language.karel.corpus import SMALL
from explicate.data.language.karel.programs import program_lengths
from explicate.data.language.karel.tasks import all_programs, best_constant
from explicate.evaluation.semantic_intervention import SemanticIntervention, TraceLabels, gaps
from explicate.mechanisms.probing import LinearProbe, MLPProbe
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Trained, train_decoder
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.evidence_of_meaning_claims import claims_of
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

CORPUS = ProgramCorpus()
ONE_EXAMPLE = ProgramCorpus(dataclasses.replace(SMALL, shown=1))
DIRECTION, POSITION = (
    feature(name, CORPUS.encoding.rows, CORPUS.encoding.columns) for name in ("direction", "position")
)
PLANTED = ("opposites", "random", "cycle of five")
PLANTED_SOURCE = TaskSource(SMALL.setting, shown=1, hidden=0, lengths=(1, 2))
PLANTED_WIDTH = 64
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "decoder": {"layers": 4, "width": 96, "heads": 4, "mlp_width": 256},
        "recipe": {"steps": 10000, "batch": 64, "learning_rate": 3e-3, "warmup": 100},
        "checkpoints": (50, 100, 200, 350, 600, 1000, 1600, 2500, 4000, 6000, 8000, 10000),
        "curve_tasks": 1500,
        "last_tasks": 2500,
        "planted_tasks": 2000,
        "epochs": 16,
    },
    "smoke": {
        "decoder": {"layers": 2, "width": 32, "heads": 2, "mlp_width": 64},
        "recipe": {"steps": 60, "batch": 16, "learning_rate": 3e-3, "warmup": 10},
        "checkpoints": (10, 20, 40, 60),
        "curve_tasks": 400,
        "last_tasks": 400,
        "planted_tasks": 500,
        "epochs": 3,
    },
}


def reproduce(context: Context) -> Sequence[Claim]:
    """Train, follow the checkpoints, intervene on the semantics at the last, and plant two known truths."""
    scale = SIZES[context.scale]
    found: list[dict[str, Any]] = []
    for seed in context.seeds:  # a run for each, so that another seed can be added to those that are done
        parts: list[dict[str, Any]] = [{"part": "training", "seed": seed}]
        parts += [{"part": "point", "seed": seed, "step": step} for step in scale["checkpoints"]]
        parts += [{"part": part, "seed": seed} for part in ("last", "planted", "constant")]
        found += measured(context, "evidence-of-meaning", _work, parts, scale, version=2, stage=str(seed))
    alone = [{"part": "one example", "seed": seed} for seed in context.seeds]
    found += measured(context, "evidence-of-meaning", _work, alone, scale, stage="one-example")
    return claims_of(by_part(found))


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "training": _training, "point": _point, "last": _last, "planted": _planted, "constant": _constant,
        "one example": _one_example,
    }  # fmt: skip
    with warnings.catch_warnings():
        if unit["scale"] == "smoke":
            warnings.simplefilter("ignore", UserWarning)  # that there are few labelled states
        return parts[unit["part"]](unit)


# -- units ---------------------------------------------------------------------------------------------------------


def _trained(unit: dict[str, Any], corpus: ProgramCorpus = CORPUS) -> Trained:
    """The decoder of one seed; trained once, from the cache afterwards."""
    scale = SIZES[unit["scale"]]
    decoder = Decoder(corpus.encoding.vocabulary, context=64, end="end", **scale["decoder"])
    recipe = DecoderRecipe(
        seed=unit["seed"],
        checkpoints=(0, *scale["checkpoints"]),
        save_every=100,
        precision="bfloat16",
        **scale["recipe"],
    )
    return train_decoder(decoder, corpus, recipe, name=f"programs {unit['seed']}, {corpus.source.shown} shown")


def _study(unit: dict[str, Any]) -> ProgramSemantics:
    epochs = SIZES[unit["scale"]]["epochs"]
    probes = (
        LinearProbe(),
        MLPProbe(hidden=(256,), epochs=epochs),
        MLPProbe(hidden=(128, 512), epochs=epochs // 2 or 1),
    )
    screen = MLPProbe(hidden=(64,), epochs=epochs // 2 or 1)
    return ProgramSemantics(
        features=("direction", "turn"),
        offsets=(0,) if unit["scale"] == "smoke" else (-1, 0, 1, 2),
        intervened_offsets=(0,) if unit["scale"] == "smoke" else (0, 1),
        intervention=SemanticIntervention(probes, screen=screen),
    )


def _training(unit: dict[str, Any]) -> dict[str, Any]:
    trained = _trained(unit)
    count = sum(weight.numel() for weight in trained.model.module.parameters())
    return {"loss": float(trained.losses[-50:].mean()), "steps": trained.steps, "parameters": count}


def _point(unit: dict[str, Any]) -> dict[str, Any]:
    tasks = CORPUS.held_out(SIZES[unit["scale"]]["curve_tasks"], unit["seed"], "curve")
    return _study(unit).point(_trained(unit).at(unit["step"]), CORPUS, tasks, unit["seed"])


def _last(unit: dict[str, Any], corpus: ProgramCorpus = CORPUS) -> dict[str, Any]:
    """On tasks that no checkpoint was looked at with."""
    trained = _trained(unit, corpus)
    tasks = corpus.held_out(SIZES[unit["scale"]]["last_tasks"], unit["seed"], "last")
    study = _study(unit)
    point = study.point(trained.model, corpus, tasks, unit["seed"])
    return {**point, **study.last(trained.model, corpus, tasks, trained.at(0), unit["seed"])}


def _one_example(unit: dict[str, Any]) -> dict[str, Any]:
    """The same decoder, recipe and questions, where a task shows one example."""
    return _last(unit, ONE_EXAMPLE)


def _planted(unit: dict[str, Any]) -> dict[str, Any]:
    """Gaps where the truth is known: vectors that are the true state, and vectors that are the text."""
    scale = SIZES[unit["scale"]]
    tasks = PLANTED_SOURCE.draw(generator(unit["seed"], "planted"), scale["planted_tasks"])
    semantics = {each.name: each for each in (ORIGINAL, *ALTERNATIVES) if each.name in ("original", *PLANTED)}
    language, starts = Karel(), tasks.first_inputs()
    traces = TraceLabels.of(language, tasks.programs, starts, semantics, [DIRECTION], (0,))
    whole = TraceLabels.of(language, tasks.programs, starts, {"original": ORIGINAL}, [DIRECTION, POSITION], (0,))
    state = true_state(language.traces(tasks.programs, starts), [DIRECTION, POSITION])
    text = program_prefix(tasks, tasks.programs, traces.program, traces.step)
    deep = MLPProbe(hidden=(64, 64), epochs=2 * scale["epochs"], batch=256, weight_decay=0.05)
    study = SemanticIntervention((LinearProbe(), deep), screen=MLPProbe(hidden=(64,), epochs=5))
    found = {}
    for name, columns in (("state", state), ("text", text)):
        result = study.run(projected(columns, PLANTED_WIDTH, unit["seed"]), traces, whole, unit["seed"])
        found[name] = {
            "accuracy": result["accuracy"].isel(semantics=0).values.ravel().tolist(),
            "gap": gaps(result).mean("semantics").values.ravel().tolist(),
        }
    return found


def _constant(unit: dict[str, Any]) -> dict[str, Any]:
    """The best single program for all specifications: the strongest reply that does not look at them."""
    tasks: Tasks = CORPUS.held_out(SIZES[unit["scale"]]["curve_tasks"], unit["seed"], "constant")
    program, share = best_constant(tasks, all_programs(2))
    return {"share": share, "length": int(program_lengths(program[None])[0])}
