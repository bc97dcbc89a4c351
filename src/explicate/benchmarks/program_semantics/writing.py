"""A model writes programs for specifications, and the states it is in while it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.data.language.karel.encodings import Encoding
from explicate.data.language.karel.tasks import Tasks
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.language.guided import write_guided

TASKS_AT_ONCE = 256  # whose activations at all layers are held at once


@dataclass(frozen=True, eq=False, repr=False)
class Written:
    """Programs that a model wrote, right or wrong.

    Attributes
    ----------
    programs : (task, action) int8; a row without actions is no program.
    states : (task, step, width) float32, the mean over the layers of the residual stream after each block, at the token
        whose pass chose the action of that step (and last the end); 0 beyond.
    solved, hidden_solved, as_reference : (task,) bool: all shown outputs come out, all hidden ones, the same actions.
    """

    programs: Array
    states: Floats
    solved: Array
    hidden_solved: Array
    as_reference: Array

    def __repr__(self) -> str:
        return f"Written({len(self.programs):,} programs, {self.solved.mean():.0%} right)"


def write_programs(
    model: LanguageModel,
    encoding: Encoding,
    tasks: Tasks,
    longest: int,
    *,
    masked: bool = True,
    layers: Sequence[int] | None = None,
) -> Written:
    """Greedy programs for all tasks.

    Parameters
    ----------
    longest : most actions. masked : whether only what the grammar allows can be written.
    layers : whose states are averaged; None: all.

    Raises
    ------
    InputError : the model has other words than the encoding, or a specification leaves no room in its context.
    """
    check_vocabulary(model, encoding)
    prompts = encoding.prompts(tasks)
    if model.window is not None:
        encoding.check_context(prompts, longest, model.window)
    sites = _sites(model, layers)
    found = write_guided(
        model,
        prompts,
        end=encoding.end,
        max_new_tokens=longest + 1,
        grammar=(lambda so_far: encoding.allowed(so_far.shape[1], longest)) if masked else None,
        watch=sites,
        words=len(encoding.vocabulary),
    )
    programs = encoding.programs(found.ids)
    states = np.mean([found.activations[site] for site in sites], axis=0)
    return Written(
        programs,
        np.asarray(states, dtype=np.float32),
        tasks.solved_by(programs),
        tasks.solved_by(programs, hidden=True) if tasks.hidden else np.zeros(len(tasks), dtype=bool),
        tasks.equal_reference(programs),
    )


def states_for(
    model: LanguageModel, encoding: Encoding, tasks: Tasks, programs: Array, layers: Sequence[int] | None = None
) -> Floats:
    """The states (task, step, width) of a model that reads given programs: those of `Written`, for any program."""
    check_vocabulary(model, encoding)
    prompts = (encoding.prompts(tasks) >= 0).sum(axis=1)
    texts = encoding.texts(tasks, programs)
    sites = _sites(model, layers)
    steps = programs.shape[1] + 1
    found = np.zeros((len(tasks), steps, model.width), dtype=np.float32)
    for start in range(0, len(tasks), TASKS_AT_ONCE):
        rows = slice(start, start + TASKS_AT_ONCE)
        seen = model.capture(texts[rows], sites)
        mean = np.mean([seen[site] for site in sites], axis=0)
        place = prompts[rows, None] - 1 + np.arange(steps)
        last = (texts[rows] >= 0).sum(axis=1)[:, None] - 1
        inside = place < last  # the end token chooses nothing
        chosen = np.take_along_axis(mean, np.minimum(place, mean.shape[1] - 1)[..., None], axis=1)
        found[rows] = np.where(inside[..., None], chosen, 0)
    return found


def surprises(model: LanguageModel, encoding: Encoding, tasks: Tasks) -> list[Floats]:
    """The surprise (nats) at each token of each task's reference program and its end."""
    prompts = encoding.prompts(tasks)
    texts = encoding.texts(tasks)
    sizes = (prompts >= 0).sum(axis=1)
    heads = [row[:size] for row, size in zip(texts, sizes, strict=True)]
    tails = [row[size:][row[size:] >= 0] for row, size in zip(texts, sizes, strict=True)]
    return [-values for values in model.log_probabilities(heads, tails)]


def check_vocabulary(model: LanguageModel, encoding: Encoding) -> None:
    """Refuse a model whose words are not the encoding's, in its order; a padding token may follow them.

    Raises
    ------
    InputError : with the first word that differs.
    """
    words = encoding.vocabulary
    if model.vocabulary not in (len(words), len(words) + 1):
        raise InputError(
            f"{model.name!r} has {model.vocabulary} tokens, the encoding {len(words)} words; "
            "use a checkpoint that was trained with this encoding"
        )
    own = model.tokenizer.convert_ids_to_tokens(list(range(len(words))))
    for place, (word, known) in enumerate(zip(words, own, strict=True)):
        if word != known:
            raise InputError(
                f"token {place} is {known!r} for {model.name!r} and {word!r} in the encoding; use a checkpoint "
                "that was trained with this encoding"
            )


def _sites(model: LanguageModel, layers: Sequence[int] | None) -> list[Site]:
    return [Site("resid_post", layer) for layer in (range(model.layer_count) if layers is None else layers)]
