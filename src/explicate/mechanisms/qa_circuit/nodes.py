"""What each head and each MLP tells the logits directly at the last position, alone and in any set: two passes for all.

Every part writes into the stream, which only the final norm and the unembedding follow. So the effect of patching any
set of parts along their direct paths is known once both prompts have run: add what the parts write in the corrupted
run, less what they write in the clean one, to the clean stream, and read it by the *true* final norm. Source: Basu et
al. (2025), arXiv 2502.08059, section 3; the algebra is Elhage et al. (2021), "A Mathematical Framework for Transformer
Circuits".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.effects import Readout
from explicate.mechanisms.qa_circuit.probe_sets import ProbeSet
from explicate.mechanisms.restart import finished, require_causal
from explicate.models.language import LanguageModel

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class DirectPaths:
    """The direct paths of all parts on a probe set.

    Attributes
    ----------
    nodes : sites of heads ("L3.head_out.H2@-1") and MLPs ("L3.mlp_out@-1").
    clean_difference, corrupted_difference : (pair,), logit of the clean answer less that of the corrupted one.
    """

    model: LanguageModel
    nodes: tuple[Site, ...]
    answers: Array
    stream: torch.Tensor
    changes: torch.Tensor
    clean_difference: Floats
    corrupted_difference: Floats

    @classmethod
    def of(cls, model: LanguageModel, probes: ProbeSet) -> DirectPaths:
        """Run both prompts of each pair once.

        Raises
        ------
        CapabilityError : the heads' outputs do not add up to what attention writes (Gemma's post-norms).
        """
        import torch

        require_causal(model, "direct paths")
        if model.architecture.head_sum != "attn_out" or model.architecture.residual == "normalised":
            raise CapabilityError(
                f"{model.name!r} has a norm between its heads and the stream, so a head has no share of its own; "
                "patch its heads with explicate.patch_paths instead"
            )
        nodes = tuple(
            site
            for layer in range(model.layer_count)
            for site in (
                *(Site("head_out", layer, head, (-1,)) for head in range(model.head_count)),
                Site("mlp_out", layer, None, (-1,)),
            )
        )
        end = Site("resid_post", model.layer_count - 1, None, (-1,))
        wanted = [
            site
            for layer in range(model.layer_count)
            for site in (Site("head_out", layer, None, (-1,)), Site("mlp_out", layer, None, (-1,)))
        ]
        clean = model.capture(model.encode(probes.clean), [*wanted, end])
        other = model.capture(model.encode(probes.corrupted), [*wanted, end])
        changes = []
        for site in nodes:
            whole = Site(site.kind, site.layer, None, (-1,))
            change = np.asarray(other[whole]) - np.asarray(clean[whole])
            changes.append(change[:, site.head, 0] if site.head is not None else change[:, 0])
        stream = torch.as_tensor(np.asarray(clean[end])[:, 0])
        found = cls(model, nodes, probes.answers, stream, torch.as_tensor(np.stack(changes)), np.empty(0), np.empty(0))
        ends = (stream, torch.as_tensor(np.asarray(other[end])[:, 0]))
        first, second = (found._differences(state) for state in ends)
        return cls(model, nodes, probes.answers, stream, found.changes, first, second)

    def scores(self, nodes: Sequence[Site]) -> Floats:
        """How much of the behaviour moves when these nodes are patched along their direct paths: (pair,), 0 to 1.

        (LD_clean - LD_patched) / (LD_clean - LD_corrupted); 0 is none of it, 1 all of it.
        """
        places = [self._place(node) for node in nodes]
        moved = self.stream + self.changes[places].sum(dim=0) if places else self.stream
        return self._scored(self._differences(moved))

    def each(self) -> Floats:
        """The score of each node alone, (node, pair)."""
        return np.stack([self.scores([node]) for node in self.nodes])

    def _place(self, node: Site) -> int:
        if node not in self.nodes:
            raise InputError(
                f"{node} is no node here; nodes are heads and MLPs at the last position, as {self.nodes[0]}"
            )
        return self.nodes.index(node)

    def _scored(self, differences: Floats) -> Floats:
        return np.asarray((self.clean_difference - differences) / (self.clean_difference - self.corrupted_difference))

    def _differences(self, states: torch.Tensor) -> Floats:
        import torch

        with torch.no_grad():
            normed = finished(self.model, states.to(self.model.device))
            readout = Readout(self.model, "logit-difference", self.answers, normed)
            return np.asarray(readout.from_states(normed, np.arange(len(states))))


@dataclass(frozen=True, eq=False)
class Selection:
    """A circuit grown node by node.

    Attributes
    ----------
    nodes : in the order in which they were tried and kept. curve : the mean joint score after each.
    """

    nodes: tuple[Site, ...]
    curve: Floats

    @property
    def heads(self) -> list[Site]:
        """The attention heads among the nodes."""
        return [node for node in self.nodes if node.kind == "head_out"]

    @property
    def score(self) -> float:
        """The mean joint score of all nodes."""
        return float(self.curve[-1]) if len(self.curve) else 0.0

    def overlap(self, other: Selection) -> float:
        """Jaccard index of two circuits' nodes."""
        both = set(self.nodes) | set(other.nodes)
        return len(set(self.nodes) & set(other.nodes)) / len(both) if both else 1.0


def select_greedy(
    paths: DirectPaths, *, delta: float = 0.01, enough: float = 0.95, candidates: Sequence[Site] = ()
) -> Selection:
    """Take nodes in the order of their own scores while the joint score rises by more than `delta`.

    Parameters
    ----------
    delta : least rise of the mean joint score; a node that gives less is left out and the next one tried.
    enough : stop once the joint score exceeds it.
    candidates : only these nodes; none: all.
    """
    if not 0 <= delta < 1:
        raise InputError(f"delta is {delta}; give a share from 0 to 1")
    pool = list(candidates) or list(paths.nodes)
    alone = np.array([paths.scores([node]).mean() for node in pool])
    kept: list[Site] = []
    curve: list[float] = []
    score = 0.0
    for place in np.argsort(-alone, kind="stable"):
        joint = float(paths.scores([*kept, pool[place]]).mean())
        if joint - score > delta:
            kept.append(pool[place])
            curve.append(joint)
            score = joint
        if score > enough:
            break
    return Selection(tuple(kept), np.array(curve))
