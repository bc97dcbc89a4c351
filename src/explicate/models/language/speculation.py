"""A prefix tree of continuations seen before, checked in one pass: speculation that never changes what is written.

All known continuations go through the model at once behind the prompt, each token seeing its ancestors alone and
standing at the position of its depth. Then the tree is walked: the likeliest token after the prompt, the child with
that token, the likeliest token after it, and so on. Every step is the model's own choice, so what comes out is what
greedy decoding writes; where it leaves the tree, decoding goes on as usual and the tree grows.

Sources: Enouen and others (2024), "TextGenSHAP", arXiv 2312.01279; tree attention as in Miao and others (2024),
"SpecInfer".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Masks

ROOT = -1  # the prompt's last token: no node of the tree


@dataclass(frozen=True, eq=False)
class Branches:
    """The part of a tree that goes through the model.

    Attributes
    ----------
    nodes : numbers in the tree; ancestors come before their descendants.
    tokens : (node,), token ids. depth : (node,), 0 for a first token: the distance from the prompt's last token less 1.
    visible : (node, node), which of them each one sees: its ancestors and itself, never a sibling.
    """

    nodes: tuple[int, ...]
    tokens: Array
    depth: Array
    visible: Masks

    def __len__(self) -> int:
        return len(self.nodes)


class SpeculationTree:
    """Continuations seen so far, as a prefix tree.

    Parameters
    ----------
    finished : whether a continuation, given by its token ids, ends there.

    Attributes
    ----------
    tokens, parents, depths : of each node; the parent of a first token is -1.
    uses : how many continuations went through each node.
    """

    def __init__(self, finished: Callable[[Sequence[int]], bool]) -> None:
        self.finished = finished
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.uses: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self._visible = np.zeros((0, 0), dtype=bool)

    def __len__(self) -> int:
        return len(self.tokens)

    def insert(self, ids: Sequence[int]) -> int:
        """Take a continuation in, or count it once more; the node of its last token."""
        node = ROOT
        for token in ids:
            child = self._children.get((node, int(token)))
            if child is None:
                child = self._grown(node, int(token))
            self.uses[child] += 1
            node = child
        return node

    def _grown(self, parent: int, token: int) -> int:
        node = len(self.tokens)
        self.tokens.append(token)
        self.parents.append(parent)
        self.depths.append(0 if parent == ROOT else self.depths[parent] + 1)
        self.uses.append(0)
        self._children[parent, token] = node
        if node >= len(self._visible):  # room for twice as many, so that growing costs little
            wider = np.zeros((max(16, 2 * node), max(16, 2 * node)), dtype=bool)
            wider[:node, :node] = self._visible[:node, :node]
            self._visible = wider
        if parent != ROOT:
            self._visible[node, : parent + 1] = self._visible[parent, : parent + 1]
        self._visible[node, node] = True
        return node

    def path(self, node: int) -> list[int]:
        """Token ids from the first to that of `node`."""
        found: list[int] = []
        while node != ROOT:
            found.append(self.tokens[node])
            node = self.parents[node]
        return found[::-1]

    def branches(self, most: int) -> Branches:
        """The most used nodes, at most so many, with all their ancestors. Nothing follows a token that ends a text."""
        order = sorted(range(len(self)), key=lambda node: (-self.uses[node], node))[: max(0, most)]
        nodes = tuple(sorted(order))  # a parent is used at least as often as its child and has the smaller number
        index = np.array(nodes, dtype=np.int64)
        return Branches(
            nodes,
            np.array(self.tokens, dtype=np.int64)[index],
            np.array(self.depths, dtype=np.int64)[index],
            self._visible[np.ix_(index, index)],
        )

    def walk(self, branches: Branches, first: int, after: Array) -> tuple[list[int], bool]:
        """Token ids that greedy decoding is known to write, and whether they are all that it writes.

        Parameters
        ----------
        first : the likeliest token after the prompt. after : (node,), the likeliest token after each of `branches`.
        """
        there = {node: place for place, node in enumerate(branches.nodes)}
        ids, node, token = [], ROOT, int(first)
        while True:
            ids.append(token)
            if self.finished(ids):
                return ids, True
            child = self._children.get((node, token))
            if child is None or child not in there:
                return ids, False
            node, token = child, int(after[there[child]])
