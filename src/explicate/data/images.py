"""Pictures that come with scikit-image and scikit-learn, some with hand-drawn boxes around what they show.

Only pictures that lie inside the installed packages are offered; nothing is downloaded. `picture("cat")` finds one by
name; `IMAGES` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.registry import unknown
from explicate.errors import InputError, MissingDependencyError

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last), in pixels."""


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A picture in colour.

    Attributes
    ----------
    name : short name.
    pixels : (row, column, 3) uint8, red green blue.
    source : who made it and which package it comes with.
    licence : as published, or "see publisher".
    boxes : hand-drawn boxes around things in the picture, by name: `pixels[box[0]:box[1], box[2]:box[3]]` is the
        thing and as little else as a box allows. Empty where nobody drew any.
    imagenet_class : index of the ImageNet class nearest to the main thing, None where no class fits.
    imagenet_name : what that class is called.
    """

    name: str
    pixels: np.ndarray
    source: str = ""
    licence: str = "see publisher"
    boxes: Mapping[str, Box] = field(default_factory=dict)
    imagenet_class: int | None = None
    imagenet_name: str = ""

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise InputError(
                f"picture {self.name!r}: pixels are {self.pixels.dtype} of shape {self.pixels.shape}; "
                "uint8 of shape (row, column, 3) is needed"
            )
        for name, (top, bottom, left, right) in self.boxes.items():
            if not (0 <= top < bottom <= self.height and 0 <= left < right <= self.width):
                raise InputError(f"picture {self.name!r}: box {name!r} is empty or reaches outside the picture")

    def __repr__(self) -> str:
        boxes = f", boxes {', '.join(self.boxes)}" if self.boxes else ""
        return f"Image({self.name!r}: {self.height} x {self.width} pixels{boxes})"

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    def mask(self, box: str) -> np.ndarray:
        """(row, column) bool: which pixels lie in the box of that name."""
        if box not in self.boxes:
            raise unknown(box, list(self.boxes), f"box of picture {self.name!r}")
        top, bottom, left, right = self.boxes[box]
        inside = np.zeros((self.height, self.width), dtype=bool)
        inside[top:bottom, left:right] = True
        return inside

    def share(self, box: str) -> float:
        """The box's share of the picture's area: what a random point would score."""
        return float(self.mask(box).mean())


def cat() -> Image:
    """A cat, close up, 300 x 451; the cat fills most of the picture, so "face" is the box that says something."""
    return _scikit_image(
        "cat",
        "chelsea",
        licence="CC0 by Stefan van der Walt",
        boxes={"cat": (0, 300, 0, 398), "face": (75, 288, 105, 363)},
        imagenet_class=285,
        imagenet_name="Egyptian cat",
    )


def two_cats() -> Image:
    """Two cats side by side, 300 x 600: a square part of the picture "cat", and its mirror image to the right."""
    one = cat()
    left = one.pixels[:, 75:375]
    return Image(
        name="two-cats",
        pixels=np.ascontiguousarray(np.hstack([left, left[:, ::-1]])),
        source=f"{one.source}, columns 75 to 374 and their mirror image",
        licence=one.licence,
        boxes={
            "left cat": (0, 300, 0, 300),
            "right cat": (0, 300, 300, 600),
            "left face": (75, 288, 30, 288),
            "right face": (75, 288, 312, 570),
        },
        imagenet_class=285,
        imagenet_name="Egyptian cat",
    )


def coffee() -> Image:
    """A cup of espresso on a saucer, with a spoon, 400 x 600; "cup" includes its handle and not the saucer."""
    return _scikit_image(
        "coffee",
        "coffee",
        licence="CC0 by Rachel Michetti",
        boxes={"cup": (17, 309, 172, 409), "coffee": (94, 195, 203, 371), "saucer": (68, 388, 77, 481)},
        imagenet_class=967,
        imagenet_name="espresso",
    )


def rocket() -> Image:
    """A Falcon 9 on its launch pad at dusk, between four lattice towers, 427 x 640.

    "rocket" is the rocket alone (3 % of the picture), "rocket and stand" includes the frame at its foot. ImageNet has
    no rocket; its nearest class is 657, missile. Classifiers of ordinary size tend to see the towers instead.
    """
    return _scikit_image(
        "rocket",
        "rocket",
        licence="public domain, SpaceX",
        boxes={"rocket": (126, 408, 308, 336), "rocket and stand": (126, 408, 288, 357)},
        imagenet_class=657,
        imagenet_name="missile",
    )


def astronaut() -> Image:
    """The astronaut Eileen Collins with a flag, a model of the shuttle and a helmet, 512 x 512."""
    return _scikit_image("astronaut", "astronaut", licence="public domain, NASA")


def camera() -> Image:
    """A photographer with a camera on a tripod, grey, 512 x 512."""
    return _scikit_image("camera", "camera", licence="CC0 by Lav Varshney")


def coins() -> Image:
    """Greek coins from Pompeii on a grey ground, 303 x 384: many instances of one thing."""
    return _scikit_image("coins", "coins", licence="no known restrictions, Brooklyn Museum")


def brick() -> Image:
    """A brick wall, grey, 512 x 512: a texture without an object."""
    return _scikit_image("brick", "brick", licence="CC0, CC0Textures")


def china() -> Image:
    """A temple in China, 427 x 640."""
    return _scikit_learn("china", licence="CC BY 2.0 by danielbuechele")


def flower() -> Image:
    """A dahlia, 427 x 640."""
    return _scikit_learn("flower", licence="CC BY 2.0 by vultilion")


IMAGES: dict[str, Callable[[], Image]] = {
    "cat": cat,
    "two-cats": two_cats,
    "coffee": coffee,
    "rocket": rocket,
    "astronaut": astronaut,
    "camera": camera,
    "coins": coins,
    "brick": brick,
    "china": china,
    "flower": flower,
}
"""The pictures by name."""


def picture(name: str) -> Image:
    """Load the picture called `name`; an `UnknownNameError` names the nearest and lists all."""
    spelt = name.replace("_", "-")
    if spelt not in IMAGES:
        raise unknown(name, list(IMAGES), "picture")
    return IMAGES[spelt]()


def image_from_file(path: str | Path) -> Image:
    """Read a user's picture (PNG, JPEG and what else Pillow reads), turned upright and into red green blue.

    Transparent parts become white. Of an animation, the first frame is taken.

    Raises
    ------
    InputError : there is no such file, or it is no picture.
    """
    try:
        from PIL import Image as PillowImage
        from PIL import ImageOps
    except ImportError as error:
        raise MissingDependencyError("reading pictures needs pillow; run: pip install pillow") from error
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path")
    try:
        with PillowImage.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            if upright.mode.startswith("I;16") or upright.mode == "I":  # 16 bits a pixel
                grey = np.asarray(upright, dtype=np.float64) / 257
                upright = PillowImage.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
            if upright.has_transparency_data:
                coloured = upright.convert("RGBA")
                upright = PillowImage.alpha_composite(PillowImage.new("RGBA", coloured.size, "white"), coloured)
            pixels = np.array(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is no picture that can be read ({reason}); give a PNG or JPEG file") from error
    return Image(name=path.stem, pixels=pixels, source=f"file {path.name}")


def _scikit_image(name: str, loader: str, **known: Any) -> Image:
    try:
        import skimage.data
    except ImportError as error:
        raise MissingDependencyError(
            f"the picture {name!r} comes with scikit-image; run: pip install scikit-image"
        ) from error
    pixels = np.asarray(getattr(skimage.data, loader)())
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return Image(name=name, pixels=pixels, source=f"scikit-image {version('scikit-image')}, {loader}", **known)


def _scikit_learn(name: str, **known: Any) -> Image:
    from sklearn.datasets import load_sample_image

    try:
        pixels = np.array(load_sample_image(f"{name}.jpg"))
    except ImportError as error:
        raise MissingDependencyError(f"reading the picture {name!r} needs pillow; run: pip install pillow") from error
    return Image(name=name, pixels=pixels, source=f"scikit-learn {version('scikit-learn')}, {name}.jpg", **known)
