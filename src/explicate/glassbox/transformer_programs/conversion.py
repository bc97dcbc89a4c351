"""From a trained model to the program that it is: every choice at its largest logit, every MLP as a table.

Source: Friedman, Wettig, Chen (2023), section 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.glassbox.transformer_programs.program import Program
from explicate.glassbox.transformer_programs.steps import ONES, POSITIONS, TOKENS, Head, Lookup, Preference, Step

if TYPE_CHECKING:
    import torch

MOST_ENTRIES = 4_000_000  # of one table; sums of sums of counts grow with the power of the layers


def converted(module: Any, vocabulary: tuple[str, ...], tags: tuple[str, ...]) -> Program:
    """The program of a module (a `ProgramModule` in evaluation mode and double precision).

    Raises
    ------
    InputError : a table over numbers that would have too many entries; train with `counts_only`.
    """
    config = module.config
    embeddings = None
    if config.embeddings is None:
        variables = [TOKENS, POSITIONS]
    else:
        embeddings = module.embedding.detach().argmax(2).numpy()
        variables = [*(f"embedding_{place}" for place in range(config.embeddings)), POSITIONS]
    numbers, most = [ONES], {ONES: 1}
    steps: list[Step] = []
    for layer, block in enumerate(module.blocks):
        heads = _heads(block.heads, layer, variables, variables, False) if block.heads is not None else []
        counters = _heads(block.counters, layer, variables, numbers, True) if block.counters is not None else []
        steps += [*heads, *counters]
        variables += [head.name for head in heads]
        most |= {head.name: module.context * most[head.value] for head in counters}
        numbers += [head.name for head in counters]
        written: list[Lookup] = []
        if block.mlps is not None:
            written += _tables(block.mlps, f"mlp_{layer}", variables, dict.fromkeys(variables, module.width))
        if block.number_mlps is not None:
            sizes = {name: most[name] + 1 for name in numbers}
            written += _tables(block.number_mlps, f"number_mlp_{layer}", numbers, sizes)
        steps += written
        variables += [lookup.name for lookup in written]
    rows = module.classifier.weight.detach().numpy().T.astype(np.float64)
    sizes = dict.fromkeys(variables, module.width) | dict.fromkeys(numbers, 1)
    starts = np.cumsum([0, *sizes.values()])
    weights = {name: rows[start : start + sizes[name]] for name, start in zip(sizes, starts, strict=False)}
    return Program(
        vocabulary, tags, module.context, module.width, tuple(steps), weights, embeddings, config.causal, config.pooled
    )


def _heads(heads: Any, layer: int, variables: list[str], values: list[str], counts: bool) -> list[Head]:
    """The heads of one kind in one layer."""
    config = heads.config
    query, key, value = (reads.chosen() for reads in (heads.query, heads.key, heads.value))
    scored = config.attention == "score" and not counts
    rules = heads.predicate.detach().numpy()
    found = []
    for number, rule in enumerate(rules):
        preference, offsets = ("closest", None) if counts else _preference(heads, number, scored)
        found.append(
            Head(
                f"{'count' if counts else 'head'}_{layer}_{number}",
                variables[query[number]],
                variables[key[number]],
                values[value[number]],
                rule.argmax(1),
                rule.astype(np.float64) if scored else None,
                counts,
                preference,  # type: ignore[arg-type]
                offsets,
            )
        )
    return found


def _preference(heads: Any, number: int, scored: bool) -> tuple[Preference, Floats | None]:
    """Which of several matches a head copies."""
    if heads.config.position_bias == "clipped":
        from explicate.models.tiny.programs.attention import CLIP

        return "offsets", heads.offsets[number].detach().clamp(-CLIP, CLIP).numpy().astype(np.float64)
    if heads.config.position_bias == "none":
        return "first", None
    if not scored:
        return "closest", None
    bias = heads.bias.numpy().astype(np.float64)  # (key, query); added to real scores, so its size matters
    return "offsets", np.concatenate([bias[0, :0:-1], bias[:, 0]])


def _tables(mlps: Any, name: str, variables: list[str], sizes: dict[str, int]) -> list[Lookup]:
    """The MLPs of one kind in one layer, run on everything that they can read."""
    chosen = mlps.reads.chosen().reshape(len(mlps.first), mlps.inputs)
    found = []
    for number, places in enumerate(chosen):
        read = [variables[place] for place in places]
        inputs = tuple(dict.fromkeys(read))
        shape = tuple(sizes[one] for one in inputs)
        if np.prod(shape) > MOST_ENTRIES:
            raise InputError(
                f"{name}_{number} reads {' and '.join(inputs)}, which have {' x '.join(map(str, shape))} values; "
                "train with counts_only, or with fewer layers"
            )
        grids = dict(zip(inputs, (grid.ravel() for grid in np.indices(shape)), strict=True))
        codes = _argmax(mlps, number, [grids[one] for one in read])
        found.append(Lookup(f"{name}_{number}", inputs, codes.reshape(shape)))
    return found


def _argmax(mlps: Any, number: int, read: list[Array]) -> Array:
    """The code that one MLP writes for each case; `read` has the code or number of each input."""
    import torch

    dtype = mlps.first.dtype
    parts: list[torch.Tensor] = []
    for values in read:
        numbers = torch.as_tensor(values)
        known = numbers[None].to(dtype) if mlps.size == 1 else torch.eye(mlps.size, dtype=dtype)[:, numbers]
        parts.append(known)
    cases = torch.cat(parts)
    with torch.no_grad():
        own = [weight[number] for weight in (mlps.first, mlps.first_bias, mlps.second, mlps.second_bias)]
        hidden = torch.relu(own[0] @ cases + own[1])
        found: Array = (own[2] @ hidden + own[3]).argmax(0).numpy()
    return found
