"""Quadrature rules against integrals with closed forms; streaming against the plain mean."""

import numpy as np
import pytest

from explicate.attribution import paths
from explicate.attribution.paths import average, average_over_path, quadrature, straight_path
from explicate.errors import InputError

RULES = ("midpoint", "trapezoid", "left", "right", "gauss-legendre")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [2, 3, 17])
def test_weights_sum_to_one_and_positions_lie_on_the_path(rule, steps):
    positions, weights = quadrature(rule, steps)
    assert len(positions) == len(weights) == steps
    assert weights.sum() == pytest.approx(1)
    assert positions.min() >= 0
    assert positions.max() <= 1
    assert (np.diff(positions) > 0).all()


@pytest.mark.parametrize(("rule", "order"), [("midpoint", 2), ("trapezoid", 2), ("left", 1), ("right", 1)])
def test_errors_fall_with_the_rules_order(rule, order):
    def error(steps):
        positions, weights = quadrature(rule, steps)
        return abs(weights @ np.exp(positions) - (np.e - 1))

    fall = error(101) / error(201)
    assert fall == pytest.approx(2**order, rel=0.05)


def test_gauss_legendre_is_exact_for_polynomials():
    positions, weights = quadrature("gauss-legendre", 4)
    for degree in range(8):
        assert weights @ positions**degree == pytest.approx(1 / (degree + 1), abs=1e-12)


@pytest.mark.parametrize(("rule", "steps"), [("midpoint", 0), ("trapezoid", 1), ("simpson", 8)])
def test_unknown_rules_and_too_few_steps_are_refused(rule, steps):
    with pytest.raises(InputError):
        quadrature(rule, steps)


def test_a_straight_path_begins_at_the_start_and_ends_at_the_end():
    start, end = np.zeros((3, 2, 2)), np.arange(12.0).reshape(3, 2, 2)
    found = straight_path(start, end, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(found[0], start[0])
    np.testing.assert_array_equal(found[1], end[1] / 2)
    np.testing.assert_array_equal(found[2], end[2])


@pytest.mark.parametrize("block", [1, 3, 1000])
@pytest.mark.parametrize("samples", [3, 200])
def test_streaming_in_blocks_gives_the_mean_over_the_path(block, samples, monkeypatch):
    monkeypatch.setattr(paths, "BLOCK_POINTS", block)
    rng = np.random.default_rng(0)
    start, end = rng.standard_normal((2, samples, 4))
    rule = quadrature("midpoint", 7)
    seen = []

    def gradients(points, rows):
        seen.append(len(points))
        return points**3 + rows[:, None]

    found = average_over_path(gradients, start, end, rule)
    expected = np.mean([(start + a * (end - start)) ** 3 for a in rule.positions], axis=0)
    np.testing.assert_allclose(found, expected + np.arange(samples)[:, None], atol=1e-12)
    assert max(seen) <= block
    assert sum(seen) == samples * 7


def test_blocks_are_bounded_by_memory_whatever_the_number_of_steps():
    largest = 0

    def gradients(points, rows):
        nonlocal largest
        largest = max(largest, points.nbytes)
        return points

    start, end = np.zeros((2, 1_000_000)), np.ones((2, 1_000_000))
    found = average_over_path(gradients, start, end, quadrature("midpoint", 40))
    assert largest <= paths.BLOCK_BYTES
    np.testing.assert_allclose(found, 0.5)


@pytest.mark.parametrize("samples", [2, 150])
def test_the_spread_is_the_standard_deviation_over_the_points(samples, monkeypatch):
    monkeypatch.setattr(paths, "BLOCK_POINTS", 512)
    values = np.random.default_rng(0).standard_normal((samples, 9, 5)) + 3
    found = average(
        lambda points, rows: points, lambda rows, numbers: values[rows, numbers], samples, np.full(9, 1 / 9), 40, True
    )
    np.testing.assert_allclose(found.mean, values.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.spread, values.std(axis=1, ddof=1), atol=1e-9)
    one = average(
        lambda points, rows: points, lambda rows, numbers: values[rows, numbers], samples, np.ones(1), 40, True
    )
    assert one.spread is None
