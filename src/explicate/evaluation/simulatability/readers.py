"""Simulated readers: programs that obey fixed rules and are given the texts that people would see, and nothing else.

They bound what the texts afford, not what people do with them; every answer of theirs is marked as simulated.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.core.method import Parameterised
from explicate.errors import InputError
from explicate.evaluation.simulatability import layout
from explicate.evaluation.simulatability.answers import SIMULATED, Answer
from explicate.evaluation.simulatability.study import Shown, SimulationStudy
from explicate.runtime.seeds import generator


@dataclass(frozen=True)
class SimulatedReader(Parameterised):
    """Base of simulated readers. Both methods see whole phases, as a person has the whole page or file."""

    name: ClassVar[str] = "simulated-reader"

    @abstractmethod
    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """A class for each page, after some cases with the model's answers (and explanations, in the second round)."""

    @abstractmethod
    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """A class for the changed case of each page."""


@dataclass(frozen=True)
class NoExplanationReader(SimulatedReader):
    """Forward: naive Bayes on the cases learned. Counterfactual: the model's answer does not change."""

    name: ClassVar[str] = "no-explanation"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        known = [(layout.read_case(page.context), classes.index(str(page.model))) for page in learned]
        return [classes[_naive_bayes(known, layout.read_case(page.context))] for page in pages]

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        return [str(page.model) for page in pages]


@dataclass(frozen=True)
class EditCountReader(NoExplanationReader):
    """A check of the batch, not of explanations: the answer changes where more than `most` features are edited."""

    most: int = 1
    name: ClassVar[str] = "edit-count"

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        return [
            _other(str(page.model), classes) if len(_edits(page)) > self.most else str(page.model) for page in pages
        ]


@dataclass(frozen=True)
class LimeReader(SimulatedReader):
    """Adds up weights. Counterfactual: total evidence less the weights of listed features that are edited.

    The answer is the second class where the rest is above 0.5, and the model's own where no listed feature is edited.
    Forward: weights of each "feature = value" are averaged over the cases learned.
    """

    name: ClassVar[str] = "lime"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        texts = [layout.read_lime(_explanation(page)) for page in learned]
        sums: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for page, text in zip(learned, texts, strict=True):
            case = layout.read_case(page.context)
            for key, weight in text.weights.items():
                sums[case.fact(*key)].append(weight)
        baseline = float(np.mean([text.baseline for text in texts]))
        found = []
        for page in pages:
            facts = layout.read_case(page.context).facts
            total = sum(float(np.mean(sums[key])) for key in sorted(facts) if key in sums)
            found.append(classes[int(baseline + total > 0.5)])
        return found

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        found = []
        for page in pages:
            text = layout.read_lime(_explanation(page))
            touched = [
                text.weights[edit.feature, edit.old]
                for edit in _edits(page)
                if (edit.feature, edit.old) in text.weights
            ]
            found.append(classes[int(text.total - sum(touched) > 0.5)] if touched else str(page.model))
        return found


@dataclass(frozen=True)
class AnchorReader(SimulatedReader):
    """Counterfactual: the answer changes where an edit breaks a listed condition.

    Forward: the class of the learned conditions that the case meets (the longest list counts), else naive Bayes.
    """

    name: ClassVar[str] = "anchor"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        rules = []
        for page in learned:
            case = layout.read_case(page.context)
            conditions = layout.read_anchor(_explanation(page)).items()
            rules.append((frozenset(case.fact(*one) for one in conditions), str(page.model)))
        guesses = NoExplanationReader().forward(learned, pages, classes)
        found = []
        for page, guess in zip(pages, guesses, strict=True):
            facts = layout.read_case(page.context).facts
            met = [(len(rule), label) for rule, label in rules if rule and rule <= facts]
            longest = [label for size, label in met if size == max(met)[0]]
            found.append(Counter(longest).most_common(1)[0][0] if longest else guess)
        return found

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        found = []
        for page in pages:
            conditions = layout.read_anchor(_explanation(page))
            broken = any(conditions.get(edit.feature) == edit.old for edit in _edits(page))
            found.append(_other(str(page.model), classes) if broken else str(page.model))
        return found


