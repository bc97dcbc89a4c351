"""Transformer Programs: training steps, and 10,000 inputs through the exported file, its network and numpy.

`glassbox/transformer-programs 10,000 inputs, ...`: seconds of the plain Python file, over those of the network that it
was converted from (in batches, double precision); and of the same program in numpy, over the network's. The programs
have random weights, which take as long as trained ones.
`glassbox/transformer-programs training ...`: processor seconds of a training step, times the steps of the
reproduction at full scale, over 300 (three seeds in a quarter of an hour); beside it what the published number of steps
would take with this shape.

    python perf/transformer_programs.py
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from explicate.benchmarks.rasp.study import TIMED, standalone
from explicate.data.language.sequence_tasks import TASKS
from explicate.glassbox.transformer_programs import TransformerProgram, TransformerProgramConfig
from explicate.models.tiny.programs.module import ProgramModule
from explicate.reproductions.transformer_programs import BATCH, SHAPES, SIZES

NAMES = ("hist", "induction", "sort")
PUBLISHED = {"hist": 8000, "induction": 16_000, "sort": 8000}  # steps
BUDGET, WARM, ROUNDS = 300.0, 3, 15


def untrained(name: str) -> TransformerProgram:
    """A model of a task's published shape with random weights."""
    task = TASKS[name]
    rows = task.examples(500)
    words = tuple(sorted({token for row in rows for token in row.tokens}))
    tags = tuple(sorted({tag for row in rows for tag in row.tags if tag is not None}))
    config = TransformerProgramConfig(causal=task.causal, **SHAPES[name])
    context = max(len(row.tokens) for row in rows)
    torch.manual_seed(0)
    return TransformerProgram(config, words, tags, context, ProgramModule(config, len(words), len(tags), context))


def timed(call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call."""
    start = clock()
    call()
    return clock() - start


def report(
    work: str, ours: float, peer: float | None, ratio: float, goal: float | None, runs: int, **more: Any
) -> None:
    """Print one measurement."""
    row = {"work": f"glassbox/transformer-programs {work}", "ours": round(ours, 4), "reference": None,
           "peer": None if peer is None else round(peer, 4), "ratio": round(ratio, 3), "goal": goal,
           "met": None if goal is None else ratio <= goal, "runs": runs}  # fmt: skip
    rounded = {key: round(value, 1) if isinstance(value, float) else value for key, value in more.items()}
    print(json.dumps(row | {"load": round(os.getloadavg()[0], 2)} | rounded), flush=True)


def running(name: str) -> None:
    """10,000 inputs three ways."""
    model = untrained(name)
    rows = TASKS[name].examples(TIMED)
    inputs = [row.tokens for row in rows]
    inputs = (inputs * -(-TIMED // len(inputs)))[:TIMED]
    run = standalone(model)
    network = statistics.median(timed(lambda: model.predict(inputs)) for _ in range(3))
    file = timed(lambda: [run(tokens) for tokens in inputs])
    arrays = statistics.median(timed(lambda: model.program.predict(inputs)) for _ in range(3))
    report(f"10,000 inputs of {name}, Python file, s", file, network, file / network, None, 1)
    report(f"10,000 inputs of {name}, numpy, s", arrays, network, arrays / network, 1.0, 3)


def training(name: str) -> None:
    """One step, and what the page's number of steps would take."""
    model = untrained(name)
    batch = BATCH.get(name, 512)
    rows = TASKS[name].examples(batch)
    module = model.module.train()
    codes = torch.as_tensor(model.program.encode([row.tokens for row in rows]))
    optimiser = torch.optim.Adam(module.parameters(), 0.05)

    def step() -> None:
        optimiser.zero_grad()
        module(codes).logsumexp(-1).mean().backward()
        optimiser.step()

    for _ in range(WARM):
        step()
    seconds = statistics.median(timed(step, time.process_time) for _ in range(ROUNDS))
    full = SIZES["full"]
    steps = full["epochs"][name] * math.ceil(
        0.81 * full["examples"][name] / batch
    )  # 81 % of the examples are trained on
    whole, published = seconds * steps, seconds * PUBLISHED[name]
    report(f"training {name}, processor s", whole, None, whole / BUDGET, 1.0, ROUNDS, steps=steps, published=published)


def main() -> None:
    """Print all measurements."""
    torch.set_num_threads(1)
    for name in NAMES:
        running(name)
        training(name)


if __name__ == "__main__":
    main()
