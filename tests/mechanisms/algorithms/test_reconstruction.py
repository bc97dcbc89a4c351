"""Planted algorithms: what was put in is found, and its failures are foretold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.benchmarks.recursion import SuccessorTask, TraversalTask, all_numbers, measures_of, short_cuts
from explicate.data.recursion import successor_machine, traversal_machine
from explicate.data.recursion.trees import random_tree
from explicate.errors import InputError, LeakageError
from explicate.mechanisms.algorithms import AlgorithmHypothesis, each, failure_prediction, foretold, reconstruct

FAMILIES = {reverse: short_cuts(SuccessorTask(reverse), 6) for reverse in (False, True)}


def halves(items, seed=0, share=0.5):
    order = np.random.default_rng(seed).permutation(len(items))
    return items.where(order[: int(len(items) * share)]), items.where(order[int(len(items) * share) :])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("reach", "beyond", "longer"), [(2, "copy", True), (3, "stop", True), (1, "zeros", False), (None, "copy", False)]
)
def test_a_planted_successor_short_cut_is_found_and_foretold(reverse, reach, beyond, longer):
    task = SuccessorTask(reverse)
    planted = successor_machine(reverse, reach, beyond, longer)
    probes, fresh = halves(all_numbers(task, 7))
    found = reconstruct(FAMILIES[reverse], probes.inputs, each(planted)(probes.inputs))
    assert found.agreement == 1
    assert found.default.parameters == planted.parameters
    score = failure_prediction(found, fresh.inputs, fresh.outputs, each(planted)(fresh.inputs))
    assert (score.recall, score.precision, score.agreement) == (1, 1, 1)
    assert 0 < score.failures < score.inputs
    assert planted.name in found.text()


def test_a_planted_traversal_short_cut_is_found_and_foretold():
    task = TraversalTask("inorder")
    planted = traversal_machine("inorder", 2)
    trees = [random_tree(np.random.default_rng(seed), 4, exact=seed % 2 == 0) for seed in range(120)]
    probes, fresh = halves(task.items(list(dict.fromkeys(trees))))
    found = reconstruct(short_cuts(task, 4), probes.inputs, each(planted)(probes.inputs))
    assert found.default.parameters == {"order": "inorder", "reach": 2, "beyond": "flat"}
    score = failure_prediction(found, fresh.inputs, fresh.outputs, each(planted)(fresh.inputs))
    assert (score.recall, score.precision) == (1, 1)


def test_different_short_cuts_for_different_carries_are_found_as_branches():
    task = SuccessorTask()
    zeros, copies = successor_machine(False, 2, "zeros"), successor_machine(False, 2, "copy")
    model = each(lambda words: (copies if task.run_length(words) > 3 else zeros)(words))
    probes, fresh = halves(all_numbers(task, 8))
    said = model(probes.inputs)
    whole = reconstruct(FAMILIES[False], probes.inputs, said)
    found = reconstruct(FAMILIES[False], probes.inputs, said, measures=measures_of(task), least=3)
    assert whole.agreement < found.agreement == 1
    assert [(str(branch.conditions[0]), found.hypotheses[branch.number].parameters["beyond"]) for branch in
            found.branches] == [("carry <= 3", "zeros"), ("carry > 3", "copy")]  # fmt: skip
    assert found.text().splitlines()[0].startswith("carry <= 3: successor")
    assert found.validated > 0.98
    score = failure_prediction(found, fresh.inputs, fresh.outputs, model(fresh.inputs))
    assert (score.recall, score.precision, score.agreement) == (1, 1, 1)


def test_a_model_with_one_algorithm_gets_no_branches():
    task, planted = SuccessorTask(True), successor_machine(True, kept=4)
    probes, fresh = halves(all_numbers(task, 8))
    family = short_cuts(task, 3, kept=6)
    found = reconstruct(family, probes.inputs, each(planted)(probes.inputs), measures=measures_of(task))
    assert (len(found.branches), found.text()) == (1, f"always: {planted.name}")
    assert found.rule_for(fresh.inputs[0]).parameters == planted.parameters
    score = failure_prediction(found, fresh.inputs, fresh.outputs, each(planted)(fresh.inputs))
    assert (score.recall, score.precision) == (1, 1)


def test_branches_that_only_fit_their_own_probes_are_not_taken():
    rng = np.random.default_rng(0)
    texts = [(str(number),) for number in range(200)]
    says = rng.integers(2, size=200)  # a coin for each input: no bound on the number tells what is said
    hypotheses = [AlgorithmHypothesis(name, lambda words, name=name: (name,)) for name in ("0", "1")]
    said = [(str(one),) for one in says]
    found = reconstruct(hypotheses, texts, said, measures=lambda words: {"number": float(words[0])}, most=32)
    assert found.agreement < 0.65
    assert found.validated < 0.6


def test_levels_and_words_of_a_tree_are_read_off_its_words():
    tree = random_tree(np.random.default_rng(2), 3, exact=True)
    words = TraversalTask("inorder").input(tree)
    assert measures_of(TraversalTask("inorder"))(words) == {"levels": 3, "words": len(words)}
    assert measures_of(SuccessorTask(True))(("01", "X0", "X1", "X1")) == {"carry": 2, "digits": 3, "digits beyond": 1}


def test_the_program_is_chosen_by_the_model_and_not_by_the_truth():
    wrong = AlgorithmHypothesis("always 01", lambda words: ("01",))
    right = AlgorithmHypothesis("the truth", successor_machine())
    items = all_numbers(SuccessorTask(), 5)
    found = reconstruct([right, wrong], items.inputs, [("01",)] * len(items))
    assert found.default is wrong
    assert found.others == {"the truth": 0.0, "always 01": 1.0}


def test_probes_are_not_fresh():
    items = all_numbers(SuccessorTask(), 4)
    found = reconstruct(FAMILIES[False], items.inputs, items.outputs)
    with pytest.raises(LeakageError, match="is a probe"):
        failure_prediction(found, items.inputs[:1], items.outputs[:1], items.outputs[:1])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_the_score_is_the_count_of_what_came_true(rows):
    said, true, own = (tuple((str(value),) for value in column) for column in zip(*rows, strict=True))
    found = foretold(said, true, own)
    fails = [o != t for _, t, o in rows]
    says = [s != t for s, t, _ in rows]
    both = sum(f and s for f, s in zip(fails, says, strict=True))
    assert found.recall == (both / sum(fails) if any(fails) else None)
    assert found.precision == (both / sum(says) if any(says) else None)
    assert found.agreement == sum(s == o for s, _, o in rows) / len(rows)


def test_a_failure_without_an_output_is_foretold_but_agrees_with_nothing():
    found = foretold([None, ("a",)], [("a",), ("a",)], [("b",), ("a",)])
    assert (found.recall, found.precision, found.agreement) == (1, 1, 0.5)


def test_numbers_that_differ_are_refused():
    with pytest.raises(InputError, match="give one of each"):
        reconstruct([], [("01",)], [("01",)])
    with pytest.raises(InputError, match="they differ"):
        foretold([], [("01",)], [("01",)])
