"""Families of short-cuts: what a model may do in the place of the recursion, each as a machine that can be run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from explicate.benchmarks.recursion.tasks import RecursionTask, SuccessorTask, TraversalTask, Words
from explicate.data.recursion.machines import Machine
from explicate.data.recursion.successor import ONE, Beyond, successor_machine
from explicate.data.recursion.trees import CLOSE, OPEN, traversal_machine
from explicate.errors import InputError
from explicate.mechanisms.algorithms import AlgorithmHypothesis


def short_cuts(task: RecursionTask, most: int) -> list[AlgorithmHypothesis]:
    """The true recursion, then every short-cut that reaches 0 to `most` levels.

    Raises
    ------
    InputError : a task without a family; give hypotheses of your own.
    """
    machines: list[Machine]
    if isinstance(task, SuccessorTask):
        machines = [successor_machine(task.reverse, longer=longer) for longer in (True, False)]
        machines += [
            successor_machine(task.reverse, reach, beyond, longer)
            for reach in range(most + 1)
            for beyond in get_args(Beyond)
            for longer in (True, False)
        ]
    elif isinstance(task, TraversalTask):
        machines = [traversal_machine(task.order)]
        machines += [
            traversal_machine(task.order, reach, kind) for reach in range(most + 1) for kind in ("flat", "skip")
        ]
    else:
        raise InputError(f"there is no family of short-cuts for {task.name}; give AlgorithmHypothesis of your own")
    return [AlgorithmHypothesis(one.name, one, one.parameters) for one in machines]


def kind_of_input(task: RecursionTask) -> Callable[[Words], Any]:
    """Tells inputs apart for a reconstruction in pieces, by what can be read off them.

    The carry of a number, and whether it is all X1; the levels of a tree.
    """
    if isinstance(task, SuccessorTask):
        return lambda words: (task.run_length(words), task.run_length(words) == len(words) - 1 and ONE in words)
    return _levels


def _levels(words: Words) -> int:
    depth = most = 0
    for word in words:
        depth += (word == OPEN) - (word == CLOSE)
        most = max(most, depth)
    return most
