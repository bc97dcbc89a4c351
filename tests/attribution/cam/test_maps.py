"""The arithmetic of class-activation maps against loops and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explicate.attribution.cam.maps import alpha, combined, enlarged, scaled


def _loop(activations, first, second, third, numerator, epsilon):
    """Equation by equation, neuron by neuron."""
    found = np.zeros_like(activations)
    for n, k, i, j in np.ndindex(activations.shape):
        s = activations[n, k].sum()
        if second[n, k, i, j] > 0:
            below = 2 * second[n, k, i, j] + s * third[n, k, i, j]
            below += -epsilon if below < 0 else epsilon
            found[n, k, i, j] = (second if numerator == "second" else first)[n, k, i, j] / below
    return found


@pytest.mark.parametrize("numerator", ["second", "first"])
def test_alpha_is_the_formula_at_every_neuron(numerator):
    rng = np.random.default_rng(0)
    activations = rng.random((2, 3, 4, 5))
    slopes = rng.standard_normal((7, 2, 3, 4, 5)) * (rng.random((2, 3, 4, 5)) < 0.8)
    moments = [(slopes**power).mean(axis=0) for power in (1, 2, 3)]
    np.testing.assert_allclose(
        alpha(activations, *moments, numerator, 1e-8), _loop(activations, *moments, numerator, 1e-8), rtol=1e-12
    )


def test_alpha_sums_the_map_not_the_map_times_its_gradients():
    activations = np.array([[[[1.0, 2.0]]]])
    slopes = np.array([[[[0.5, 3.0]]]])
    found = alpha(activations, slopes, slopes**2, slopes**3, "second", 0.0)
    np.testing.assert_allclose(found, 1 / (2 + 3.0 * slopes))
    wrong = slopes**2 / (2 * slopes**2 + (activations * slopes**3).sum())
    assert np.abs(found - wrong).max() > 0.1


def test_alpha_where_no_gradient_is_is_zero_and_epsilon_takes_the_denominators_sign():
    one = np.ones((1, 1, 1, 1))
    assert alpha(one, 0 * one, 0 * one, 0 * one, "second", 0.0).item() == 0
    negative = alpha(one * 4, one, one, -one, "second", 0.5).item()  # 2 - 4 = -2
    assert negative == pytest.approx(1 / -2.5)


def test_combined_over_a_partition_of_channels_adds_up_to_the_whole():
    rng = np.random.default_rng(0)
    weights, activations = rng.standard_normal((2, 6)), rng.standard_normal((2, 6, 3, 4))
    keep = rng.random((6, 3, 4)) < 0.7
    whole = combined(weights, activations, keep, None)
    parts = [combined(weights, activations, keep, np.array(part)) for part in ([0, 3], [1], [2, 4, 5])]
    np.testing.assert_allclose(sum(parts), whole)
    np.testing.assert_allclose(whole[1], sum(weights[1, k] * activations[1, k] * keep[k] for k in range(6)))


@pytest.mark.parametrize(
    ("shape", "size"), [((7, 7), (224, 224)), ((4, 6), (9, 25)), ((1, 1), (5, 5)), ((8, 8), (8, 8))]
)
def test_enlarged_is_bilinear_interpolation(shape, size):
    torch = pytest.importorskip("torch")
    maps = np.random.default_rng(0).standard_normal((3, *shape))
    resize = torch.nn.functional.interpolate
    expected = resize(torch.as_tensor(maps)[:, None], size, mode="bilinear", align_corners=False)[:, 0].numpy()
    np.testing.assert_allclose(enlarged(maps, size), expected, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(arrays(float, (3, 4, 5), elements=st.floats(-1e6, 1e6)))
def test_scaled_maps_reach_0_and_1_unless_they_are_constant(maps):
    found, empty = scaled(maps)
    for one, is_empty, before in zip(found, empty, maps, strict=True):
        if is_empty:
            assert (one == 0).all()
            assert np.ptp(before) <= 1e-9 * np.abs(before).max()
        else:
            assert one.min() == 0
            assert one.max() == pytest.approx(1)
            order = np.argsort(before.ravel(), kind="stable")
            assert (np.diff(one.ravel()[order]) >= 0).all()
