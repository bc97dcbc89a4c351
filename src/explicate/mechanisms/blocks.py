"""The general restart, for every registered architecture: rows run through the model's own blocks.

Rows join at the layer where they begin to differ and run together from there, all columns of them, with the arguments
that the blocks had in the untouched run. Changes are made by the same hooks as a handle's `intervene`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from explicate.core.sites import Site
from explicate.mechanisms.rows import Row, headed, recorded_columns
from explicate.mechanisms.runs import Runs
from explicate.mechanisms.writing import written
from explicate.models.language import sites
from explicate.models.language.positions import Selection

if TYPE_CHECKING:
    import torch


class OwnBlocks:
    """Runs rows through a model's own blocks, from the layer where they first differ.

    Parameters
    ----------
    runs : the untouched runs that the rows start from.
    """

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.model = runs.model

    def states(
        self, rows: Sequence[Row], record: Sequence[Site] = (), stop: int | None = None
    ) -> tuple[torch.Tensor, dict[Site, dict[int, torch.Tensor]]]:
        """See `FusedBlocks.states`; columns before a row's first run too, with the same result."""
        import torch

        columns = recorded_columns(record, rows, self.runs.tokens)
        order = sorted(rows, key=lambda row: row.layer)
        seen: dict[Site, dict[int, torch.Tensor]] = {site: {} for site in record}
        stream: torch.Tensor | None = None
        active = 0
        for layer in range(order[0].layer, self.runs.layers if stop is None else stop):
            new = [row for row in order if row.layer == layer]
            if new:
                start = self.runs.stream[layer][[row.sample for row in new]]
                stream = start if stream is None else torch.cat([stream, start])
                active += len(new)
            stream = self._block(layer, order[:active], stream, seen, columns)
        if stream is None:
            raise ValueError("no row begins before the layer at which to stop")
        if stop is not None:
            return stream[0, :0], seen
        place = {id(row): i for i, row in enumerate(order)}
        index = torch.tensor([place[id(row)] for row in rows], device=stream.device)
        ends = torch.tensor([row.stop - 1 for row in rows], device=stream.device)
        return stream[index, ends], seen

    def _block(
        self,
        layer: int,
        rows: list[Row],
        stream: Any,
        seen: dict[Site, dict[int, torch.Tensor]],
        columns: dict[Site, dict[int, int]],
    ) -> Any:
        block = self.model.blocks[layer]
        kinds = {write.kind for row in rows for write in row.writes if write.layer == layer}
        recorded = {site: columns[site] for site in seen if site.layer == layer}
        wanted = sorted(kinds | {site.kind for site in recorded}, key=sites.CAUSAL_ORDER.index)
        with ExitStack() as stack:
            for kind in wanted:
                if kind == "resid_pre":
                    stream = self._tap(kind, layer, rows, recorded, seen)(stream.clone(), Selection())
                else:
                    tap = self._tap(kind, layer, rows, recorded, seen)
                    sites.attach(self.model, Site(kind, layer), tap, stack)
            stack.enter_context(self.model.framed(None))
            found = block(stream, **self._arguments(layer, len(rows)))
        return found[0] if isinstance(found, tuple) else found

    def _arguments(self, layer: int, rows: int) -> dict[str, Any]:
        """What the block was given in the untouched run, for another number of equal prompts."""

        def fitted(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(fitted(item) for item in value)
            if hasattr(value, "ndim") and value.ndim > 1 and value.shape[0] == 1:
                return value.expand(rows, *value.shape[1:])
            return value

        return {name: fitted(value) for name, value in self.runs.arguments[layer].items()}

    def _tap(
        self,
        kind: str,
        layer: int,
        rows: list[Row],
        recorded: dict[Site, dict[int, int]],
        seen: dict[Site, dict[int, torch.Tensor]],
    ) -> Any:
        changes = [(row, write) for row in rows for write in row.writes_at(layer, kind)]
        number = {id(row): i for i, row in enumerate(rows)}

        def tap(activation: torch.Tensor, selection: Selection) -> torch.Tensor:
            heads = headed(kind)
            tokens = activation.shape[-2]
            flat = (activation.transpose(1, 2) if heads else activation).flatten(0, 1)
            if changes:
                flat = written(flat, changes, lambda row, column: number[id(row)] * tokens + column)
            for site, columns in recorded.items():
                if site.kind == kind:
                    for row in rows:
                        found = flat[number[id(row)] * tokens + columns[id(row)]]
                        seen[site][row.number] = found if site.head is None else found[site.head]
            if not changes:
                return activation
            whole = flat.unflatten(0, (-1, tokens))
            return whole.transpose(1, 2) if heads else whole

        return tap
