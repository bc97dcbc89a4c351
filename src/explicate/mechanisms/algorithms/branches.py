"""Programs with branches: each hypothesis speaks for the inputs on one side of bounds on what can be measured on them.

Branches are added one at a time, each where it lets most probes agree; how many there are is settled by
cross-validation on the probes, so a branch that only fits its own probes is not taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Floats, Masks
from explicate.runtime.seeds import generator

Measured = Mapping[str, float]
"""What was measured on an input, by name."""


@dataclass(frozen=True)
class Condition:
    """A measure on one side of a bound: at most that, or with `above` more."""

    measure: str
    bound: float
    above: bool

    def __call__(self, measured: Measured) -> bool:
        return (measured[self.measure] > self.bound) == self.above

    def __str__(self) -> str:
        return f"{self.measure} {'>' if self.above else '<='} {self.bound:g}"


@dataclass(frozen=True)
class Branch:
    """Where all conditions hold, the hypothesis of a number speaks."""

    conditions: tuple[Condition, ...]
    number: int

    def holds(self, measured: Measured) -> bool:
        """Whether it speaks for an input."""
        return all(condition(measured) for condition in self.conditions)


Branches = tuple[Branch, ...]
"""Of which exactly one holds for each input."""


@dataclass(frozen=True)
class Grown:
    """Branches, and what they came to.

    Attributes
    ----------
    validated : share of the probes on which the model agreed with branches that were grown without them.
    """

    branches: Branches
    validated: float


def grown(
    same: Masks, measured: Sequence[Measured], *, most: int = 8, least: int = 5, folds: int = 5, seed: int = 0
) -> Grown:
    """Branches whose number is chosen by cross-validation; the fewest of those that agree as often.

    Parameters
    ----------
    same : (hypothesis, probe), whether it writes what the model does. measured : (probe,).
    most : branches. least : probes of each. folds : of the cross-validation, fewer where there are fewer probes.
    """
    count = same.shape[1]
    part = generator(seed, "folds").permutation(count) % max(min(folds, count), 2)
    agreed = np.zeros(most)
    for fold in np.unique(part):
        inside, outside = np.flatnonzero(part != fold), np.flatnonzero(part == fold)
        if not len(inside):
            continue
        programs = _programs(same[:, inside], [measured[i] for i in inside.tolist()], most, least)
        for size in range(most):
            program = programs[min(size, len(programs) - 1)]
            agreed[size] += same[numbers_of(program, [measured[i] for i in outside.tolist()]), outside].sum()
    programs = _programs(same, measured, most, least)
    size = int(agreed.argmax())
    return Grown(programs[min(size, len(programs) - 1)], float(agreed[size] / count))


def numbers_of(branches: Branches, measured: Sequence[Measured]) -> list[int]:
    """Which hypothesis speaks for each input."""
    return [next(one.number for one in branches if one.holds(own)) for own in measured]


def _programs(same: Masks, measured: Sequence[Measured], most: int, least: int) -> list[Branches]:
    """With one branch, with two and so on, as long as another one lets more probes agree."""
    names = list(measured[0])
    values = {name: np.array([one[name] for one in measured]) for name in names}
    cuts = [(name, float(bound)) for name in names for bound in np.unique(values[name])[:-1]]
    below = np.array([values[name] <= bound for name, bound in cuts], dtype=bool).reshape(len(cuts), len(measured))
    agree = same.astype(np.float64)
    everywhere = np.ones(len(measured), dtype=bool)
    leaves = [(everywhere, Branch((), int(agree.sum(axis=1).argmax())))]
    found: list[Branches] = [tuple(branch for _, branch in leaves)]
    while len(leaves) < most and cuts:
        gains = [_gains(agree, below, own, least) for own, _ in leaves]
        place = int(np.argmax([one.max() for one in gains]))
        cut = int(gains[place].argmax())
        if gains[place][cut] <= 0:
            break
        own, branch = leaves[place]
        sides = [(own & (below[cut] != above), above) for above in (False, True)]
        leaves[place : place + 1] = [
            (side, Branch((*branch.conditions, Condition(*cuts[cut], above)), int(agree[:, side].sum(axis=1).argmax())))
            for side, above in sides
        ]
        found.append(tuple(branch for _, branch in leaves))
    return found


def _gains(agree: Floats, below: Masks, own: Masks, least: int) -> Floats:
    """By how many probes more each cut (cut,) of a branch's probes lets agree; -1 where a side has too few."""
    inside = (below & own).astype(np.float64)
    whole = agree[:, own].sum(axis=1)
    left = agree @ inside.T
    gains: Floats = left.max(axis=0) + (whole[:, None] - left).max(axis=0) - whole.max()
    counts = inside.sum(axis=1)
    gains[(counts < least) | (own.sum() - counts < least)] = -1.0
    return gains
