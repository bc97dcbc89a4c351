"""Prompts run again under many changes at their last token, read out at a few tokens and at a few heads' attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Intervention, Together
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms import rows
from explicate.mechanisms.channels.attention_of import equally_long, scaling_of
from explicate.mechanisms.restart import (
    batches,
    engine_for,
    fastest_way,
    finished,
    for_batch,
    parts_of,
    untouched,
    writes_of,
)
from explicate.mechanisms.rows import Row
from explicate.models.language import LanguageModel

Change = Intervention | Together | Sequence[Intervention]


@dataclass(frozen=True, eq=False)
class Rerun:
    """What came of the changes.

    Attributes
    ----------
    logits : of the tokens asked for, (change, sample, token).
    attention : summed over the heads asked for, from the last token, (change, sample, key); without such heads 0 keys.
    """

    logits: Floats
    attention: Floats


def rerun(
    model: LanguageModel,
    ids: Array,
    changes: Sequence[Change],
    tokens: Array,
    heads: Sequence[tuple[int, int]] = (),
) -> Rerun:
    """Run prompts of equal length under every change; changes are all at the last token.

    Parameters
    ----------
    changes : each one or more interventions made at once; values may have a leading axis for the prompts.
    tokens : (sample, token), whose logits are wanted.
    heads : (layer, head) whose attention from the last token is wanted. Keys of the tokens before it are as they were.
    """
    import torch

    equally_long(ids)
    way = fastest_way(model)
    if way == "one by one":
        raise InputError("prompts cannot be run again while other interventions or hooks are in force")
    parted = [parts_of(c) if isinstance(c, Intervention | Together) else tuple(c) for c in changes]
    width = ids.shape[1] if heads else 0
    found = Rerun(np.empty((len(parted), *tokens.shape)), np.zeros((len(parted), len(ids), width)))
    unembedding = model.module.get_output_embeddings().weight
    keys = {place: Site("k", *place) for place in heads}
    last = ids.shape[1] - 1
    record = {place: (Site("q", *place, (last,)), Site("k", *place, (last,))) for place in heads}
    for batch in batches(ids):
        with torch.no_grad():
            base, _ = untouched(model, batch, list(keys.values()), way)
            count = len(batch.ids)
            own = [for_batch(variant, batch.numbers, len(ids)) for variant in parted]
            planned = [
                Row.of(number * count + sample, sample, writes_of(variant, sample, base), base.tokens)
                for number, variant in enumerate(own)
                for sample in range(count)
            ]
            if any(row.first != base.tokens - 1 for row in planned):
                raise InputError("only changes at the last token can be run this way; give positions=-1")
            wanted = unembedding[torch.as_tensor(tokens[batch.numbers], device=model.device)]
            engine = engine_for(base, way)
            for chunk in rows.chunks(planned, model.head_count):
                states, seen = engine.states(chunk, [site for pair in record.values() for site in pair])
                numbers, samples = np.divmod([row.number for row in chunk], count)
                logits = (wanted[samples] * finished(model, states)[:, None]).sum(-1)
                found.logits[numbers, batch.numbers[samples]] = logits.double().cpu().numpy()
                for place, (asks, asked) in record.items():
                    query = torch.stack([seen[asks][row.number] for row in chunk])
                    known = base.recorded[keys[place]][samples].clone()
                    known[:, -1] = torch.stack([seen[asked][row.number] for row in chunk])
                    scores = (known @ query[..., None])[..., 0] * scaling_of(model, place[0], ids.shape[1])
                    found.attention[numbers, batch.numbers[samples]] += scores.softmax(-1).double().cpu().numpy()
    return found
