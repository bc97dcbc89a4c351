"""Probe sweeps: the same probe at every layer, component and position, with splits, controls and intervals.

What a probe reads is there; that the model uses it is another question, which interventions answer (`sweep`,
`AlignmentSearch`). A score says little without what the same probe reaches on labels that mean nothing (Hewitt, Liang,
2019), on a model that learned nothing (Zhang, Bowman, 2018, "Language Modeling Teaches You More Syntax than Translation
Does"), and by always giving the same answer; all three stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.kinds import Profile
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.mechanisms.probing.linear import LinearProbe
from explicate.mechanisms.probing.measures import CLASS_MEASURES, VALUE_MEASURES, class_scores, value_scores
from explicate.mechanisms.probing.probe import Probe, Problem
from explicate.mechanisms.probing.shards import Shards
from explicate.mechanisms.probing.sources import Place, Source, places, sites_of
from explicate.mechanisms.probing.splits import check_split, control_labels, group_numbers, training_rows
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import derive_seed
from explicate.runtime.statistics import bootstrap_interval

DRAWS = 20


@dataclass(frozen=True)
class ProbeSweep(Parameterised):
    """Fit a probe at each site, on several splits, and score it on held-out rows.

    Parameters
    ----------
    probe : what is fitted.
    repeats : splits, each with its own seed.
    test_share : share of the rows that a split holds out.
    control : "shuffled": beside each probe one of control labels, on the same rows; "none".
    intervals : whether held-out rows are resampled for intervals.
    """

    name: ClassVar[str] = "probe-sweep"

    probe: Probe = field(default_factory=LinearProbe)
    repeats: int = 5
    test_share: float = 0.4
    control: Literal["shuffled", "none"] = "shuffled"
    intervals: bool = True

    def run(
        self,
        activations: Source,
        labels: Any,
        *,
        groups: Sequence[Any] | Array | None = None,
        kinds: Sequence[Any] | Array | None = None,
        train: Array | None = None,
        untrained: Source | None = None,
        seed: int = 0,
        layers: int | None = None,
    ) -> Profile:
        """Run the sweep.

        Parameters
        ----------
        activations : see `Source`; one site is in memory at a time where they are shards.
        labels : (sample,), class numbers from 0, or for a probe that reads values, numbers.
        groups : (sample,), rows that must be on the same side of a split (one subject, question, program).
        kinds : (sample,), what control labels are drawn by; None: labels change places at random.
        train : bool (repeat, sample) or (sample,), splits of one's own, in place of random ones.
        untrained : the same sites of a model that learned nothing, as a baseline.
        seed : of the splits and control labels.
        layers : of the model; None: as the shards say, or the largest layer given.

        Returns
        -------
        Profile : `score`, `standard_error`, `low`, `high`, `control` and `untrained`; see there.
        """
        with measure() as cost:
            sites = sites_of(activations)
            if not sites:
                raise InputError("no activations given")
            answers, classes = self._answers(labels)
            numbers = group_numbers(groups, len(answers))
            splits = self._splits(answers, numbers, train, classes, seed)
            tasks = _Tasks(self, answers, numbers, splits, classes, kinds, seed)
            found = {place: tasks.scores(place, values) for place, values in places(activations, sites, "probing")}
            bare = None
            if untrained is not None:
                plain = tasks.without_control()
                bare = {place: plain.scores(place, values) for place, values in places(untrained, sites, "untrained")}
        data = _dataset(found, bare, CLASS_MEASURES if classes else VALUE_MEASURES)
        own = activations.facts["layers"] if isinstance(activations, Shards) else layers
        chance = float(np.mean([_constant(answers, rows, classes) for rows in splits]))
        depth = int(own or data["layer"].values.max() + 1)
        data.attrs.update(chance=chance, classes=classes, samples=len(answers), repeats=len(splits), layers=depth)
        return Profile(data, self._provenance(activations, answers, seed, cost))

    def _answers(self, labels: Any) -> tuple[Array, int]:
        answers = np.asarray(labels)
        if answers.ndim != 1:
            raise InputError(f"one label for each sample is needed, not labels of shape {answers.shape}")
        if self.probe.reads_values:
            if answers.dtype.kind not in "biuf" or not np.isfinite(answers).all():
                raise InputError(f"{self.probe.name} reads values: give finite numbers as labels")
            return answers.astype(float), 0
        if answers.dtype.kind not in "biu" or answers.min(initial=0) < 0:
            raise InputError(
                "labels are class numbers from 0; number names with numpy.unique(..., return_inverse=True)"
            )
        answers = answers.astype(np.int64)
        classes = int(answers.max(initial=0)) + 1
        if classes < 2:
            raise InputError("all labels are 0; a probe needs at least two classes")
        return answers, classes

    def _splits(self, answers: Array, groups: Array, train: Array | None, classes: int, seed: int) -> Array:
        if train is None:
            return training_rows(answers, groups, self.repeats, self.test_share, classes, seed)
        given = np.atleast_2d(np.asarray(train, dtype=bool))
        if given.shape[1] != len(answers):
            raise InputError(f"train of shape {np.shape(train)} for {len(answers)} samples; give (repeat, sample)")
        for rows in given:
            check_split(answers, rows, classes)
        return given

    def _provenance(self, activations: Source, answers: Array, seed: int, cost: Any) -> Provenance:
        facts = activations.facts if isinstance(activations, Shards) else {}
        return Provenance(
            method=self.name,
            parameters=self.parameters(),
            model=facts.get("model", "given activations"),
            model_source=facts.get("model_source"),
            model_fingerprint=facts.get("model_fingerprint", ""),
            inputs_fingerprint=digest(facts.get("inputs_fingerprint"), answers),
            seed=seed,
            **cost.spent(),
        )


def layer_profile(
    activations: Source,
    labels: Any,
    *,
    probe: Probe = LinearProbe(),
    repeats: int = 5,
    test_share: float = 0.4,
    control: Literal["shuffled", "none"] = "shuffled",
    intervals: bool = True,
    groups: Sequence[Any] | Array | None = None,
    kinds: Sequence[Any] | Array | None = None,
    train: Array | None = None,
    untrained: Source | None = None,
    seed: int = 0,
) -> Profile:
    """How well labels can be read off each site: `layer_profile(capture_shards(...), labels).plot()`.

    See `ProbeSweep` for the parameters.
    """
    sweep = ProbeSweep(probe, repeats, test_share, control, intervals)
    return sweep.run(activations, labels, groups=groups, kinds=kinds, train=train, untrained=untrained, seed=seed)


@dataclass(frozen=True)
class _Result:
    """Scores at one place: means, standard errors (measure,), the control's means, and the interval's ends."""

    score: Floats
    error: Floats
    control: Floats | None
    ends: tuple[float, float] | None


class _Tasks:
    """The problems that are the same at every place: each split with its labels and with control labels."""

    def __init__(
        self, sweep: ProbeSweep, answers: Array, groups: Array, splits: Array, classes: int, kinds: Any, seed: int
    ) -> None:
        self.sweep, self.answers, self.groups, self.splits, self.classes = sweep, answers, groups, splits, classes
        self.seed = seed
        self.problems = [Problem(answers, rows, groups) for rows in splits]
        if sweep.control == "shuffled":
            for repeat, rows in enumerate(splits):
                self.problems.append(Problem(_control(answers, rows, kinds, derive_seed(seed, repeat)), rows, groups))
        elif sweep.control != "none":
            raise InputError(f"control {sweep.control!r} is unknown; use 'shuffled' or 'none'")

    def without_control(self) -> _Tasks:
        """The same splits, with the true labels only."""
        own = ProbeSweep(self.sweep.probe, self.sweep.repeats, self.sweep.test_share, "none", intervals=False)
        return _Tasks(own, self.answers, self.groups, self.splits, self.classes, None, self.seed)

    def scores(self, place: Place, features: Floats) -> _Result:
        if features.ndim != 2 or len(features) != len(self.answers):
            raise InputError(f"{place}: activations of shape {features.shape} for {len(self.answers)} labels")
        outputs = self.sweep.probe.outputs(features, self.problems, self.classes, self.seed)
        score: Callable[..., Any] = class_scores if self.classes else value_scores
        each = np.array(
            [score(out[~p.train], p.labels[~p.train]) for out, p in zip(outputs, self.problems, strict=True)]
        )
        count = len(self.splits)
        own, control = each[:count], each[count:]
        error = own.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(own.shape[1])
        ends = self._ends(outputs[:count]) if self.sweep.intervals else None
        return _Result(own.mean(axis=0), error, control.mean(axis=0) if len(control) else None, ends)

    def _ends(self, outputs: Floats) -> tuple[float, float]:
        """Interval of the first measure: each sample's mean over the splits that held it out, groups resampled."""
        held = ~self.splits
        if self.classes:
            right = outputs.argmax(axis=-1) == self.answers
        else:
            spread = np.array([np.var(self.answers[rows]) for rows in held])
            right = 1 - (outputs - self.answers) ** 2 / np.maximum(spread, 1e-300)[:, None]
        times = held.sum(axis=0)
        seen = times > 0
        values = (right * held).sum(axis=0)[seen] / times[seen]
        found = bootstrap_interval(values, clusters=self.groups[seen].tolist(), seed=self.seed)
        return found.low, found.high


