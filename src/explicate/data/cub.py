"""CUB-200-2011, birds with attributes and places of parts, from a local copy.

Source: Wah, Branson, Welinder, Perona, Belongie (2011), "The Caltech-UCSD Birds-200-2011 Dataset". Which attributes
are kept, and that a patch is annotated where a visible part lies, follows Rigotti et al. (2022), "Attention-based
Interpretability with Concept Transformers".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from explicate.data.explained import Sample
from explicate.data.images import image_from_file
from explicate.errors import FileFormatError, InputError

WHOLE = ("size", "shape", "primary color")  # of the bird as such; every other attribute is of the parts it names
PLACES: dict[str, tuple[str, ...]] = {
    "bill": ("beak",),
    "wing": ("left wing", "right wing"),
    "upperparts": ("back", "nape"),
    "underparts": ("belly", "breast", "throat"),
    "breast": ("breast",),
    "back": ("back",),
    "tail": ("tail",),
    "upper tail": ("tail",),
    "under tail": ("tail",),
    "head": ("crown",),
    "throat": ("throat",),
    "eye": ("left eye", "right eye"),
    "forehead": ("forehead",),
    "nape": ("nape",),
    "belly": ("belly",),
    "leg": ("left leg", "right leg"),
    "crown": ("crown",),
}
"""Where CUB's parts lie that an attribute's group is about; a group is named `<part> <color, shape, ...>`."""


@dataclass(frozen=True, repr=False)
class CUB:
    """One part of the data set, read picture by picture, each cut to its bird and brought to a square.

    Parameters
    ----------
    folder : `CUB_200_2011`, with `images`, `attributes` and `parts`; `attributes.txt` lies in it or beside it.
    part : "train" or "test", by the published split. size : pixels of a side. grid : rows and columns of patches.
    share, classes : an attribute is kept where it holds for at least this share of a class's images, in more than so
        many classes.

    Attributes
    ----------
    class_names, global_names, spatial_names : what labels and concepts mean.
    """

    folder: Path | str
    part: str = "train"
    size: int = 224
    grid: tuple[int, int] = (14, 14)
    share: float = 0.45
    classes: int = 8
    class_names: tuple[str, ...] = field(init=False)
    global_names: tuple[str, ...] = field(init=False)
    spatial_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.part not in ("train", "test"):
            raise InputError(f"part is {self.part!r}; CUB has train and test")
        folder = Path(self.folder)
        listed = folder / "attributes" / "attributes.txt"
        beside = (listed, folder / "attributes.txt", folder.parent / "attributes.txt")
        names = _texts(next((path for path in beside if path.is_file()), listed))
        owners = {int(image): int(label) - 1 for image, label in _rows(folder / "image_class_labels.txt", 2)}
        training = {int(image): label == "1" for image, label in _rows(folder / "train_test_split.txt", 2)}
        files = _texts(folder / "images.txt")
        held = np.zeros((max(files) + 1, max(names) + 1), bool)
        for image, attribute, present, *_ in _rows(folder / "attributes" / "image_attribute_labels.txt", 3):
            held[int(image), int(attribute)] = present == "1"
        labels = np.array([owners.get(image, -1) for image in range(len(held))])
        means = np.stack([held[labels == label].mean(axis=0) for label in range(max(owners.values()) + 1)])
        kept = [int(one) for one in np.flatnonzero((means >= self.share).sum(axis=0) > self.classes)]
        unnamed = [one for one in kept if one not in names]
        if unnamed:
            raise FileFormatError(f"{listed.name} has no attribute {unnamed[0]}; get the file anew")
        whole = [one for one in kept if _group(names[one]) in WHOLE]
        placed = [one for one in kept if one not in whole]
        parts = {name: number for number, name in _texts(folder / "parts" / "parts.txt").items()}
        seen: dict[int, list[tuple[int, float, float]]] = {}
        for image, number, x, y, visible in _rows(folder / "parts" / "part_locs.txt", 5):
            if visible == "1":
                seen.setdefault(int(image), []).append((int(number), float(x), float(y)))
        boxes = {int(image): tuple(map(float, box)) for image, *box in _rows(folder / "bounding_boxes.txt", 5)}
        own = [image for image in sorted(files) if training[image] == (self.part == "train")]
        found = {
            "class_names": tuple(name for _, name in sorted(_texts(folder / "classes.txt").items())),
            "global_names": tuple(names[one] for one in whole),
            "spatial_names": tuple(names[one] for one in placed),
            "_images": [(image, folder / "images" / files[image], owners[image], boxes[image]) for image in own],
            "_held": held,
            "_kept": (whole, placed),
            "_about": [{parts[name] for name in _places(names[one])} for one in placed],
            "_seen": seen,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self._images)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        concepts = f"{len(self.global_names)} global and {len(self.spatial_names)} spatial concepts"
        return f"CUB({len(self):,} images, {len(self.class_names)} classes, {concepts})"

    def __getitem__(self, case: int) -> Sample:
        """Targets are NaN for an image without any global attribute, and for patches without any attribute."""
        hidden: Any = self
        image, path, label, (left, top, width, height) = hidden._images[case]
        pixels = image_from_file(path).pixels
        cut = pixels[int(top) : int(np.ceil(top + height)), int(left) : int(np.ceil(left + width))]
        whole, placed = hidden._kept
        known = hidden._held[image, whole].astype(np.float32)
        spatial = np.full((self.grid[0] * self.grid[1], len(placed)), np.nan, np.float32)
        present = hidden._held[image, placed]
        for number, x, y in hidden._seen.get(image, []):
            row, column = (y - top) / height * self.grid[0], (x - left) / width * self.grid[1]
            shown = [c for c, places in enumerate(hidden._about) if present[c] and number in places]
            if shown and 0 <= row < self.grid[0] and 0 <= column < self.grid[1]:
                patch = int(row) * self.grid[1] + int(column)
                spatial[patch] = np.nan_to_num(spatial[patch])
                spatial[patch, shown] = 1
        return _square(cut, self.size), known if known.any() else known * np.nan, spatial, label


def _group(attribute: str) -> str:
    """What an attribute is of: `has_bill_shape::curved` is of "bill shape"."""
    return attribute.split("::")[0].removeprefix("has_").replace("_", " ")


def _places(attribute: str) -> tuple[str, ...]:
    part = _group(attribute).rsplit(" ", 1)[0]
    if part not in PLACES:
        raise FileFormatError(f"the attribute {attribute!r} is of no part that CUB has places of")
    return PLACES[part]


def _square(pixels: np.ndarray, size: int) -> np.ndarray:
    """(3, size, size) in [0, 1]."""
    from PIL import Image

    resized = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
    return np.ascontiguousarray(resized.transpose(2, 0, 1), dtype=np.float32) / 255


def _texts(path: Path) -> dict[int, str]:
    """A file of numbered names."""
    return {int(number): " ".join(rest) for number, *rest in _rows(path, 2)}


def _rows(path: Path, least: int) -> Sequence[list[str]]:
    if not path.is_file():
        raise InputError(f"there is no {path}; give the folder CUB_200_2011 of an unpacked copy")
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) < least or not row[0].isdigit():
            raise FileFormatError(f"{path}, line {number}: {' '.join(row)!r} is no row of CUB; get the file anew")
    return rows
