"""Small decoders that count: one trained on enumerations, and one whose successor head is planted by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.data.language.enumerations import Enumerations
from explicate.data.language.succession import LISTS
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, Sequences, Trained, train_decoder

DECODER: dict[str, Any] = {
    "layers": 3,
    "width": 96,
    "heads": 4,
    "key_value_heads": 1,
    "mlp_width": (256, 0, 0),
    "context": 64,
    "tied": True,
}
"""An MLP in layer 0 only, so that what happens to a word later happens in an attention head's value map."""


@dataclass(frozen=True)
class CounterStart:
    """How training begins: the attention of layer 0 writes nothing, ever, and the embeddings are small.

    With attention there, words are brought together before the MLP, which then counts instead of the heads. Small
    embeddings are soon outweighed by what they are taught, so words become alike where they are used alike.

    Parameters
    ----------
    embeddings : their size, relative to the usual one.
    """

    embeddings: float = 0.2

    def __call__(self, module: Any) -> Any:
        import torch

        attention = module.model.layers[0].self_attn
        for parameter in attention.parameters():
            parameter.requires_grad_(False)
        with torch.no_grad():
            attention.o_proj.weight.zero_()
            module.get_input_embeddings().weight.mul_(self.embeddings)
        return module


@dataclass(frozen=True)
class EnumerationCorpus:
    """`Enumerations` as token ids; only words that are decided by the words before count in the loss."""

    texts: Enumerations = field(default_factory=Enumerations)

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """That many texts."""
        written = [self.texts.text(rng) for _ in range(count)]
        places = {word: place for place, word in enumerate(self.texts.vocabulary)}
        ids = np.array([[places[word] for word in words] for words, _ in written], dtype=np.int64)
        return Sequences(ids, np.array([decided for _, decided in written], dtype=float))


def trained_counter(texts: Enumerations, recipe: DecoderRecipe, name: str = "counter", **shape: Any) -> Trained:
    """A decoder trained to count, or the one in the cache.

    Parameters
    ----------
    shape : what is other than in `DECODER`.
    """
    decoder = Decoder(texts.vocabulary, **{**DECODER, **shape})
    return train_decoder(decoder, EnumerationCorpus(texts), recipe, name=name, adapt=CounterStart())


@dataclass(frozen=True, eq=False)
class PlantedCounter:
    """A decoder whose successor head is known.

    Attributes
    ----------
    model : the handle. successor, copying, predecessor : (layer, head) of the planted heads; all others are random.
    units : (residue, width), the directions that the successor head reads and shifts.
    """

    model: LanguageModel
    successor: tuple[int, int]
    copying: tuple[int, int]
    predecessor: tuple[int, int]
    units: Floats


def planted_counter(seed: int = 0) -> PlantedCounter:
    """A decoder over the eight tasks with hand-set weights and no norms.

    An embedding is one-hot for the tens, for the units and for the task of a word's index. The first MLP copies it,
    each unit through two neurons. Of the heads of layer 1, head 0 copies tens and task and shifts the units by one,
    carrying nothing (19 becomes 10), head 1 copies all, head 2 shifts the units back. The others are random.
    """
    import torch

    tens, units, tasks = 21, 10, len(LISTS)
    features, heads, layers = tens + units + tasks, 4, 2
    width = 40 * heads
    words = tuple(dict.fromkeys(word for each in LISTS.values() for word in each.words))
    decoder = Decoder(words, layers, width, heads, mlp_width=(features + units, 0), norm=False, context=16)
    module = decoder.build(seed)
    table = torch.zeros(len(decoder.ids), width)
    for number, each in reversed(list(enumerate(LISTS.values()))):  # "may" is the month
        for index, word in enumerate(each.words, start=each.first):
            row = table[decoder.ids[word]].zero_()
            row[[index // 10, tens + index % 10, tens + units + number]] = 1.0
    with torch.no_grad():
        module.get_input_embeddings().weight.copy_(table)
        module.get_output_embeddings().weight.copy_(table)
        _copy_through(module.model.layers[0].mlp, tens, units, features)
        maps = module.model.layers[1].self_attn
        for head, shift in enumerate((1, 0, -1)):
            rows = slice(40 * head, 40 * head + features)
            maps.v_proj.weight[40 * head : 40 * (head + 1)] = 0.0
            maps.o_proj.weight[:, 40 * head : 40 * (head + 1)] = 0.0
            maps.v_proj.weight[rows, :features] = torch.eye(features)
            out = torch.eye(features)
            out[tens : tens + units, tens : tens + units] = 2 * torch.eye(units).roll(shift, dims=0)
            maps.o_proj.weight[:features, rows] = out
    directions = np.zeros((units, width), dtype=np.float32)
    directions[np.arange(units), tens + np.arange(units)] = 1.0
    return PlantedCounter(decoder.handle(module, "planted counter"), (1, 0), (1, 1), (1, 2), directions)


def _copy_through(mlp: Any, tens: int, units: int, features: int) -> None:
    """A gated MLP that gives its input back: the gate is open wherever a word has a task; units have two neurons."""
    import torch

    reads = torch.cat([torch.eye(features), torch.eye(features)[tens : tens + units]])
    open_gate = 20.0  # silu(20) is 20 to nine digits
    for part in (mlp.gate_proj, mlp.up_proj, mlp.down_proj):
        part.weight.zero_()
    mlp.gate_proj.weight[:, tens + units : features] = open_gate
    mlp.up_proj.weight[:, :features] = reads
    shares = 1 / reads.sum(dim=0)[None]
    mlp.down_proj.weight[:features] = (reads * shares).T / open_gate
