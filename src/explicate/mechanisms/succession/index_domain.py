"""What a word's representation is made of: its index in the list, and the list.

One linear map P with [index i in list s] ~ P [i in list t] + (I - P) [j in list s]: P keeps the index of one word, and
the rest keeps the list of another. Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.method import Parameterised
from explicate.data.language.succession import SuccessionDataset
from explicate.errors import InputError
from explicate.mechanisms.succession.heads import SuccessorHead
from explicate.runtime.seeds import generator

Decoder: TypeAlias = Literal["unembedding", "nearest"]


@dataclass(frozen=True, eq=False)
class IndexDomainSplit:
    """A map that takes the index from one word and the list from another.

    Attributes
    ----------
    projection : P, (width, width). losses : (step,), mean squared error.
    """

    projection: Floats
    losses: Floats

    def combined(self, index_from: Floats, list_from: Floats) -> Floats:
        """P of one plus I - P of the other: (..., width)."""
        return np.asarray(list_from + (index_from - list_from) @ self.projection.T)


@dataclass(frozen=True)
class IndexDomainMap(Parameterised):
    """Fit P by Adam to the squared error over all triples of words that fit together.

    Parameters
    ----------
    steps, triples_at_once, learning_rate : of Adam.
    """

    name: ClassVar[str] = "index-domain-map"

    steps: int = 2000
    triples_at_once: int = 512
    learning_rate: float = 1e-3

    def fit(self, head: SuccessorHead, test: Masks, seed: int = 0) -> IndexDomainSplit:
        """Train on words that are not for the test.

        Parameters
        ----------
        test : bool (item,).

        Raises
        ------
        InputError : no two lists share an index among the words for training.
        """
        import torch

        triples = matching_triples(head.data, np.flatnonzero(~np.asarray(test)), np.flatnonzero(~np.asarray(test)))
        if not len(triples):
            raise InputError("no two lists share an index among the words for training; give more lists or words")
        unit = float(np.sqrt((head.inputs**2).mean()))
        x = torch.tensor(np.asarray(head.inputs / unit, dtype=np.float32))
        width = x.shape[1]
        projection = torch.full((width, width), 0.0)
        projection.fill_diagonal_(0.5)
        projection.requires_grad_()
        optimiser = torch.optim.Adam([projection], self.learning_rate)
        rng = generator(seed, "triples")
        losses = np.empty(self.steps)
        for step in range(self.steps):
            wanted, index_from, list_from = torch.as_tensor(
                triples[rng.integers(len(triples), size=self.triples_at_once)].T
            )
            with torch.enable_grad():
                guess = x[list_from] + (x[index_from] - x[list_from]) @ projection.T
                loss = (x[wanted] - guess).square().mean()
                optimiser.zero_grad()
                loss.backward()
            optimiser.step()
            losses[step] = float(loss.detach())
        return IndexDomainSplit(projection.detach().numpy(), losses)


def average_split(width: int) -> IndexDomainSplit:
    """A baseline without training: half of the one word and half of the other."""
    return IndexDomainSplit(0.5 * np.eye(width, dtype=np.float32), np.zeros(0))


def matching_triples(data: SuccessionDataset, wanted: Array, sources: Array) -> Array:
    """All (wanted word, word of the same index in another list, other word of the same list): int (triple, 3).

    Parameters
    ----------
    wanted, sources : numbers of words; the second and third of each triple are sources.
    """
    found = []
    for item in wanted:
        same_index = sources[
            (data.indices[sources] == data.indices[item]) & (data.task_of[sources] != data.task_of[item])
        ]
        same_list = sources[
            (data.task_of[sources] == data.task_of[item]) & (data.indices[sources] != data.indices[item])
        ]
        first, second = np.meshgrid(same_index, same_list, indexing="ij")
        found.append(np.stack([np.full(first.size, item), first.ravel(), second.ravel()], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 3), dtype=np.int64)


def decoding_accuracy(
    split: IndexDomainSplit,
    head: SuccessorHead,
    test: Masks,
    decoder: Decoder = "nearest",
    of: Literal["word", "index"] = "word",
) -> float:
    """How often a combination of two training words is read as the held-out word that it stands for; NaN without any.

    Parameters
    ----------
    decoder : "unembedding" takes the largest logit among all words of the data set, "nearest" the word whose own input
        has the largest cosine.
    of : "word", or "index": then the word of the same index in another list is right too.
    """
    test = np.asarray(test)
    triples = matching_triples(head.data, np.flatnonzero(test), np.flatnonzero(~test))
    if not len(triples):
        return float("nan")
    found = decoded(head, split.combined(head.inputs[triples[:, 1]], head.inputs[triples[:, 2]]), decoder)
    wanted, indices = triples[:, 0], head.data.indices
    right = head.is_word(found, wanted) if of == "word" else indices[found] == indices[wanted]
    words = np.unique(wanted)  # each counts the same, however many combinations it has
    return float(np.mean([right[wanted == word].mean() for word in words]))


def decoded(head: SuccessorHead, inputs: Floats, decoder: Decoder = "nearest") -> Array:
    """The word of the data set that each input (m, width) is read as: its number (m,)."""
    if decoder == "unembedding":
        return np.asarray((head.circuit.normed(inputs) @ head.circuit.unembedding[head.data.ids].T).argmax(axis=-1))
    own = head.inputs / np.linalg.norm(head.inputs, axis=1, keepdims=True)
    return np.asarray((inputs @ own.T).argmax(axis=-1))


def counts_in_new_list(split: IndexDomainSplit, head: SuccessorHead, other: SuccessorHead) -> dict[str, float]:
    """Words of a list that P was not fitted to, made of an index from the known lists and another word of the new one.

    Parameters
    ----------
    head : the known lists. other : the same head on the new list, such as Roman numerals.

    Returns
    -------
    "decoded", the share read as the word meant (nearest word of the new list); "successor", the share that the head
    answers with the word's successor; "itself", the head's score on the new list's own representations; "chance".
    """
    following = other.data.next_to()
    rows = []
    for item in np.flatnonzero(following >= 0):
        same = np.flatnonzero(head.data.indices == other.data.indices[item])
        others = np.flatnonzero(other.data.indices != other.data.indices[item])
        first, second = np.meshgrid(same, others, indexing="ij")
        rows.append(np.stack([np.full(first.size, item), first.ravel(), second.ravel()], axis=1))
    triples = np.concatenate(rows) if rows else np.zeros((0, 3), dtype=np.int64)
    if not len(triples):
        raise InputError("the new list shares no index with the known ones, or has no successors")
    combined = split.combined(head.inputs[triples[:, 1]], other.inputs[triples[:, 2]])
    items = np.unique(triples[:, 0])
    read = other.is_word(decoded(other, combined), triples[:, 0])
    answered = other.is_word(other.answers(combined, triples[:, 0]), following[triples[:, 0]])
    own = other.is_word(other.answers(other.inputs[items], items), following[items])
    return {
        "decoded": float(np.mean([read[triples[:, 0] == item].mean() for item in items])),
        "successor": float(np.mean([answered[triples[:, 0] == item].mean() for item in items])),
        "itself": float(own.mean()),
        "chance": 1 / len(other.data),
    }
