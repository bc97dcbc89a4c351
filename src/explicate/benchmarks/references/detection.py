"""How well scores of references tell those that exist from those that were made up.

Source: Agrawal, Suzgun, Mackey, Kalai (2024), arXiv 2305.18248, section 5. The positive class is "made up".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.kinds import Narrative
from explicate.data.language.references import Reference, unique
from explicate.errors import InputError
from explicate.evaluation.selective import Roc, SelectiveCurve, auc_bootstrap, auc_delong, fdr_curve, ranked, roc
from explicate.rationales.reference_scores import DIRECT, decide
from explicate.runtime.statistics import Interval, proportion_interval

WIDTH = 22


@dataclass(frozen=True)
class Detector:
    """One score and how well it does.

    Attributes
    ----------
    name : IQ, DQ1, ... auc : area under the ROC curve with DeLong's interval; None where it is undefined.
    bootstrap : the same with a bootstrap interval. problem : why it is undefined, "" where it is not.
    on_real, on_invented : mean score of references that exist, and of those that were made up; NaN where undefined.
    yes_rate : for direct queries the mean share of yes over all references, else None. Near 1 or 0 the model says the
        same to everything.
    """

    name: str
    auc: Interval | None
    bootstrap: Interval | None
    problem: str
    on_real: float
    on_invented: float
    yes_rate: float | None


@dataclass(frozen=True, eq=False)
class Detection:
    """All scores of the same references.

    Attributes
    ----------
    titles : (title,), those that count. invented : (title,), whether each was made up. scores : by detector, (title,).
    duplicates : how many references were left out because their title was there before.
    """

    titles: tuple[str, ...]
    invented: np.ndarray
    scores: dict[str, Floats]
    duplicates: int = 0

    @property
    def invented_share(self) -> Interval:
        """The share of references that were made up."""
        return proportion_interval(self.invented.astype(float))

    def detector(self, name: str) -> Detector:
        """One score, measured.

        Raises
        ------
        InputError : there is no such score, or no two references of each kind.
        """
        values = self._values(name)
        undefined = int((~np.isfinite(values)).sum())
        real, made_up = values[~self.invented], values[self.invented]
        yes = float(values.mean()) if name in DIRECT else None
        means = float(real.mean()), float(made_up.mean())
        if undefined:
            problem = f"undefined for {undefined} of {len(values)} references"
            return Detector(name, None, None, problem, *means, yes)
        area = auc_delong(self.invented, values)
        return Detector(name, area, auc_bootstrap(self.invented, values), "", *means, yes)

    @property
    def detectors(self) -> list[Detector]:
        """All of them."""
        return [self.detector(name) for name in self.scores]

    def less(self, one: str, other: str) -> Interval:
        """The area of one score less that of another, paired over the references."""
        return ranked(self.invented, self._values(one)).less(ranked(self.invented, self._values(other)))

    def roc(self, name: str) -> Roc:
        """The ROC curve of a score."""
        return roc(self.invented, self._values(name))

    def fdr(self, name: str, seed: int = 0) -> SelectiveCurve:
        """The share of made-up references among those kept by a score."""
        return fdr_curve(self.invented, self._values(name), seed=seed)

    def errors(self, name: str, threshold: float = 0.5) -> tuple[list[str], list[str]]:
        """Titles that exist and are said to be made up, and titles that were made up and are said to exist.

        The first are references that the model does not remember, the second those that it confabulates in the same way
        each time.
        """
        kept = decide(self._values(name), threshold)
        missed = [
            title for title, keep, bad in zip(self.titles, kept, self.invented, strict=True) if not keep and not bad
        ]
        taken = [title for title, keep, bad in zip(self.titles, kept, self.invented, strict=True) if keep and bad]
        return missed, taken

    def __str__(self) -> str:
        """A table: the area with DeLong's interval, mean scores by kind, and the yes-rate beside it."""
        lines = [
            f"{len(self.titles)} references, {self.invented_share.value:.1%} made up"
            + (f", {self.duplicates} duplicates left out" if self.duplicates else ""),
            f"{'':8}{'AUC [95 %]':<{WIDTH}}{'real':>6}{'made up':>9}{'yes':>6}",
        ]
        for one in self.detectors:
            area = str(one.auc) if one.auc is not None else one.problem
            yes = "" if one.yes_rate is None else f"{one.yes_rate:.2f}"
            lines.append(f"{one.name:<8}{area:<{WIDTH}}{one.on_real:>6.2f}{one.on_invented:>9.2f}{yes:>6}".rstrip())
        return "\n".join(lines)

    def _values(self, name: str) -> Floats:
        if name not in self.scores:
            raise InputError(f"there is no score {name!r}; there are {', '.join(self.scores)}")
        return self.scores[name]


def detection(
    references: Sequence[Reference], scores: Narrative | Mapping[str, Floats], *, keep_duplicates: bool = False
) -> Detection:
    """Hold scores against labels.

    Parameters
    ----------
    references : with labels. scores : what the checker found for them, or scores (reference,) by name.
    keep_duplicates : count a title as often as it was given; by default the first one counts, once.

    Raises
    ------
    InputError : a reference without a label, one kind only, equal titles with different labels, or other numbers of
        scores.
    """
    unlabelled = sum(one.grounded is None for one in references)
    if unlabelled:
        raise InputError(
            f"{unlabelled} of {len(references)} references have no label, so nothing can be measured; label them with "
            "an index (explicate.benchmarks.references.label) or set grounded"
        )
    if isinstance(scores, Narrative):
        names = [str(name) for name in scores["detector"].values]
        scores = dict(zip(names, scores["score"].values.T, strict=True))
    for name, values in scores.items():
        if len(values) != len(references):
            raise InputError(f"{len(values)} scores of {name} for {len(references)} references; give one each")
    places = list(range(len(references))) if keep_duplicates else unique(references)
    invented = np.array([not references[place].grounded for place in places], dtype=bool)
    if min(invented.sum(), (~invented).sum()) < 2:
        raise InputError(f"of {len(places)} references {int(invented.sum())} are made up; two of each kind are needed")
    return Detection(
        tuple(references[place].title for place in places),
        invented,
        {name: np.asarray(values, dtype=float)[places] for name, values in scores.items()},
        len(references) - len(places),
    )
