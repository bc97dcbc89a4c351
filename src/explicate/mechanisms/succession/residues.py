"""Directions of the last digit in what a successor head reads: by sparse autoencoders, by a probe, and how they agree.

Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads", section 3. The third estimate, by neurons, is in `neurons`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from explicate.concepts import ResidueFeatures, SparseAutoencoder, SparseAutoencoders, residue_features
from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.cost import measure
from explicate.core.kinds import Direction
from explicate.core.method import Parameterised
from explicate.errors import InputError
from explicate.mechanisms.probing import LinearProbe
from explicate.mechanisms.succession.heads import RESIDUES, SuccessorHead


@dataclass(frozen=True)
class AutoencoderResidues(Parameterised):
    """The feature of each residue in sparse autoencoders of the head's inputs.

    A word's feature is the one whose contribution alone gives its successor the largest margin. Features, penalty and
    restart are chosen on the words that are not for the test.

    Parameters
    ----------
    autoencoder : how they are trained. restarts : seeds for each of its penalties.
    """

    name: ClassVar[str] = "autoencoder-residues"

    autoencoder: SparseAutoencoder = field(default_factory=SparseAutoencoder)
    restarts: int = 100

    def fit(
        self, head: SuccessorHead, test: Masks, seed: int = 0
    ) -> tuple[Direction, ResidueFeatures, SparseAutoencoders]:
        """Directions (residue, width), which features they are and how much they cover, and the autoencoders.

        Parameters
        ----------
        test : bool (item,), words that nothing is trained or chosen on.
        """
        with measure() as cost:
            trained = self.autoencoder.fit(head.inputs[~test], range(seed * 1000, seed * 1000 + self.restarts))
            items = np.flatnonzero(head.data.next_to() >= 0)
            readers = head.margin_readers(items)

            def importance(rows: Array, contributions: Floats) -> Floats:
                return np.einsum("mw,mw->m", readers[rows], contributions)

            found = residue_features(
                trained, head.inputs[items], head.residues[items], importance, test=test[items], seed=seed
            )
        coverage = {
            "coverage": found.coverage,
            "exclusive": found.exclusive,
            "held_out": found.held_out,
            "shuffled": found.shuffled,
        }
        direction = head.direction(self, found.vectors, cost, seed, feature=("residue", found.features))
        direction.data.attrs.update({name: float(value) for name, value in coverage.items()})
        return direction, found, trained


@dataclass(frozen=True)
class ProbeResidues(Parameterised):
    """A logistic regression of the residue, fitted on one task and tested on all others; its rows are the directions.

    Parameters
    ----------
    probe : the classifier. task : the one that it is fitted on.
    """

    name: ClassVar[str] = "probe-residues"

    probe: LinearProbe = field(default_factory=LinearProbe)
    task: str = "numbers"

    def fit(self, head: SuccessorHead, seed: int = 0) -> Direction:
        """Directions (residue, width); `correct` (item,) says for each word whether its residue is read right.

        The words of the task itself are answered by a probe that was fitted on half of the task's other words.

        Raises
        ------
        InputError : the task lacks a residue.
        """
        own = head.data.rows(self.task)
        labels = head.residues
        if len(np.unique(labels[own])) < RESIDUES:
            raise InputError(f"the task {self.task!r} has {len(np.unique(labels[own]))} residues of {RESIDUES}")
        with measure() as cost:
            readout = self.probe.fit(head.inputs[own], labels[own], seed=seed)
            guesses = readout.predict(head.inputs)
            halves = np.arange(len(own)) // RESIDUES % 2
            for half in (0, 1):
                part = own[halves == half]
                other = own[halves != half]
                guesses[part] = self.probe.fit(head.inputs[other], labels[other], seed=seed).predict(head.inputs[part])
        correct = np.asarray(guesses == labels, dtype=float)
        return head.direction(
            self, readout.weights, cost, seed, correct=(("item",), correct), guess=(("item",), guesses)
        )


def class_means(head: SuccessorHead, items: Array | None = None) -> Floats:
    """A cheap baseline: the mean input of each residue less the mean of all, (residue, width)."""
    chosen = np.arange(len(head.data)) if items is None else items
    residues, inputs = head.residues[chosen], head.inputs[chosen]
    means = [
        inputs[residues == r].mean(axis=0) if (residues == r).any() else inputs.mean(axis=0) for r in range(RESIDUES)
    ]
    return np.stack(means) - inputs.mean(axis=0)


def agreement(one: Floats, two: Floats, centred: bool = True) -> Floats:
    """Cosine of two estimates for each residue (residue,); NaN where one has none.

    Parameters
    ----------
    centred : whether what all residues have in common is taken out of each estimate first.
    """
    first, second = (np.asarray(each, dtype=float) for each in (one, two))
    known = (np.abs(first).sum(axis=1) > 0) & (np.abs(second).sum(axis=1) > 0)
    found = np.full(len(first), np.nan)
    if known.sum() < 2:
        return found
    first, second = first[known], second[known]
    if centred:
        first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    found[known] = (first * second).sum(axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return found


def shuffled_agreement(one: Floats, two: Floats, centred: bool = True) -> float:
    """The mean cosine of directions of *different* residues: what two estimates have in common anyway."""
    turned: Sequence[Floats] = [agreement(one, np.roll(two, shift, axis=0), centred) for shift in range(1, len(two))]
    return float(np.nanmean(turned))
