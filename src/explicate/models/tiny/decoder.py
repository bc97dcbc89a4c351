"""Small decoders over words, with the same sites as the language models that people load.

One definition for all models that are trained here. A standard one is transformers' own Llama, so that whatever works
on SmolLM2 works on it; one without rotation, norms or some of the MLPs is a module of ours with the same sites, and an
entry of the architectures' table (`explicate.models.language.register_architecture`) is all it took to make it known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.models.language import LanguageModel
from explicate.models.language.architectures import LLAMA, register_architecture
from explicate.models.language.tokens import ABSENT
from explicate.runtime.seeds import derive_seed

if TYPE_CHECKING:
    import torch

MODEL_TYPE = "explicate_decoder"
PADDING = "<pad>"

register_architecture(dataclasses.replace(LLAMA, model_types=(MODEL_TYPE,)))


@dataclass(frozen=True)
class Decoder:
    """The shape of a decoder, and its words.

    Parameters
    ----------
    vocabulary : the words; a word's place is its token id. A padding token follows the last one.
    layers, width, heads : of the blocks; `width` is a multiple of `heads`.
    key_value_heads : keys and values that the heads share; None: one for each head.
    mlp_width : of the gated MLPs, for all blocks or one by one; 0: no MLP.
    positions : "rotary", or "learned" vectors that are added to the embeddings.
    norm : whether there are RMS norms; without them the model is linear but for its attention patterns and MLPs.
    context : most tokens. tied : whether the unembedding is the embedding. end : the word that ends a generation.
    """

    vocabulary: tuple[str, ...]
    layers: int = 2
    width: int = 128
    heads: int = 4
    key_value_heads: int | None = None
    mlp_width: int | tuple[int, ...] = 512
    positions: Literal["rotary", "learned"] = "rotary"
    norm: bool = True
    context: int = 256
    tied: bool = False
    end: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.vocabulary)) < len(self.vocabulary):
            twice = next(word for word in self.vocabulary if self.vocabulary.count(word) > 1)
            raise InputError(f"the word {twice!r} is in the vocabulary twice; each word needs one token")
        for word in self.vocabulary:
            if not word or any(letter.isspace() for letter in word):
                raise InputError(f"the word {word!r} is empty or has a space in it; words are split at spaces")
        if self.layers < 1 or self.heads < 1 or self.width % (2 * self.heads):
            raise InputError(
                f"{self.layers} layers of width {self.width} with {self.heads} heads cannot be built; "
                "there must be a layer and a head, and the width a multiple of twice the heads"
            )
        if self.heads % (self.key_value_heads or self.heads):
            raise InputError(f"{self.heads} heads cannot share {self.key_value_heads} keys and values equally")
        if len(self.mlp_widths) != self.layers or min(self.mlp_widths) < 0:
            raise InputError(f"mlp_width {self.mlp_width} does not fit {self.layers} layers; give one number for each")
        if self.positions not in ("rotary", "learned"):
            raise InputError(f"positions {self.positions!r} are unknown; use rotary or learned")
        if self.end is not None and self.end not in self.vocabulary:
            raise InputError(f"the word {self.end!r} that ends a generation is not in the vocabulary")

    @property
    def mlp_widths(self) -> tuple[int, ...]:
        """The width of each block's MLP."""
        return self.mlp_width if isinstance(self.mlp_width, tuple) else (self.mlp_width,) * self.layers

    @property
    def standard(self) -> bool:
        """Whether this is a Llama, to the letter."""
        return self.norm and self.positions == "rotary" and min(self.mlp_widths) == max(self.mlp_widths) > 0

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token id of each word."""
        return {word: place for place, word in enumerate((*self.vocabulary, PADDING))}

    def encode(self, texts: Sequence[str | Sequence[str]]) -> Array:
        """Token ids (text, token) of texts, or of lists of words; short rows end in -1.

        Raises
        ------
        InputError : a word that is not in the vocabulary.
        """
        rows = [text.split() if isinstance(text, str) else list(text) for text in texts]
        found = np.full((len(rows), max(map(len, rows), default=0)), ABSENT, dtype=np.int64)
        for number, words in enumerate(rows):
            unknown = next((word for word in words if word not in self.ids), None)
            if unknown is not None:
                raise InputError(f"text {number}: the word {unknown!r} is not in the decoder's vocabulary")
            found[number, : len(words)] = [self.ids[word] for word in words]
        return found

    def decode(self, ids: Sequence[int] | Array) -> str:
        """The words of token ids; -1 is left out."""
        return " ".join(self.vocabulary[int(i)] for i in ids if 0 <= int(i) < len(self.vocabulary))

    def build(self, seed: int = 0) -> Any:
        """An untrained module, float32, its weights drawn with the seed."""
        import torch

        from explicate.models.tiny.decoder_module import module_of

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            return module_of(self).eval()

    def handle(self, module: torch.nn.Module, name: str = "decoder") -> LanguageModel:
        """A handle on a module of this shape, with a tokenizer that splits texts at spaces."""
        return LanguageModel(module, self.tokenizer(), name=name)

    def tokenizer(self) -> Any:
        """A transformers tokenizer of the words."""
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        inner = Tokenizer(models.WordLevel(dict(self.ids)))
        inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        special = {"pad_token": PADDING} | ({"eos_token": self.end} if self.end else {})
        return PreTrainedTokenizerFast(tokenizer_object=inner, **special)
