"""Block-sparse attention over documents: each is read once, alone behind the instruction, and kept.

A prompt of documents is cut into blocks that do not see each other: the instruction, each document, and what follows
them (the question and the answer), which sees all documents that are present. Then keys and values of a document do not
depend on which others are there, and a prompt with some of them costs no more than its question and answer. Positions
are those of the whole prompt, so an absent document leaves a gap.

This is another model than the one that lets documents see those before them, and memory is linear in their number.
Attention runs in transformers' attention interface; all else of the model runs as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.core.cost import spend
from explicate.errors import CapabilityError, NonFiniteScoreError
from explicate.models.language.causal import LanguageModel
from explicate.models.language.key_values import reserved_cache
from explicate.models.language.prefix_cache import added
from explicate.models.language.speculation import SpeculationTree

if TYPE_CHECKING:
    import torch

NAME = "explicate-blocks"
ROWS = 16  # prompts that go through together
SIMILAR = 8  # documents that are read together

_contexts: dict[int, Context] = {}  # by the module whose attention is looking


@dataclass(frozen=True, eq=False)
class Block:
    """Keys and values of tokens, (layer, key/value head, token, head width) each."""

    keys: torch.Tensor
    values: torch.Tensor

    def __len__(self) -> int:
        return int(self.keys.shape[2])


@dataclass(frozen=True, eq=False)
class Context:
    """Blocks that rows may look at: `rows` that see the same `columns` of them, group by group."""

    keys: torch.Tensor
    values: torch.Tensor
    groups: tuple[tuple[torch.Tensor, torch.Tensor], ...]


class DocumentBlocks:
    """Prompts made of blocks: one instruction, some documents, one ending.

    Parameters
    ----------
    model : any causal model whose attention goes through transformers' interface and looks at all tokens.
    instruction, positions : token ids and positions (token,) of what stands before all documents; may be empty.

    Attributes
    ----------
    tokens_read : of documents and endings. passes : of the model, one after the other.

    Raises
    ------
    CapabilityError : attention in a sliding window or with capped scores, or interventions in force.
    """

    def __init__(self, model: LanguageModel, instruction: Array, positions: Array) -> None:
        if model.intervened:
            raise CapabilityError(f"{model.name!r} has interventions in force, which blocks read before would not show")
        for name in ("sliding_window", "attn_logit_softcapping"):
            if getattr(model.config, name, None):
                raise CapabilityError(f"{model.name!r} has a {name} in its attention, which blocks do not fit")
        self.model = model
        self.tokens_read = self.passes = 0
        self.instruction: Block | None = None
        if len(instruction):
            (self.instruction,) = self.read([instruction], [positions])

    def read(self, ids: Sequence[Array], positions: Sequence[Array]) -> list[Block]:
        """Blocks of documents, each given by token ids and positions (token,); each sees the instruction and itself."""
        import torch

        found: list[Block | None] = [None] * len(ids)
        order = np.argsort([len(one) for one in ids], kind="stable")
        for start in range(0, len(order), SIMILAR):
            rows = order[start : start + SIMILAR]
            wide = max(len(ids[row]) for row in rows)
            columns = np.arange(wide)
            padded, at = np.zeros((2, len(rows), wide), dtype=np.int64)
            for place, row in enumerate(rows):
                padded[place, : len(ids[row])], at[place, : len(ids[row])] = ids[row], positions[row]
            causal = np.broadcast_to(columns[None] <= columns[:, None], (len(rows), wide, wide))
            cache = reserved_cache(wide)
            context = self._context([], np.zeros((len(rows), 0), dtype=bool))
            self._pass(padded, at, causal, cache, context, keep=1)
            for place, row in enumerate(rows):
                own = slice(0, len(ids[row]))
                pair = [torch.stack([getattr(layer, name)[place, :, own] for layer in cache.layers])
                        for name in ("keys", "values")]  # fmt: skip
                found[row] = Block(*pair)
        self.tokens_read += sum(map(len, ids))
        return [block for block in found if block is not None]

    def continuations(
        self,
        blocks: Sequence[Block],
        present: Masks,
        ending: Array,
        positions: Array,
        tree: SpeculationTree,
        most: int,
    ) -> list[tuple[list[int], bool]]:
        """What greedy decoding writes after each prompt, and whether speculation alone told it.

        Parameters
        ----------
        blocks : documents, in the order of the prompt. present : (prompt, block), which of them each prompt has.
        ending, positions : (token,), what follows them in all prompts.
        tree, most : as for `PrefixCache.continuation`.
        """
        found: list[tuple[list[int], bool]] = []
        for start in range(0, len(present), ROWS):
            found += self._continuations(blocks, present[start : start + ROWS], ending, positions, tree, most)
        return found

    def log_probabilities(
        self, blocks: Sequence[Block], present: Masks, ending: Array, positions: Array, continuation: Sequence[int]
    ) -> Array:
        """Log-probability of one continuation after each prompt: (prompt,)."""
        whole = np.concatenate([ending, np.asarray(continuation[:-1], dtype=np.int64)])
        at = np.concatenate([positions, positions[-1] + 1 + np.arange(len(continuation) - 1)])
        columns = np.arange(len(whole))
        found = np.empty(len(present))
        for start in range(0, len(present), ROWS):
            some = present[start : start + ROWS]
            rows = len(some)
            logits = self._pass(
                np.tile(whole, (rows, 1)),
                np.tile(at, (rows, 1)),
                np.broadcast_to(columns[None] <= columns[:, None], (rows, len(whole), len(whole))),
                reserved_cache(len(whole)),
                self._context(blocks, some),
                keep=len(continuation),
            ).log_softmax(dim=-1)
            shares = logits[:, np.arange(len(continuation)), np.asarray(continuation)]
            found[start : start + rows] = shares.sum(dim=1).cpu().numpy()
            self.tokens_read += whole.size * rows
        return found

    def _continuations(
        self, blocks: Sequence[Block], present: Masks, ending: Array, positions: Array, tree: SpeculationTree, most: int
    ) -> list[tuple[list[int], bool]]:
        rows, tail = len(present), len(ending)
        branches = tree.branches(most)
        ids = np.concatenate([ending, branches.tokens])
        at = np.concatenate([positions, positions[-1] + 1 + branches.depth])
        visible = np.zeros((len(ids), len(ids)), dtype=bool)
        visible[:tail, :tail] = np.tri(tail, dtype=bool)
        visible[tail:, :tail] = True
        visible[tail:, tail:] = branches.visible
        cache = reserved_cache(len(ids) + 8)
        logits = self._pass(
            np.tile(ids, (rows, 1)),
            np.tile(at, (rows, 1)),
            np.broadcast_to(visible, (rows, *visible.shape)),
            cache,
            self._context(blocks, present),
            keep=1 + len(branches),
        )
        self.tokens_read += tail * rows
        likeliest = logits.argmax(dim=-1).cpu().numpy()
        found = [tree.walk(branches, int(row[0]), row[1:]) for row in likeliest]
        if len(branches):
            cache.crop(-len(branches))
        self._write_on([row for row, (_, ended) in enumerate(found) if not ended], found, cache, blocks, present,
                       int(positions[-1]) + 1, tail, tree)  # fmt: skip
        for written, _ in found:
            tree.insert(written)
        return found

    def _write_on(
        self,
        running: list[int],
        found: list[tuple[list[int], bool]],
        cache: Any,
        blocks: Sequence[Block],
        present: Masks,
        start: int,
        tail: int,
        tree: SpeculationTree,
    ) -> None:
        """Greedy decoding of the rows whose continuation has left the tree."""
        import torch

        seen = np.ones((len(found), tail), dtype=bool)  # which columns of the cache are a row's own
        read = [0] * len(found)  # tokens of each continuation that are in the cache
        if running:
            cache.batch_select_indices(torch.as_tensor(running, device=self.model.device))
        kept = list(running)
        while running:
            fresh = [found[row][0][read[row] :] for row in kept]
            wide = max(map(len, fresh))
            ids, at = np.zeros((2, len(kept), wide), dtype=np.int64)
            there = np.zeros((len(kept), wide), dtype=bool)
            for place, (row, new) in enumerate(zip(kept, fresh, strict=True)):
                ids[place, : len(new)] = new
                at[place, : len(new)] = start + read[row] + np.arange(len(new))
                there[place, : len(new)] = True
                read[row] += len(new)
            own = np.concatenate([seen[kept], there], axis=1)
            causal = np.concatenate(
                [np.ones((wide, own.shape[1] - wide), dtype=bool), np.tri(wide, dtype=bool)], axis=1
            )
            visible = own[:, None] & causal[None]
            logits = self._pass(ids, at, visible, cache, self._context(blocks, present[kept]), keep=wide)
            likeliest = logits.argmax(dim=-1).cpu().numpy()
            wider = np.zeros((len(found), own.shape[1]), dtype=bool)
            wider[kept] = own
            seen = wider
            for place, row in enumerate(kept):
                written = found[row][0]
                written.append(int(likeliest[place, len(fresh[place]) - 1]))
                if tree.finished(written):
                    running.remove(row)
            if len(running) < len(kept):
                left = [place for place, row in enumerate(kept) if row in running]
                cache.batch_select_indices(torch.as_tensor(left, dtype=torch.long, device=self.model.device))
                kept = list(running)

    def _context(self, blocks: Sequence[Block], present: Masks) -> Context | None:
        """The instruction, which all rows see, and the blocks that any of them has."""
        import torch

        used = [number for number in range(len(blocks)) if present[:, number].any()]
        parts = [*([self.instruction] if self.instruction is not None else []), *(blocks[number] for number in used)]
        if not parts:
            return None
        seen = [np.ones((len(present), len(self.instruction)), dtype=bool)] if self.instruction is not None else []
        seen += [np.repeat(present[:, number, None], len(blocks[number]), axis=1) for number in used]
        columns = np.concatenate(seen, axis=1)
        distinct, which = np.unique(columns, axis=0, return_inverse=True)
        device = self.model.device
        groups = tuple(
            (
                torch.as_tensor(np.flatnonzero(which.ravel() == number), device=device),
                torch.as_tensor(np.flatnonzero(shown), device=device),
            )
            for number, shown in enumerate(distinct)
        )
        return Context(torch.cat([one.keys for one in parts], 2), torch.cat([one.values for one in parts], 2), groups)

    def _pass(
        self, ids: Array, at: Array, visible: Masks, cache: Any, context: Context | None, keep: int
    ) -> torch.Tensor:
        """Logits of the last `keep` columns: (row, column, vocabulary)."""
        import torch

        device = self.model.device
        mask = added(torch.as_tensor(np.array(visible), device=device), self.model)[:, None]
        with torch.no_grad(), _looking(self.model.module, context):
            outputs = self.model.module(
                input_ids=torch.as_tensor(ids, device=device),
                attention_mask=mask,
                position_ids=torch.as_tensor(at, device=device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        spend(evaluations=len(ids))
        self.passes += 1
        found: torch.Tensor = outputs.logits.float()
        if bool(found.isnan().any()):
            raise NonFiniteScoreError(f"the model {self.model.name!r} gave logits that are NaN after documents")
        return found


@contextmanager
def _looking(module: Any, context: Context | None) -> Iterator[None]:
    """Let the attention of all layers see the context as well; the kernel is restored on exit."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if context is None:
        yield
        return
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, eager_mask)
    configs = {id(part.config): part.config for part in module.modules() if hasattr(part, "config")}
    before = {key: config._attn_implementation for key, config in configs.items()}
    looking = [part for part in module.modules() if hasattr(part, "layer_idx") and hasattr(part, "head_dim")]
    try:
        for config in configs.values():
            config._attn_implementation = NAME
        for part in looking:
            _contexts[id(part)] = context
        yield
    finally:
        for key, config in configs.items():
            config._attn_implementation = before[key]
        for part in looking:
            _contexts.pop(id(part), None)


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention to a row's own tokens and to what it sees of the context, which exists once for all rows.

    (row, head, token, width) -> (row, token, head, width).
    """
    import torch

    context = _contexts[id(module)]
    rows, heads, queries, width = query.shape
    shared = key.shape[1]
    group = heads // shared
    query = query.reshape(rows, shared, group * queries, width)
    mask = attention_mask.repeat(1, 1, group, 1)
    keys, values = context.keys[module.layer_idx], context.values[module.layer_idx]
    found = torch.empty_like(query)
    for members, columns in context.groups:  # only what is seen is multiplied, by torch's own kernel
        count = len(members)
        seen = [x[:, columns].expand(count, -1, -1, -1) for x in (keys, values)]
        own = mask[members]
        found[members] = torch.nn.functional.scaled_dot_product_attention(
            query[members],
            torch.cat([seen[0], key[members]], dim=2),
            torch.cat([seen[1], value[members]], dim=2),
            attn_mask=torch.cat([own.new_zeros(*own.shape[:-1], len(columns)), own], dim=-1),
            scale=scaling,
        )
    return found.reshape(rows, heads, queries, width).transpose(1, 2).contiguous(), None
