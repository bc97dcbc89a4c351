"""The game: which text is written when only some pieces are there. Nothing is asked twice."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks

NOTHING = -1  # the output of no pieces, where that is not decoded


class Reader(Protocol):
    """How a model reads a prompt with some pieces only. Attributes say what it costs.

    Attributes
    ----------
    counts : what was done so far, by its name: passes, tokens read, ...
    """

    @property
    def counts(self) -> dict[str, int]: ...

    def write(self, masks: Masks) -> list[str]:
        """What the model writes for each coalition (coalition, atom)."""
        ...

    def log_probabilities(self, masks: Masks, answer: str) -> Floats:
        """Log-probability of a text that the model may write, for each coalition."""
        ...


class Coalitions:
    """The worth of coalitions of atoms, remembered by the set.

    The worth is the number of the text that is written: a voting game with many candidates, v_y(S) = [text of S is y].
    With an `answer`, it is that answer's log-probability.

    Parameters
    ----------
    reader : the model. answer : the text whose log-probability is the worth.
    decode_empty : False gives the coalition of nobody the special output `NOTHING` without asking the model.

    Attributes
    ----------
    outputs : the different texts, in the order of their discovery. asked, known : coalitions, and those remembered.
    """

    def __init__(self, reader: Reader, answer: str | None = None, decode_empty: bool = True) -> None:
        self.reader = reader
        self.answer = answer
        self.decode_empty = decode_empty
        self.outputs: list[str] = []
        self.uses: list[int] = []
        self.asked = self.known = 0
        self._worth: dict[bytes, Any] = {}

    def __call__(self, masks: Masks) -> Array:
        """The worth (coalition,) of coalitions (coalition, atom): numbers of outputs, or log-probabilities."""
        keys = [row.tobytes() for row in np.packbits(np.ascontiguousarray(masks), axis=1)]
        fresh = {key: place for place, key in enumerate(keys) if key not in self._worth}
        if not self.decode_empty and self.answer is None:
            for key, place in list(fresh.items()):
                if not masks[place].any():
                    self._worth[key] = NOTHING
                    del fresh[key]
        self.asked += len(fresh)
        self.known += len(keys) - len(fresh)
        if fresh:
            rows = masks[list(fresh.values())]
            order = np.lexsort(rows.T[::-1])[::-1]  # neighbours share long beginnings
            found = np.empty(len(rows), dtype=float if self.answer is not None else np.int64)
            if self.answer is None:
                found[order] = [self._number(text) for text in self.reader.write(rows[order])]
            else:
                found[order] = self.reader.log_probabilities(rows[order], self.answer)
            self._worth.update(zip(fresh, found.tolist(), strict=True))
        return np.array([self._worth[key] for key in keys])

    def _number(self, text: str) -> int:
        if text not in self.outputs:
            self.outputs.append(text)
            self.uses.append(0)
        number = self.outputs.index(text)
        self.uses[number] += 1
        return number

    def columns(self, worth: Array) -> Floats:
        """Worths as a column for each output, 1 where it is written: (..., output); log-probabilities as one column."""
        if self.answer is not None:
            return np.asarray(worth, dtype=float)[..., None]
        return np.asarray(worth[..., None] == np.arange(len(self.outputs)), dtype=float)
