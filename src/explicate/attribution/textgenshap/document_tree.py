"""Documents, their phrases, and the words of those: who the players are, and where each stands in the prompt."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from explicate.attribution.textgenshap.prompts import DocumentPrompt
from explicate.attribution.words import CLOSING, ENDS
from explicate.core.capabilities import Masks
from explicate.errors import InputError

Split = Literal["sentences", "paper"]
ROOT = 0
LEVELS = ("root", "document", "phrase", "word")


@dataclass(frozen=True)
class Piece:
    """A node of the tree: level 0 is all documents, 1 a document, 2 a phrase, 3 a word; characters begin to end."""

    level: int
    parent: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class DocumentTree:
    """All pieces of a prompt's documents down to some level.

    Attributes
    ----------
    pieces : the root first, every parent before its children, in the order of the text.
    """

    prompt: DocumentPrompt
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, prompt: DocumentPrompt, levels: int = 3, split: Split = "sentences") -> DocumentTree:
        """Cut documents into phrases, and phrases into words.

        Parameters
        ----------
        levels : 1 documents, 2 also phrases, 3 also words.
        split : "sentences", or "paper": after each full stop and comma, numbers and abbreviations included. A header is
            always a phrase of its own.
        """
        if levels not in (1, 2, 3):
            raise InputError(f"levels is {levels}; use 1 (documents), 2 (phrases) or 3 (words)")
        if split not in get_args(Split):
            raise InputError(f"split {split!r} is unknown; use {', '.join(get_args(Split))}")
        pieces = [Piece(0, -1, prompt.documents[0][0], prompt.documents[-1][1])]
        for (begin, end), header in zip(prompt.contents, prompt.headers, strict=True):
            document = len(pieces)
            pieces.append(Piece(1, ROOT, begin, end))
            for first, last in _phrases(prompt.text, begin, end, header, split) if levels > 1 else ():
                phrase = len(pieces)
                pieces.append(Piece(2, document, first, last))
                words = re.finditer(r"\s*\S+", prompt.text[first:last]) if levels > 2 else ()
                pieces += [Piece(3, phrase, first + word.start(), first + word.end()) for word in words]
        return cls(prompt, tuple(pieces))

    def __len__(self) -> int:
        return len(self.pieces)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the pieces that each one is made of."""
        found: list[list[int]] = [[] for _ in self.pieces]
        for number, piece in enumerate(self.pieces[1:], 1):
            found[piece.parent].append(number)
        return tuple(tuple(one) for one in found)

    @cached_property
    def atoms(self) -> tuple[int, ...]:
        """Numbers of the smallest pieces, in the order of the text; coalitions are sets of these."""
        return tuple(
            n for n in range(1, len(self)) if not self.children[n] and self.pieces[n].end > self.pieces[n].begin
        )

    @cached_property
    def members(self) -> Masks:
        """Which atoms each piece is made of: (piece, atom)."""
        found = np.zeros((len(self), len(self.atoms)), dtype=bool)
        for atom, number in enumerate(self.atoms):
            while number != -1:
                found[number, atom] = True
                number = self.pieces[number].parent
        return found

    @property
    def documents(self) -> tuple[int, ...]:
        """Numbers of the documents."""
        return self.children[ROOT]

    def text(self, number: int) -> str:
        """A piece's text."""
        piece = self.pieces[number]
        return self.prompt.text[piece.begin : piece.end]

    def frontier(self, expanded: Collection[int]) -> tuple[int, ...]:
        """The players where these pieces are played by their children: what is not expanded, of what is."""
        return tuple(n for n in range(1, len(self)) if self.pieces[n].parent in expanded and n not in expanded)

    def kept(self, masks: Masks) -> Masks:
        """Which characters stay: masks (coalition, atom) -> (coalition, character).

        White space behind a document goes with its last piece; what belongs to no document always stays.
        """
        owner = np.full(len(self.prompt.text), len(self.atoms))
        for atom, number in enumerate(self.atoms):
            owner[self.pieces[number].begin : self.pieces[number].end] = atom
        padded = np.concatenate([masks, np.ones((len(masks), 1), dtype=bool)], axis=1)
        found: Masks = np.asarray(padded[:, owner])
        for number, (_, end), (_, close) in zip(
            self.documents, self.prompt.contents, self.prompt.documents, strict=True
        ):
            found[:, end:close] = np.any(masks[:, self.members[number]], axis=1, keepdims=True)
        return found


def _phrases(text: str, begin: int, end: int, header: int, split: Split) -> list[tuple[int, int]]:
    """Characters of the phrases of one document: white space stands at their beginning."""
    found = [(begin, begin + header)] if header else []
    first = begin + header
    for place in range(first, end):
        if _ends(text, place, end, split) and text[first : place + 1].strip():
            found.append((first, place + 1))
            first = place + 1
    if text[first:end].strip():
        found.append((first, end))
    return found


def _ends(text: str, place: int, end: int, split: Split) -> bool:
    if split == "paper":
        return text[place] in ".,"
    after = text[place + 1 : place + 2]
    sign = text[: place + 1].rstrip(CLOSING)[-1:] if text[place] in CLOSING else text[place]
    return place + 1 < end and after.isspace() and (sign in tuple(ENDS) or "\n" in after)
