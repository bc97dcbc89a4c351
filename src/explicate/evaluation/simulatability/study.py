"""A simulation study: what readers learn from, what they predict, and what they are shown at each point of a test.

Explanations are never shown for a case that is to be predicted, with one exception: the counterfactual test shows that
of the original case, and asks about the changed one.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from explicate.core.registry import unknown
from explicate.errors import InputError
from explicate.runtime.seeds import generator

TestName = Literal["forward", "counterfactual"]
Phase = Literal["learn", "pre", "explain", "post"]
RATINGS = (1, 7)
RATING_QUESTION = "Does this explanation show why the system thought what it did?"
CONSENT = (
    "You are asked to take part in a study about explanations of a computer system. You will see cases, and say what "
    "you think the system answers. It takes about half an hour. Your answers and the time that you take are kept on "
    "this computer under a random number, without your name. Taking part is voluntary: you can stop at any time by "
    "closing the page, and withdraw, which deletes your answers."
)


@dataclass(frozen=True)
class Item:
    """One case.

    Attributes
    ----------
    id : its name, unique in the study. context : the case as readers see it.
    label, model : the true class, and the one that the model predicts.
    perturbation : edits of the case; perturbation_model : what the model predicts for the edited case. Both are empty
        for cases that are not changed.
    explanations : method -> explanation of the model's prediction of the unchanged case.
    """

    id: str
    context: str
    label: str
    model: str
    perturbation: str = ""
    perturbation_model: str = ""
    explanations: Mapping[str, str] = field(default_factory=dict)

    @property
    def cell(self) -> tuple[str, str]:
        """Label and prediction: the batches hold as many of each pair."""
        return self.label, self.model

    @property
    def flips(self) -> bool:
        """Whether the edits change the prediction."""
        return self.perturbation_model != self.model


@dataclass(frozen=True)
class Shown:
    """What a reader sees of an item at one point of a test; what is None is not shown.

    Attributes
    ----------
    asks : "answer" (the model's prediction), "rating" (of the explanation), both or none.
    """

    item: str
    test: TestName
    phase: Phase
    context: str
    label: str | None = None
    model: str | None = None
    perturbation: str | None = None
    explanation: str | None = None
    asks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SimulationStudy:
    """Everything that readers of one study are shown and asked, with the truth.

    Attributes
    ----------
    classes : the two answers, in the order of their codes.
    methods : explanation methods; a reader sees one of them.
    learning, forward, counterfactual : the batches; one without items leaves its test out.
    title, introduction, consent : what people read first. thing : what a case is, as in "this person".
    planted : whether the model is made up, so that reports can say so.
    """

    classes: tuple[str, str]
    methods: tuple[str, ...]
    learning: tuple[Item, ...] = ()
    forward: tuple[Item, ...] = ()
    counterfactual: tuple[Item, ...] = ()
    title: str = "What does the system answer?"
    introduction: str = "A computer system sorts cases into two classes. You will learn to predict its answers."
    consent: str = CONSENT
    thing: str = "case"
    planted: bool = False

    def __post_init__(self) -> None:
        if len(set(self.classes)) != 2 or len(self.classes) != 2:
            raise InputError(f"a study has two different classes, not {', '.join(self.classes)}")
        if not self.methods:
            raise InputError("a study needs at least one explanation method")
        items = [*self.learning, *self.forward, *self.counterfactual]
        doubled = [name for name, count in Counter(item.id for item in items).items() if count > 1]
        if doubled:
            raise InputError(f"the item {doubled[0]!r} occurs twice; batches must not share items")
        if not items or (bool(self.forward) and not self.learning):
            raise InputError("a study needs counterfactual items, or forward items with learning items before them")
        for item in items:
            wrong = {item.label, item.model, item.perturbation_model} - {*self.classes, ""}
            if wrong:
                raise InputError(f"item {item.id!r}: {sorted(wrong)[0]!r} is none of the classes")
        for item in (*self.learning, *self.counterfactual):
            missing = sorted(set(self.methods) - set(item.explanations))
            if missing:
                raise InputError(f"item {item.id!r} has no explanation by {missing[0]!r}")
        for item in self.counterfactual:
            if not item.perturbation or not item.perturbation_model:
                raise InputError(f"item {item.id!r} of the counterfactual test has no perturbation")

    @property
    def tests(self) -> tuple[SimulationTest, ...]:
        """The tests that there are items for."""
        found: list[SimulationTest] = []
        if self.forward:
            found.append(ForwardTest(self))
        if self.counterfactual:
            found.append(CounterfactualTest(self))
        return tuple(found)

    def test(self, name: str) -> SimulationTest:
        """One test by name."""
        for one in self.tests:
            if one.name == name:
                return one
        raise unknown(name, [one.name for one in self.tests], "test of this study")

    def checked_method(self, method: str) -> str:
        """The method, if the study has it."""
        if method not in self.methods:
            raise unknown(method, list(self.methods), "method of this study")
        return method

    def truth(self, test: str) -> dict[str, str]:
        """Item -> what the model predicts where a reader of the test is asked."""
        if self.test(test).name == "forward":
            return {item.id: item.model for item in self.forward}
        return {item.id: item.perturbation_model for item in self.counterfactual}

    def course(self, method: str, seed: int = 0) -> list[Shown]:
        """All that one reader sees, test after test, in order."""
        return [shown for test in self.tests for phase in test.phases for shown in test.shown(phase, method, seed)]


@dataclass(frozen=True)
class SimulationTest:
    """A test: its phases, and what is shown in each."""

    study: SimulationStudy
    name: ClassVar[TestName]
    phases: ClassVar[tuple[Phase, ...]]

    def shown(self, phase: Phase, method: str, seed: int = 0) -> list[Shown]:
        """What a reader of a method sees in one phase; the seed orders the cases of the last one anew."""
        raise NotImplementedError


@dataclass(frozen=True)
class ForwardTest(SimulationTest):
    """Learn from cases with the model's answers, predict new ones, see explanations of the first, predict again."""

    name: ClassVar[TestName] = "forward"
    phases: ClassVar[tuple[Phase, ...]] = ("learn", "pre", "explain", "post")

    def shown(self, phase: Phase, method: str, seed: int = 0) -> list[Shown]:
        """As `SimulationTest.shown`."""
        own = self.study.checked_method(method)
        if phase in ("learn", "explain"):
            explained = phase == "explain"
            return [
                Shown(
                    item.id, self.name, phase, item.context, item.label, item.model,
                    explanation=item.explanations[own] if explained else None,
                    asks=("rating",) if explained else (),
                )
                for item in self.study.learning
            ]  # fmt: skip
        items = self.study.forward if phase == "pre" else _shuffled(self.study.forward, seed)
        return [Shown(item.id, self.name, phase, item.context, asks=("answer",)) for item in items]


@dataclass(frozen=True)
class CounterfactualTest(SimulationTest):
    """Predict the answers for changed cases, first without and then with the explanation of the unchanged case."""

    name: ClassVar[TestName] = "counterfactual"
    phases: ClassVar[tuple[Phase, ...]] = ("pre", "post")

    def shown(self, phase: Phase, method: str, seed: int = 0) -> list[Shown]:
        """As `SimulationTest.shown`."""
        own = self.study.checked_method(method)
        explained = phase == "post"
        items = _shuffled(self.study.counterfactual, seed) if explained else self.study.counterfactual
        return [
            Shown(
                item.id, self.name, phase, item.context, item.label, item.model, item.perturbation,
                item.explanations[own] if explained else None,
                ("answer", "rating") if explained else ("answer",),
            )
            for item in items
        ]  # fmt: skip


def _shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    order = generator(seed, "order of the last phase").permutation(len(items))
    return [items[int(place)] for place in order]


def balance(items: Sequence[Item]) -> dict[tuple[str, str], int]:
    """How many items there are of each (label, prediction)."""
    return dict(Counter(item.cell for item in items))


def describe(study: SimulationStudy) -> dict[str, Any]:
    """The settings of a study that are not items, as JSON."""
    names = ("classes", "methods", "title", "introduction", "consent", "thing", "planted")
    return {name: list(value) if isinstance(value := getattr(study, name), tuple) else value for name in names}
