"""Families of short-cuts: what a model may do in the place of the recursion, each as a machine that can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from explicate.benchmarks.recursion.tasks import RecursionTask, SuccessorTask, TraversalTask, Words
from explicate.data.recursion.machines import Machine
from explicate.data.recursion.successor import ONE, Beyond, successor_machine
from explicate.data.recursion.trees import CLOSE, OPEN, traversal_machine
from explicate.errors import InputError
from explicate.mechanisms.algorithms import AlgorithmHypothesis


def short_cuts(task: RecursionTask, most: int, kept: int = 0) -> list[AlgorithmHypothesis]:
    """The true recursion, then every short-cut that reaches 0 to `most` levels.

    Parameters
    ----------
    kept : of the successor also those short-cuts that leave up to so many digits next to 01 as they are, as a model
        with absolute positions may that has never seen a carry reach them.

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
        machines += [successor_machine(task.reverse, kept=digits) for digits in range(1, kept + 1)]
    elif isinstance(task, TraversalTask):
        machines = [traversal_machine(task.order)]
        machines += [
            traversal_machine(task.order, reach, kind) for reach in range(most + 1) for kind in ("flat", "skip")
        ]
    else:
        raise InputError(f"there is no family of short-cuts for {task.name}; give AlgorithmHypothesis of your own")
    return [AlgorithmHypothesis(one.name, one, one.parameters) for one in machines]


def measures_of(task: RecursionTask) -> Callable[[Words], Mapping[str, float]]:
    """What a reconstruction with branches may go by, read off an input's words.

    Of a number its carry, its digits, and the digits that the carry does not reach; of a tree its levels and its words.
    """
    if isinstance(task, SuccessorTask):

        def of_number(words: Words) -> Mapping[str, float]:
            carry, digits = task.run_length(words), len(words) - (ONE in words)
            return {"carry": carry, "digits": digits, "digits beyond": digits - carry}

        return of_number
    return lambda words: {"levels": _levels(words), "words": len(words)}


def _levels(words: Words) -> int:
    depth = most = 0
    for word in words:
        depth += (word == OPEN) - (word == CLOSE)
        most = max(most, depth)
    return most
