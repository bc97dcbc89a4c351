"""Pictures in, arrays out, and back; masks move with their pictures."""

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from explicate.errors import InputError
from explicate.models.preprocessing import Preprocessing

PLAIN = Preprocessing(size=(8, 8), mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))


def _picture(rows: int = 8, columns: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, columns, 3)).astype(np.uint8)


def test_normalises_channel_by_channel_and_decode_undoes_it():
    picture = _picture()
    encoded = PLAIN.encode(picture)
    assert encoded.shape == (3, 8, 8)
    assert encoded.dtype == np.float32
    expected = (picture[2, 5] / 255 - np.array([0.5, 0.25, 0.0])) / np.array([0.5, 0.25, 1.0])
    np.testing.assert_allclose(encoded[:, 2, 5], expected, atol=1e-6)
    np.testing.assert_array_equal(PLAIN.decode(encoded), picture)


def test_blue_green_red_is_the_same_picture_with_channels_reversed():
    picture = _picture()
    other = Preprocessing(size=(8, 8), mean=(0, 0, 0), std=(1, 1, 1), order="BGR")
    np.testing.assert_allclose(other.encode(picture)[::-1] * 255, picture.transpose(2, 0, 1), atol=1e-4)
    np.testing.assert_array_equal(other.decode(other.encode(picture)), picture)


def test_all_ways_to_hand_over_a_picture_agree(tmp_path):
    picture = _picture()
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    expected = PLAIN.encode(picture)
    for given in (Image.fromarray(picture), path, str(path), picture / 255.0, picture.astype(int)):
        np.testing.assert_allclose(PLAIN.encode(given), expected, atol=1e-5)


def test_transparent_becomes_white_and_grey_becomes_colour():
    clear = np.zeros((8, 8, 4), dtype=np.uint8)
    assert (PLAIN.decode(PLAIN.encode(clear)) == 255).all()
    grey = np.full((8, 8), 77, dtype=np.uint8)
    assert (PLAIN.decode(PLAIN.encode(grey)) == 77).all()


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_a_mask_covers_in_the_encoded_picture_what_it_covered_in_the_picture(resize):
    rules = Preprocessing(size=(32, 32), mean=(0, 0, 0), std=(1, 1, 1), resize=resize)
    mask = np.zeros((60, 120), dtype=bool)
    mask[20:50, 50:80] = True
    picture = np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255
    seen = rules.encode(picture)[0] > 0.5
    found = rules.mask(mask)
    assert found.any()
    assert (seen != found).mean() < 0.03  # the border alone


def test_crop_cuts_the_middle_and_squash_keeps_all():
    picture = np.zeros((16, 32, 3), dtype=np.uint8)
    picture[:, :8] = 255  # only the left quarter is bright
    rules = {"mean": (0, 0, 0), "std": (1, 1, 1), "size": (16, 16)}
    assert Preprocessing(resize="crop", **rules).encode(picture).max() == 0
    assert abs(Preprocessing(resize="squash", **rules).encode(picture).mean() - 0.25) < 0.02
    padded = Preprocessing(resize="pad", **rules).encode(picture)
    assert padded[:, :4].max() == 0
    assert padded[:, 8, 0].min() > 0.9


def test_bounds_are_black_and_white():
    low, high = PLAIN.bounds()
    np.testing.assert_allclose(
        low, PLAIN.encode(np.zeros((8, 8, 3), np.uint8)).mean(axis=(1, 2), keepdims=True), atol=1e-6
    )
    np.testing.assert_allclose(
        high, PLAIN.encode(np.full((8, 8, 3), 255, np.uint8)).mean(axis=(1, 2), keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((8, 8, 5), np.uint8),
        np.zeros((8,), np.uint8),
        np.full((8, 8, 3), 2.0),
        np.full((8, 8, 3), np.nan),
        np.full((8, 8, 3), 300),
        "nowhere.png",
    ],
)
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(InputError):
        PLAIN.encode(bad)


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"picture\.png"):
        PLAIN.encode(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resize": "stretch"},
        {"size": (0, 8)},
        {"crop_share": 0.0},
        {"mean": (0.0,)},
        {"std": (1.0, 0.0, 1.0)},
        {"order": "RGBA"},
        {"interpolation": "nearest"},
    ],
)
def test_wrong_rules_are_refused(wrong):
    with pytest.raises(InputError):
        Preprocessing(**wrong)


def test_a_size_that_is_one_number_is_refused():
    with pytest.raises(InputError, match=r"size 16 is no \(rows, columns\), such as"):
        Preprocessing(size=16)
