"""Probes that tell correct answers, errors despite knowledge, and ignorance apart from hidden states.

Source: Simhi et al. (2024), arXiv 2410.22071, sections 4 and 5. What differs from the published scripts: splits are by
question, and also by the examples shown, where they were cut into folds; a place is chosen on training rows; and beside
each score stands what the same probe makes of shuffled labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.benchmarks.wack.dataset import PROBED, Label, WackDataset
from explicate.benchmarks.wack.generic import GenericSet
from explicate.benchmarks.wack.settings import Setting
from explicate.benchmarks.wack.states import COMPONENTS, Place, States, hidden_states, joined
from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.mechanisms.probing import LinearProbe, Problem, Readout
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import pandas as pd

When = Literal["post", "pre"]
FEWEST = 20
SVM = LinearProbe(reader="svm", penalty=1.0, standardise=False)
"""The paper's probe: a linear support vector machine with squared hinge and C = 1, on vectors of length one."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled states.

    Attributes
    ----------
    states : at the last token of each text. labels : (text,). questions : (text,), what must stay on one side of a
        split. folds : (text,), which examples were shown before the question.
    name : how tables call them.
    """

    states: States
    labels: Array
    questions: Array
    folds: Array
    name: str = ""

    def with_states(self, states: States) -> Examples:
        """The same texts with other states."""
        return replace(self, states=states)

    def rows(self, rows: Array) -> Examples:
        """Some of the texts."""
        return Examples(self.states.rows(rows), self.labels[rows], self.questions[rows], self.folds[rows], self.name)

    def counts(self) -> dict[str, int]:
        """How many texts each label has."""
        names, counts = np.unique(self.labels, return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


def specific_examples(
    model: Any,
    dataset: WackDataset,
    when: When = "post",
    *,
    labels: Sequence[Label] = PROBED,
    components: Sequence[str] = COMPONENTS[:3],
    layers: Sequence[int] | None = None,
) -> Examples:
    """States of a model on its own labelled questions, after its own answer or ("pre") before any."""
    if when not in ("post", "pre"):
        raise InputError(f"when is {when!r}; use 'post' (after the answer) or 'pre'")
    records = dataset.of(*labels)
    texts = [record.answered if when == "post" else record.prompt for record in records]
    if not texts:
        raise InputError(f"no record has one of the labels {', '.join(labels)}: {dataset}")
    return Examples(
        hidden_states(model, texts, components, layers),
        np.array([record.label for record in records]),
        np.array([record.item.question for record in records]),
        np.array([record.fold for record in records]),
        f"{when}-answer specific ({dataset.setting})",
    )


def generic_examples(
    model: Any,
    generic: GenericSet,
    setting: Setting,
    *,
    components: Sequence[str] = COMPONENTS[:3],
    layers: Sequence[int] | None = None,
) -> Examples:
    """States of a model on right and wrong answers of the generic set, labelled correct and HK+ (an error)."""
    right, wrong, questions = generic.texts(setting, model)
    shots = getattr(setting, "shots", None)
    folds = [0 if shots is None else shots.fold(pair.item) for pair in generic.pairs]
    return Examples(
        hidden_states(model, [*right, *wrong], components, layers),
        np.repeat(["correct", "HK+"], len(right)),
        np.array([*questions, *questions]),
        np.array([*folds, *folds]),
        "post-answer generic",
    )


@dataclass(frozen=True)
class ProbePlan:
    """How probes are trained and tested.

    Parameters
    ----------
    per_label : texts of each label; with fewer of one, all labels get as many as it has.
    test_share : of the questions, held out; with split "folds" it is one fold, with the examples shown there.
    split : "questions", or "folds" (the data set's examples must be cut into folds).
    seeds : one split, and one drawing of texts, each.
    probe : what is fitted.
    parts : of the training questions, for choosing a place by cross-validation.
    controls : shufflings of the training labels, whose mean accuracy is the control.
    fewest : texts of each label, below which no probe is fitted.
    """

    per_label: int = 1000
    test_share: float = 0.3
    split: Literal["questions", "folds"] = "questions"
    seeds: tuple[int, ...] = (0, 1, 2)
    probe: LinearProbe = field(default_factory=lambda: SVM)
    parts: int = 3
    controls: int = 5
    fewest: int = FEWEST

    def __post_init__(self) -> None:
        if self.split not in ("questions", "folds"):
            raise InputError(f"split is {self.split!r}; use 'questions' or 'folds'")
        if not 0 < self.test_share < 1:
            raise InputError(f"test_share is {self.test_share}; give a share between 0 and 1")
        if not self.seeds or self.controls < 1 or self.parts < 2 or self.per_label < 2:
            raise InputError("a plan needs a seed, a control, 2 parts for choosing a place, and 2 texts of each label")


@dataclass(frozen=True, eq=False)
class StateProbe:
    """A fitted probe at one place.

    Attributes
    ----------
    labels : in the order of the classes.
    """

    place: Place
    labels: tuple[str, ...]
    readout: Readout

    @classmethod
    def fit(cls, examples: Examples, place: Place, labels: Sequence[Label] = PROBED, probe: LinearProbe = SVM,
            fewest: int = FEWEST) -> StateProbe:  # fmt: skip
        """Fit on all texts with one of the labels; fewer than `fewest` of one is an `InputError` with the counts."""
        _enough(examples, labels, fewest)
        rows = np.isin(examples.labels, labels)
        codes = _codes(examples.labels[rows], labels)
        readout = probe.fit(examples.states[place][rows], codes, examples.questions[rows])
        return cls(place, tuple(labels), readout)

    def predict(self, states: States) -> Array:
        """A label for each text."""
        return np.array(self.labels)[self.readout.predict(states[self.place])]


def detect(
    test: Examples,
    train: Mapping[str, Examples] | None = None,
    *,
    labels: Sequence[Label] = PROBED,
    plan: ProbePlan = ProbePlan(),
    places: Sequence[Place] | None = None,
) -> pd.DataFrame:
    """Train probes on each of `train` and test them on the same held-out texts of `test`.

    No question, and with split "folds" no shown example, is on both sides. Texts are drawn so that all labels have
    equally many, on either side.

    Parameters
    ----------
    train : examples by name; by default `test` itself, on its other questions.
    labels : what is told apart; two or three.
    places : those with states by default.

    Returns
    -------
    A row for each of `train`, place and seed: accuracy, weighted_f1, control (accuracy with training labels shuffled),
    validation (accuracy in cross-validation on the training texts, for choosing a place), chance, majority (share of
    the largest class among the tested), n_train, n_test, and for three labels `pair <a> <b>`, the accuracy between two
    as the paper reads it off the confusions (1 - confusions of the two / texts of the two: chance is 2/3), and
    `strict <a> <b>`, which counts a third answer as wrong.

    Raises
    ------
    InputError : fewer than `plan.fewest` texts of a label; the counts are named.
    """
    import pandas as pd

    sources = dict(train or {test.name or "specific": test})
    for examples in (test, *sources.values()):
        _enough(examples, labels, plan.fewest)
    rows: list[dict[str, Any]] = []
    for name, source in sources.items():
        pool, tested = _pool(source, test)
        splits = [_split(pool, tested, labels, plan, seed) for seed in plan.seeds]
        codes = _codes(pool.labels, labels)
        for place in places or list(pool.states):
            features = pool.states[place]
            for seed, split in zip(plan.seeds, splits, strict=True):
                found = split.scores(features, codes, plan, labels)
                about = {"train": name, "component": place.component, "layer": place.layer, "head": place.head}
                rows.append({**about, "seed": seed, **found})
    return pd.DataFrame(rows)


def held_out(examples: Examples, labels: Sequence[Label], plan: ProbePlan, seed: int) -> tuple[Array, Array]:
    """The training and the tested texts of one seed, as `detect` takes them: bool (text,) each."""
    split = _split(examples, np.ones(len(examples.labels), dtype=bool), labels, plan, seed)
    return split.train, split.test


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    """The row of each training source and seed whose place was best in cross-validation, the earliest of equals."""
    best = table.groupby(["train", "seed"], sort=False)["validation"].idxmax()
    return table.loc[best].reset_index(drop=True)


def summed_up(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds, for each training source and place."""
    about = ["train", "component", "layer", "head"]
    scores = table.groupby(about, sort=False, dropna=False)[["accuracy", "weighted_f1", "control"]]
    found = scores.agg(["mean", "std"])
    found.columns = [f"{name} {what}" for name, what in found.columns]
    return found.reset_index()


# -- splits --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Split:
    """Rows of one split: learned from, and tested."""

    train: Array
    test: Array
    groups: Array
    seed: int

    def scores(
        self, features: Floats, codes: Array, plan: ProbePlan, labels: Sequence[Label]
    ) -> dict[str, float | int]:
        from explicate.mechanisms.probing import folds

        own = folds(self.train, self.groups, plan.parts, self.seed)
        at = np.flatnonzero(self.train | self.test)
        where = np.flatnonzero(self.train)
        problems = [Problem(codes[at], self.train[at])]
        problems += [Problem(codes[at], (self.train & ~held)[at]) for held in own]
        for number in range(plan.controls):
            shuffled = codes.copy()
            shuffled[where] = generator(self.seed, "shuffled", number).permutation(codes[where])
            problems.append(Problem(shuffled[at], self.train[at]))
        fitted = plan.probe.readouts(features[at], problems, len(labels), self.seed)
        truth = codes[self.test]
        guess, inner, controls = (
            fitted[0].predict(features[self.test]),
            fitted[1 : 1 + len(own)],
            fitted[1 + len(own) :],
        )
        control = [np.mean(each.predict(features[self.test]) == truth) for each in controls]
        validation = [
            np.mean(each.predict(features[held]) == codes[held]) for each, held in zip(inner, own, strict=True)
        ]
        counts = np.bincount(truth, minlength=len(labels))
        found: dict[str, float | int] = {
            "accuracy": float(np.mean(guess == truth)),
            "weighted_f1": _weighted_f1(guess, truth, len(labels)),
            "control": float(np.mean(control)),
            "validation": float(np.mean(validation)),
            "chance": 1 / len(labels),
            "majority": float(counts.max() / counts.sum()),
            "n_train": int(self.train.sum()),
            "n_test": int(self.test.sum()),
        }
        if len(labels) > 2:
            found |= _pairs(guess, truth, labels)
        return found


def _pool(source: Examples, test: Examples) -> tuple[Examples, Array]:
    """All texts in one, and which of them may be tested."""
    if source is test:
        return test, np.ones(len(test.labels), dtype=bool)
    pool = Examples(
        joined(source.states, test.states),
        np.concatenate([source.labels, test.labels]),
        np.concatenate([source.questions, test.questions]),
        np.concatenate([source.folds, test.folds]),
    )
    return pool, np.arange(len(pool.labels)) >= len(source.labels)


def _split(pool: Examples, tested: Array, labels: Sequence[Label], plan: ProbePlan, seed: int) -> _Split:
    """Held-out questions (or a fold), then equally many texts of each label on either side."""
    wanted = np.isin(pool.labels, labels)
    rng = generator(seed, "held out")
    if plan.split == "folds":
        names = np.unique(pool.folds)
        if len(names) < 2:
            raise InputError(
                "all questions were shown the same examples; label with Shots(folds=3), or split questions"
            )
        held = pool.folds == names[seed % len(names)]
    else:
        questions = np.unique(pool.questions[tested & wanted])
        count = max(1, round(plan.test_share * len(questions)))
        held = np.isin(pool.questions, rng.permutation(questions)[:count])
    own = bool(tested.all())
    ask = wanted & held & tested
    learn = wanted & ~held & (tested if own else ~tested) & ~np.isin(pool.questions, pool.questions[ask])
    most_train = round(plan.per_label * (1 - plan.test_share))
    train = _balanced(pool.labels, learn, labels, most_train, derive_seed(seed, "train"))
    test = _balanced(pool.labels, ask, labels, plan.per_label - most_train, derive_seed(seed, "test"))
    return _Split(train, test, pool.questions, seed)


def _balanced(given: Array, rows: Array, labels: Sequence[Label], most: int, seed: int) -> Array:
    counts = {label: int((rows & (given == label)).sum()) for label in labels}
    each = min(most, *counts.values())
    if each < 1:
        raise InputError(f"a side of the split has no text of some label ({counts}); give more questions")
    found = np.zeros(len(given), dtype=bool)
    for label in labels:
        own = np.flatnonzero(rows & (given == label))
        found[generator(seed, label).permutation(own)[:each]] = True
    return found


def _enough(examples: Examples, labels: Sequence[Label], fewest: int) -> None:
    if len(labels) < 2:
        raise InputError("a probe tells at least two labels apart")
    counts = {label: int((examples.labels == label).sum()) for label in labels}
    if min(counts.values()) < fewest:
        shown = ", ".join(f"{count} {label}" for label, count in counts.items())
        raise InputError(f"too few texts for a probe of {examples.name or 'these examples'}: {shown}; it needs "
                         f"{fewest} of each, so label more questions")  # fmt: skip


def _codes(given: Array, labels: Sequence[Label]) -> Array:
    found = np.zeros(len(given), dtype=np.int64)
    for code, label in enumerate(labels):
        found[given == label] = code
    return found


# -- scores --------------------------------------------------------------------------------------------------------


def _weighted_f1(guess: Array, truth: Array, classes: int) -> float:
    from explicate.mechanisms.probing import f1_score

    shares = np.bincount(truth, minlength=classes) / len(truth)
    return float(sum(shares[c] * f1_score(guess == c, truth == c) for c in range(classes)))


def _pairs(guess: Array, truth: Array, labels: Sequence[Label]) -> dict[str, float]:
    found = {}
    for (a, one), (b, other) in combinations(enumerate(labels), 2):
        rows = (truth == a) | (truth == b)
        confused = ((truth == a) & (guess == b)) | ((truth == b) & (guess == a))
        found[f"pair {one} {other}"] = float(1 - confused.sum() / rows.sum())
        found[f"strict {one} {other}"] = float(np.mean(guess[rows] == truth[rows]))
    return found
