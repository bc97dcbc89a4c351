"""The fast restart, for decoders of Llama's shape: rows of all layers and columns share every matrix product.

Tokens of all rows stand in one flat array, so norms, projections and MLPs run once a layer whatever the rows' lengths;
only attention knows which tokens belong together. Rows join at the layer where they begin to differ. The modules of the
model do the arithmetic; only the order is ours, so logits agree with the model's own up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from explicate.core.interventions import Intervention
from explicate.core.sites import Site
from explicate.mechanisms.attention import Part, attend
from explicate.mechanisms.rows import BEFORE_ATTENTION, Row, Write, recorded_columns
from explicate.mechanisms.runs import Runs
from explicate.mechanisms.writing import written
from explicate.models.language import LanguageModel, architectures, sites

if TYPE_CHECKING:
    import torch

SHAPES = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")


def fits(model: LanguageModel) -> bool:
    """Whether the fast restart knows a model's shape."""
    entry = architectures.known(model.config)
    return (
        entry in (architectures.LLAMA, architectures.GEMMA_3)
        and model.config.model_type in SHAPES
        and not getattr(model.config, "use_bidirectional_attention", False)
    )


@dataclass(eq=False)
class Group:
    """Rows of one prompt with the same columns, sorted by the layer at which they join."""

    rows: list[Row]
    active: int = 0
    offset: int = 0
    end: int = 0  # place of its first row among the last columns

    @property
    def columns(self) -> int:
        """Columns of each row."""
        return self.rows[0].columns


class FusedBlocks:
    """Runs rows through the blocks of a model, from where they first differ.

    Parameters
    ----------
    runs : the untouched runs that the rows start from, keys and values included.
    """

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.model = runs.model
        self.last = runs.layers - 1
        self.blocks = [Block(self.model, layer) for layer in range(runs.layers)]

    def states(
        self, rows: Sequence[Row], record: Sequence[Site] = (), stop: int | None = None
    ) -> tuple[torch.Tensor, dict[Site, dict[int, torch.Tensor]]]:
        """States after the last block at each row's last column (row, width), and what `record` asks for.

        Parameters
        ----------
        record : layered sites, each with one position that the rows run (negative from the end of the prompt) or none,
            which means each row's last column; gives site -> row number -> activation ([head,] width), without the
            rows that begin in a later layer.
        stop : the first layer that need not run; then no states are given, but what is recorded.

        Raises
        ------
        InputError, SelectionError : see `recorded_columns`.
        """
        import torch

        columns = recorded_columns(record, rows, self.runs.tokens)
        groups = _grouped(rows)
        where = {id(row): (group, i) for group in groups for i, row in enumerate(group.rows)}
        seen: dict[Site, dict[int, torch.Tensor]] = {site: {} for site in record}
        stream: torch.Tensor | None = None
        end = self.last + 1 if stop is None else stop
        for layer in range(min(row.layer for row in rows), end):
            stream = self._joined(groups, stream, layer)
            if stream is not None:
                pass_ = _Pass(self, layer, [group for group in groups if group.active], where, seen, columns)
                stream = pass_.run(stream)
        if stream is None:
            raise ValueError("no row begins before the layer at which to stop")
        if stop is not None:
            return stream[:0], seen
        order = {id(row): i for i, row in enumerate(row for group in groups for row in group.rows)}
        # the last block gives each row's last column only
        return stream[torch.tensor([order[id(row)] for row in rows], device=stream.device)], seen

    def _joined(self, groups: list[Group], stream: torch.Tensor | None, layer: int) -> torch.Tensor | None:
        """The flat stream with the rows that begin at `layer`, and the groups' new places in it."""
        import torch

        cached = self.runs.stream[layer]
        parts, offset, grown = [], 0, False
        for group in groups:
            size = group.active * group.columns
            if size and stream is not None:
                parts.append(stream[group.offset : group.offset + size])
            new = sum(row.layer == layer for row in group.rows)
            if new:
                row = group.rows[0]
                start = cached[row.sample, row.first : row.stop]
                parts.append(start.repeat(new, 1))
                group.active += new
                grown = True
            group.offset = offset
            offset += group.active * group.columns
        if not grown:
            return stream
        return torch.cat(parts)


def _grouped(rows: Sequence[Row]) -> list[Group]:
    found: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.sample, row.first, row.stop), []).append(row)
    return [Group(sorted(same, key=lambda row: row.layer)) for same in found.values()]


def _ends(groups: Sequence[Group], device: Any) -> torch.Tensor:
    """The places of each active row's last column in the flat stream."""
    import torch

    return torch.cat(
        [
            torch.arange(1, group.active + 1, device=device) * group.columns + (group.offset - 1)
            for group in groups
            if group.active
        ]
    )


