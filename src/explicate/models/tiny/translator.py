"""Small encoder-decoders from one sequence of words to another, and decoders that do the same after a separator.

Both are asked in the same way: `answers` gives what they write by themselves, `without` takes heads out, so a study can
take either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import spend
from explicate.errors import InputError, WindowError
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.drawn import trained
from explicate.runtime.fingerprint import digest

ROWS_AT_ONCE = 512
CUT = "<cut>"
"""Ends an answer that did not end by itself."""

Words = tuple[str, ...]


class Head(NamedTuple):
    """An attention head: of the "encoder", of the "decoder" among its own words, or "cross" from decoder to encoder."""

    part: str
    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.part}.L{self.layer}.H{self.head}"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Inputs, their outputs, and how often each is drawn.

    Attributes
    ----------
    inputs, outputs : texts as tuples of words. weights : (pair,), draws are proportional to them; None: all alike.
    """

    inputs: tuple[Words, ...]
    outputs: tuple[Words, ...]
    weights: Floats | None = None

    def __post_init__(self) -> None:
        counts = {len(self.inputs), len(self.outputs), *([] if self.weights is None else [len(self.weights)])}
        if len(counts) > 1 or not self.inputs:
            raise InputError(f"{len(self.inputs)} inputs and {len(self.outputs)} outputs; give one output an input")

    def __len__(self) -> int:
        return len(self.inputs)

    def fingerprint(self) -> str:
        """A content hash."""
        weights = np.asarray(() if self.weights is None else self.weights, dtype=np.float64)
        return digest([list(one) for one in self.inputs], [list(one) for one in self.outputs], weights)


