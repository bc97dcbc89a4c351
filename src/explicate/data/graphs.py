"""Graphs whose label has a known cause: a random tree-like graph with a house, or a ring, of five nodes hung on it.

Source: the BA-2motifs data of Luo et al. (2020), "Parameterized Explainer for Graph Neural Networks", arXiv 2011.04573.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError
from explicate.runtime.seeds import generator

CLASS_NAMES = ("house", "ring")
BASE_NODES = 20
MOTIF_NODES = 5
_RING = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))
MOTIFS = {"house": (*_RING, (1, 4)), "ring": _RING}


@dataclass(frozen=True, eq=False, repr=False)
class MotifGraphs:
    """Graphs with their truth.

    Attributes
    ----------
    adjacency : (graph, node, node) float32, 0 and 1, symmetric; the order of the nodes is random.
    labels : (graph,) int64, places in `class_names`.
    motif : (graph, node) bool, the nodes of the house or ring.
    """

    adjacency: np.ndarray
    labels: np.ndarray
    motif: np.ndarray
    class_names: tuple[str, ...] = CLASS_NAMES

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"MotifGraphs({len(self):,} graphs of {self.adjacency.shape[1]} nodes, {len(self.class_names)} classes)"


def motif_graphs(graphs: int, seed: int = 0) -> MotifGraphs:
    """Graphs grown by preferential attachment (one edge a node) with a motif hung on by one edge; classes alternate.

    Parameters
    ----------
    graphs : how many. seed : all randomness comes from it.
    """
    if graphs < 1:
        raise InputError(f"{graphs} graphs; give at least 1")
    rng = generator(seed, "motif graphs")
    nodes = BASE_NODES + MOTIF_NODES
    adjacency = np.zeros((graphs, nodes, nodes), dtype=np.float32)
    motif = np.zeros((graphs, nodes), dtype=bool)
    labels = np.arange(graphs) % len(CLASS_NAMES)
    for graph, label in enumerate(labels):
        ends = [(0, 1)]
        for node in range(2, BASE_NODES):
            ends.append((int(rng.choice(np.ravel(ends))), node))  # a node is as likely as it has edges
        ends += [(BASE_NODES + a, BASE_NODES + b) for a, b in MOTIFS[CLASS_NAMES[label]]]
        ends.append((int(rng.integers(BASE_NODES)), BASE_NODES + int(rng.integers(MOTIF_NODES))))
        order = rng.permutation(nodes)
        one, other = order[np.array(ends)].T
        adjacency[graph, one, other] = adjacency[graph, other, one] = 1
        motif[graph, order[BASE_NODES:]] = True
    return MotifGraphs(adjacency, labels.astype(np.int64), motif)