def _control(answers: Array, train: Array, kinds: Any, seed: int) -> Array:
    """Control labels that are not all alike where they are learned from."""
    for attempt in range(DRAWS):
        found = control_labels(answers, kinds, derive_seed(seed, attempt))
        if len(np.unique(found[train])) > 1:
            return found
    raise InputError("control labels come out all alike; give more kinds, or more samples of each class")


def _constant(answers: Array, train: Array, classes: int) -> float:
    """What always saying the training rows' most frequent class scores; 0 (R²) for values."""
    if not classes:
        return 0.0
    return float(np.mean(answers[~train] == np.bincount(answers[train]).argmax()))


def _dataset(
    found: Mapping[Place, _Result], bare: Mapping[Place, _Result] | None, measures: Sequence[str]
) -> xr.Dataset:
    results = list(found.values())
    grid = ("measure", "site")
    variables: dict[str, Any] = {
        "score": (grid, np.stack([result.score for result in results], axis=1)),
        "standard_error": (grid, np.stack([result.error for result in results], axis=1)),
    }
    ends = [result.ends for result in results if result.ends is not None]
    if ends:
        low, high = zip(*ends, strict=True)
        variables |= {"low": (("site",), list(low)), "high": (("site",), list(high))}
    controls = [result.control for result in results if result.control is not None]
    if controls:
        variables["control"] = (grid, np.stack(controls, axis=1))
    if bare is not None:
        variables["untrained"] = (grid, np.stack([bare[place].score for place in found], axis=1))
    coordinates = {
        "site": [str(place) for place in found],
        "measure": list(measures),
        "layer": (("site",), [place.layer for place in found]),
        "part": (("site",), np.array([place.part for place in found], dtype=object)),
        "position": (("site",), np.array([place.position for place in found], dtype=object)),
    }
    return xr.Dataset(variables, coords=coordinates)
