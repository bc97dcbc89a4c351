"""Training small decoders on text that a generator writes: seeded, resumed after a kill, and paid for once.

Weights are kept in the user's cache as safetensors, under a hash of the decoder, the recipe, what it started from and
the corpus (its class, its fields and a sample of what it writes). A reproduction that is run again finds them.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.language.tokens import ABSENT
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.descent import DecoderRecipe, Descent, read_weights
from explicate.runtime.files import cache_folder
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of a corpus.

    Attributes
    ----------
    ids : int64 (text, token); short rows end in -1.
    weights : (text, token), what the surprise at *this* token counts in the loss; the first of a row is never counted.
        None: 1 for every token that is there.
    """

    ids: Array
    weights: Array | None = None


class TokenBatch(Protocol):
    """What a corpus gives: `Sequences`, or anything else with these two."""

    @property
    def ids(self) -> Array: ...

    @property
    def weights(self) -> Array | None: ...


class Corpus(Protocol):
    """What a decoder is trained on: a frozen dataclass of numbers and texts, whose fields say all about it."""

    def batch(self, rng: np.random.Generator, count: int) -> TokenBatch:
        """That many texts, drawn with `rng` alone."""


class Stop(Protocol):
    """When training ends early: a frozen dataclass, asked every `every` steps."""

    @property
    def every(self) -> int:
        """Steps between two looks."""

    def reached(self, model: LanguageModel) -> bool:
        """Whether the model is good enough."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained decoder.

    Attributes
    ----------
    decoder : its shape. model : a handle on it. losses : (step,), mean surprise of each step.
    kept : the weights of the steps that were kept, or their files.
    """

    decoder: Decoder
    model: LanguageModel
    losses: Floats
    kept: dict[int, Any]

    @property
    def steps(self) -> int:
        """Steps that were made; fewer than the recipe's where it was stopped."""
        return len(self.losses)

    def at(self, step: int) -> LanguageModel:
        """A handle on the decoder as it was after so many steps, one of the recipe's checkpoints.

        Raises
        ------
        InputError : the weights of that step were not kept.
        """
        if step not in self.kept:
            raise InputError(f"the weights of step {step} were not kept; there are {sorted(self.kept)}")
        module = copy.deepcopy(self.model.module)
        kept = self.kept[step]
        module.load_state_dict(read_weights(kept) if isinstance(kept, Path) else kept, strict=False)
        return self.decoder.handle(module, f"{self.model.name} at step {step}")


def train_decoder(
    decoder: Decoder,
    corpus: Corpus,
    recipe: DecoderRecipe,
    *,
    name: str = "decoder",
    start: LanguageModel | None = None,
    adapt: Callable[[Any], Any] | None = None,
    stop: Stop | None = None,
    cache: bool = True,
) -> Trained:
    """Train a decoder, or load it from the cache.

    Parameters
    ----------
    name : what the progress bar and the handle say.
    start : a trained decoder of this shape, of which a copy is trained further; it stays as it is.
    adapt : called with the module before training; gives the module whose trainable weights are trained (for example
        one with low-rank adapters). It is known by its `repr`, so give a frozen dataclass with `__call__`.
    stop : ends the training early.
    cache : False trains anew and keeps nothing.

    Raises
    ------
    FileFormatError : weights in the cache are damaged; the message says which file to delete.
    ModelError : the loss became NaN or infinite.
    """
    own = corpus.batch(generator(0, "sample"), 4)
    key = digest(
        FORMAT,
        repr(dataclasses.replace(decoder)),
        repr(dataclasses.replace(recipe, save_every=1)),
        repr(corpus),
        [np.asarray(own.ids), None if own.weights is None else np.asarray(own.weights, dtype=np.float64)],
        None if start is None else start.fingerprint(),
        None if adapt is None else repr(adapt),
        None if stop is None else repr(stop),
        *([] if recipe.precision == "float32" else [recipe.precision]),
    )
    module = decoder.build(recipe.seed) if start is None else copy.deepcopy(start.module)
    if adapt is not None:
        module = adapt(module)
    folder = cache_folder("decoders", key) if cache else None

    def stopped(step: int) -> bool:
        if stop is None or step % stop.every:
            return False
        module.eval()
        reached = stop.reached(decoder.handle(module, name))
        module.train()
        return reached

    training = Descent(module, corpus.batch, loss_of, recipe, name, folder=folder, stop=stopped)
    losses, kept = training.finished() or training.run()
    return Trained(decoder, decoder.handle(module.eval(), name), losses, kept)


def loss_of(module: Any, batch: TokenBatch) -> torch.Tensor:
    """Weighted mean surprise of a module at a batch's tokens, each given those before it (nats)."""
    import torch
    import torch.nn.functional as F

    ids = torch.as_tensor(np.asarray(batch.ids))
    there = ids != ABSENT
    counts = there if batch.weights is None else torch.as_tensor(np.asarray(batch.weights, dtype=np.float32)) * there
    wanted = counts[:, 1:].to(torch.float32)
    logits = module(input_ids=ids.clamp(min=0), use_cache=False).logits[:, :-1]
    chosen = wanted > 0
    surprise = F.cross_entropy(logits[chosen].float(), ids[:, 1:][chosen], reduction="none")
    return (surprise * wanted[chosen]).sum() / wanted.sum()
