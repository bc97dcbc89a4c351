"""Criticism: conjectures are confronted with the observations, and the first that survives is stated.

Source: Norelli et al. (2022), arXiv 2201.10222, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.data.odeen import is_rule
from explicate.errors import InputError
from explicate.glassbox.explanatory.beam import Conjecture

Reader = Callable[[Sequence[str], Array], Masks]
"""Rules and structures (structure, cell) to tags (rule, structure): an interpreter's `tags`, or the true meaning."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of the conjectures of one table.

    Attributes
    ----------
    conjectures : in the order of the beam. usable : (conjecture,), those inside the grammar.
    readings : (conjecture, observation), the tags that they give; False where unusable.
    contradictions : (conjecture,), observations that they get wrong; one more than there are where unusable.
    chosen : the place of the stated one; None where none survived.
    """

    conjectures: tuple[Conjecture, ...]
    usable: Masks
    readings: Masks
    contradictions: Array
    chosen: int | None

    @property
    def rule(self) -> str | None:
        """The rule that is stated."""
        return None if self.chosen is None else self.conjectures[self.chosen].text

    @property
    def distance(self) -> int | None:
        """Observations that contradict the stated rule."""
        return None if self.chosen is None else int(self.contradictions[self.chosen])


def criticise(
    read: Reader,
    conjectures: Sequence[Conjecture],
    structures: Array,
    tags: Masks,
    *,
    find_nearest: bool = True,
    well_formed: Callable[[str], bool] = is_rule,
) -> Verdict:
    """Confront conjectures with a table.

    Parameters
    ----------
    read : what a rule says of structures. structures, tags : the table, (observation, cell) and (observation,).
    find_nearest : state the conjecture with the fewest contradictions, the likeliest of several; False states the
        first without any, or none.
    well_formed : whether a text is in the grammar; one that is not can never be chosen. Says nothing of what it means.
    """
    texts = [one.text for one in conjectures]
    usable = np.array([well_formed(text) for text in texts], dtype=bool)
    readings = np.zeros((len(texts), len(structures)), dtype=bool)
    kept = [text for text, use in zip(texts, usable, strict=True) if use]
    if kept and len(structures):
        readings[usable] = read(kept, structures)
    wrong = np.where(usable, (readings != np.asarray(tags, dtype=bool)).sum(axis=1), len(structures) + 1)
    return Verdict(tuple(conjectures), usable, readings, wrong, choice(wrong, usable, find_nearest))


def choice(contradictions: Array, usable: Masks, find_nearest: bool = True) -> int | None:
    """The place of the conjecture to state, of those in the order of a beam; None where none will do."""
    if not usable.any():
        return None
    best = int(np.argmin(np.where(usable, contradictions, np.iinfo(np.int64).max)))  # the first of several
    return best if find_nearest or contradictions[best] == 0 else None


def checked_table(structures: Array, tags: Sequence[bool] | Array, allow_noise: bool) -> Masks:
    """The tags of a table as booleans.

    Raises
    ------
    InputError : (a ValueError) other numbers of structures and tags; tags that are neither true nor false; a structure
        with both tags, unless noise is allowed.
    """
    given = list(tags)
    if len(given) != len(structures):
        raise InputError(f"the table has {len(structures)} structures and {len(given)} tags; give one tag for each")
    odd = next((tag for tag in given if not isinstance(tag, bool | np.bool_) and tag not in (0, 1)), None)
    if odd is not None:
        raise InputError(f"the tag {odd!r} is neither true nor false; write True or False, or 1 or 0")
    seen: dict[tuple[int, ...], bool] = {}
    for place, (row, tag) in enumerate(zip(structures.tolist(), given, strict=True)):
        if seen.setdefault(tuple(row), bool(tag)) != bool(tag) and not allow_noise:
            raise InputError(
                f"observation {place}: the same structure has both tags, which no rule explains; correct the table, "
                "or allow_noise=True takes the nearest rule"
            )
    return np.array(given, dtype=bool)
