"""Sparseness and complexity against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explicate.evaluation.complexity import Complexity, Sparseness, entropy, gini

SIZES = arrays(float, st.integers(1, 30), elements=st.floats(1e-6, 1e6))


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_ends_of_the_gini_index(count):
    assert gini(np.eye(count)[0]) == pytest.approx(1 - 1 / count)
    assert gini(np.full(count, 3.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_ends_of_the_entropy(count):
    assert entropy(np.eye(count)[0]) == 0
    assert entropy(np.full(count, 3.0)) == pytest.approx(np.log(count))


def test_the_gini_index_is_half_the_relative_mean_difference():
    sizes = np.random.default_rng(0).exponential(size=40)
    expected = np.abs(sizes[:, None] - sizes[None, :]).mean() / (2 * sizes.mean())
    assert gini(sizes) == pytest.approx(expected)


@given(SIZES, st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_order_and_scale_do_not_count(sizes, factor, random):
    order = list(range(len(sizes)))
    random.shuffle(order)
    assert gini(factor * sizes[order]) == pytest.approx(gini(sizes), abs=1e-9)
    assert entropy(factor * sizes[order]) == pytest.approx(entropy(sizes), abs=1e-9)


def test_what_chance_gives():
    sizes = np.abs(np.random.default_rng(0).standard_normal(200_000))
    assert gini(sizes) == pytest.approx(np.sqrt(2) - 1, abs=0.003)
    assert entropy(sizes) == pytest.approx(np.log(len(sizes)) - 0.28, abs=0.01)


def test_signs_do_not_count_and_zeros_are_undefined(explained):
    values = np.array([[1.0, -2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    explanation = explained(None, np.ones((3, 3)), values)
    for metric in (Sparseness(), Complexity()):
        found = metric.score(explanation)
        assert found.values[0] == pytest.approx(found.values[2])
        assert np.isnan(found.values[1])
        assert found.undefined == 1
        assert found.evaluations == 0


def test_the_channels_of_a_pixel_count_together(explained):
    values = np.zeros((1, 2, 2, 2))
    values[0, :, 0, 0] = [3.0, -1.0]
    values[0, :, 1, 1] = [1.0, 1.0]
    explanation = explained(None, np.ones((1, 2, 2, 2)), values)
    assert Complexity().score(explanation).value == pytest.approx(np.log(2))
