"""A task's prompts as tokens. What does not fit into the context is cut from the left of the text."""

from __future__ import annotations

import numpy as np

from explicate.benchmarks.concept_depth.tasks import ProbingTask
from explicate.core.capabilities import Array
from explicate.errors import InputError, WindowError
from explicate.models.language.token_model import TokenModel
from explicate.models.language.tokens import ABSENT


def encoded(model: TokenModel, task: ProbingTask, noise: bool = False, seed: int = 0) -> tuple[Array, int]:
    """Prompts as ids (sample, token), and how many of them were cut to the model's context.

    The instruction is never cut; neither are special tokens.

    Raises
    ------
    WindowError : the instruction alone is too long.
    """
    longest = getattr(model.config, "max_position_embeddings", None)
    before, after = task.around
    rows, cut = [], 0
    for text in task.read_texts(noise, seed):
        prompt = f"{before}{text}{after}"
        if not text.strip():
            raise InputError(f"task {task.name!r} has an empty text")
        ids = model.tokenizer(prompt)["input_ids"]
        if longest is not None and len(ids) > longest:
            ids = _cut(model, task, prompt, (len(before), len(before) + len(text)), len(ids) - longest)
            cut += 1
        rows.append(ids)
    found = np.full((len(rows), max(map(len, rows))), ABSENT, dtype=np.int64)
    for number, ids in enumerate(rows):
        found[number, : len(ids)] = ids
    return found, cut


def _cut(model: TokenModel, task: ProbingTask, prompt: str, text: tuple[int, int], excess: int) -> list[int]:
    """The prompt's tokens without the first `excess` ones that lie in its text."""
    given = model.tokenizer(prompt, return_offsets_mapping=True)
    inside = [
        place
        for place, (first, last) in enumerate(given["offset_mapping"])
        if first < last and text[0] <= first and last <= text[1]
    ]
    if len(inside) <= excess:
        raise WindowError(
            f"the instruction of task {task.name!r} leaves no room for its text in the "
            f"{model.config.max_position_embeddings} tokens of {model.name!r}; shorten it"
        )
    gone = set(inside[:excess])
    return [int(token) for place, token in enumerate(given["input_ids"]) if place not in gone]
