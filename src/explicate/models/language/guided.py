"""Greedy writing under a grammar, with the activations of the tokens that wrote: for small models and many prompts.

Prompts of equal length are read together, so nothing is padded, and everything comes from one pass with a key/value
cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import spend
from explicate.core.sites import Site
from explicate.errors import InputError, NonFiniteScoreError, WindowError
from explicate.models.language import sites, tokens
from explicate.models.language.causal import LanguageModel
from explicate.models.language.key_values import reserved_cache
from explicate.models.language.positions import Handler, Selection

if TYPE_CHECKING:
    import torch

Grammar = Callable[[Array], Array]
"""From what each row has written so far (row, step) to what it may write next, bool (row, token)."""

ROWS = 256  # of a batch; small models are fastest with many


@dataclass(frozen=True, eq=False)
class Guided:
    """What was written.

    Attributes
    ----------
    ids : (prompt, step) int64; `ABSENT` (-1) after a row's end token.
    activations : of each site (prompt, step, width): at the token whose pass chose the one at this step; 0 where a row
        has ended.
    """

    ids: Array
    activations: dict[Site, Floats]


def write_guided(
    model: LanguageModel,
    prompts: Array,
    *,
    end: int,
    max_new_tokens: int,
    grammar: Grammar | None = None,
    watch: Sequence[Site] = (),
    words: int | None = None,
    rows: int = ROWS,
) -> Guided:
    """Continue every prompt until it writes `end`, always with the likeliest token that the grammar allows.

    Parameters
    ----------
    prompts : encoded (prompt, token), -1 on the right of shorter ones.
    end : the token after which a row stops. max_new_tokens : most tokens of a row, the end included.
    grammar : what may be written; None allows everything.
    watch : sites of one layer without positions, such as `Site("resid_post", 3)`.
    words : only the first so many tokens exist, those after them (padding) are never written; None: all.

    Raises
    ------
    WindowError : a prompt and its continuation are more than the model takes.
    InputError : a grammar that leaves a row nothing to write; a site that has positions or no layer; interventions are
        in force.
    """
    if model.intervened:
        raise InputError("write_guided runs the model as it is; leave the interventions in force, or use model.write")
    ids = model.encode(prompts)
    lengths = tokens.lengths_of(ids)
    if model.window is not None and (lengths + max_new_tokens > model.window).any():
        raise WindowError(
            f"a prompt of {int(lengths.max())} tokens and {max_new_tokens} new ones are more than the {model.window} "
            f"that {model.name!r} takes"
        )
    for site in watch:
        if site.layer is None or site.positions is not None:
            raise InputError(f"{site}: name a layer's site without positions, such as L3.resid_post")
    written = np.full((len(ids), max_new_tokens), tokens.ABSENT, dtype=np.int64)
    found: dict[Site, Floats] = {}
    for chosen in _equal_lengths(lengths, rows):
        batch = np.ascontiguousarray(ids[chosen, : lengths[chosen[0]]])
        for site, step, places, values in _write(model, batch, written, chosen, end, grammar, watch, words):
            if site not in found:
                found[site] = np.zeros((*written.shape, values.shape[-1]), dtype=np.float32)
            found[site][places, step] = values
    return Guided(written, found)


def _equal_lengths(lengths: Array, rows: int) -> Iterator[Array]:
    for length in np.unique(lengths):
        own = np.flatnonzero(lengths == length)
        for start in range(0, len(own), rows):
            yield own[start : start + rows]


def _write(
    model: LanguageModel,
    batch: Array,
    written: Array,
    places: Array,
    end: int,
    grammar: Grammar | None,
    watch: Sequence[Site],
    words: int | None,
) -> Iterator[tuple[Site, int, Array, Floats]]:
    """Fill in `written` for one batch, and give what is seen at each site and step."""
    import torch

    seen: dict[Site, Floats] = {}
    cache = reserved_cache(batch.shape[1] + written.shape[1])
    read = torch.as_tensor(batch, device=model.device)
    with ExitStack() as stack, torch.no_grad():
        for site in watch:
            sites.attach(model, site, _last(seen, site), stack)
        for step in range(written.shape[1]):
            spend(evaluations=len(places))
            logits = model.module(input_ids=read, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[
                :, -1, :words
            ]
            for site, values in seen.items():
                yield site, step, places, values
            chosen = _chosen(model, logits.float().cpu().numpy(), written[places, :step], grammar)
            written[places, step] = chosen
            going = np.flatnonzero(chosen != end)
            if not len(going):
                return
            if len(going) < len(places):
                cache.batch_select_indices(torch.as_tensor(going, device=model.device))
                places, chosen = places[going], chosen[going]
            read = torch.as_tensor(chosen[:, None], device=model.device)


def _last(seen: dict[Site, Floats], site: Site) -> Handler:
    def keep(activation: torch.Tensor, selection: Selection) -> None:
        seen[site] = activation[..., -1, :].float().cpu().numpy()

    return keep


def _chosen(model: LanguageModel, logits: Floats, so_far: Array, grammar: Grammar | None) -> Array:
    """(row,) the likeliest allowed token."""
    if np.isnan(logits).any():
        raise NonFiniteScoreError(f"the model {model.name!r} gave logits that are NaN while it wrote")
    if grammar is None:
        return np.asarray(logits.argmax(axis=1))
    allowed = np.broadcast_to(grammar(so_far), logits.shape)
    if not allowed.any(axis=1).all():
        raise InputError("the grammar leaves a row nothing to write; it must allow the end, or another token")
    return np.asarray(np.where(allowed, logits, -np.inf).argmax(axis=1))
