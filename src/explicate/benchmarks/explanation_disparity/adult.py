"""The Adult leg: concept shift and omitted variables on real people, with sex or race as the sensitive column.

The paper names the causes and the table; its details are not published. These are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from explicate.benchmarks.explanation_disparity.worlds import Split, World
from explicate.core.capabilities import Array
from explicate.core.features import Feature
from explicate.data.tables import adult
from explicate.errors import InputError

Sensitive = Literal["sex", "race"]
FEATURES = (
    "age",
    "education-num",
    "hours-per-week",
    "capital-gain",
    "capital-loss",
    "marital-status",
    "occupation",
    "relationship",
)
OMITTED = 5  # how many of the most predictive features are dropped in turn


class Census(NamedTuple):
    """Adult as numbers: columns `FEATURES`, labels, and each row's group."""

    inputs: Array
    features: tuple[Feature, ...]
    labels: Array
    groups: Array


class Omission(NamedTuple):
    """A feature, its mutual information with the sensitive column, and with the label, in nats."""

    feature: str
    with_sensitive: float
    with_label: float


@dataclass(frozen=True)
class AdultWorld(World):
    """Base: rows are drawn from the table without replacement, and the test rows are no training rows.

    Parameters
    ----------
    sensitive : "sex", or "race" as white or other.
    train, test : numbers of rows; the test rows have equally many of both groups.
    """

    sensitive: Sensitive = "sex"
    train: int = 4000
    test: int = 2000
    no_shift: ClassVar[float] = 0.0
    k: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if self.sensitive not in ("sex", "race"):
            raise InputError(f"sensitive is {self.sensitive!r}; use 'sex' or 'race' (others, such as age, need bins)")

    @property
    def label(self) -> str:
        return f"adult-{self.sensitive}-{self.objective}"

    def _drawn(self, census: Census, labels: Array, setup: int, dropped: str | None, rng: np.random.Generator) -> Split:
        names = sorted(set(census.groups))
        order = rng.permutation(len(labels))
        half = self.test // 2
        test = np.concatenate([order[census.groups[order] == name][:half] for name in names])
        if len(test) < 2 * half:
            raise InputError(f"{self.label}: a group has fewer than {half} rows; take fewer test rows")
        rest = order[~np.isin(order, test)]
        if len(rest) < self.train:
            raise InputError(f"{self.label}: {self.train} training rows asked, {len(rest)} are left; take fewer")
        train, test = rest[: self.train], rng.permutation(test)
        kept = [j for j, feature in enumerate(census.features) if feature.name != dropped]
        inputs, features = census.inputs[:, kept], tuple(census.features[j] for j in kept)
        if setup == 1:
            inputs = np.column_stack([inputs, (census.groups == names[1]).astype(float)])
            features = (*features, Feature(self.sensitive, "categorical", tuple(names)))
        return Split(
            inputs[train],
            labels[train],
            census.groups[train],
            inputs[test],
            labels[test],
            census.groups[test],
            features,
            reference=inputs,
            notes=("trials are samples of one finite table, so they are not quite independent",),
        )


@dataclass(frozen=True)
class AdultConceptShift(AdultWorld):
    """In the smaller group a share of the labels (the strength) follows another rule, in training and test alike.

    The other rule: positive where education-num is below its median.
    """

    objective: ClassVar[str] = "concept-shift"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)

    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        self.check_setup(setup)
        if not 0 <= strength <= 1:
            raise InputError(f"{self.label}: the share of other labels is {strength}; give 0 to 1")
        census = read_census(self.sensitive)
        names, counts = np.unique(census.groups, return_counts=True)
        education = census.inputs[:, FEATURES.index("education-num")]
        other = (rng.random(len(education)) < strength) & (census.groups == names[counts.argmin()])
        labels = np.where(other, education < np.median(education), census.labels).astype(np.int64)
        return self._drawn(census, labels, setup, None, rng)


@dataclass(frozen=True)
class AdultOmittedVariable(AdultWorld):
    """One of the five features that say most about the label is dropped.

    The strength is that feature's mutual information with the sensitive column (0: nothing is dropped); `omissions`
    says which feature a strength means.
    """

    objective: ClassVar[str] = "omitted-variable"
    strengths: ClassVar[tuple[float, ...]] = ()

    def grid(self) -> tuple[float, ...]:
        return (0.0, *(item.with_sensitive for item in omissions(self.sensitive)))

    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        self.check_setup(setup)
        known = {item.with_sensitive: item.feature for item in omissions(self.sensitive)}
        if strength != 0 and strength not in known:
            listed = ", ".join(f"{value} ({name})" for value, name in known.items())
            raise InputError(f"{self.label}: no feature has the strength {strength}; there are 0 (none), {listed}")
        census = read_census(self.sensitive)
        rng.random(len(census.labels))  # the same rows as the concept shift's trial of the same seed
        return self._drawn(census, census.labels, setup, known.get(strength), rng)


@cache
def read_census(sensitive: Sensitive) -> Census:
    """Adult with the groups of one sensitive column; race is white or other."""
    table = adult()
    groups = table.frame[sensitive].astype(str).to_numpy()
    if sensitive == "race":
        groups = np.where(groups == "White", "white", "other")
    chosen = table.columns(FEATURES)
    return Census(chosen.values(), chosen.features, table.labels, groups)


@cache
def omissions(sensitive: Sensitive) -> tuple[Omission, ...]:
    """The five features with the most information on the label, by rising information on the sensitive column.

    Numeric columns are cut into tenths of their distribution first.
    """
    from sklearn.metrics import mutual_info_score

    census = read_census(sensitive)
    found = []
    for column, feature in zip(census.inputs.T, census.features, strict=True):
        codes = column
        if feature.kind == "numeric":
            codes = np.searchsorted(np.unique(np.quantile(column, np.arange(0.1, 1.0, 0.1))), column, side="right")
        with_sensitive = round(float(mutual_info_score(census.groups, codes)), 6)
        found.append(Omission(feature.name, with_sensitive, float(mutual_info_score(census.labels, codes))))
    found = sorted(found, key=lambda item: -item.with_label)[:OMITTED]
    return tuple(sorted(found, key=lambda item: item.with_sensitive))
