"""Is a circuit needed? Mean ablation at the last position, beside random circuits of the same shape and weak nodes.

Source: Basu et al. (2025), arXiv 2502.08059, section 3.3; random circuits have as many nodes in each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.places import written_as
from explicate.mechanisms.restart import Job, Variant, measured
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator


def accuracy_without(
    model: LanguageModel,
    circuits: Sequence[Sequence[Site]],
    prompts: Sequence[str],
    answers: Array,
    reference: Sequence[str],
    how: str = "mean",
) -> tuple[Floats, Floats]:
    """Whether the answers are still the likeliest tokens once circuits are ablated at the last position.

    Parameters
    ----------
    circuits : each some nodes. answers : (prompt,), first tokens.
    reference : prompts over whose last positions the means are taken. how : "mean" or "zero".

    Returns
    -------
    bool as float (circuit, prompt), and (prompt,) of the untouched model.
    """
    if how not in ("mean", "zero"):
        raise InputError(f"ablation {how!r} is unknown here; use mean or zero")
    nodes = list(dict.fromkeys(node for circuit in circuits for node in circuit))
    wholes = list(dict.fromkeys(Site(written_as(node.kind), node.layer, None, (-1,)) for node in nodes))
    captured = model.capture(model.encode(list(reference)), wholes)
    means = {site: np.asarray(captured[site]).mean(axis=0) * (how == "mean") for site in wholes}

    def patch(node: Site) -> Patch:
        kind = written_as(node.kind)
        mean = means[Site(kind, node.layer, None, (-1,))]
        value = mean if node.head is None else mean[node.head]
        return Patch(Site(kind, node.layer, node.head, (-1,)), value[None].astype(np.float32))

    def variants(seen: Any, length: int) -> list[Variant]:
        return [tuple(patch(node) for node in circuit) for circuit in circuits]

    ids = model.encode(list(prompts))
    found = measured(Job(model, ids, variants, metric="rank", targets=np.asarray(answers, dtype=np.int64)))
    return (found.values == 0).astype(float), (found.base == 0).astype(float)


def random_circuits(model: LanguageModel, circuit: Sequence[Site], count: int, seed: int = 0) -> list[list[Site]]:
    """Circuits of other nodes: as many heads in each layer, as far as there are others, and as many MLPs."""
    taken = set(circuit)
    found = []
    for number in range(count):
        rng = generator(seed, "random circuit", number)
        nodes: list[Site] = []
        for layer in range(model.layer_count):
            own = [node for node in circuit if node.layer == layer and node.kind == "head_out"]
            others = [
                site for head in range(model.head_count) if (site := Site("head_out", layer, head, (-1,))) not in taken
            ]
            picks = rng.permutation(len(others))[: len(own)]
            nodes += [others[int(i)] for i in picks]
        mlps = [node for node in circuit if node.kind == "mlp_out"]
        free = [s for layer in range(model.layer_count) if (s := Site("mlp_out", layer, None, (-1,))) not in taken]
        nodes += [free[int(i)] for i in rng.permutation(len(free))[: len(mlps)]]
        found.append(nodes)
    return found
