"""Sizes of the networks and of their training; the paper's, and smaller ones for one processor core."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from explicate.errors import InputError


@dataclass(frozen=True)
class NetworkShape:
    """The size of an encoder with a decoder.

    Parameters
    ----------
    width, heads, inner, layers : of the blocks; encoder and decoder have as many layers each.
    dropout : share of values left out while it is trained.
    """

    width: int = 64
    heads: int = 4
    inner: int = 256
    layers: int = 2
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.width, self.heads, self.inner, self.layers) < 1 or self.width % (2 * self.heads):
            raise InputError(
                f"{self.layers} layers of width {self.width} with {self.heads} heads cannot be built; "
                "the width must be a multiple of twice the heads"
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout}; give a share of 0 or more and below 1")

    def options(self) -> dict[str, Any]:
        """The fields by name, as the modules take them."""
        return asdict(self)


SMALL_SHAPE = NetworkShape(dropout=0.2)
SMALL_INTERPRETER = NetworkShape(64, 4, 128, 2, 0.1)
"""Without dropout it learns the training rules by heart: it gets 0.83 of the tags of other rules right, not 0.86."""
PAPER_INTERPRETER = NetworkShape(128, 8, 128, 4, 0.1)
PAPER_GENERATOR = NetworkShape(256, 8, 256, 4, 0.1)