@dataclass(frozen=True)
class BoundaryReader(SimulatedReader):
    """Counterfactual: the answer changes where the edits hold one of the last step's.

    Forward: values that were given up on the way across speak for a case's class, values taken for the other one.
    """

    name: ClassVar[str] = "decision-boundary"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        votes: Counter[tuple[str, str]] = Counter()
        for page in learned:
            sign, case = 1 if page.model == classes[1] else -1, layout.read_case(page.context)
            for step in layout.read_boundary(_explanation(page)):
                votes[case.fact(step.feature, step.old)] += sign
                votes[case.fact(step.feature, step.new)] -= sign
        guesses = NoExplanationReader().forward(learned, pages, classes)
        found = []
        for page, guess in zip(pages, guesses, strict=True):
            total = sum(votes[key] for key in layout.read_case(page.context).facts)
            found.append(classes[int(total > 0)] if total else guess)
        return found

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        found = []
        for page in pages:
            last = layout.read_boundary(_explanation(page))[-1:]
            crossed = any(edit in last for edit in _edits(page))
            found.append(_other(str(page.model), classes) if crossed else str(page.model))
        return found


@dataclass(frozen=True)
class PrototypeReader(SimulatedReader):
    """The class of the known case that shares more values with the case, counted by listed importance.

    Known cases are those that the explanations of the phase (forward: of the cases learned) show. An important feature
    counts by its weight, any other by `unlisted`.
    """

    unlisted: float = 0.02
    name: ClassVar[str] = "prototype"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        known = [layout.read_prototype(_explanation(page)) for page in learned]
        weights: defaultdict[str, float] = defaultdict(float)
        for one in known:
            for subject, weight in self._weights(one).items():
                weights[subject] += weight / len(known)
        return [self._nearest(layout.read_case(page.context), known, weights) for page in pages]

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        known = [layout.read_prototype(_explanation(page)) for page in pages]
        return [
            self._nearest(layout.read_case(page.context).changed(_edits(page)), known, self._weights(own))
            for page, own in zip(pages, known, strict=True)
        ]

    def _weights(self, one: layout.PrototypeCase) -> dict[str, float]:
        return {one.known.subject(*key): abs(weight) for key, weight in one.important.items()}

    def _nearest(self, case: layout.Case, known: Sequence[layout.PrototypeCase], weights: Mapping[str, float]) -> str:
        shared = [
            sum(weights.get(case.subject(*fact), 0.0) + self.unlisted for fact in sorted(case.facts & one.known.facts))
            for one in known
        ]
        return known[int(np.argmax(shared))].label


@dataclass(frozen=True)
class OmissionReader(NoExplanationReader):
    """Counterfactual: the answer changes where the most important feature is edited. Forward: naive Bayes."""

    name: ClassVar[str] = "omission"

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        found = []
        for page in pages:
            first = layout.read_important(_explanation(page))[:1]
            hit = any(edit.feature in first for edit in _edits(page))
            found.append(_other(str(page.model), classes) if hit else str(page.model))
        return found


