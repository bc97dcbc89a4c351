"""Depth points of curves that were made to have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.mechanisms.probing.depth import convergence_point, jump_point, peak_point


def test_a_step_jumps_and_converges_where_it_rises_and_the_paper_takes_the_last_layer():
    step = [0.5] * 5 + [0.95] * 3
    assert jump_point(step) == 6 / 8
    assert convergence_point(step) == 6 / 8
    assert convergence_point(step, "paper") == 1.0
    assert peak_point(step) == 6 / 8


def test_a_task_that_is_read_at_once_never_jumps():
    assert jump_point([0.9, 0.92, 0.91]) is None
    assert convergence_point([0.9, 0.92, 0.91]) == 1 / 3


def test_the_first_of_two_jumps_counts_and_the_last_change_ends_the_way():
    curve = [0.5, 0.6, 0.6, 0.8, 0.8, 0.75, 0.75]
    assert jump_point(curve) == 2 / 7
    assert convergence_point(curve) == 6 / 7
    assert peak_point(curve) == 4 / 7


def test_a_curve_that_never_rests_converges_at_the_end_and_by_the_paper_nowhere():
    curve = 1.1 ** np.arange(5) / 2
    assert convergence_point(curve) == 1.0
    assert convergence_point(curve, "paper") is None


def test_a_ratio_to_an_accuracy_of_zero_is_left_out_and_noted():
    with pytest.warns(UserWarning, match="the accuracy is 0 at layer 2"):
        assert jump_point([0.5, 0.0, 0.9, 0.9]) is None
    with pytest.warns(UserWarning, match="the accuracy is 0 at layer 2"):
        assert convergence_point([0.5, 0.0, 0.9, 0.9]) == 2 / 4


@given(st.lists(st.floats(0.3, 1.0), min_size=1, max_size=30))
def test_points_are_layers_and_after_the_plateau_nothing_moves(accuracy):
    layers = len(accuracy)
    for point in (convergence_point(accuracy), peak_point(accuracy)):
        assert point * layers == pytest.approx(round(point * layers))
        assert 0 < point <= 1
    first = round(convergence_point(accuracy) * layers)
    tail = np.array(accuracy[first - 1 :])
    assert (np.abs(tail[1:] / tail[:-1] - 1) < 0.03).all()
    if first > 1:
        assert abs(accuracy[first - 1] / accuracy[first - 2] - 1) >= 0.03


@pytest.mark.parametrize("accuracy", [[], [[0.5]], [0.5, np.nan], [-0.1]])
def test_what_is_no_curve_is_refused(accuracy):
    with pytest.raises(InputError, match="one finite accuracy a layer"):
        peak_point(accuracy)
    with pytest.raises(InputError, match="rule 'last' is unknown"):
        convergence_point([0.5, 0.6], "last")
