"""Beam search over a rule's words: the likeliest strings first, as many as are asked for.

More beams are more thought at test time: what is not among the conjectures cannot be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.cost import spend
from explicate.errors import InputError
from explicate.glassbox.explanatory.words import END, PAD, START, Words


@dataclass(frozen=True)
class Conjecture:
    """A rule that was written for a table.

    Attributes
    ----------
    text : its words. log_probability : of the string (nats).
    """

    text: str
    log_probability: float


def beam_search(module: Any, structures: Array, tags: Array, words: Words, width: int = 300) -> list[Conjecture]:
    """Strings for one table, by falling probability; no two alike, and fewer than `width` where there are no more.

    Parameters
    ----------
    module : a `ConjectureModule`. structures, tags : the table, (observation, cell) and (observation,).
    width : strings kept at each step; a finished one keeps its place until `width` better ones push it out.

    Raises
    ------
    InputError : the width is below 1.
    """
    import torch

    if width < 1:
        raise InputError(f"the beam is {width}; give 1 or more")
    with torch.inference_mode():
        memory = module.read(torch.as_tensor(structures)[None], torch.as_tensor(tags)[None])
        memories = [block.keys(memory) for block in module.decoder]
        tokens = torch.full((1, 1), START)
        scores = torch.zeros(1, dtype=torch.float64)
        kept: list[Any] = [None] * len(memories)
        finished: list[tuple[float, list[int]]] = []
        for place in range(words.longest + 1):
            logits, kept = module.step(tokens[:, -1][None], place, memories, kept)
            spend(evaluations=len(tokens))
            logits = torch.log_softmax(logits[0].double(), dim=-1)
            logits[:, [PAD, START]] = -torch.inf
            if place == 0:
                logits[:, END] = -torch.inf  # the empty text is no conjecture
            if place == words.longest:
                logits[:, END + 1 :] = -torch.inf  # here a rule has to end
            scores, chosen = _best((scores[:, None] + logits).flatten(), width)
            parents, word = chosen // logits.shape[-1], chosen % logits.shape[-1]
            tokens = torch.cat([tokens[parents], word[:, None]], dim=1)
            done = word == END
            finished += [(float(s), t.tolist()) for s, t in zip(scores[done], tokens[done], strict=True)]
            finished = sorted(finished, key=lambda one: -one[0])[:width]
            worst = finished[-1][0] if len(finished) == width else -np.inf
            go_on = ~done & (scores > worst)
            tokens, scores, parents = tokens[go_on], scores[go_on], parents[go_on]
            if not len(tokens):
                break
            kept = [(keys[parents], values[parents]) for keys, values in kept]
    return [Conjecture(words.decode(row), score) for score, row in finished]


def _best(scores: Any, width: int) -> tuple[Any, Any]:
    """The highest finite scores and their places, ties by place."""
    import torch

    order = torch.argsort(scores, descending=True, stable=True)[:width]
    order = order[torch.isfinite(scores[order])]
    return scores[order], order