class Block:
    """The modules of one block, by what they do."""

    def __init__(self, model: LanguageModel, layer: int) -> None:
        layout = model.architecture
        block = model.blocks[layer]
        self.attention = block.self_attn
        self.norm_attention = block.input_layernorm
        self.after_attention = None if layout.head_sum == "attn_out" else block.post_attention_layernorm
        self.norm_mlp = block.get_submodule(layout.tap("resid_mid").path)
        self.mlp = block.mlp
        self.after_mlp = None if layout.mlp_out.path == "mlp" else block.get_submodule(layout.mlp_out.path)
        self.width = int(self.attention.head_dim)
        self.query_norm: Any = getattr(self.attention, "q_norm", None)
        self.key_norm: Any = getattr(self.attention, "k_norm", None)
        window = getattr(self.attention, "sliding_window", None)
        if model.config.model_type == "mistral":
            window = model.config.sliding_window
        self.window: int | None = window
        self.softcap = getattr(self.attention, "attn_logit_softcapping", None)
        self.scaling = float(self.attention.scaling)


class _Pass:
    """One layer for all active rows."""

    def __init__(
        self,
        engine: FusedBlocks,
        layer: int,
        groups: list[Group],
        where: dict[int, tuple[Group, int]],
        seen: dict[Site, dict[int, torch.Tensor]],
        columns: dict[Site, dict[int, int]],
    ) -> None:
        self.engine, self.layer, self.groups, self.where, self.columns = engine, layer, groups, where, columns
        self.block = engine.blocks[layer]
        self.rows = [row for group in groups for row in group.rows[: group.active]]
        self.seen = {site: kept for site, kept in seen.items() if site.layer == layer}
        here = [(row, write) for row in self.rows for write in row.writes if write.layer == layer]
        self.kinds = {write.kind for _, write in here} | {site.kind for site in self.seen}
        all_ = any(_needs_all(write) for _, write in here) or any(self._needs_more(site) for site in self.seen)
        self.ends = layer == engine.last and not all_
        end = 0
        for group in groups:
            group.end = end
            end += group.active

    def run(self, stream: torch.Tensor) -> torch.Tensor:
        """The block, (token, width) -> (token, width); the last one gives each row's last column only."""
        block, mlp = self.block, self.block.mlp
        stream = self.tap("resid_pre", stream)
        normal = block.norm_attention(stream)
        ends = _ends(self.groups, stream.device) if self.ends else None
        z = self._attention(normal, ends)
        stream = stream if ends is None else stream[ends]
        z = self.tap("z", z)
        out = block.attention.o_proj(z.flatten(1))
        out = self._heads(out, z)
        if block.after_attention is not None:
            out = block.after_attention(out)
        out = self.tap("attn_out", out)
        stream = self.tap("resid_mid", stream + out)
        normal = block.norm_mlp(stream)
        inner = self.tap("mlp_act", product(mlp.act_fn(mlp.gate_proj(normal)), mlp.up_proj(normal)))
        out = mlp.down_proj(inner)
        if block.after_mlp is not None:
            out = block.after_mlp(out)
        out = self.tap("mlp_out", out)
        stream = self.tap("resid_post", stream + out)
        if self.engine.last == self.layer and not self.ends:
            return stream[_ends(self.groups, stream.device)]
        return stream

    # -- places ----------------------------------------------------------------------------------------------------

    def place(self, row: Row, column: int) -> int:
        """Where a row's column stands in the flat stream."""
        group, i = self.where[id(row)]
        return group.offset + i * group.columns + column - row.first

    def place_at_end(self, row: Row, column: int) -> int:
        """Where a row's last column stands among the last columns."""
        group, i = self.where[id(row)]
        return group.end + i

    def writes(self, kind: str) -> list[tuple[Row, Write]]:
        """The changes at a site of this layer."""
        if kind not in self.kinds:
            return []
        found = [(row, write) for row in self.rows for write in row.writes_at(self.layer, kind)]
        if not self.ends or kind in BEFORE_ATTENTION:
            return found
        return [(row, _last_of(row, write)) for row, write in found if row.stop - 1 in write.positions]

    def tap(self, kind: str, flat: torch.Tensor) -> torch.Tensor:
        """`flat` after the rows' changes at this site; what is recorded is recorded."""
        if kind not in self.kinds:
            return flat
        place = self.place_at_end if self.ends and kind not in BEFORE_ATTENTION else self.place
        changes = self.writes(kind)
        if changes:
            flat = written(flat, changes, place)
        for site, kept in self.seen.items():
            if site.kind == kind:
                for row in self.rows:
                    found = flat[place(row, self.columns[site][id(row)])]
                    kept[row.number] = found if site.head is None else found[site.head]
        return flat

    def _needs_more(self, site: Site) -> bool:
        """Whether a site is recorded behind the attention at another column than a row's last."""
        columns = self.columns[site]
        return site.kind not in BEFORE_ATTENTION and any(columns[id(row)] != row.stop - 1 for row in self.rows)

    # -- attention -------------------------------------------------------------------------------------------------

    def _attention(self, normal: torch.Tensor, ends: torch.Tensor | None) -> torch.Tensor:
        """Heads' outputs (token, head, head width)."""
        import torch

        attention, block = self.block.attention, self.block
        asking = normal if ends is None else normal[ends]
        q = attention.q_proj(asking).view(len(asking), -1, block.width)
        k = attention.k_proj(normal).view(len(normal), -1, block.width)
        v = attention.v_proj(normal).view(len(normal), -1, block.width)
        if block.query_norm is not None:
            q, k = block.query_norm(q), block.key_norm(k)
        cosine, sine = (x[0] for x in self.engine.runs.arguments[self.layer]["position_embeddings"])
        columns = torch.cat(
            [torch.arange(g.rows[0].first, g.rows[0].stop, device=normal.device).repeat(g.active) for g in self.groups]
        )
        k = rotated(k, cosine[columns, None], sine[columns, None])
        columns = columns if ends is None else columns[ends]
        q = rotated(q, cosine[columns, None], sine[columns, None])
        repeat = q.shape[1] // k.shape[1] if {"k", "v"} & self.kinds else 1
        if repeat > 1:  # one head's key is changed, although several heads share it
            k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
        q, k, v = self.tap("q", q), self.tap("k", k), self.tap("v", v)
        found, asked = [], 0
        for group in self.groups:
            row = group.rows[0]
            size, wide = group.active, group.columns if ends is None else 1
            mine = slice(group.offset, group.offset + size * group.columns)
            part = Part(
                q[asked : asked + size * wide].view(size, wide, *q.shape[1:]),
                k[mine].view(size, group.columns, *k.shape[1:]),
                v[mine].view(size, group.columns, *v.shape[1:]),
                self._past(self.engine.runs.keys, row, repeat),
                self._past(self.engine.runs.values, row, repeat),
                row.first,
                block.window,
                block.scaling,
                block.softcap,
            )
            asked += size * wide
            found.append(attend(part, self._visitor(group, wide)).flatten(0, 1))
        return torch.cat(found) if len(found) > 1 else found[0]

    def _past(self, cached: list[torch.Tensor], row: Row, repeat: int) -> torch.Tensor:
        """Keys or values before the columns that run again, (head, column, width)."""
        found = cached[self.layer][row.sample, :, : row.first]
        return found.repeat_interleave(repeat, dim=0) if repeat > 1 else found

    def _visitor(self, group: Group, wide: int) -> Any:
        """What shows scores and pattern (row, head, query, key) of a group to the changes there; None without any."""
        if not {"scores", "pattern"} & self.kinds:
            return None
        rows = {id(row): i for i, row in enumerate(group.rows[: group.active])}

        def visit(kind: str, activation: torch.Tensor) -> torch.Tensor:
            changes = [(row, write) for row, write in self.writes(kind) if id(row) in rows]
            if not changes:
                return activation
            first = group.rows[0].stop - wide
            flat = activation.transpose(1, 2).flatten(0, 1)
            flat = written(flat, changes, lambda row, column: rows[id(row)] * wide + column - first)
            return flat.unflatten(0, (-1, wide)).transpose(1, 2)

        return visit

    def _heads(self, out: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Changes of what single heads write, added to their sum as differences."""
        import torch

        if "head_out" not in self.kinds:
            return out
        weight = sites.head_weights(self.block.attention.o_proj.weight, z.shape[1])
        place = self.place_at_end if self.ends else self.place
        changes: dict[int, list[tuple[Row, Write]]] = {}
        for row, write in self.writes("head_out"):
            changes.setdefault(id(row), []).append((row, write))
        for same in changes.values():
            columns = sorted({column for _, write in same for column in write.positions})
            tokens = torch.tensor([place(same[0][0], column) for column in columns], device=out.device)
            at = {column: i for i, column in enumerate(columns)}
            before = torch.einsum("phw,hdw->phd", z[tokens], weight)
            after = written(before, same, partial(_at, at))
            out = out.index_add(0, tokens, (after - before).sum(dim=1))
        return out


def product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Without gradients the product takes the place of `first`: mapping new memory costs more."""
    return first * second if first.requires_grad or second.requires_grad else first.mul_(second)


def _at(places: dict[int, int], row: Row, column: int) -> int:
    return places[column]


def _needs_all(write: Write) -> bool:
    """Whether a change must see all its positions at once: an intervention may hold a value for each."""
    return isinstance(write.change, Intervention) and len(write.positions) > 1


def _last_of(row: Row, write: Write) -> Write:
    """The part of a change that is at a row's last column."""
    if len(write.positions) == 1:
        return write
    at = write.positions.index(row.stop - 1)
    return Write(write.kind, write.layer, write.head, (row.stop - 1,), write.change[at : at + 1])


def rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    import torch

    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine
