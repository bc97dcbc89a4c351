import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from explicate.attribution.least_squares import fit_linear, fit_linear_each
from explicate.errors import InputError

seeds = st.integers(0, 1000)


def problem(seed: int, rows: int = 30, features: int = 4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, features)), rng.normal(size=rows), rng.random(rows) + 0.1


@given(seeds, st.floats(0.01, 10))
def test_weighted_fits_equal_those_of_scikit_learn(seed, ridge):
    design, values, weights = problem(seed)
    plain, shrunk = fit_linear(design, values, weights), fit_linear(design, values, weights, ridge=ridge)
    truth = LinearRegression().fit(design, values, weights)
    assert np.allclose(plain.weights, truth.coef_)
    assert np.isclose(plain.intercept, truth.intercept_)
    assert np.allclose(plain.residuals, values - truth.predict(design))
    truth = Ridge(ridge).fit(design, values, weights)
    assert np.allclose(shrunk.weights, truth.coef_)
    assert np.isclose(shrunk.intercept, truth.intercept_)


@given(seeds, st.floats(-5, 5))
def test_a_fixed_total_is_kept_and_is_the_best_that_keeps_it(seed, total):
    design, values, weights = problem(seed)
    found = fit_linear(design, values, weights, intercept=False, total=total)
    assert np.isclose(found.weights.sum(), total)
    gradient = design.T @ (weights * found.residuals)  # Lagrange: equal along all coordinates
    assert np.allclose(gradient, gradient[0], atol=1e-8)


@given(seeds)
def test_many_fits_at_once_equal_single_ones(seed):
    rng = np.random.default_rng(seed)
    design, values, weights = rng.normal(size=(3, 20, 2)), rng.normal(size=(3, 20)), rng.random((3, 20)) + 0.1
    found = fit_linear_each(design, values, weights)
    for i in range(3):
        single = fit_linear(design[i], values[i], weights[i])
        assert np.allclose(found.weights[i], single.weights)
        assert np.isclose(found.intercepts[i], single.intercept)


def test_a_constant_column_gets_nothing():
    design, values, _ = problem(0)
    assert fit_linear(np.c_[design, np.zeros(30)], values).weights[-1] == pytest.approx(0)


def test_impossible_demands_are_named():
    design, values, weights = problem(0)
    with pytest.raises(InputError, match="3 samples cannot determine 5"):
        fit_linear(design[:3], values[:3])
    with pytest.raises(InputError, match="none negative"):
        fit_linear(design, values, -weights)
    with pytest.raises(InputError, match="exclude each other"):
        fit_linear(design, values, total=1.0)
    with pytest.raises(InputError, match="values of shape"):
        fit_linear(design, values[:-1])
