"""Structures of Odeen: six cells in a row, each empty or holding a block or a pyramid, blue or red.

Source: Norelli et al. (2022), "Explanatory Learning: Beyond Empiricism in Neural Networks", arXiv 2201.10222,
section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError

SYMBOLS = ".aAvVbB"
"""Empty; blue and red pyramid pointing up; blue and red pyramid pointing down; blue and red block."""

CELLS = 6
STRUCTURES = len(SYMBOLS) ** CELLS
FEATURES = ("pyramid", "block", "blue", "red", "up", "down")
PLACES = len(SYMBOLS) ** np.arange(CELLS - 1, -1, -1)


def encode_structures(texts: Sequence[str] | str) -> Array:
    """Symbols' places in `SYMBOLS`, int64 (structure, cell), of texts such as "a..B.v".

    Raises
    ------
    InputError : (a ValueError) a text of another length, or with another symbol; the message has the position.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"structure {number} is {text!r}; give a text of {CELLS} symbols from {SYMBOLS!r}")
        if len(text) != CELLS:
            raise InputError(f"structure {number}, {text!r}, has {len(text)} cells; a structure has {CELLS}")
        for place, symbol in enumerate(text):
            if symbol not in SYMBOLS:
                raise InputError(
                    f"structure {number}, {text!r}: the symbol {symbol!r} at position {place} is unknown; "
                    f"the symbols are {SYMBOLS!r}"
                )
    return np.array([[SYMBOLS.index(symbol) for symbol in text] for text in texts], dtype=np.int64).reshape(-1, CELLS)


def structure_texts(codes: Array) -> list[str]:
    """The texts of structures (structure, cell)."""
    return ["".join(SYMBOLS[code] for code in row) for row in np.asarray(codes)]


def structure_ids(codes: Array) -> Array:
    """The place of each structure (structure, cell) in `all_structures`."""
    found: Array = np.asarray(codes, dtype=np.int64) @ PLACES
    return found


@cache
def all_structures() -> Array:
    """All 7^6 structures, uint8 (structure, cell); the last cell changes fastest. Read-only."""
    found = (np.arange(STRUCTURES)[:, None] // PLACES % len(SYMBOLS)).astype(np.uint8)
    found.setflags(write=False)
    return found


@cache
def symbol_features() -> Array:
    """Which of `FEATURES` each symbol has, float32 (symbol, feature); the empty cell has none. Read-only."""
    has = {"a": "pyramid blue up", "A": "pyramid red up", "v": "pyramid blue down", "V": "pyramid red down"}
    has |= {"b": "block blue", "B": "block red"}
    found = np.array([[name in has.get(symbol, "").split() for name in FEATURES] for symbol in SYMBOLS], np.float32)
    found.setflags(write=False)
    return found


@cache
def piece_counts() -> Array:
    """How many cells of each structure hold a piece, uint8 (structure,). Read-only."""
    found = np.count_nonzero(all_structures(), axis=1).astype(np.uint8)
    found.setflags(write=False)
    return found
