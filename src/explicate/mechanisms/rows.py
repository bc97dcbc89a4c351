"""What a sweep computes: rows, each one prompt with its own changes, cut into chunks that fit into memory.

A row says from which layer on and at which token columns it differs from the untouched run of its prompt. Everything
before that layer is read from the cache, and of the columns before the first changed one only keys and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from explicate.core.interventions import Intervention
from explicate.core.sites import HEADED, LAYERED, Site
from explicate.errors import InputError, SelectionError

TOKENS_AT_ONCE = 2048  # columns of all rows of a chunk: products are as fast as with more, and sums stay in the cache
SCORES_AT_ONCE = 1 << 26  # attention scores of one layer of a chunk
BEFORE_ATTENTION = ("resid_pre", "k", "v")
"""Kinds whose value at one token reaches later tokens of the same layer."""
RECORDED = tuple(kind for kind in LAYERED if kind not in ("scores", "pattern", "head_out"))
"""Kinds that `states` of the engines can record: one vector a token (of a head or of all)."""


@dataclass(frozen=True, eq=False)
class Write:
    """A change of one row at one site.

    Attributes
    ----------
    kind, layer, head : as in `Site`.
    positions : token columns, counted from the first; sorted as the change has them.
    change : the new value, a tensor (position, [head,] width), or an `Intervention` that makes it from the old one.
    """

    kind: str
    layer: int
    head: int | None
    positions: tuple[int, ...]
    change: Any

    @classmethod
    def of(cls, site: Site, tokens: int, change: Any) -> Write:
        """A change at a layered site of a prompt of so many tokens; `embed` is where the first block's input is."""
        layer = 0 if site.layer is None else site.layer
        kind = "resid_pre" if site.kind == "embed" else site.kind
        return cls(kind, layer, site.head, columns_of(site, tokens), change)


@dataclass(frozen=True, eq=False)
class Row:
    """One prompt with its changes.

    Attributes
    ----------
    number : which result it gives. sample : which prompt.
    writes : its changes; none for a control row, which must come out as the untouched run.
    layer : the first block that runs again. first, stop : the columns that run again.
    """

    number: int
    sample: int
    writes: tuple[Write, ...]
    layer: int
    first: int
    stop: int

    @classmethod
    def of(cls, number: int, sample: int, writes: Sequence[Write], tokens: int) -> Row:
        """The row that runs as little as its changes allow; `tokens` is the length of its prompt."""
        if not writes:
            return cls(number, sample, (), 0, tokens - 1, tokens)
        first = min(min(write.positions) for write in writes)
        return cls(number, sample, tuple(writes), min(write.layer for write in writes), first, tokens)

    def only(self, column: int, layer: int | None = None) -> Row:
        """The same row, run at one column alone: right where nothing that it changes reaches another column."""
        return replace(self, first=column, stop=column + 1, layer=self.layer if layer is None else layer)

    @property
    def columns(self) -> int:
        """How many columns run again."""
        return self.stop - self.first

    def writes_at(self, layer: int, kind: str) -> list[Write]:
        """Its changes at a site."""
        return [write for write in self.writes if write.layer == layer and write.kind == kind]


def columns_of(site: Site, tokens: int) -> tuple[int, ...]:
    """The columns that a site's positions mean in a prompt of so many tokens; all of them where it names none."""
    if site.positions is None:
        return tuple(range(tokens))
    for position in site.positions:
        if not -tokens <= position < tokens:
            raise SelectionError(
                f"{site}: position {position} is outside a prompt of {tokens} tokens; "
                "positions count a prompt's own tokens, negative ones from the end"
            )
    return tuple(position % tokens for position in site.positions)


def recorded_columns(record: Sequence[Site], rows: Sequence[Row], tokens: int) -> dict[Site, dict[int, int]]:
    """The column of each row (by its identity) that each site means: the position that it names, else the row's last.

    Raises
    ------
    SelectionError : a position that a row does not run, several positions.
    InputError : a kind that is not recorded in rows.
    """
    found: dict[Site, dict[int, int]] = {}
    for site in record:
        if site.kind not in RECORDED:
            raise InputError(f"{site} is not recorded in restarted rows; there are {', '.join(RECORDED)}")
        if site.positions is not None and len(site.positions) != 1:
            raise SelectionError(f"{site}: rows record one position a site; name each by itself")
        own = None if site.positions is None else columns_of(site, tokens)[0]
        found[site] = {id(row): row.stop - 1 if own is None else own for row in rows}
        row = next((row for row in rows if not row.first <= found[site][id(row)] < row.stop), None)
        if row is not None:
            raise SelectionError(
                f"{site}: column {own} does not run again in a row of columns {row.first} to {row.stop - 1}; its value "
                "is that of the untouched run"
            )
    return found


def restartable(intervention: Intervention, embed: bool) -> bool:
    """Whether rows can hold an intervention: named sites inside the blocks, and the embedding where `embed` says so.

    All tokens of a row are its prompt's, so what is meant for new ones has no row.
    """
    kind = intervention.address.kind
    return (kind in LAYERED or (kind == "embed" and embed)) and intervention.tokens != "new"


def headed(kind: str) -> bool:
    """Whether an activation of this kind has heads."""
    return kind in HEADED


def chunks(rows: Sequence[Row], heads: int, tokens_at_once: int = TOKENS_AT_ONCE) -> Iterator[list[Row]]:
    """Rows that run together: those with the same columns side by side, as many as fit."""
    order = sorted(rows, key=lambda row: (row.first, row.stop, row.sample, row.layer))
    chunk: list[Row] = []
    columns = scores = 0
    for row in order:
        more = row.columns * row.stop * heads
        if chunk and (columns + row.columns > tokens_at_once or scores + more > SCORES_AT_ONCE):
            yield chunk
            chunk, columns, scores = [], 0, 0
        chunk.append(row)
        columns += row.columns
        scores += more
    if chunk:
        yield chunk
