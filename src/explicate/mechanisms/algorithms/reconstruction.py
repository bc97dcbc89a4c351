"""A model's algorithm, reconstructed: the member of a family of programs that does what the model does.

The member is chosen by agreement with the *model* on probes, never with the truth. Frozen, it says beforehand on which
fresh inputs the model will fail, and with what. Source: Zhang et al. (2023), "Can Transformers Learn to Solve Problems
Recursively?", arXiv 2305.14699, whose reconstruction told 91 % of the failures for one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.errors import InputError, LeakageError
from explicate.mechanisms.algorithms.branches import Branch, Branches, Measured, grown, numbers_of
from explicate.mechanisms.algorithms.sequence_models import Words

Algorithm = Callable[[Words], Sequence[str]]
Measures = Callable[[Words], Measured]


@dataclass(frozen=True)
class AlgorithmHypothesis:
    """A guess at what a model does, as a program.

    Parameters
    ----------
    name : in words. run : the program, for example an abstract state machine.
    """

    name: str
    run: Algorithm
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, words: Words) -> Words:
        """What the program writes."""
        return tuple(self.run(words))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The program that was chosen, frozen.

    Attributes
    ----------
    default : the hypothesis with the highest agreement on all probes.
    hypotheses : the family. branches : which of them speaks where; one without conditions speaks everywhere.
    measures : what the branches go by, measured on an input alone. probes : the inputs it was chosen on.
    agreement : share of the probes on which model and program write the same.
    validated : the same for branches chosen without the probe that is judged; None where there is one branch only.
    others : each hypothesis's agreement on all probes, by name.
    """

    default: AlgorithmHypothesis
    hypotheses: tuple[AlgorithmHypothesis, ...]
    branches: Branches
    measures: Measures | None
    probes: frozenset[Words]
    agreement: float
    validated: float | None
    others: Mapping[str, float]

    def __call__(self, words: Words) -> Words:
        """What the model is said to write."""
        return self.rule_for(words)(words)

    def rule_for(self, words: Words) -> AlgorithmHypothesis:
        """The hypothesis that speaks for an input."""
        if self.measures is None:
            return self.default
        return self.hypotheses[numbers_of(self.branches, [self.measures(words)])[0]]

    def text(self) -> str:
        """The program, in words."""
        return "\n".join(
            f"{' and '.join(map(str, one.conditions)) or 'always'}: {self.hypotheses[one.number].name}"
            for one in self.branches
        )


@dataclass(frozen=True)
class FailurePrediction:
    """How well a program foretells a model's failures on fresh inputs.

    Attributes
    ----------
    recall : share of the model's failures that were foretold; precision : share of the foretold that came; None where
        there are none to count. agreement : share of the inputs on which both write the same.
    agreement_failing : the same among the inputs that the model fails on.
    inputs, failures, foretold : how many.
    """

    recall: float | None
    precision: float | None
    agreement: float
    agreement_failing: float | None
    inputs: int
    failures: int
    foretold: int


def reconstruct(
    hypotheses: Sequence[AlgorithmHypothesis],
    probes: Sequence[Words],
    answers: Sequence[Words],
    *,
    measures: Measures | None = None,
    most: int = 8,
    least: int = 5,
) -> Reconstruction:
    """Choose by agreement with the model.

    Parameters
    ----------
    hypotheses : the family; the first of equals is taken, so put the simplest first.
    answers : the model's, to the probes.
    measures : what the program may branch by, from an input alone; None: one hypothesis speaks for all inputs.
    most, least : branches, and probes of each; how many there are is chosen by cross-validation on the probes.

    Raises
    ------
    InputError : no hypothesis, no probe, or other numbers of probes and answers.
    """
    if not hypotheses or not probes or len(probes) != len(answers):
        raise InputError(
            f"{len(hypotheses)} hypotheses, {len(probes)} probes, {len(answers)} answers; give one of each"
        )
    inputs = [tuple(words) for words in probes]
    said = [tuple(words) for words in answers]
    same = np.array([[one(words) == own for words, own in zip(inputs, said, strict=True)] for one in hypotheses])
    best, validated = int(same.mean(axis=1).argmax()), None
    branches: Branches = (Branch((), best),)
    agreed = same[best]
    if measures is not None:
        measured = [measures(words) for words in inputs]
        found = grown(same, measured, most=most, least=least)
        branches, validated = found.branches, found.validated
        agreed = same[numbers_of(branches, measured), np.arange(len(inputs))]
    names = {one.name: float(score) for one, score in zip(hypotheses, same.mean(axis=1), strict=True)}
    return Reconstruction(
        hypotheses[best], tuple(hypotheses), branches, measures, frozenset(inputs), float(agreed.mean()), validated,
        names,
    )  # fmt: skip


def failure_prediction(
    reconstruction: Reconstruction,
    inputs: Sequence[Words],
    truths: Sequence[Words],
    answers: Sequence[Words],
) -> FailurePrediction:
    """Score a frozen program on fresh inputs.

    Parameters
    ----------
    truths : the right outputs. answers : the model's.

    Raises
    ------
    LeakageError : an input that the program was chosen on. InputError : numbers that differ.
    """
    seen = next((words for words in inputs if tuple(words) in reconstruction.probes), None)
    if seen is not None:
        raise LeakageError(
            f"the input {' '.join(seen)!r} is a probe that the program was chosen on; predict fresh ones"
        )
    return foretold([reconstruction(tuple(words)) for words in inputs], truths, answers)


def foretold(programs: Sequence[Words | None], truths: Sequence[Words], answers: Sequence[Words]) -> FailurePrediction:
    """The score of outputs that were foretold; None: "it fails, with what is not said"."""
    if not len(programs) == len(truths) == len(answers) or not len(truths):
        raise InputError(
            f"{len(programs)} programs' outputs, {len(truths)} truths, {len(answers)} answers; they differ"
        )
    fails = np.array([tuple(own) != tuple(true) for own, true in zip(answers, truths, strict=True)])
    says = np.array([one is None or tuple(one) != tuple(true) for one, true in zip(programs, truths, strict=True)])
    same = np.array([one is not None and tuple(one) == tuple(own) for one, own in zip(programs, answers, strict=True)])
    both = int((fails & says).sum())
    return FailurePrediction(
        both / int(fails.sum()) if fails.any() else None,
        both / int(says.sum()) if says.any() else None,
        float(same.mean()),
        float(same[fails].mean()) if fails.any() else None,
        len(truths),
        int(fails.sum()),
        int(says.sum()),
    )
