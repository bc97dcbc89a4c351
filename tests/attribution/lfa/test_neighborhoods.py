import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.attribution import lfa
from explicate.attribution.lfa.neighborhoods import shapley_kernel

X0 = np.array([0.5, 0.0, -1.0])
EVERY = [
    lfa.GaussianNoise(0.2),
    lfa.UniformScaling(0.1, low=0.3),
    lfa.BernoulliMasks(0.2, kernel="exponential"),
    lfa.OneHotMasks(0.3),
    lfa.OneHotMasks(0.3, exact=False),
]


@pytest.mark.parametrize("neighborhood", EVERY, ids=repr)
def test_points_lie_on_the_told_line_through_x0(neighborhood):
    x, xi, _ = neighborhood.sample(X0, 40, np.random.default_rng(0))
    derivative, origin = neighborhood.derivative(X0), neighborhood.origin(X0)
    assert np.allclose(x, X0 + (xi - origin) * derivative)


def test_small_neighbourhoods_are_taken_whole_and_large_ones_drawn():
    rng = np.random.default_rng(0)
    masks = lfa.BernoulliMasks()
    assert len(np.unique(masks.sample(X0, 8, rng).xi, axis=0)) == len(masks.sample(X0, 8, rng).xi) == 8
    assert len(masks.sample(X0, 7, rng).xi) == 7
    assert len(lfa.BernoulliMasks(exact=True).sample(X0, 1, rng).xi) == 8
    assert np.array_equal(lfa.OneHotMasks().sample(X0, 3, rng).xi, np.eye(3))
    drawn = lfa.OneHotMasks().sample(X0, 2, rng).xi
    assert drawn.shape == (2, 3)
    assert np.all(drawn.sum(axis=1) == 1)


def test_drawn_masks_keep_each_feature_half_the_time():
    keep = lfa.BernoulliMasks(exact=False).sample(np.ones(10), 4000, np.random.default_rng(0)).xi
    assert np.abs(keep.mean(axis=0) - 0.5).max() < 0.04
    assert np.abs(np.corrcoef(keep.T) - np.eye(10)).max() < 0.08


def test_the_exponential_kernel_weighs_distance_in_the_input():
    x, _, weights = lfa.BernoulliMasks(kernel="exponential", width=0.5).sample(X0, 8, np.random.default_rng(0))
    squared = ((x - X0) ** 2).sum(axis=1)
    assert np.allclose(weights / weights.max(), np.exp(-squared / 0.25) / np.exp(-squared.min() / 0.25))


def test_far_points_do_not_all_lose_their_weight():
    weights = (
        lfa.BernoulliMasks(kernel="exponential", width=1e-3)
        .sample(np.full(40, 9.0), 50, np.random.default_rng(0))
        .weights
    )
    assert weights.max() == 1


def test_the_shapley_kernel_is_the_published_one():
    assert np.allclose(shapley_kernel(4)[1:4], [3 / (4 * 1 * 3), 3 / (6 * 2 * 2), 3 / (4 * 3 * 1)])
    assert shapley_kernel(4)[0] == shapley_kernel(4)[4] == 1e6


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5000))
def test_the_shapley_kernel_is_positive_symmetric_and_falls_towards_the_middle(features):
    weights = shapley_kernel(features)
    assert np.all(np.isfinite(weights) & (weights > 0) & (weights <= 1e6))
    assert np.allclose(weights, weights[::-1])
    assert np.all(np.diff(weights[: features // 2 + 1]) <= 0)


def test_masked_values_are_exactly_those_of_the_input_or_the_baseline():
    x0 = np.array([0.1, 0.2, 0.3]) * 3
    x = lfa.BernoulliMasks(0.7).sample(x0, 8, np.random.default_rng(0)).x
    assert np.all((x == x0) | (x == 0.7))
