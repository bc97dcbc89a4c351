"""Estimators against directions that were planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.errors import InputError, UnknownNameError
from explicate.mechanisms.steering import estimate
from explicate.mechanisms.steering.estimators import ESTIMATORS, PRINCIPAL

WIDTH = 64


def planted(seed, n=200, noise=4.0):
    """Pairs that differ by mu and by noise that is strongest along a direction at a right angle to mu."""
    rng = np.random.default_rng(seed)
    mu, other = rng.normal(size=(2, WIDTH))
    other -= mu * (other @ mu) / (mu @ mu)
    other /= np.linalg.norm(other)
    negative = rng.normal(size=(n, WIDTH)) * 3
    spread = rng.normal(size=n)
    spread -= spread.mean()
    positive = negative + mu + 0.1 * rng.normal(size=(n, WIDTH)) + noise * spread[:, None] * other
    return positive, negative, mu, other


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_paired_difference_is_what_was_planted(seed):
    positive, negative, mu, _ = planted(seed)
    found = estimate(positive, negative, "paired-difference")
    assert cosine(found.direction, mu) > 0.99
    assert found.cosine == pytest.approx(1.0)
    assert found.agreement > 0.9
    unpaired = estimate(positive, negative[::-1], "difference-of-means")
    np.testing.assert_allclose(unpaired.direction, found.direction)


def test_the_component_of_differences_misses_what_separates_and_says_so():
    positive, negative, _, other = planted(0)
    found = estimate(positive, negative, "pca-of-differences")
    assert abs(cosine(found.direction, other)) > 0.99
    assert abs(found.cosine) < 0.2
    assert found.agreement < 0.9
    assert np.linalg.norm(found.direction) == pytest.approx(1.0)
    long = estimate(positive, negative, "pca-of-differences", standardize=True)
    assert np.linalg.norm(long.direction) == pytest.approx(np.linalg.norm((positive - negative).mean(axis=0)))


@given(seed=st.integers(0, 1000), how=st.sampled_from(PRINCIPAL))
@settings(max_examples=30, deadline=None)
def test_components_point_to_the_positive_side(seed, how):
    positive, negative, _, _ = planted(seed, n=20)
    found = estimate(positive, negative, how)
    assert (positive - negative).mean(axis=0) @ found.direction >= 0
    again = estimate(negative, positive, how)
    assert (negative - positive).mean(axis=0) @ again.direction >= 0


def test_a_single_set_has_a_mean_and_a_component():
    rng = np.random.default_rng(0)
    rows = 5 + np.outer(rng.normal(size=300), np.eye(8)[2]) * 3 + rng.normal(size=(300, 8)) * 0.1
    assert estimate(rows, None, "mean").agreement == 1.0
    component = estimate(rows, None, "pca")
    assert component.direction[2] == pytest.approx(1.0, abs=0.01)
    assert np.isnan(component.cosine)
    standard = estimate(rows, None, "pca", standardize=True)
    assert np.linalg.norm(standard.direction) == pytest.approx(np.linalg.norm(rows.mean(axis=0)))


@pytest.mark.parametrize("how", ESTIMATORS)
def test_bad_examples_are_named(how):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="width"):
        estimate(rng.normal(size=4), None, how)
    with pytest.raises(InputError, match="shape"):
        estimate(rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), how)


def test_pairs_of_different_number_are_refused_with_both_counts():
    rng = np.random.default_rng(0)
    for how in ("paired-difference", "pca-of-differences"):
        with pytest.raises(ValueError, match=r"5 positive and 4 negative"):
            estimate(rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), how)
    with pytest.raises(InputError, match="needs negative"):
        estimate(rng.normal(size=(5, 3)), None, "paired-difference")
    with pytest.raises(ValueError, match="at least 2"):
        estimate(rng.normal(size=(1, 3)), None, "pca")
    with pytest.raises(InputError, match="alike"):
        estimate(np.ones((4, 3)), None, "pca")
    with pytest.raises(UnknownNameError, match="median"):
        estimate(np.ones((4, 3)), None, "median")
