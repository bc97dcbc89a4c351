"""Texts as arrays of token ids, and arrays of token ids as padded batches.

Encoded texts are int64 (sample, token). `ABSENT` (-1) is no token: padding on the right, or a token that was deleted;
it is taken out before the model sees the row. `EMPTY` (-2) is a token without content: it keeps its place, and its
embedding is the zero vector.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError, first_line
from explicate.models.language.positions import Frame

if TYPE_CHECKING:
    import torch

ABSENT = -1
EMPTY = -2
TOKENS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows without gaps, padded on one side, on the model's device.

    Attributes
    ----------
    ids : (sample, column); padding and empty tokens hold some valid id.
    present : bool (sample, column).
    empty : bool (sample, column), tokens whose embedding is zero; None where there are none.
    origin : int64 (sample, column), the column of the encoded array that a token comes from; -1 for padding, and for
        the token that stands in for a text of which nothing is left.
    frame : where the tokens are.
    """

    ids: torch.Tensor
    present: torch.Tensor
    empty: torch.Tensor | None
    origin: Array
    frame: Frame

    @property
    def mask(self) -> torch.Tensor | None:
        """The attention mask, or None where nothing is padded."""
        return self.present.long() if self.frame.ragged else None

    @property
    def position_ids(self) -> torch.Tensor | None:
        """Positions that count real tokens, or None where the model's own are right."""
        return (self.present.long().cumsum(1) - 1).clamp(min=0) if self.frame.ragged else None


def make_batch(
    inputs: Array,
    side: Literal["left", "right"],
    stand_in: int,
    device: Any,
    prompt: Array | None = None,
) -> Batch:
    """Close gaps and pad on one side.

    Parameters
    ----------
    inputs : encoded texts (sample, token).
    stand_in : the token that a text of which nothing is left consists of; also fills the padding.
    prompt : (sample,), how many of each row's tokens are its prompt; all by default.
    """
    import torch

    there = inputs != ABSENT
    counts = there.sum(axis=1)
    totals = np.maximum(counts, 1)
    width = int(totals.max())
    order = np.argsort(~there, axis=1, kind="stable")[:, :width]  # real tokens first, in their order
    place = np.arange(width)[None, :]
    if order.shape[1] < width:  # rows without any column
        order = np.zeros((len(inputs), width), dtype=np.int64)
    origin = np.where(place < counts[:, None], order, -1)
    if side == "left":
        turn = (place - (width - totals)[:, None]) % width
        origin = np.take_along_axis(origin, turn, axis=1)
        starts = width - totals
    else:
        starts = np.zeros_like(totals)
    present = (place >= starts[:, None]) & (place < (starts + totals)[:, None])
    safe = np.maximum(origin, 0)
    ids = (
        np.where(origin >= 0, np.take_along_axis(inputs, safe, axis=1), stand_in)
        if inputs.shape[1]
        else (np.full((len(inputs), width), stand_in))
    )
    empty = ids == EMPTY

    def tensor(array: Array) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=device)

    lengths = tensor(totals if prompt is None else prompt)
    frame = Frame(tensor(starts), lengths, tensor(totals), width, bool((totals < width).any()))
    return Batch(
        tensor(np.where(empty, stand_in, ids)),
        tensor(present),
        tensor(empty) if empty.any() else None,
        origin,
        frame,
    )


def lengths_of(inputs: Array) -> Array:
    """Real tokens in each row, (sample,)."""
    return np.asarray((inputs != ABSENT).sum(axis=1))


def by_length(lengths: Array, tokens: int, rows: int | None = None) -> Iterator[Array]:
    """Row numbers in chunks of similar length: at most `tokens` columns in all, at least one row."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        size = 1
        while start + size < len(order) and (rows is None or size < rows):
            if (size + 1) * max(1, int(lengths[order[start + size]])) > tokens:
                break
            size += 1
        yield order[start : start + size]
        start += size


def encode(inputs: Any, tokenizer: Any, vocabulary: int, longest: int | None, name: str) -> Array:
    """A user's texts or token ids as int64 (sample, token), -1 on the right where a row is shorter."""
    if isinstance(inputs, str):
        inputs = [inputs]
    if isinstance(inputs, Mapping) or (hasattr(inputs, "keys") and "input_ids" in inputs):
        inputs = _from_mapping(inputs)
    if hasattr(inputs, "detach"):
        inputs = inputs.detach().cpu().numpy()
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "OU":
        inputs = inputs.tolist()
    if isinstance(inputs, np.ndarray):
        rows: list[Any] = list(inputs[None] if inputs.ndim == 1 else inputs)
    else:
        rows = list(inputs)
        if rows and all(isinstance(item, int | np.integer) for item in rows):
            rows = [rows]
    if len(rows) == 0:
        raise InputError(f"no texts given to {name!r}")
    encoded = [_ids(row, number, tokenizer, name) for number, row in enumerate(rows)]
    width = max(map(len, encoded))
    found = np.full((len(encoded), width), ABSENT, dtype=np.int64)
    for number, ids in enumerate(encoded):
        found[number, : len(ids)] = ids
    _check(found, vocabulary, longest, name)
    return found


