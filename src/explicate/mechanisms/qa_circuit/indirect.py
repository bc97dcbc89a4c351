"""One level further back: what heads tell the heads of a circuit, into what these ask by and what they look at.

A sender gets its output of the corrupted run, all other heads and all MLPs keep their clean ones, and only the
receivers hear of it: by their queries from the last position, by their keys and values from the answer's token in the
context and from the one before it. Which of them a corruption can move depends on what it changes: another value in the
context (`copy_probes`) moves what is copied, another subject (`subject_probes`) what it is found by. Source: Basu et
al. (2025), "On Mechanistic Circuits for Extractive Question-Answering", arXiv 2502.08059, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.core.targets import Contrast
from explicate.errors import InputError
from explicate.mechanisms.path_patching import patch_paths
from explicate.mechanisms.qa_circuit.probe_sets import ProbeSet
from explicate.models.language import LanguageModel

WHERE = ("query", "answer", "before")


@dataclass(frozen=True, eq=False)
class IndirectPaths:
    """How much of the behaviour moves through the receivers when one head is patched, (layer, head) each.

    Attributes
    ----------
    query : at the last position, into the receivers' queries.
    answer, before : at the answer's token in the context, and at the one before it, into their keys and values.
    pairs : how many pairs of prompts each is a mean over, by name.
    """

    query: Floats
    answer: Floats
    before: Floats
    pairs: dict[str, int]

    def strongest(self, most: int = 10) -> list[tuple[str, Site, float]]:
        """The largest scores: where ("query", "answer" or "before"), which head, how much."""
        scores = np.stack([getattr(self, where) for where in WHERE])
        order = np.argsort(-scores, axis=None, kind="stable")[:most]
        found = []
        for place in order:
            where, layer, head = (int(i) for i in np.unravel_index(place, scores.shape))
            found.append((WHERE[where], Site("head_out", layer, head), float(scores[where, layer, head])))
        return found


def indirect_paths(model: LanguageModel, probes: ProbeSet, heads: Sequence[Site]) -> IndirectPaths:
    """The paths of all heads into those of a circuit; the heads found can be asked about in turn, a level further back.

    Parameters
    ----------
    heads : the receivers, sites of heads such as `Selection.heads`.

    Raises
    ------
    InputError : no receivers, sites without a head, no pair whose answer stands in its context.
    """
    if not heads or any(site.head is None or site.layer is None for site in heads):
        raise InputError("name the heads that receive, such as those of a Selection: L20.head_out.H5, ...")
    inside = np.flatnonzero(probes.places > 0)
    if not len(inside):
        raise InputError("no answer of the probes stands in its context, so no path leads from there")
    every = np.arange(len(probes))
    end, places = np.full(len(every), -1), probes.places
    return IndirectPaths(
        _scores(model, probes, heads, "q", every, end),
        _scores(model, probes, heads, "kv", inside, places),
        _scores(model, probes, heads, "kv", inside, places - 1),
        {"query": len(every), "answer": len(inside), "before": len(inside)},
    )


def _scores(
    model: LanguageModel, probes: ProbeSet, heads: Sequence[Site], kinds: str, rows: Array, columns: Array
) -> Floats:
    """Mean share of the way from the clean to the corrupted logit difference, (layer, head)."""
    receivers = [Site(kind, site.layer, site.head) for site in heads for kind in kinds]
    found = patch_paths(
        model,
        [probes.clean[row] for row in rows],
        [probes.corrupted[row] for row in rows],
        receivers=receivers,
        position=[int(columns[row]) for row in rows],
        freeze_mlps=True,
        target=[Contrast(int(probes.answers[row, 0]), int(probes.answers[row, 1])) for row in rows],
    )
    way = (found["base_score"] - found["source_score"]).values
    return np.asarray((-found.values / way[:, None, None]).mean(axis=0))
