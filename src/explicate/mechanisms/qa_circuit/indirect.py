"""One level further back: what heads and MLPs tell those of a circuit, into what these ask by and what they look at.

A sender gets its output of the corrupted run, all other heads and all MLPs keep their clean ones, and only the
receivers hear of it: by their queries and MLP inputs from the last position, by their keys and values from the answer's
token in the context and from the one before it. Which of them a corruption can move depends on what it changes: another
value in the context (`copy_probes`) moves what is copied, another subject (`subject_probes`) what it is found by.
Source: Basu et al. (2025), "On Mechanistic Circuits for Extractive Question-Answering", arXiv 2502.08059, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.core.targets import Contrast
from explicate.errors import InputError
from explicate.mechanisms.path_patching import Senders, patch_paths
from explicate.mechanisms.qa_circuit.probe_sets import ProbeSet
from explicate.models.language import LanguageModel

WHERE = ("query", "answer", "before")


@dataclass(frozen=True, eq=False)
class IndirectPaths:
    """How much of the behaviour moves through the receivers when one part is patched.

    The places, `WHERE`, are "query": at the last position, into the receivers' queries and the receiving MLPs; "answer"
    and "before": at the answer's token in the context, and at the one before it, into the heads' keys and values.

    Attributes
    ----------
    heads : (place, layer, head). mlps : (place, layer).
    pairs : how many pairs of prompts each place is a mean over.
    """

    heads: Floats
    mlps: Floats
    pairs: dict[str, int]

    def strongest(self, most: int = 10) -> list[tuple[str, Site, float]]:
        """The largest scores: which place, which head or MLP, how much."""
        scores = np.concatenate([self.heads, self.mlps[..., None]], axis=-1)
        order = np.argsort(-scores, axis=None, kind="stable")[:most]
        found = []
        for each in order:
            place, layer, head = (int(i) for i in np.unravel_index(each, scores.shape))
            mlp = head == self.heads.shape[-1]
            site = Site("mlp_out", layer) if mlp else Site("head_out", layer, head)
            found.append((WHERE[place], site, float(scores[place, layer, head])))
        return found


def indirect_paths(model: LanguageModel, probes: ProbeSet, receivers: Sequence[Site]) -> IndirectPaths:
    """The paths of all parts into those of a circuit; the parts found can be asked about in turn, a level further back.

    Parameters
    ----------
    receivers : sites of heads and MLPs, such as `Selection.nodes`.

    Raises
    ------
    InputError : no receivers, sites of other kinds, no heads among them or no pair whose answer stands in its context.
    """
    heads = [site for site in receivers if site.kind == "head_out" and site.head is not None]
    mlps = [Site("mlp_out", site.layer) for site in receivers if site.kind == "mlp_out"]
    if not heads or len(heads) + len(mlps) < len(receivers):
        raise InputError("name the heads that receive, and MLPs, such as those of a Selection: L20.head_out.H5, ...")
    inside = np.flatnonzero(probes.places > 0)
    if not len(inside):
        raise InputError("no answer of the probes stands in its context, so no path leads from there")
    every = np.arange(len(probes))
    queries = [*(Site("q", site.layer, site.head) for site in heads), *mlps]
    read = [Site(kind, site.layer, site.head) for site in heads for kind in "kv"]
    asked = (
        (queries, every, np.full(len(every), -1)),
        (read, inside, probes.places),
        (read, inside, probes.places - 1),
    )
    return IndirectPaths(
        np.stack([_scores(model, probes, *each, "heads") for each in asked]),
        np.stack([_scores(model, probes, *each, "mlps") for each in asked]),
        dict(zip(WHERE, (len(rows) for _, rows, _ in asked), strict=True)),
    )


def _scores(
    model: LanguageModel, probes: ProbeSet, receivers: Sequence[Site], rows: Array, columns: Array, senders: Senders
) -> Floats:
    """Mean share of the way from the clean to the corrupted logit difference, (layer, head) or (layer,)."""
    found = patch_paths(
        model,
        [probes.clean[row] for row in rows],
        [probes.corrupted[row] for row in rows],
        receivers=receivers,
        position=[int(columns[row]) for row in rows],
        freeze_mlps=True,
        target=[Contrast(int(probes.answers[row, 0]), int(probes.answers[row, 1])) for row in rows],
        senders=senders,
    )
    way = (found["base_score"] - found["source_score"]).values
    shares = -found.values / way.reshape(-1, *[1] * (found.values.ndim - 1))
    return np.asarray(shares.mean(axis=0))
