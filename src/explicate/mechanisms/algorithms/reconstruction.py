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
from explicate.mechanisms.algorithms.sequence_models import Words

Algorithm = Callable[[Words], Sequence[str]]


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
    pieces : for a kind of input another one, where that agreed more often.
    kind : tells the kind of an input, from the input alone. probes : the inputs it was chosen on.
    agreement : share of the probes on which model and program write the same.
    others : each hypothesis's agreement on all probes, by name.
    """

    default: AlgorithmHypothesis
    pieces: Mapping[Any, AlgorithmHypothesis]
    kind: Callable[[Words], Any] | None
    probes: frozenset[Words]
    agreement: float
    others: Mapping[str, float]

    def __call__(self, words: Words) -> Words:
        """What the model is said to write."""
        return self.rule_for(words)(words)

    def rule_for(self, words: Words) -> AlgorithmHypothesis:
        """The hypothesis that speaks for an input."""
        return self.default if self.kind is None else self.pieces.get(self.kind(words), self.default)

    def text(self) -> str:
        """The program, in words."""
        lines = [f"kind {key}: {one.name}" for key, one in sorted(self.pieces.items(), key=lambda item: str(item[0]))]
        return "\n".join([*lines, f"{'else' if lines else 'always'}: {self.default.name}"])


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
    kind: Callable[[Words], Any] | None = None,
    least: int = 5,
) -> Reconstruction:
    """Choose by agreement with the model.

    Parameters
    ----------
    hypotheses : the family; the first of equals is taken, so put the simplest first.
    answers : the model's, to the probes.
    kind : sorts inputs into kinds, each of which may have a hypothesis of its own if it has at least `least` probes.

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
    best = int(same.mean(axis=1).argmax())
    pieces: dict[Any, AlgorithmHypothesis] = {}
    agreed = same[best].copy()
    if kind is not None:
        kinds = [kind(words) for words in inputs]
        for key in dict.fromkeys(kinds):
            own = np.array([one == key for one in kinds])
            scores = same[:, own].mean(axis=1)
            if own.sum() >= least and scores.max() > scores[best]:
                chosen = int(scores.argmax())
                pieces[key] = hypotheses[chosen]
                agreed[own] = same[chosen, own]
    names = {one.name: float(score) for one, score in zip(hypotheses, same.mean(axis=1), strict=True)}
    return Reconstruction(hypotheses[best], pieces, kind, frozenset(inputs), float(agreed.mean()), names)


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
