"""What the text alone tells of a program's states: vectors to probe beside a model's."""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.data.language.karel.encodings import Encoding
from explicate.data.language.karel.semantics import ACTIONS
from explicate.data.language.karel.tasks import Tasks
from explicate.data.language.traces import Feature, Traces
from explicate.runtime.seeds import generator


def token_counts(encoding: Encoding, tasks: Tasks, programs: Array, program: Array, step: Array) -> Floats:
    """How often each word occurs in the specification and the actions so far, the chosen one included: (row, word).

    Parameters
    ----------
    program, step : (row,), which task's program, and which of its actions, from 0.
    """
    prompts = encoding.prompts(tasks)
    words = len(encoding.vocabulary)
    row, column = np.nonzero(prompts >= 0)
    counts = np.zeros((len(tasks), words), dtype=np.float32)
    np.add.at(counts, (row, prompts[row, column]), 1)
    found = counts[program]
    so_far = _so_far(programs, program, step)
    found[:, encoding.action_tokens] += (so_far[..., None] == np.arange(len(ACTIONS))).sum(axis=1)
    return found


def program_prefix(tasks: Tasks, programs: Array, program: Array, step: Array) -> Floats:
    """The actions so far, one 0/1 column for each action at each place, and the pose in the first input: (row, column).

    It determines direction and position completely, under every semantics: what a probe makes of it is its own work.
    """
    so_far = _so_far(programs, program, step)
    actions = (so_far[..., None] == np.arange(len(ACTIONS))).reshape(len(program), -1)
    start = tasks.first_inputs()
    places = start.walls[0].size
    pose = np.concatenate([
        start.positions[program, None] == np.arange(places),
        start.directions[program, None] == np.arange(4),
    ], axis=1)  # fmt: skip
    return np.concatenate([actions, pose], axis=1).astype(np.float32)


def true_state(traces: Traces, features: list[Feature]) -> Floats:
    """The state that each action leads to, a 0/1 column for each class of each part of the features: (row, column)."""
    columns = []
    for feature in features:
        values = feature.labels(traces)[traces.step > 0]
        columns += [values[:, [part]] == np.arange(classes) for part, classes in enumerate(feature.parts)]
    return np.concatenate(columns, axis=1).astype(np.float32)


def projected(columns: Floats, width: int, seed: int = 0) -> Floats:
    """A fixed random projection to so many dimensions, so that nothing can be read off a single column."""
    matrix = generator(seed, "projection").standard_normal((columns.shape[1], width)) / np.sqrt(columns.shape[1])
    return np.asarray(columns @ matrix, dtype=np.float32)


def _so_far(programs: Array, program: Array, step: Array) -> Array:
    """(row, place) actions up to and with each row's, -1 beyond."""
    return np.where(np.arange(programs.shape[1]) <= step[:, None], programs[program], -1)
