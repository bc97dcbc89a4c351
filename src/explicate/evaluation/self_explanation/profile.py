"""Where an explainer stands on the two axes, whether that is enough for an application, and how it moved.

Source: Agarwal, Tanneru, Lakkaraju (2024), arXiv 2402.04614, section 4, asks that the needs of each application be
characterised and gives no numbers; those here are ours, to be edited.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from explicate.errors import FileFormatError, InputError
from explicate.evaluation.agreement import rank_correlation
from explicate.evaluation.self_explanation.measured import Axis, difference
from explicate.runtime.statistics import Interval

THRESHOLDS = (0.5, 0.5)
QuadrantName = Literal[
    "faithful and plausible",
    "faithful, not plausible",
    "plausible, not faithful",
    "neither",
    "undecided",
    "not measurable",
]


@dataclass(frozen=True)
class RequirementProfile:
    """What an application asks for.

    Parameters
    ----------
    faithfulness, plausibility : least values of the two axes, 0 to 1.
    """

    application: str
    faithfulness: float
    plausibility: float

    def __post_init__(self) -> None:
        if not (0 <= self.faithfulness <= 1 and 0 <= self.plausibility <= 1):
            raise InputError(f"the profile {self.application!r} asks for values outside of 0 to 1")

    def check(self, quadrant: Quadrant) -> Verdict:
        """Whether a point meets the profile, and which axis and test hold it back."""
        asked = {"faithfulness": self.faithfulness, "plausibility": self.plausibility}
        short, unsure = [], []
        for axis in (quadrant.faithfulness, quadrant.plausibility):
            value, interval = axis.value, axis.interval()
            if value is None:
                return Verdict(self, "not measurable", axis.name, axis.reason)
            assert interval is not None
            if value < asked[axis.name]:
                short.append(axis)
            if interval.low < asked[axis.name] <= interval.high:
                unsure.append(axis)
        if not short:
            return Verdict(self, "pass", "", _list_unsure(unsure))
        worst = max(short, key=lambda axis: asked[axis.name] - (axis.value or 0.0))
        lowest = worst.lowest
        assert lowest is not None
        return Verdict(self, "fail", f"{worst.name}: {lowest.name} ({lowest.score:.2f})", _list_unsure(unsure))


def _list_unsure(axes: Sequence[Axis]) -> str:
    return f"the interval of {' and '.join(axis.name for axis in axes)} crosses what is asked for" if axes else ""


@dataclass(frozen=True)
class Verdict:
    """Of one profile.

    Attributes
    ----------
    limiting : the axis and its test that hold the point back. note : what makes the verdict unsure.
    """

    profile: RequirementProfile
    result: Literal["pass", "fail", "not measurable"]
    limiting: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the profile is met."""
        return self.result == "pass"

    def __str__(self) -> str:
        own = self.profile
        head = f"{own.application} (faithfulness >= {own.faithfulness:g}, plausibility >= {own.plausibility:g})"
        return ": ".join(part for part in (head, self.result)) + "".join(
            f"; {x}" for x in (self.limiting, self.note) if x
        )


PROFILES = (
    RequirementProfile("clinical decision", 0.8, 0.5),
    RequirementProfile("credit or hiring decision", 0.8, 0.5),
    RequirementProfile("legal drafting", 0.7, 0.7),
    RequirementProfile("tutoring", 0.5, 0.8),
    RequirementProfile("casual assistant", 0.3, 0.8),
)


def read_profiles(path: str | Path) -> tuple[RequirementProfile, ...]:
    """Profiles of your own from a TOML file: tables `[[profile]]` with application, faithfulness, plausibility."""
    try:
        rows = tomllib.loads(Path(path).read_text(encoding="utf-8"))["profile"]
        return tuple(
            RequirementProfile(str(row["application"]), float(row["faithfulness"]), float(row["plausibility"]))
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"cannot read profiles from {path}: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class Quadrant:
    """A point on the two axes.

    Attributes
    ----------
    thresholds : of faithfulness and plausibility, between the quadrants.
    """

    faithfulness: Axis
    plausibility: Axis
    thresholds: tuple[float, float] = THRESHOLDS

    @property
    def name(self) -> QuadrantName:
        """Which quadrant; "undecided" where an interval crosses its threshold."""
        sides = []
        for axis, threshold in zip((self.faithfulness, self.plausibility), self.thresholds, strict=True):
            interval = axis.interval()
            if interval is None:
                return "not measurable"
            sides.append(None if interval.low < threshold <= interval.high else interval.low >= threshold)
        if None in sides:
            return "undecided"
        names: dict[tuple[bool | None, ...], QuadrantName] = {
            (True, True): "faithful and plausible",
            (True, False): "faithful, not plausible",
            (False, True): "plausible, not faithful",
            (False, False): "neither",
        }
        return names[tuple(sides)]

    @property
    def association(self) -> tuple[float, int]:
        """Spearman's correlation of the items' own values on the axes, and over how many; NaN if one is constant."""
        one, two = self.faithfulness.per_item(), self.plausibility.per_item()
        both = np.isfinite(one) & np.isfinite(two)
        if both.sum() < 3:
            return float("nan"), int(both.sum())
        return float(rank_correlation(one[None, both], two[None, both], absolute=False)[0]), int(both.sum())

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        rho, n = self.association
        return {
            "quadrant": self.name,
            "faithfulness": self.faithfulness.to_dict(),
            "plausibility": self.plausibility.to_dict(),
            "association": {"spearman": rho if np.isfinite(rho) else None, "n": n},
            "profiles": {one.application: one.check(self).result for one in PROFILES},
        }

    def __str__(self) -> str:
        rho, n = self.association
        told = f"over {n} items, Spearman's correlation of the two is {rho:.2f}" if np.isfinite(rho) else (
            "the two cannot be correlated item by item"
        )  # fmt: skip
        scripted = " (a scripted model)" if self.faithfulness.scripted else ""
        head = f"{self.faithfulness.form} by {self.faithfulness.model}{scripted}: {self.name}; {told}"
        return "\n".join([head, str(self.faithfulness), str(self.plausibility)])


def quadrant(faithfulness: Axis, plausibility: Axis, thresholds: tuple[float, float] = THRESHOLDS) -> Quadrant:
    """The point of one explainer; both axes must be of the same explanations.

    Raises
    ------
    InputError : axes of other items or forms, or in the wrong order.
    """
    if (faithfulness.name, plausibility.name) != ("faithfulness", "plausibility"):
        raise InputError(f"give faithfulness first, then plausibility; not {faithfulness.name}, {plausibility.name}")
    if (faithfulness.items, faithfulness.form) != (plausibility.items, plausibility.form):
        raise InputError("the two axes are of other items or forms of explanation; measure the same ones")
    return Quadrant(faithfulness, plausibility, thresholds)


@dataclass(frozen=True)
class Movement:
    """How a point moved: differences of the two axes over the same items, by the tests that both measured."""

    faithfulness: Interval
    plausibility: Interval

    def __str__(self) -> str:
        return f"faithfulness moved by {self.faithfulness}, plausibility by {self.plausibility}"


def compare(before: Quadrant, after: Quadrant) -> Movement:
    """The movement on both axes after a change: other examples in the prompt, fine-tuning, refinement (SR-NLE)."""
    return Movement(
        difference(after.faithfulness, before.faithfulness), difference(after.plausibility, before.plausibility)
    )
