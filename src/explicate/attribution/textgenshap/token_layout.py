"""Which tokens of a prompt belong to which pieces, and the tokens of a prompt with some pieces only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from explicate.attribution.textgenshap.document_tree import DocumentTree
from explicate.core.capabilities import Array, Masks
from explicate.errors import CapabilityError, InputError, WindowError, counted
from explicate.models.language import LanguageModel
from explicate.models.language.spans import Span

Masking = Literal["slice", "pad"]
"""What becomes of removed text. "slice": it is cut out, and documents are counted anew. "pad": nobody sees it, and all
else keeps its positions and numbers. These are different games."""


class TokenLayout:
    """The tokens of a whole prompt, and of what is left of it.

    Attributes
    ----------
    ids : (token,), the whole prompt. spans : (token, 2), the characters of each; special tokens have none.

    Raises
    ------
    WindowError : the prompt and its answer are more than the model takes.
    """

    def __init__(self, model: LanguageModel, tree: DocumentTree, masking: Masking, max_new_tokens: int) -> None:
        if masking not in get_args(Masking):
            raise InputError(f"masking {masking!r} is unknown; use {', '.join(get_args(Masking))}")
        if not getattr(model.tokenizer, "is_fast", False):
            raise CapabilityError(f"the tokenizer of {model.name!r} does not say which characters its tokens stand for")
        self.model, self.tree, self.masking = model, tree, masking
        text = tree.prompt.text
        read = model.tokenizer(text, return_offsets_mapping=True)
        self.ids = np.asarray(read["input_ids"], dtype=np.int64)
        self.spans = np.asarray(read["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        if model.window is not None and len(self.ids) + max_new_tokens > model.window:
            raise WindowError(
                f"a prompt of {counted(len(self.ids), 'token')} and {max_new_tokens} new ones are more than the "
                f"{model.window} that {model.name!r} takes; nothing is cut: give fewer documents"
            )

    def keep(self, masks: Masks) -> Masks:
        """Which tokens stay: masks (coalition, atom) -> (coalition, token)."""
        kept = np.concatenate([self.tree.kept(masks), np.ones((len(masks), 1), dtype=bool)], axis=1)
        begins = np.where(self.spans[:, 1] > self.spans[:, 0], self.spans[:, 0], kept.shape[1] - 1)
        return np.asarray(kept[:, begins])

    def prompts(self, masks: Masks) -> list[tuple[Array, Array]]:
        """Token ids and positions of what each coalition leaves of the prompt; of nothing, the model's beginning."""
        found = []
        for row in self.keep(masks):
            ids = self._renumbered(row) if self.masking == "slice" else self.ids[row]
            positions = np.arange(len(ids)) if self.masking == "slice" else np.flatnonzero(row)
            if not len(ids):
                ids, positions = np.array([self.model.stand_in_token]), np.zeros(1, dtype=np.int64)
            found.append((ids, positions))
        return found

    def _renumbered(self, row: Array) -> Array:
        parts, place, rank = [], 0, 0
        for number, (first, last) in self._documents.items():
            begin, end, tokens = self._numbers.get(number, (0, 0, ()))
            if not tokens:
                continue
            there = bool(row[first:last].any())
            rank += there
            parts.append(self.ids[place:begin][row[place:begin]])
            if row[begin:end].any():
                parts.append(np.array(tokens[rank - 1], dtype=np.int64))
            place = end
        return np.concatenate([*parts, self.ids[place:][row[place:]]])

    @cached_property
    def _documents(self) -> dict[int, Span]:
        """First token and the one after the last of each document that has a text."""
        begins = self.spans[:, 0]
        real = self.spans[:, 1] > begins
        found = {}
        for number, (begin, end) in enumerate(self.tree.prompt.documents):
            own = np.flatnonzero(real & (begins >= begin) & (begins < end))
            if len(own):
                found[number] = (int(own[0]), int(own[-1]) + 1)
        return found

    @property
    def documents(self) -> dict[int, Span]:
        """As `_documents`; they must follow each other without anything between."""
        spans = list(self._documents.values())
        if any(before[1] != after[0] for before, after in pairwise(spans)):
            raise InputError("there is text between the documents that belongs to none; give documents only")
        return self._documents

    @cached_property
    def _numbers(self) -> dict[int, tuple[int, int, tuple[Sequence[int], ...]]]:
        """Of each numbered document the tokens of its number, and what stands there for each number it may get."""
        text, found, count = self.tree.prompt.text, {}, 0
        for number, (begin, end) in enumerate(self.tree.prompt.numbers):
            if end == begin or number not in self._documents:
                continue
            count += 1
            own = np.flatnonzero((self.spans[:, 0] < end) & (self.spans[:, 1] > begin))
            before = text[self.spans[own[0], 0] : begin]
            after = text[end : self.spans[own[-1], 1]]
            written = tuple(
                self.model.tokenizer(f"{before}{rank}{after}", add_special_tokens=False)["input_ids"]
                for rank in range(1, count + 1)
            )
            found[number] = (int(own[0]), int(own[-1]) + 1, written)
        return found
