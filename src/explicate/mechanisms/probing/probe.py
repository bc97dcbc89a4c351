"""What a probe is: a small model that reads labels, or values, off activations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised


@dataclass(frozen=True, eq=False)
class Problem:
    """One thing to learn from a place's activations.

    Attributes
    ----------
    labels : (sample,), class numbers from 0, or values.
    train : bool (sample,), the rows that may be learned from.
    groups : (sample,), rows of a group stay together where the probe splits the training rows further; None: alone.
    """

    labels: Array
    train: Array
    groups: Array | None = None


@dataclass(frozen=True)
class Probe(Parameterised):
    """Base of probes. A probe of one's own needs `outputs`; `reads_values` says what its labels are."""

    @property
    def reads_values(self) -> bool:
        """Whether labels are values (scored by R²) and not classes."""
        return False

    @abstractmethod
    def outputs(self, features: Floats, problems: Sequence[Problem], classes: int, seed: int = 0) -> Floats:
        """Learn each problem from its training rows, and score all rows.

        Parameters
        ----------
        features : (sample, width), of one place; shared by all problems.
        classes : number of classes (0 for values).

        Returns
        -------
        (problem, sample, class), higher for the likelier class; (problem, sample) for values.
        """
