"""From a picture to what a vision model takes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError, MissingDependencyError

Resize = Literal["squash", "crop", "pad"]
Order = Literal["RGB", "BGR", "L"]


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes an array (channel, row, column).

    Parameters
    ----------
    size : rows and columns that the model takes.
    resize : how a picture of other proportions gets there: "squash" stretches all of it (nothing is lost, and places
        map linearly), "crop" cuts a centred rectangle of the model's proportions, "pad" adds black borders.
    crop_share : with "crop", the side of the cut rectangle as a share of the largest one; ImageNet models often use
        0.875.
    mean, std : of each channel, for intensities in [0, 1]; the model takes (intensity - mean) / std.
    order : channels and their order: "RGB", "BGR" or "L" (grey).
    interpolation : "bilinear" or "bicubic"; both average over what they shrink.
    """

    size: tuple[int, int] = (224, 224)
    resize: Resize = "squash"
    crop_share: float = 1.0
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    order: Order = "RGB"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self) -> None:
        for field, known in (
            ("resize", ("squash", "crop", "pad")),
            ("order", ("RGB", "BGR", "L")),
            ("interpolation", ("bilinear", "bicubic")),
        ):
            if getattr(self, field) not in known:
                raise InputError(f"{field} {getattr(self, field)!r} is unknown; use {' or '.join(map(repr, known))}")
        if not isinstance(self.size, tuple | list) or len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"size {self.size} is no (rows, columns), such as (224, 224)")
        if not 0 < self.crop_share <= 1:
            raise InputError(f"crop_share {self.crop_share} is outside (0, 1]")
        if not (len(self.mean) == len(self.std) == self.channels and min(self.std) > 0):
            raise InputError(
                f"order {self.order} has {self.channels} channels: give as many means and (positive) stds, "
                f"not {self.mean} and {self.std}"
            )

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.order == "L" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channel, row, column) of an encoded picture."""
        return (self.channels, *self.size)

    def encode(self, picture: Any) -> Array:
        """One picture as float32 (channel, row, column).

        Parameters
        ----------
        picture : uint8 array (row, column[, 3 or 4]); float array of the same shape in [0, 1]; a Pillow image; a path;
            or anything with `pixels`.
        """
        image = self._pillow(picture)
        rows, columns = self.size
        box = self._cut(image.height, image.width)
        if self.resize == "pad":
            top, bottom, left, right = self._padded(image.height, image.width)
            inner = image.resize((right - left, bottom - top), self._filter())
            image = inner.crop((-left, -top, columns - left, rows - top))
        elif (image.height, image.width) != (rows, columns) or box != (0, image.height, 0, image.width):
            image = image.resize((columns, rows), self._filter(), box=(box[2], box[0], box[3], box[1]))
        pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
        if self.order == "L":
            pixels = pixels[:, :, None]
        elif self.order == "BGR":
            pixels = pixels[:, :, ::-1]
        normalised = (pixels - np.array(self.mean, dtype=np.float32)) / np.array(self.std, dtype=np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1).astype(np.float32))

    def decode(self, encoded: Array) -> Array:
        """Encoded pictures (..., channel, row, column) as uint8 (..., row, column, 3), for people."""
        last = np.moveaxis(np.asarray(encoded, dtype=float), -3, -1)
        pixels = np.clip(np.rint((last * self.std + self.mean) * 255), 0, 255).astype(np.uint8)
        if self.order == "L":
            return np.repeat(pixels, 3, axis=-1)
        return np.ascontiguousarray(pixels[..., ::-1] if self.order == "BGR" else pixels)

    def bounds(self) -> tuple[Array, Array]:
        """What black and white become: two float32 arrays (channel, 1, 1)."""
        low = -np.array(self.mean) / np.array(self.std)
        high = (1 - np.array(self.mean)) / np.array(self.std)
        return low.astype(np.float32)[:, None, None], high.astype(np.float32)[:, None, None]

    def mask(self, mask: Array) -> Array:
        """A mask (row, column) of a picture as one of the encoded picture, by the nearest pixel; borders are False."""
        mask = np.asarray(mask, dtype=bool)
        rows, columns = self.size
        if self.resize == "pad":
            top, bottom, left, right = self._padded(*mask.shape)
            down = (np.arange(rows) - top + 0.5) / (bottom - top) * mask.shape[0]
            across = (np.arange(columns) - left + 0.5) / (right - left) * mask.shape[1]
        else:
            top, bottom, left, right = self._cut(*mask.shape)
            down = top + (np.arange(rows) + 0.5) / rows * (bottom - top)
            across = left + (np.arange(columns) + 0.5) / columns * (right - left)
        inside_down, inside_across = (
            (place >= 0) & (place < length) for place, length in zip((down, across), mask.shape, strict=True)
        )
        found = mask[
            np.ix_(*(np.clip(p.astype(int), 0, n - 1) for p, n in zip((down, across), mask.shape, strict=True)))
        ]
        return np.asarray(found & inside_down[:, None] & inside_across[None, :])

    def _cut(self, height: int, width: int) -> tuple[int, int, int, int]:
        """What of a picture is used: (top, bottom, left, right)."""
        if self.resize != "crop":
            return (0, height, 0, width)
        rows, columns = self.size
        scale = min(height / rows, width / columns) * self.crop_share
        tall, wide = max(1, round(rows * scale)), max(1, round(columns * scale))
        top, left = (height - tall) // 2, (width - wide) // 2
        return (top, top + tall, left, left + wide)

    def _padded(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Where the whole picture lands in the encoded one: (top, bottom, left, right)."""
        rows, columns = self.size
        scale = min(rows / height, columns / width)
        tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (rows - tall) // 2, (columns - wide) // 2
        return (top, top + tall, left, left + wide)

    def _filter(self) -> Any:
        from PIL import Image

        return Image.Resampling.BILINEAR if self.interpolation == "bilinear" else Image.Resampling.BICUBIC

    def _pillow(self, picture: Any) -> Any:
        try:
            from PIL import Image, ImageOps
        except ImportError as error:
            raise MissingDependencyError("pictures need pillow; run: pip install pillow") from error
        picture = getattr(picture, "pixels", picture)
        if isinstance(picture, str | Path):
            if not Path(picture).is_file():
                raise InputError(f"there is no picture {picture}; check the path")
            try:
                with Image.open(picture) as opened:
                    picture = ImageOps.exif_transpose(opened)
                    picture.load()
            except (OSError, SyntaxError, ValueError) as error:
                raise InputError(f"{picture} is no picture that can be read; give a PNG or JPEG file") from error
        if not isinstance(picture, Image.Image):
            picture = Image.fromarray(_bytes_of(picture))
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            coloured = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
        return picture.convert("L" if self.order == "L" else "RGB")


def _bytes_of(pixels: Any) -> Array:
    array = np.asarray(pixels)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or array.size == 0:
        raise InputError(f"a picture of shape {array.shape} is no (row, column) or (row, column, 3)")
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError("a picture holds NaN or infinite values; fill them first")
        if array.min() >= 0 and array.max() <= 1:
            return np.rint(array * 255).astype(np.uint8)
    elif array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    raise InputError(
        f"a picture of type {array.dtype} with values from {array.min()} to {array.max()}: give uint8, floats in "
        "[0, 1], or encoded pictures (sample, channel, row, column)"
    )


def is_picture(value: Any) -> bool:
    """Whether `value` is one picture rather than a collection of them."""
    if isinstance(value, str | Path) or hasattr(value, "pixels") or isinstance(value, Mapping):
        return True
    return type(value).__module__.startswith("PIL.")
