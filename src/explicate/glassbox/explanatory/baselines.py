"""Empiricists of the same size: networks that go from a table straight to tags or to a rule, with no criticism.

Source: Norelli et al. (2022), arXiv 2201.10222, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from explicate.core.capabilities import Array, Masks
from explicate.data.odeen import Phenomena
from explicate.errors import InputError
from explicate.glassbox.explanatory.conjectures import ConjectureGenerator, Learns

Empiricist = Literal["conscious", "rules", "labels"]
_LEARNS: dict[Empiricist, Learns] = {"conscious": "both", "rules": "rules", "labels": "tags"}


@dataclass(frozen=True, eq=False)
class EmpiricistBaseline:
    """A network's first thought.

    Attributes
    ----------
    empiricist : "conscious" (EMP-C): the generator's own tags, and its likeliest rule; "rules" (EMP-R): trained on
        rules alone, from the table and from structures without tags; "labels": trained on tags alone, without any rule.
    network : that of the kind.
    """

    empiricist: Empiricist
    network: ConjectureGenerator

    def __post_init__(self) -> None:
        if self.empiricist not in _LEARNS:
            raise InputError(f"the empiricist {self.empiricist!r} is unknown; use one of {', '.join(_LEARNS)}")
        if self.network.learns != _LEARNS[self.empiricist]:
            raise InputError(
                f"the empiricist {self.empiricist!r} needs a network that learned {_LEARNS[self.empiricist]}, "
                f"not {self.network.learns}"
            )

    @classmethod
    def train(cls, empiricist: Empiricist, phenomena: Phenomena, *args: Any, **options: Any) -> Self:
        """Train one, or read it from the user's cache; the rest as in `ConjectureGenerator.train`."""
        if empiricist not in _LEARNS:
            raise InputError(f"the empiricist {empiricist!r} is unknown; use one of {', '.join(_LEARNS)}")
        learns = _LEARNS[empiricist]
        return cls(empiricist, ConjectureGenerator.train(phenomena, *args, learns=learns, **options))

    def rule(
        self, structures: Sequence[str] | Array, tags: Sequence[bool] | Array, others: Sequence[str] | Array = ()
    ) -> str:
        """Its likeliest rule, followed word by word; it may be malformed."""
        return self.network.conjectures(structures, tags, 1, others)[0].text

    def tags(
        self, structures: Sequence[str] | Array, tags: Sequence[bool] | Array, queries: Sequence[str] | Array
    ) -> Masks:
        """(query,): its tags of other structures."""
        return self.network.tags(structures, tags, queries)
