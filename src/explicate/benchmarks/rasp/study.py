"""One task, one seed: a program learned, held against its rivals, and checked to be its model on every input."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from explicate.benchmarks.rasp.scoring import most_frequent_tag, token_accuracy
from explicate.data.language.sequence_tasks import TASKS
from explicate.data.language.tagged import Tagged, split
from explicate.glassbox.transformer_programs import TransformerProgram, TransformerProgramConfig
from explicate.glassbox.transformer_programs.analysis import accuracy, simplified, size
from explicate.models.tiny.training import Recipe

PUBLISHED = {"reverse": 0.9979, "hist": 1.0, "double_hist": 0.984, "sort": 0.9983, "most_freq": 0.7569, "dyck1": 0.993,
             "dyck2": 0.9909}  # fmt: skip
RERUN = {"reverse": 0.9974, "hist": 0.9995, "double_hist": 0.944, "sort": 0.9998, "most_freq": 0.778, "dyck1": 0.9917,
         "dyck2": 0.983}  # fmt: skip
TIMED = 10_000


@dataclass(frozen=True)
class TaskResult:
    """What came of one task with one seed.

    Attributes
    ----------
    training, validation, test : token accuracy of the model with every choice at its largest logit.
    frequent : token accuracy of always the most frequent tag.
    checked, equal : inputs on which the exported file was compared with the model (all test inputs, and random ones of
        every length), and those on which they gave the same tags.
    seconds : of training (0 where it was read from the cache is not told apart). file, model, arrays : seconds for
        10,000 inputs of the file in plain Python, of the network, and of the program in numpy.
    size : see `analysis.size`. examples : how many there were.
    simple : size and test accuracy of the program without what its classifier can do without on the validation data.
    """

    task: str
    seed: int
    examples: int
    training: float
    validation: float
    test: float
    frequent: float
    checked: int
    equal: int
    seconds: float
    file: float
    model: float
    arrays: float
    size: dict[str, int]
    simple: dict[str, float]


def study_task(
    name: str,
    config: TransformerProgramConfig,
    recipe: Recipe,
    *,
    examples: int = 20_000,
    random_inputs: int = 1000,
    cache: bool = True,
) -> tuple[TaskResult, TransformerProgram]:
    """Learn a task and measure everything; the recipe's seed is that of the weights and of the split."""
    task = TASKS[name]
    rows = task.examples(examples)
    training, validation, test = split(rows, recipe.seed)
    start = time.perf_counter()
    model = TransformerProgram.train(training, config, recipe, name=f"{name}, seed {recipe.seed}", cache=cache)
    seconds = time.perf_counter() - start
    run = standalone(model)
    predicted = model.predict(_tokens(test))
    inputs = _tokens(test)
    for length in range(1, model.context + 1):
        inputs += task.random_inputs(length, random_inputs, model.vocabulary)
    simple = simplified(model.program, validation)
    result = TaskResult(
        name,
        recipe.seed,
        len(rows),
        token_accuracy(model.predict(_tokens(training)), training),
        token_accuracy(model.predict(_tokens(validation)), validation),
        token_accuracy(predicted, test),
        most_frequent_tag(training, test),
        len(inputs),
        sum(one == tuple(run(tokens)) for one, tokens in zip(model.predict(inputs), inputs, strict=True)),
        seconds,
        *run_times(model, run, _tokens(rows)),
        asdict(size(model.program)),
        {**asdict(size(simple)), "test": accuracy(simple, test)},
    )
    return result, model


def standalone(model: TransformerProgram) -> Callable[[Sequence[str]], list[Any]]:
    """The `run` of the exported file, imported as a user would: with nothing of the model around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = model.program.save(Path(folder) / "program.py")
        found = importlib.util.spec_from_file_location("program", path)
        assert found is not None
        assert found.loader is not None
        program = importlib.util.module_from_spec(found)
        found.loader.exec_module(program)
    run: Callable[[Sequence[str]], list[Any]] = program.run
    return run


def run_times(
    model: TransformerProgram, run: Callable[[Sequence[str]], Any], inputs: Sequence[Sequence[str]], count: int = TIMED
) -> tuple[float, float, float]:
    """Seconds of the file, the network and the program in numpy for `count` inputs; fewer are scaled up."""
    given = list(inputs[:count])
    found = []
    for call in (lambda: [run(tokens) for tokens in given], lambda: model.predict(given),
                 lambda: model.program.predict(given)):  # fmt: skip
        start = time.perf_counter()
        call()
        found.append((time.perf_counter() - start) * count / len(given))
    return found[0], found[1], found[2]


def _tokens(rows: Sequence[Tagged]) -> list[tuple[str, ...]]:
    return [row.tokens for row in rows]
