"""Prompts that begin alike, read one after the other: what the last one shares with the next is never read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.cost import spend
from explicate.errors import CapabilityError, NonFiniteScoreError
from explicate.models.language.causal import LanguageModel
from explicate.models.language.key_values import reserved_cache
from explicate.models.language.speculation import Branches, SpeculationTree

if TYPE_CHECKING:
    import torch


class PrefixCache:
    """Greedy continuations of prompts, with the keys and values of the longest common beginning kept.

    A token's keys depend on the tokens before it and on its position, so a prompt is given as both, and a beginning is
    shared where both agree. Values agree with those of whole prompts up to rounding.

    Parameters
    ----------
    model : its module is run as it is. reuse : False reads every prompt anew.

    Attributes
    ----------
    tokens_read, tokens_kept : of prompts, read and found in the cache. passes : of the model, one after the other.
    """

    def __init__(self, model: LanguageModel, reuse: bool = True) -> None:
        if model.intervened:
            raise CapabilityError(f"{model.name!r} has interventions in force, which a shared prefix would not show")
        self.model = model
        self.reuse = reuse
        self.tokens_read = self.tokens_kept = self.passes = 0
        self._ids = np.empty(0, dtype=np.int64)
        self._positions = np.empty(0, dtype=np.int64)
        self._cache: Any = reserved_cache(64)

    def read(
        self, ids: Array, positions: Array, branches: Branches | None = None, going_on: bool = False
    ) -> torch.Tensor:
        """Logits after the prompt, and after each token of the branches: (1 + node, vocabulary).

        Parameters
        ----------
        ids, positions : (token,), of one prompt. branches : continuations to look at in the same pass.
        going_on : this is the last prompt with more written; it shares that one also without `reuse`.
        """
        import torch

        shared = self._shared(ids, positions) if self.reuse or going_on else 0
        self._keep(shared)
        device = self.model.device
        new, at = ids[shared:], positions[shared:]
        mask = None
        extra = 0 if branches is None else len(branches)
        if branches is not None and extra:
            new = np.concatenate([new, branches.tokens])
            at = np.concatenate([at, positions[-1] + 1 + branches.depth])
            mask = added(torch.as_tensor(_mask(len(ids), shared, branches), device=device), self.model)[None, None]
        with torch.no_grad():
            outputs = self.model.module(
                input_ids=torch.as_tensor(new, device=device)[None],
                attention_mask=mask,
                position_ids=torch.as_tensor(at, device=device)[None],
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1 + extra,
            )
        spend(evaluations=1)
        self.passes += 1
        self.tokens_read += len(ids) - shared
        self.tokens_kept += shared
        self._ids, self._positions = ids, positions
        if extra:
            self._cache.crop(-extra)
        found: torch.Tensor = outputs.logits[0].float()
        if bool(found.isnan().any()):
            raise NonFiniteScoreError(f"the model {self.model.name!r} gave logits that are NaN after a prompt")
        return found

    def continuation(self, ids: Array, positions: Array, tree: SpeculationTree, most: int) -> tuple[list[int], bool]:
        """What greedy decoding writes after a prompt, as token ids, and whether speculation alone told it.

        Parameters
        ----------
        tree : continuations seen before; the new one is taken in. most : nodes of it in a pass; 0: no speculation.
        """
        branches = tree.branches(most) if most else None
        likeliest = self.read(ids, positions, branches).argmax(dim=-1).cpu().numpy()
        empty = tree.branches(0) if branches is None else branches
        written, ended = tree.walk(empty, int(likeliest[0]), likeliest[1:])
        foreseen = ended
        while not ended:
            whole = np.concatenate([ids, written])
            at = np.concatenate([positions, positions[-1] + 1 + np.arange(len(written))])
            written.append(int(self.read(whole, at, going_on=True).argmax(dim=-1)[0]))
            ended = tree.finished(written)
        tree.insert(written)
        return written, foreseen

    def log_probability(self, ids: Array, positions: Array, continuation: Sequence[int]) -> float:
        """Log-probability of a continuation after a prompt, in one pass."""
        tree = SpeculationTree(lambda ids: False)
        tree.insert(continuation)
        shares = self.read(ids, positions, tree.branches(len(continuation) - 1)).log_softmax(dim=-1)
        return float(sum(shares[place, token] for place, token in enumerate(continuation)))

    def _shared(self, ids: Array, positions: Array) -> int:
        """How many tokens the last prompt and this one begin with; one is always left to be read for its logits."""
        most = min(len(ids) - 1, len(self._ids))
        same = (ids[:most] == self._ids[:most]) & (positions[:most] == self._positions[:most])
        return int(same.cumprod().sum())

    def _keep(self, columns: int) -> None:
        filled = self._cache.get_seq_length() if self._cache.layers else 0
        if columns == 0:
            self._cache = reserved_cache(max(64, filled))
        elif filled > columns:
            self._cache.crop(columns - filled)


def added(visible: torch.Tensor, model: LanguageModel) -> torch.Tensor:
    """What a mask adds to attention scores: 0 where a token is seen, the lowest number where it is not."""
    import torch

    lowest = torch.finfo(model.module.dtype).min
    return torch.zeros(visible.shape, dtype=model.module.dtype, device=visible.device).masked_fill(~visible, lowest)


def _mask(tokens: int, shared: int, branches: Branches) -> Array:
    """Which columns the new tokens see, as bool (new token, column): prompts causally, branches their ancestors."""
    new = tokens - shared
    found = np.zeros((new + len(branches), tokens + len(branches)), dtype=bool)
    found[:new, :tokens] = np.arange(tokens)[None] <= (shared + np.arange(new))[:, None]
    found[new:, :tokens] = True
    found[new:, tokens:] = branches.visible
    return found
