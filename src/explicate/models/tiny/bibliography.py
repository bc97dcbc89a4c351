"""A small decoder that has read a made-up bibliography: it knows some works by heart, others hardly, others not at all.

Every line is read exactly as often as the world says, in one pass, so what the decoder can remember of a work depends
on how often that was seen. Only the answers of the lines are learnt, not the questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.bibliography import END, VOCABULARY, Bibliography, lines
from explicate.models.language import LanguageModel
from explicate.models.language.tokens import ABSENT
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.training import Recipe, train

if TYPE_CHECKING:
    import torch

ROW = 64  # tokens of a row, in which lines stand one after another


def decoder(layers: int = 4, width: int = 192, mlp_width: int = 768) -> Decoder:
    """The shape: by default 2.6 million weights."""
    return Decoder(VOCABULARY, layers=layers, width=width, heads=4, mlp_width=mlp_width, context=128, end=END)


def trained(
    world: Bibliography,
    seed: int = 0,
    *,
    shape: Decoder | None = None,
    batch: int = 8,
    learning_rate: float = 1e-3,
    lists: int = 300,
) -> LanguageModel:
    """A decoder that has read the world's lines once, or from the cache."""
    shape = shape or decoder()
    inputs, labels = packed(shape, lines(world, seed, lists))
    recipe = Recipe(
        "sequence-cross-entropy", epochs=1, batch=batch, learning_rate=learning_rate, schedule="cosine", seed=seed
    )
    module = train(lambda: _reader(shape, seed), inputs, labels, recipe, name="bibliography")
    inner: Any = module.decoder
    return shape.handle(inner, "bibliography")


def packed(shape: Decoder, texts: Sequence[tuple[str, str]]) -> tuple[Array, Array]:
    """Token ids (row, token), whole lines one after another, and the next token where it is of an answer, else -1."""
    rows: list[list[str]] = [[]]
    answers: list[list[bool]] = [[]]
    for question, answer in texts:
        asked, said = question.split(), answer.split()
        if rows[-1] and len(rows[-1]) + len(asked) + len(said) > ROW:
            rows.append([])
            answers.append([])
        rows[-1] += asked + said
        answers[-1] += [False] * len(asked) + [True] * len(said)
    ids = shape.encode(rows)
    labels = np.full(ids.shape, ABSENT)
    for row, counts in enumerate(answers):
        places = np.flatnonzero(counts)
        labels[row, places - 1] = ids[row, places]
    return np.where(ids == ABSENT, len(shape.vocabulary), ids), labels


def _reader(shape: Decoder, seed: int) -> torch.nn.Module:
    """A module from token ids, as floats, to logits (row, token, word)."""
    import torch

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = shape.build(seed)

        def forward(self, ids: torch.Tensor) -> Any:
            return self.decoder(input_ids=ids.long(), use_cache=False).logits

    return Reader()