@dataclass(frozen=True)
class TranslatorShape:
    """The words and sizes of an encoder-decoder.

    Parameters
    ----------
    words : of inputs and outputs. sources, targets : most words of an input and of an output.
    layers : of the encoder, and of the decoder. positions : "learned" vectors, or "sinusoidal".
    """

    words: tuple[str, ...]
    sources: int
    targets: int
    layers: int = 2
    width: int = 128
    heads: int = 4
    inner: int = 256
    positions: Literal["learned", "sinusoidal"] = "learned"

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads) or min(self.layers, self.heads, self.sources, self.targets) < 1:
            raise InputError(
                f"{self.layers} layers of width {self.width} with {self.heads} heads cannot be built; there must be a "
                "layer, a head and a word, and the width a multiple of twice the heads"
            )
        if self.positions not in ("learned", "sinusoidal"):
            raise InputError(f"positions {self.positions!r} are unknown; use learned or sinusoidal")

    @property
    def start(self) -> int:
        """The token id that stands before an output; that after it is one more."""
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token id of each word."""
        return {word: place for place, word in enumerate(self.words)}

    def encode(self, texts: Sequence[Words], ends: bool = False) -> Array:
        """Token ids (text, token), -1 beyond a text's end; with `ends` between a start and an end.

        Raises
        ------
        InputError : a word that is not among the shape's.
        """
        rows = []
        for number, text in enumerate(texts):
            unknown = next((word for word in text if word not in self.ids), None)
            if unknown is not None:
                raise InputError(f"text {number}: the word {unknown!r} is none of the model's {len(self.words)}")
            row = [self.ids[word] for word in text]
            rows.append([self.start, *row, self.start + 1] if ends else row)
        found = np.full((len(rows), max(map(len, rows), default=0)), -1, dtype=np.int64)
        for place, row in enumerate(rows):
            found[place, : len(row)] = row
        return found

    def build(self) -> Any:
        """An untrained module."""
        from explicate.models.tiny.translator_module import TranslatorModule

        return TranslatorModule(
            len(self.words) + 2, self.sources, self.targets + 1, self.layers, self.width, self.heads, self.inner,
            self.positions == "learned",
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Batch:
    sources: Array
    targets: Array


class Translator:
    """An encoder-decoder that writes an output for an input, always the likeliest word."""

    def __init__(self, shape: TranslatorShape, module: Any, name: str = "translator") -> None:
        self.shape, self.module, self.name = shape, module.eval(), name

    @classmethod
    def train(
        cls,
        shape: TranslatorShape,
        pairs: Pairs,
        recipe: DecoderRecipe,
        *,
        name: str = "translator",
        cache: bool = True,
    ) -> Self:
        """Train one by giving it each output's words so far, or read it from the user's cache.

        Raises
        ------
        WindowError : a pair that is longer than the shape's tables of positions.
        """
        for texts, most, what in ((pairs.inputs, shape.sources, "input"), (pairs.outputs, shape.targets, "output")):
            longest = max(map(len, texts))
            if longest > most:
                raise WindowError(f"an {what} has {longest} words, more than the {most} of the position table")
        sources, targets = shape.encode(pairs.inputs), shape.encode(pairs.outputs, ends=True)
        shares = None if pairs.weights is None else pairs.weights / pairs.weights.sum()

        def batch(rng: np.random.Generator, count: int) -> _Batch:
            rows = rng.choice(len(pairs), size=count, p=shares)
            own, written = sources[rows], targets[rows]
            return _Batch(own[:, : (own >= 0).sum(1).max()], written[:, : (written >= 0).sum(1).max()])

        identity = ("translator", asdict(shape), pairs.fingerprint())
        module = trained(shape.build, batch, _loss, recipe, identity, name, cache=cache, folder="translators")
        return cls(shape, module, name)

    def fits(self, text: Words) -> bool:
        """Whether an input is within the table of positions."""
        return len(text) <= self.shape.sources

    def answers(self, texts: Sequence[Words]) -> list[Words]:
        """What is written for each input; one that did not end by itself ends in `CUT`.

        Raises
        ------
        WindowError : an input beyond the table of positions.
        """
        import torch

        texts = [tuple(text) for text in texts]
        for number, text in enumerate(texts):
            if not self.fits(text):
                raise WindowError(f"input {number} has {len(text)} words; the position table has {self.shape.sources}")
        found: list[Words] = []
        with torch.inference_mode():
            for first in range(0, len(texts), ROWS_AT_ONCE):
                found += self._written(texts[first : first + ROWS_AT_ONCE])
        spend(evaluations=len(texts))
        return found

    def _written(self, texts: Sequence[Words]) -> list[Words]:
        import torch

        memories, there = self.module.read(torch.as_tensor(self.shape.encode(texts)))
        tokens = torch.full((len(texts),), self.shape.start)
        ended = torch.zeros(len(texts), dtype=torch.bool)
        kept, columns = None, []
        for place in range(self.shape.targets + 1):
            logits, kept = self.module.step(tokens, place, memories, there, kept)
            logits[:, self.shape.start] = -torch.inf
            tokens = logits.argmax(-1)
            ended |= tokens == self.shape.start + 1
            columns.append(tokens)
            if bool(ended.all()):
                break
        answers = []
        for row in torch.stack(columns, dim=1).tolist():
            end = self.shape.start + 1
            words = row[: row.index(end)] if end in row else row
            answers.append((*(self.shape.words[i] for i in words), *(() if end in row else (CUT,))))
        return answers

    @property
    def heads(self) -> tuple[Head, ...]:
        """All heads."""
        return tuple(
            Head(part, layer, head)
            for part in ("encoder", "decoder", "cross")
            for layer in range(self.shape.layers)
            for head in range(self.shape.heads)
        )

    @contextmanager
    def without(self, heads: Collection[Head], values: dict[Head, Floats] | None = None) -> Iterator[None]:
        """Set what heads pass on to zero, or to given `values` (head width,), while the context lasts."""
        unknown = next((head for head in heads if head not in self.heads), None)
        if unknown is not None:
            raise InputError(f"{self.name!r} has no head {unknown}; it has {self.shape.heads} in each layer")
        given: dict[Head, Floats | None] = {head: None if values is None else values[head] for head in heads}
        with self._visiting({head[:2] for head in heads}, lambda place, _, out: _replaced(out, place, given)):
            yield

    def head_means(self, texts: Sequence[Words]) -> dict[Head, Floats]:
        """The mean (head width,) of what each head passes on while the model answers, over inputs and words."""
        sums: dict[Head, Any] = {}
        counts: dict[tuple[str, int], int] = {}

        def note(place: tuple[str, int], _: Any, out: Any) -> Any:
            counts[place] = counts.get(place, 0) + out.shape[0] * out.shape[2]
            for head, total in enumerate(out.sum(dim=(0, 2)).double()):
                sums[Head(*place, head)] = sums.get(Head(*place, head), 0) + total
            return out

        with self._visiting({head[:2] for head in self.heads}, note):
            self._each_length(texts)
        return {head: (total / counts[head[:2]]).numpy() for head, total in sums.items()}

    def attention(self, text: Words) -> tuple[Words, Floats]:
        """The answer to one input, and its cross-attention (layer, head, written word and the end, input word)."""
        rows: dict[int, list[Any]] = {}

        def note(place: tuple[str, int], pattern: Any, out: Any) -> Any:
            rows.setdefault(place[1], []).append(pattern[0].numpy())
            return out

        with self._visiting({("cross", layer) for layer in range(self.shape.layers)}, note):
            answer = self.answers([text])[0]
        return answer, np.stack([np.concatenate(rows[layer], axis=1) for layer in range(self.shape.layers)])

    def _each_length(self, texts: Sequence[Words]) -> None:
        """Answer inputs of one length at a time, so that no padding is read."""
        for length in sorted({len(text) for text in texts}):
            self.answers([text for text in texts if len(text) == length])

    @contextmanager
    def _visiting(self, places: Collection[tuple[str, int]], visit: Any) -> Iterator[None]:
        parts = {"encoder": ("encoder", "own"), "decoder": ("decoder", "own"), "cross": ("decoder", "other")}
        chosen = {
            place: getattr(getattr(self.module, parts[place[0]][0])[place[1]], parts[place[0]][1]) for place in places
        }
        before = {place: attention.visit for place, attention in chosen.items()}
        try:
            for place, attention in chosen.items():
                attention.visit = lambda pattern, out, place=place: visit(place, pattern, out)
            yield
        finally:
            for place, attention in chosen.items():
                attention.visit = before[place]


def _replaced(out: Any, place: tuple[str, int], values: dict[Head, Floats | None]) -> Any:
    import torch

    found = out.clone()
    for head in range(out.shape[1]):
        key = Head(*place, head)
        if key in values:
            value = values[key]
            found[:, head] = 0.0 if value is None else torch.as_tensor(value, dtype=out.dtype)
    return found


def _loss(module: Any, batch: _Batch) -> Any:
    import torch
    import torch.nn.functional as F

    sources, targets = torch.as_tensor(batch.sources), torch.as_tensor(batch.targets)
    logits = module(sources, targets[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=-1)
