"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

from explicate.benchmarks.recursion import PartialTask, SuccessorTask, TraversalTask, all_numbers
from explicate.data.recursion import successor_machine
from explicate.data.recursion.trees import shape_of
from explicate.reproductions import (
    structural_recursion,
    structural_recursion_programs,
    structural_recursion_training,
)
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("structural-recursion", context)
    bars = [claim["bar"] for claim in result["claims"] if claim["bar"]]
    assert bars == [">= 0.99", "<= 0.01", ">= 0.98", ">= 0.4", ">= 0.3", ">= 0.3", ">= 0", ">= 0.85", ">= 0.7",
                    ">= 0.85", "> 0", ">= 0.3", ">= 1"]  # fmt: skip
    by_claim = {claim["claim"]: claim for claim in result["claims"]}
    assert by_claim["copying the input is no successor"]["measured"] == 0
    assert by_claim["scripted errors in reductions are labelled right"]["measured"] == 1
    # preorder is copying: its floor is right on every tree, inorder's is not
    assert by_claim["preorder, which is copying, is no harder"]["baseline"] > 0
    # the arms have no bar: perturbation maps, three learning rates, decoders, one to three steps, a chat model
    arms = [claim["claim"] for claim in result["claims"] if claim["met"] is None]
    for start, count in (("trained on", 2), ("learning rate 0.00", 3), ("a decoder of the same size", 1),
                         ("1 steps of inorder's reduction", 1), ("SmolLM2-135M-Instruct infers", 1)):  # fmt: skip
        assert sum(claim.startswith(start) for claim in arms) == count
    for claim in result["claims"]:
        if claim["bar"].startswith(">=") and claim["measured"] is not None:
            assert claim["met"] == (claim["measured"] >= float(claim["bar"].split()[1]))
    monkeypatch.setattr(structural_recursion, "_tree", lambda unit, sizes: pytest.fail("done twice"))
    assert reproduce("structural-recursion", context)["claims"] == result["claims"]


def test_short_cuts_are_told_apart_by_how_far_the_zeros_go():
    items = all_numbers(SuccessorTask(), 7)
    sizes = {"shallow": 2, "long_digits": 7}
    machines = {
        "right": successor_machine(),
        "stops inside the run": successor_machine(reach=2),
        "the carry is lost at the run's end": successor_machine(reach=1, beyond="lose"),
        "something else": lambda words: ("01",),
    }
    for way, machine in machines.items():
        answers = [tuple(machine(words)) for words in items.inputs]
        assert structural_recursion_programs.ways_of(False, items, answers, sizes) == {way: 1.0}


def test_no_shape_that_is_asked_was_shown_and_probes_are_neither_shown_nor_fresh():
    task = PartialTask(TraversalTask("inorder"), 2)
    found = structural_recursion_training.forest(task, {"trees": 300, "test": 40}, 3, seed=0)
    shown, unseen = ({shape_of(tree) for tree in items.terms} for items in (found.shown, found.unseen))
    assert not shown & unseen
    assert len(unseen) <= found.unseen_shapes
    assert set(found.deeper.depths) == {4}
    assert max(map(len, found.deeper.inputs)) <= max(map(len, found.shown.inputs))
    sizes = structural_recursion.SIZES["smoke"]
    every, shown_items, probes, fresh = structural_recursion_training.probed({"order": "reverse", "seed": 0}, sizes)
    sets = [set(items.inputs) for items in (shown_items, probes, fresh)]
    assert sum(map(len, sets)) == len(set.union(*sets))
    assert max(shown_items.depths) == sizes["shallow"] < max(every.depths)
    assert (np.mean(fresh.depths > sizes["shallow"]), len(fresh)) == (0.5, sizes["fresh"])
