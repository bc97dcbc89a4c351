"""Structural recursion: does a sequence model emulate a recursive function, or a short-cut, and where will it fail?"""

from explicate.benchmarks.recursion.families import measures_of, short_cuts
from explicate.benchmarks.recursion.protocol import ReductionScores, ask_by_examples, ask_for_reductions
from explicate.benchmarks.recursion.scoring import Scores, baselines, score, scored
from explicate.benchmarks.recursion.scripted import scripted_reducer, wrong_trace
from explicate.benchmarks.recursion.tasks import (
    Items,
    PartialTask,
    RecursionTask,
    SuccessorTask,
    TraversalTask,
    all_numbers,
)
from explicate.benchmarks.recursion.verdicts import ERRORS, TraceVerdict, check_trace

__all__ = [
    "ERRORS",
    "Items",
    "PartialTask",
    "RecursionTask",
    "ReductionScores",
    "Scores",
    "SuccessorTask",
    "TraceVerdict",
    "TraversalTask",
    "all_numbers",
    "ask_by_examples",
    "ask_for_reductions",
    "baselines",
    "check_trace",
    "measures_of",
    "score",
    "scored",
    "scripted_reducer",
    "short_cuts",
    "wrong_trace",
]
