"""A decoder that writes the output of an input after a separator, asked as a `Translator` is.

It stands on `Decoder` and its training, so everything that reads or changes a language model works on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Ablate, Patch
from explicate.core.sites import Site
from explicate.errors import InputError, WindowError
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.language import Sequences, train_decoder
from explicate.models.tiny.translator import CUT, Head, Pairs, Words

SEPARATOR, STOP = "->", "<end>"


@dataclass(frozen=True)
class SeparatedPairs:
    """A corpus of "input -> output <end>", of which the output and the end count.

    Parameters
    ----------
    pairs : what is drawn from. fingerprint : of its content; the pairs themselves are no part of the `repr`.
    """

    decoder: Decoder
    pairs: Pairs = field(repr=False)
    fingerprint: str

    def batch(self, rng: np.random.Generator, count: int) -> Sequences:
        """So many texts."""
        weights = self.pairs.weights
        shares = None if weights is None else weights / weights.sum()
        rows = rng.choice(len(self.pairs), size=count, p=shares)
        texts = [(*self.pairs.inputs[i], SEPARATOR, *self.pairs.outputs[i], STOP) for i in rows]
        ids = self.decoder.encode(texts)
        before = np.array([len(self.pairs.inputs[i]) for i in rows])
        return Sequences(ids, (np.arange(ids.shape[1]) > before[:, None]).astype(np.float64))


class SeparatedDecoder:
    """A decoder with its separator.

    Parameters
    ----------
    model : a handle on a decoder whose words have "->" and "<end>" among them. targets : most words of an output.
    """

    def __init__(self, model: LanguageModel, decoder: Decoder, targets: int) -> None:
        self.model, self.decoder, self.targets, self.name = model, decoder, targets, model.name

    @classmethod
    def train(
        cls, decoder: Decoder, pairs: Pairs, recipe: DecoderRecipe, *, name: str = "decoder", cache: bool = True
    ) -> Self:
        """Train one; the separator and the end are added to the decoder's words."""
        words = (*decoder.vocabulary, SEPARATOR, STOP)
        own = replace(decoder, vocabulary=words, end=STOP)
        corpus = SeparatedPairs(own, pairs, pairs.fingerprint())
        trained = train_decoder(own, corpus, recipe, name=name, cache=cache)
        return cls(trained.model, own, max(map(len, pairs.outputs)) + 1)

    def fits(self, text: Words) -> bool:
        """Whether input and output are within the decoder's context."""
        return len(text) + 2 + self.targets <= self.decoder.context

    def answers(self, texts: Sequence[Words]) -> list[Words]:
        """What is written for each input; one that did not end by itself ends in `CUT`.

        Raises
        ------
        WindowError : an input beyond the decoder's context.
        """
        for number, text in enumerate(texts):
            if not self.fits(text):
                raise WindowError(
                    f"input {number} has {len(text)} words, too many for a context of {self.decoder.context}"
                )
        end, found = self.decoder.ids[STOP], []
        for ids in self.model.generate_tokens(self._prompts(texts), max_new_tokens=self.targets + 1):
            words = [int(one) for one in ids]
            kept = words[: words.index(end)] if end in words else words
            names = (*self.decoder.vocabulary, "<pad>")
            found.append((*(names[one] for one in kept), *(() if end in words else (CUT,))))
        return found

    @property
    def heads(self) -> tuple[Head, ...]:
        """All heads."""
        return tuple(Head("decoder", i, j) for i in range(self.model.layer_count) for j in range(self.model.head_count))

    @contextmanager
    def without(self, heads: Collection[Head], values: dict[Head, Floats] | None = None) -> Iterator[None]:
        """Set what heads pass on to zero, or to given `values` (head width,), while the context lasts."""
        unknown = next((head for head in heads if head not in self.heads), None)
        if unknown is not None:
            raise InputError(f"{self.name!r} has no head {unknown}; it has {self.model.head_count} in each layer")
        changes: list[Any] = []
        for head in heads:
            site = Site("z", head.layer, head.head)
            changes.append(Ablate(site) if values is None else Patch(site, value=values[head]))
        with self.model.intervene(*changes):
            yield

    def head_means(self, texts: Sequence[Words]) -> dict[Head, Floats]:
        """The mean (head width,) of what each head passes on while it reads inputs and its own answers."""
        answers = self.answers(texts)
        rows = [
            (*text, SEPARATOR, *(word for word in own if word in self.decoder.ids))
            for text, own in zip(texts, answers, strict=True)
        ]
        ids = self.decoder.encode(rows)
        there = ids >= 0
        found: dict[Head, Floats] = {}
        for layer in range(self.model.layer_count):
            site = Site("z", layer)
            seen = np.asarray(self.model.capture(ids, [site])[site])  # (text, head, token, width)
            for head in range(self.model.head_count):
                found[Head("decoder", layer, head)] = seen[:, head][there].mean(axis=0)
        return found

    def _prompts(self, texts: Sequence[Words]) -> Array:
        return self.decoder.encode([(*text, SEPARATOR) for text in texts])
