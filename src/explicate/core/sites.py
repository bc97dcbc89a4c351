"""Addresses inside a model: `L5.head_out.H3@-1` is the output of head 3 of layer 5 at the last position."""

from __future__ import annotations

import re
from dataclasses import dataclass

from explicate.errors import SiteError

LAYERED = (
    "resid_pre", "resid_mid", "resid_post", "q", "k", "v", "scores", "pattern", "z",
    "head_out", "attn_out", "mlp_act", "mlp_out",
)  # fmt: skip
"""Kinds that exist once per layer."""
HEADED = ("q", "k", "v", "scores", "pattern", "z", "head_out")
"""Layered kinds that have heads."""
GLOBAL = ("embed", "logits")
"""Kinds that exist once."""

_ADDRESS = re.compile(r"(?:L(?P<layer>\d+)\.)?(?P<kind>[^@]+?)(?:\.H(?P<head>\d+))?(?:@(?P<positions>[-\d,:]+))?")


@dataclass(frozen=True, order=True)
class Site:
    """A place in a model whose activation can be read and written.

    Parameters
    ----------
    kind : one of `LAYERED` or `GLOBAL`, or the path of a module ("features.3.conv").
    layer : block number, for layered kinds.
    head : query-head number, for kinds with heads; None means all heads.
    positions : token positions, negative from the end; None means all.
    """

    kind: str
    layer: int | None = None
    head: int | None = None
    positions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind in LAYERED and self.layer is None:
            raise SiteError(f"site {self.kind!r} exists once per layer: write L0.{self.kind}")
        if self.kind not in LAYERED and self.layer is not None:
            raise SiteError(f"site {self.kind!r} has no layer; layered sites are {', '.join(LAYERED)}")
        if self.head is not None and self.kind not in HEADED:
            raise SiteError(f"site {self.kind!r} has no heads; sites with heads are {', '.join(HEADED)}")

    @property
    def is_module(self) -> bool:
        """Whether `kind` is a module path."""
        return self.kind not in LAYERED and self.kind not in GLOBAL

    @classmethod
    def parse(cls, text: str | Site) -> Site:
        """Read `[L<layer>.]<kind or module path>[.H<head>][@<position>[,<position>...] | @<first>:<past last>]`."""
        if isinstance(text, Site):
            return text
        match = _ADDRESS.fullmatch(text.strip())
        if match is None:
            raise SiteError(
                f"cannot read the site {text!r}; write for example L5.head_out.H3@-1, embed or a module path"
            )
        layer, kind, head, positions = match.group("layer", "kind", "head", "positions")
        return cls(
            kind,
            None if layer is None else int(layer),
            None if head is None else int(head),
            None if positions is None else _positions(positions, text),
        )

    def __str__(self) -> str:
        layer = "" if self.layer is None else f"L{self.layer}."
        head = "" if self.head is None else f".H{self.head}"
        places = "" if self.positions is None else "@" + ",".join(map(str, self.positions))
        return f"{layer}{self.kind}{head}{places}"

    def at(self, *positions: int) -> Site:
        """The same site at some positions only."""
        return Site(self.kind, self.layer, self.head, positions)


def _positions(text: str, site: str) -> tuple[int, ...]:
    try:
        if ":" in text:
            first, last = text.split(":")
            found = tuple(range(int(first), int(last)))
        else:
            found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found:
        raise SiteError(f"cannot read the positions of the site {site!r}; write @-1, @2,5 or @0:4")
    return found
