"""Blur and inpainting, and superpixels: what is kept stays, what is absent follows from the rest."""

from types import SimpleNamespace

import numpy as np
import pytest

from explicate.attribution.missingness.images import Blur, Inpaint
from explicate.attribution.segments import Superpixels
from explicate.errors import InputError

MODEL = SimpleNamespace(kind="image", name="model")
RNG = np.random.default_rng(0)
SAMPLE = np.random.default_rng(0).standard_normal((3, 20, 27)).astype(np.float32)


def _keep(pixels):
    return np.broadcast_to(pixels[None, None], (1, *SAMPLE.shape))


@pytest.mark.parametrize("missingness", [Blur(), Inpaint(), Inpaint(how="biharmonic")])
def test_present_pixels_stay_as_they_are(missingness):
    pixels = np.random.default_rng(1).random(SAMPLE.shape[1:]) < 0.8
    filled = missingness.bind(MODEL, SAMPLE, RNG)(_keep(pixels))
    assert filled.shape == (1, *SAMPLE.shape)
    assert filled.dtype == SAMPLE.dtype
    np.testing.assert_array_equal(filled[0][:, pixels], SAMPLE[:, pixels])
    assert np.abs(filled[0] - SAMPLE)[:, ~pixels].max() > 0
    everything = missingness.bind(MODEL, SAMPLE, RNG)(_keep(np.ones(SAMPLE.shape[1:], bool)))
    np.testing.assert_array_equal(everything[0], SAMPLE)


def test_blur_takes_a_gaussian_copy():
    from scipy.ndimage import gaussian_filter

    filled = Blur(spread=0.1).bind(MODEL, SAMPLE, RNG)(_keep(np.zeros(SAMPLE.shape[1:], bool)))
    for channel in range(3):
        np.testing.assert_allclose(filled[0, channel], gaussian_filter(SAMPLE[channel], 2.0, mode="nearest"), atol=1e-6)


@pytest.mark.parametrize("how", ["pyramid", "biharmonic"])
def test_inpainting_nothing_from_nothing_gives_the_mean_colour(how):
    filled = Inpaint(how=how).bind(MODEL, SAMPLE, RNG)(_keep(np.zeros(SAMPLE.shape[1:], bool)))
    np.testing.assert_allclose(
        filled[0], np.broadcast_to(SAMPLE.mean(axis=(1, 2), keepdims=True), SAMPLE.shape), rtol=1e-5
    )


@pytest.mark.parametrize("how", ["pyramid", "biharmonic"])
def test_inpainting_a_hole_in_one_colour_fills_it_with_that_colour(how):
    plain = np.full((3, 20, 27), 0.7, dtype=np.float32)
    plain[1] = -0.2
    hidden = plain.copy()
    pixels = np.ones((20, 27), bool)
    pixels[5:14, 8:20] = False
    hidden[:, ~pixels] = 9.0  # what is absent must not shine through
    filled = Inpaint(how=how).bind(MODEL, hidden, RNG)(_keep(pixels))
    np.testing.assert_allclose(filled[0], plain, atol=1e-4)


def test_the_pyramid_takes_the_nearest_colours():
    halves = np.zeros((1, 16, 32), dtype=np.float32)
    halves[:, :, 16:] = 1.0
    pixels = np.ones((16, 32), bool)
    pixels[4:12, 2:8] = False
    pixels[4:12, 24:30] = False
    filled = Inpaint().bind(MODEL, halves, RNG)(np.broadcast_to(pixels[None, None], (1, 1, 16, 32)))
    np.testing.assert_allclose(filled[0], halves, atol=1e-6)


def test_the_pyramid_is_a_mean_over_the_smallest_square_that_knows_something():
    sample = np.arange(16.0, dtype=np.float32).reshape(1, 4, 4)
    pixels = np.zeros((4, 4), bool)
    pixels[0, 0] = pixels[2, 3] = pixels[3, 2] = True
    filled = Inpaint().bind(MODEL, sample, RNG)(np.broadcast_to(pixels[None, None], (1, 1, 4, 4)))[0, 0]
    assert filled[1, 1] == 0  # its square of 2 x 2 holds one present pixel, of value 0
    assert filled[3, 3] == (11 + 14) / 2
    assert filled[0, 3] == filled[3, 0]  # their squares hold none: the mean over the whole
    assert 0 < filled[0, 3] < 12.5


def test_wrong_parameters_are_refused():
    with pytest.raises(InputError):
        Blur(spread=0.0)
    with pytest.raises(InputError):
        Inpaint(how="magic")


def test_superpixels_follow_the_colours():
    picture = np.zeros((3, 40, 40), dtype=np.float32)
    picture[0, :, 20:] = 1.0
    picture[1, 20:] = 1.0
    players = Superpixels(segments=4, compactness=1.0).players(MODEL, picture)
    assert players.count == 4
    for rows in (slice(1, 19), slice(21, 39)):
        for columns in (slice(1, 19), slice(21, 39)):
            assert len(np.unique(players.labels[rows, columns])) == 1


def test_superpixels_are_for_pictures_and_at_least_two():
    with pytest.raises(InputError):
        Superpixels(segments=1)
    with pytest.raises(InputError, match="for images"):
        Superpixels().players(SimpleNamespace(kind="table", name="t"), np.zeros(3))
