from __future__ import annotations

import numpy as np
import pytest

from explicate.data import IMAGES, Image, image_from_file, picture
from explicate.errors import InputError, UnknownNameError

pytest.importorskip("skimage")
PillowImage = pytest.importorskip("PIL.Image")

SIZES = {
    "cat": (300, 451),
    "two-cats": (300, 600),
    "coffee": (400, 600),
    "rocket": (427, 640),
    "astronaut": (512, 512),
    "camera": (512, 512),
    "coins": (303, 384),
    "brick": (512, 512),
    "china": (427, 640),
    "flower": (427, 640),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_picture_is_there_without_a_download(name, monkeypatch) -> None:
    def refuse(*arguments, **options):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("socket.socket.connect", refuse)
    image = picture(name)
    assert (image.name, image.height, image.width) == (name, *SIZES[name])
    assert image.pixels.dtype == np.uint8
    assert image.licence != "see publisher"
    assert "scikit" in image.source


def test_the_known_pictures_are_all() -> None:
    assert set(IMAGES) == set(SIZES)


def test_class_hints() -> None:
    hints = {name: picture(name).imagenet_class for name in ("cat", "two-cats", "coffee", "rocket", "brick")}
    assert hints == {"cat": 285, "two-cats": 285, "coffee": 967, "rocket": 657, "brick": None}


def test_the_boxes_hold_what_they_name() -> None:
    def inside(name: str, box: str) -> np.ndarray:
        image = picture(name)
        return image.pixels[image.mask(box)].astype(float)

    def outside(name: str, box: str) -> np.ndarray:
        image = picture(name)
        return image.pixels[~image.mask(box)].astype(float)

    # the rocket is bright before a dark sky; coffee is yellower than the picture; the cup has all the white
    assert inside("rocket", "rocket").mean() > 1.8 * outside("rocket", "rocket").mean()
    coffee = inside("coffee", "coffee")
    assert coffee[:, 0].mean() - coffee[:, 2].mean() > 90
    white = picture("coffee").pixels.min(axis=2) > 200
    assert white[picture("coffee").mask("cup")].sum() > 0.85 * white.sum()


def test_no_box_is_most_of_the_picture_but_the_cat() -> None:
    shares = {(name, box): picture(name).share(box) for name in SIZES for box in picture(name).boxes}
    assert all(share < 0.55 for key, share in shares.items() if key != ("cat", "cat"))
    assert shares["rocket", "rocket"] == pytest.approx(282 * 28 / (427 * 640))


def test_the_mosaic_is_one_cat_and_its_mirror_image() -> None:
    mosaic, cat = picture("two-cats"), picture("cat")
    left, right = mosaic.pixels[:, :300], mosaic.pixels[:, 300:]
    assert np.array_equal(left, right[:, ::-1])
    assert np.array_equal(left, cat.pixels[:, 75:375])
    assert np.array_equal(mosaic.mask("left face"), mosaic.mask("right face")[:, ::-1])
    assert mosaic.share("left cat") == mosaic.share("right cat") == 0.5
    assert np.array_equal(mosaic.pixels[mosaic.mask("left face")], cat.pixels[cat.mask("face")])


def test_an_unknown_picture_or_box_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no picture named 'cofee'; did you mean 'coffee'"):
        picture("cofee")
    with pytest.raises(UnknownNameError, match="there are: cat, face"):
        picture("cat").mask("tail")


def test_wrong_pixels_and_boxes_are_refused() -> None:
    with pytest.raises(InputError, match="uint8 of shape"):
        Image("grey", np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="uint8 of shape"):
        Image("floats", np.zeros((4, 4, 3)))
    with pytest.raises(InputError, match="box 'all' is empty or reaches outside"):
        Image("box", np.zeros((4, 4, 3), np.uint8), boxes={"all": (0, 5, 0, 4)})


def test_a_file_is_read_as_it_was_written(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(tmp_path / "mine.png")
    image = image_from_file(tmp_path / "mine.png")
    assert image.name == "mine"
    assert np.array_equal(image.pixels, pixels)


def test_grey_deep_and_transparent_files_become_colour(tmp_path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    PillowImage.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(image_from_file(tmp_path / "grey.png").pixels, np.repeat(grey[..., None], 3, axis=2))
    PillowImage.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(image_from_file(tmp_path / "deep.png").pixels[..., 0], grey)
    glass = np.zeros((2, 2, 4), np.uint8)
    glass[0, 0] = (200, 10, 0, 255)
    PillowImage.fromarray(glass).save(tmp_path / "glass.png")
    read = image_from_file(tmp_path / "glass.png").pixels
    assert read[0, 0].tolist() == [200, 10, 0]
    assert read[1, 1].tolist() == [255, 255, 255]


def test_a_photograph_is_turned_upright(tmp_path) -> None:
    lying = PillowImage.fromarray(np.zeros((2, 5, 3), np.uint8))
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(tmp_path / "lying.jpg", exif=exif)
    assert image_from_file(tmp_path / "lying.jpg").pixels.shape == (5, 2, 3)


@pytest.mark.parametrize("content", [b"", b"age,y\n1,2\n", b"\x89PNG\r\n\x1a\nbroken"])
def test_no_picture_is_one_line(tmp_path, content) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.png is no picture") as caught:
        image_from_file(path)
    assert "\n" not in str(caught.value)


def test_a_cut_off_file_is_refused(tmp_path) -> None:
    PillowImage.fromarray(picture("cat").pixels).save(tmp_path / "cat.jpg")
    whole = (tmp_path / "cat.jpg").read_bytes()
    (tmp_path / "cat.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cat\.jpg is no picture"):
        image_from_file(tmp_path / "cat.jpg")


def test_an_absent_file_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        image_from_file(tmp_path / "none.png")
