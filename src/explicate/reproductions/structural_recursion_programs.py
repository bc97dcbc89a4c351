"""The units that reconstruct what a model learned from shallow numbers, and say beforehand where it will fail."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.benchmarks.recursion import Items, SuccessorTask, measures_of, scored, short_cuts
from explicate.benchmarks.recursion.tasks import Words
from explicate.data.recursion import successor_machine
from explicate.mechanisms.algorithms import FailurePrediction, failure_prediction, foretold, reconstruct
from explicate.reproductions.structural_recursion_training import Sizes, Unit, probed, trained


def reconstructed(unit: Unit, sizes: Sizes) -> dict[str, Any]:
    """A program chosen by what the model does on probes, frozen; then the failures on fresh inputs that it foretells.

    Beside it stand what its parts are worth: one program without branches, and the family without the short-cuts that
    lose the carry or keep digits; all are chosen on the probes.
    """
    reverse = unit["order"] == "reverse"
    task, (every, shown, probes, fresh) = SuccessorTask(reverse), probed(unit, sizes)
    model = trained(shown, every, unit, sizes)
    family = short_cuts(task, sizes["shallow"] + 2, kept=sizes["long_digits"])
    program = reconstruct(family, probes.inputs, model.answers(probes.inputs), measures=measures_of(task))
    answers = model.answers(fresh.inputs)
    found = failure_prediction(program, fresh.inputs, fresh.outputs, answers)
    narrow = max(
        (one for one in family if one.parameters["kept"] is None and one.parameters["beyond"] != "lose"),
        key=lambda one: program.others[one.name],
    )
    rule = [None if depth > sizes["shallow"] else true for depth, true in zip(fresh.depths, fresh.outputs, strict=True)]
    own = scored(fresh, answers)
    return {
        **_figures(found), "agreement_failing": found.agreement_failing, "failures": found.failures,
        "inputs": found.inputs, "program": program.text(), "probe_agreement": program.agreement,
        "validated": program.validated, "shallow": own.exact(0, sizes["shallow"]),
        "deep": own.exact(sizes["shallow"] + 1),
        "plain": _figures(foretold(rule, fresh.outputs, answers)),
        "unbranched": _figures(foretold([program.default(w) for w in fresh.inputs], fresh.outputs, answers)),
        "narrow": _figures(foretold([narrow(w) for w in fresh.inputs], fresh.outputs, answers)),
        "ways": ways_of(reverse, fresh, answers, sizes),
    }  # fmt: skip


def _figures(found: FailurePrediction) -> dict[str, float | None]:
    return {"recall": found.recall, "precision": found.precision, "agreement": found.agreement}


def ways_of(reverse: bool, fresh: Items, answers: list[Words], sizes: Sizes) -> dict[str, float]:
    """Shares of the deep inputs by how far the zeros go: to the end of the run, or to a place inside it."""
    deep = fresh.depths > sizes["shallow"]
    inside = [successor_machine(reverse, reach) for reach in range(1, sizes["shallow"] + 4)]
    lost = successor_machine(reverse, 0, "lose")
    ways = []
    for own, words, right in ((answers[i], fresh.inputs[i], fresh.outputs[i]) for i in np.flatnonzero(deep)):
        if own == right:
            ways.append("right")
        elif own == lost(words):
            ways.append("the carry is lost at the run's end")
        elif any(own == machine(words) for machine in inside):
            ways.append("stops inside the run")
        else:
            ways.append("something else")
    return {way: ways.count(way) / len(ways) for way in sorted(set(ways))}
