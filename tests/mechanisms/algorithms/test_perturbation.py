"""Perturbation maps of functions whose dependences are known."""

import numpy as np
import pytest

from explicate.benchmarks.recursion import SuccessorTask, all_numbers
from explicate.data.recursion import successor_machine
from explicate.errors import InputError
from explicate.mechanisms.algorithms import dependence_agreement, each, perturbation_map, perturbation_maps

SWAPS = SuccessorTask().swaps


def test_copying_depends_on_its_own_word_alone():
    words = ("X0", "X1", "X1", "01")
    found = perturbation_map(each(lambda given: given), words, SWAPS)
    assert found.exchanged == (0, 1, 2)
    assert found.replacements == ("X1", "X0", "X0")
    assert (found.changed == np.eye(3, 4, dtype=bool)).all()
    assert found.by_place()[:3] == pytest.approx(np.eye(3, 4))


def test_the_successor_depends_on_a_carry_as_far_as_it_goes():
    found = perturbation_map(each(successor_machine()), ("X1", "X1", "X0", "01"), SWAPS)
    # X1 X1 X0 01 -> X0 X0 X1 01; X0 X1 X0 01 -> X1 X1 X0 01; X1 X0 X0 01 -> X0 X1 X0 01; X1 X1 X1 01 -> X0 X0 X0 X0 01
    assert found.answer == ("X0", "X0", "X1", "01")
    assert found.changed.tolist() == [
        [True, True, True, False, False],
        [False, True, True, False, False],
        [False, False, True, True, True],
    ]


def test_a_short_cut_lacks_the_dependences_beyond_its_reach():
    items = all_numbers(SuccessorTask(), 5, least=5)
    exact = each(successor_machine())
    assert dependence_agreement(exact, exact, items.inputs, SWAPS).recall == 1
    cut = dependence_agreement(each(successor_machine(False, 1)), exact, items.inputs, SWAPS)
    assert cut.recall < 0.95
    assert cut.inputs == 32
    constant = dependence_agreement(each(lambda words: ("01",)), exact, items.inputs, SWAPS)
    assert (constant.recall, constant.precision) == (0, 1)


def test_inputs_of_different_lengths_are_asked_at_once():
    asked = []

    def answers(texts):
        asked.append(len(texts))
        return [tuple(text) for text in texts]

    maps = perturbation_maps(answers, [("X0", "01"), ("X1", "X1", "01")], SWAPS)
    assert asked == [2 + 3]
    assert [one.changed.shape for one in maps] == [(1, 2), (2, 3)]


def test_an_input_without_a_word_to_exchange_is_refused():
    with pytest.raises(InputError, match="no word of '01' has an exchange"):
        perturbation_map(each(lambda words: words), ("01",), SWAPS)
