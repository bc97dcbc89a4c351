"""Prediction gaps of linear models have closed forms, and an explanation is never paired with another's input."""

import numpy as np
import pytest

import explicate as ex
from explicate.errors import InputError
from explicate.evaluation.prediction_gap import PredictionGaps, auc_over_k, pgi, pgu
from explicate.rationales import Neighbourhood

RNG = np.random.Generator(np.random.PCG64(0))
WEIGHTS = np.array([3.0, -2.0, 0.5])


@pytest.fixture
def model():
    return ex.TabularModel(lambda rows: rows @ WEIGHTS, RNG.random((8, 3)))


def test_a_linear_model_s_gap_is_the_mean_size_of_a_gaussian(model):
    rows = RNG.random((4, 3))
    gaps = PredictionGaps(model, rows, 0)
    found = gaps.gaps(2, [frozenset([0]), frozenset([1, 2]), frozenset()])
    expected = np.sqrt(2 / np.pi) * 0.1 * np.array([3.0, np.hypot(2.0, 0.5), 0.0])
    assert np.allclose(found, expected, rtol=0.03)
    assert np.array_equal(gaps.gaps(2, [frozenset([1, 2])]), found[1:2])


def test_flips_move_by_the_whole_weight(model):
    rows = np.zeros((1, 3))
    found = PredictionGaps(model, rows, 0, types=("d", "c", "c")).gaps(0, [frozenset([0])])
    assert found[0] == pytest.approx(3.0 * np.sqrt(2 / np.pi) * 0.1, rel=0.1)


def test_the_true_order_has_the_largest_pgi_and_the_smallest_pgu(model):
    rows = RNG.random((6, 3))
    gaps = PredictionGaps(model, rows, 0, Neighbourhood(2000))
    right = ex.explain(model, rows, "occlusion", missingness="mean")
    right.data["attribution"] = right["attribution"] * 0 + np.abs(WEIGHTS)
    wrong = ex.explain(model, rows, "occlusion", missingness="mean")
    wrong.data["attribution"] = wrong["attribution"] * 0 + 1 / np.abs(WEIGHTS)
    for k in (1, 2):
        assert (pgi(right, gaps, k) > pgi(wrong, gaps, k)).all()
        assert (pgu(right, gaps, k) < pgu(wrong, gaps, k)).all()
    assert np.allclose(pgu(right, gaps, 3), 0)


def test_instances_that_were_left_out_do_not_shift_the_rest(model):
    rows = RNG.random((6, 3))
    gaps = PredictionGaps(model, rows, 0, Neighbourhood(200))
    found = ex.explain(model, rows, "random")
    found.data["instance"] = (("sample",), np.arange(6))
    assert np.array_equal(pgi(found.isel(sample=[1, 4]), gaps, 1), pgi(found, gaps, 1)[[1, 4]])
    found.data["instance"] = (("sample",), np.arange(6)[::-1])
    with pytest.raises(InputError, match="row 5 of the prediction gaps is not the one that was explained"):
        pgi(found, gaps, 1)
    with pytest.raises(InputError, match="k is 4"):
        pgi(found, gaps, 4)


def test_area_over_k():
    assert auc_over_k([np.array([1.0]), np.array([0.5]), np.array([1.0])])[0] == pytest.approx(0.75)
    assert auc_over_k([np.array([0.3])])[0] == 0.3