def tokenized(tokenizer: Any, text: str, what: str, **options: Any) -> list[int]:
    """Token ids of a text; an `InputError` where the tokenizer has no token for a part of it."""
    try:
        found: list[int] = tokenizer(text, **options)["input_ids"]
    except Exception as error:  # the tokenizers library raises no narrower class
        if type(error) is not Exception:
            raise
        raise InputError(
            f"{what} has a word that the tokenizer does not know ({first_line(error)}): {text!r}"
        ) from error
    return found


def _ids(row: Any, number: int, tokenizer: Any, name: str) -> Array:
    if isinstance(row, str):
        ids = np.asarray(tokenized(tokenizer, row, f"text {number}"), dtype=np.int64)
        if not len(ids) or not row.strip():
            raise InputError(f"text {number} is empty; {name!r} needs at least one token")
        return ids
    try:
        ids = np.asarray(row)
    except ValueError:
        ids = np.asarray(None)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise InputError(f"text {number} is neither text nor a list of token ids, but a {type(row).__name__}")
    return ids.astype(np.int64)


def _check(ids: Array, vocabulary: int, longest: int | None, name: str) -> None:
    bad = (ids >= vocabulary) | (ids < EMPTY)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"text {row}, token {column}: the id {ids[row, column]} is outside the vocabulary of {name!r} "
            f"(0 to {vocabulary - 1}; -1 is no token)"
        )
    lengths = lengths_of(ids)
    if (lengths == 0).any():
        raise InputError(f"text {int(np.argmin(lengths))} has no tokens; {name!r} needs at least one")
    if longest is not None and (lengths > longest).any():
        row = int(np.argmax(lengths))
        raise InputError(f"text {row} has {lengths[row]} tokens; {name!r} takes at most {longest}: shorten it")


def _from_mapping(given: Any) -> Array:
    ids = _array(given["input_ids"])
    mask = given.get("attention_mask")
    ids = ids[None] if ids.ndim == 1 else ids
    return ids if mask is None else np.where(_array(mask).reshape(ids.shape) != 0, ids, ABSENT)


def _array(value: Any) -> Array:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def piece(tokenizer: Any, index: int) -> str:
    """The text of one token, with its leading space; where that is not readable, the vocabulary's own name for it."""
    if index == ABSENT:
        return ""
    if index == EMPTY:
        return "∅"
    text = str(tokenizer.decode([index]))
    if text == "" or "\ufffd" in text:
        return str(tokenizer.convert_ids_to_tokens(int(index)))
    name = str(tokenizer.convert_ids_to_tokens(int(index)))
    return " " + text if name.startswith("▁") and not text.startswith(" ") else text


_WORD = re.compile(r"['’]?\w")


def word_numbers(pieces: Sequence[str], special: Sequence[bool], word_pieces: bool = False) -> list[int]:
    """Number the words that tokens belong to; -1 for special and absent tokens.

    A word starts at a token with leading white space, at the first token, after a special token, and where letters and
    other signs meet. With `word_pieces` (BERT) every token that does not begin with "##" starts a word.
    """
    found, word, before = [], -1, ""
    for text, apart in zip(pieces, special, strict=True):
        if apart or text == "":
            found.append(-1)
            before = "" if apart else before
            continue
        if word_pieces:
            starts = not text.startswith("##")
        else:
            starts = before == "" or text[0].isspace() or before[-1].isspace() or _letters(text) != _letters(before[-1])
        if starts:
            word += 1
        found.append(word)
        before = text
    return found


def _letters(text: str) -> bool:
    return bool(_WORD.match(text))