@dataclass(frozen=True)
class CompositeReader(SimulatedReader):
    """Reads each part of a composite explanation by its own rule; the majority counts, the weights decide a tie."""

    name: ClassVar[str] = "composite"

    def forward(self, learned: Sequence[Shown], pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.forward`."""
        return self._majority([reader.forward(learned, pages, classes) for reader in _PARTS])

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        return self._majority([reader.counterfactual(pages, classes) for reader in _PARTS])

    def _majority(self, votes: Sequence[Sequence[str]]) -> list[str]:
        counted = [Counter(own) for own in zip(*votes, strict=True)]
        return [
            first if 2 * own[first] >= len(votes) else own.most_common(1)[0][0]
            for own, first in zip(counted, votes[0], strict=True)
        ]


_PARTS = (LimeReader(), AnchorReader(), BoundaryReader(), PrototypeReader())
READERS: dict[str, SimulatedReader] = {
    "lime": LimeReader(),
    "anchor": AnchorReader(),
    "decision-boundary": BoundaryReader(),
    "prototype": PrototypeReader(),
    "composite": CompositeReader(),
    "omission": OmissionReader(),
}
"""By explanation method, the reader that knows its texts."""


def simulate(
    study: SimulationStudy,
    method: str,
    reader: SimulatedReader | None = None,
    *,
    before: SimulatedReader | None = None,
    participant: str = "",
    slips: float = 0.0,
    seed: int = 0,
) -> list[Answer]:
    """The answers of a simulated reader to all tests of a study, through what a person of that method would be shown.

    Parameters
    ----------
    reader : reads the explanations; by default the one for the method's texts.
    before : answers as long as there are none.
    slips : share of answers that are given wrong by mistake.

    Returns
    -------
    Answers whose `kind` is "simulated" and whose `reader` names the program.
    """
    if not 0 <= slips <= 1:
        raise InputError(f"slips is {slips}; give a share between 0 and 1")
    own = reader or READERS.get(method)
    if own is None:
        raise InputError(f"no simulated reader is known for the method {method!r}; give one: reader=LimeReader()")
    first = before or NoExplanationReader()
    rng = generator(seed, "slips", participant, method)
    name = participant or f"{SIMULATED}-{own.name}-{seed}"
    found = []
    for test in study.tests:
        for phase in ("pre", "post"):
            pages = test.shown(phase, method, seed)  # type: ignore[arg-type]
            using = own if phase == "post" else first
            if test.name == "forward":
                learned = test.shown("explain" if phase == "post" else "learn", method, seed)
                given = using.forward(learned, pages, study.classes)
            else:
                given = using.counterfactual(pages, study.classes)
            for page, answer in zip(pages, given, strict=True):
                said = _other(answer, study.classes) if rng.random() < slips and answer else answer
                found.append(Answer(name, SIMULATED, method, test.name, phase, page.item, said, reader=own.name))
    return found


def shuffled_explanations(study: SimulationStudy, seed: int = 0) -> SimulationStudy:
    """The same study with the explanations of each batch dealt out anew: a control in which they tell nothing."""
    from dataclasses import replace

    def dealt(items: Sequence[Any], batch: str) -> tuple[Any, ...]:
        order = generator(seed, "deal", batch).permutation(len(items))
        return tuple(
            replace(item, explanations=items[int(other)].explanations) for item, other in zip(items, order, strict=True)
        )

    return replace(
        study, learning=dealt(study.learning, "learn"), counterfactual=dealt(study.counterfactual, "counterfactual")
    )


def _naive_bayes(known: Sequence[tuple[layout.Case, int]], case: layout.Case) -> int:
    """The likelier class, with one imagined case of each value; the first class of equals.

    A word of a sentence is there or not; a feature of a row has one of the values that were seen.
    """
    scores = []
    for label in (0, 1):
        own = [one.facts for one, answer in known if answer == label]
        score = np.log((len(own) + 1) / (len(known) + 2))
        for fact in sorted(case.facts):
            values = {one.values.get(fact[0]) for one, _ in known} | {fact[1]}
            options = 2 if case.sentence else len(values)
            score += np.log((sum(fact in facts for facts in own) + 1) / (len(own) + options))
        scores.append(score)
    return int(scores[1] > scores[0])


def _other(label: str, classes: tuple[str, str]) -> str:
    return classes[1] if label == classes[0] else classes[0]


def _edits(page: Shown) -> tuple[layout.Edit, ...]:
    return layout.read_edits(page.perturbation or "")


def _explanation(page: Shown) -> str:
    if page.explanation is None:
        raise InputError(f"item {page.item!r}: this page shows no explanation to read")
    return page.explanation
