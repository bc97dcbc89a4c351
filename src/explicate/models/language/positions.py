"""Which columns of a batch hold which tokens: rows differ in length, sites count real tokens only.

A batch of texts is padded on one side. A site's positions count the real tokens of each row's *prompt*: 0 is its first
token, -1 its last. A `Frame` turns them into columns of the tensors that flow through the model at the moment, which
hold all columns (a full pass, the prefill of a generation) or only the last ones (one step with a key/value cache).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from explicate.core.sites import Site
from explicate.errors import InputError, SelectionError

if TYPE_CHECKING:
    import torch

Handler: TypeAlias = "Callable[[torch.Tensor, Selection], torch.Tensor | None]"
"""Gets the activation (sample, [head,] position, width) at a site; gives its new value, or None to leave it."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Some columns of every row.

    Attributes
    ----------
    index : (sample, position), or None for all columns in order.
    valid : (sample, position), False where a shorter row has no such token; None where all have.
    """

    index: torch.Tensor | None = None
    valid: torch.Tensor | None = None

    def take(self, activation: torch.Tensor) -> torch.Tensor:
        """The selected columns: (sample, [head,] column, width) -> (sample, [head,] position, width)."""
        if self.index is None:
            return activation
        return activation.gather(-2, self._spread(self.index, activation, activation.shape[-1]))

    def put(self, activation: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """A copy of `activation` with the selected columns replaced; what is not valid stays."""
        if self.index is None:
            return values
        index = self._spread(self.index, activation, activation.shape[-1])
        return activation.scatter(-2, index, self.only_valid(values, activation.gather(-2, index)))

    def only_valid(self, values: torch.Tensor, otherwise: torch.Tensor) -> torch.Tensor:
        """`values` where there is a token, else `otherwise`."""
        if self.valid is None:
            return values
        return values.where(self._spread(self.valid, values, 1), otherwise)

    @staticmethod
    def _spread(index: torch.Tensor, activation: torch.Tensor, width: int) -> torch.Tensor:
        heads = activation.ndim - 3
        index = index.view(index.shape[0], *[1] * heads, index.shape[1], 1)
        return index.expand(-1, *activation.shape[1 : 1 + heads], -1, width)


@dataclass(frozen=True, eq=False)
class Frame:
    """Where the tokens of a batch are.

    Attributes
    ----------
    starts : (sample,), the column of each row's first token.
    lengths : (sample,), tokens of each row's prompt; positions count in it.
    totals : (sample,), tokens of each row, those after the prompt included.
    width : columns so far, those in a key/value cache included.
    ragged : whether any row has padding.
    """

    starts: torch.Tensor
    lengths: torch.Tensor
    totals: torch.Tensor
    width: int
    ragged: bool

    @classmethod
    def full(cls, activation: torch.Tensor) -> Frame:
        """The frame of a batch without padding."""
        import torch

        size = (activation.shape[0],)
        width = int(activation.shape[-2])
        lengths = torch.full(size, width, dtype=torch.long, device=activation.device)
        return cls(torch.zeros_like(lengths), lengths, lengths, width, False)

    def grown(self) -> Frame:
        """The frame after one more token in each row."""
        return Frame(self.starts, self.lengths, self.totals + 1, self.width + 1, self.ragged)

    def rows(self, keep: torch.Tensor) -> Frame:
        """The frame of the rows with these numbers."""
        return Frame(self.starts[keep], self.lengths[keep], self.totals[keep], self.width, self.ragged)

    def select(self, site: Site, columns: int) -> Selection | None:
        """The columns of `site` among the last `columns`; None where none of them is there (any more)."""
        import torch

        first = self.width - columns
        if site.positions is None:
            return self.tokens() if self.ragged and first == 0 else Selection()
        asked = torch.tensor(site.positions, device=self.starts.device)[None, :]
        lengths = self.lengths[:, None]
        place = torch.where(asked < 0, lengths + asked, asked)
        outside = (place < 0) | (place >= lengths)
        if bool(outside.any()):
            row, column = (int(i) for i in outside.nonzero()[0])
            raise SelectionError(
                f"{site}: position {site.positions[column]} is outside a text of {int(self.lengths[row])} tokens; "
                "positions count each text's own tokens, negative ones from the end"
            )
        index = self.starts[:, None] + place - first
        if bool((index < 0).all()):
            return None
        if bool((index < 0).any()):
            raise SelectionError(f"{site}: some of its positions are not computed here; name them one by one")
        return Selection(index)

    def after_prompt(self, selection: Selection, columns: int) -> torch.Tensor:
        """Which of the last `columns`, all selected, come after their row's prompt: (sample, position)."""
        import torch

        first = self.width - columns
        index = selection.index
        if index is None:
            index = torch.arange(columns, device=self.starts.device)[None, :]
        return index + first - self.starts[:, None] >= self.lengths[:, None]

    def tokens(self) -> Selection:
        """All tokens of each row, from the first on; padding comes last and is not valid."""
        import torch

        place = torch.arange(self.width, device=self.starts.device)[None, :]
        return Selection((self.starts[:, None] + place) % self.width, place < self.totals[:, None])

    def real(self, columns: int) -> torch.Tensor:
        """Which of the last `columns` hold a token: (sample, column)."""
        import torch

        place = torch.arange(self.width - columns, self.width, device=self.starts.device)[None, :]
        place = place - self.starts[:, None]
        return (place >= 0) & (place < self.totals[:, None])


def visit(activation: torch.Tensor, site: Site, frame: Frame, handler: Handler) -> torch.Tensor:
    """Show `handler` the part of `activation` (sample, [head,] column, width) that `site` names; put back a change."""
    selection = frame.select(site, activation.shape[-2])
    if selection is None:
        return activation
    part = activation if site.head is None else activation[:, site.head]
    picked = selection.take(part)
    changed = handler(picked, selection)
    if changed is None:
        return activation
    if changed.shape != picked.shape:
        raise InputError(
            f"{site}: the new value has shape {tuple(changed.shape)}, the activation {tuple(picked.shape)}"
        )
    part = selection.put(part, changed.to(picked.dtype))
    if site.head is None:
        return part
    whole = activation.clone()
    whole[:, site.head] = part
    return whole


def visit_pairs(activation: torch.Tensor, site: Site, frame: Frame, handler: Handler) -> torch.Tensor:
    """As `visit`, for (sample, head, query, key): the keys, too, are shown from each row's first token on."""
    if not frame.ragged:
        return visit(activation, site, frame, handler)
    keys = frame.tokens()
    turned = keys.take(activation.transpose(-1, -2)).transpose(-1, -2)

    def masked(picked: torch.Tensor, selection: Selection) -> torch.Tensor | None:
        changed = handler(keys.only_valid(picked.transpose(-1, -2), picked.new_zeros(())).transpose(-1, -2), selection)
        return changed

    changed = visit(turned, site, frame, masked)
    if changed is turned:
        return activation
    return keys.put(activation.transpose(-1, -2), changed.transpose(-1, -2)).transpose(-1, -2)
