"""Data sets whose cases come with what is known of their concepts, for models that are trained to say which are there.

A sample is (image, global target, spatial target, label): images (channel, row, column) in [0, 1], targets of zeros and
ones, NaN where nothing is known. Loaders read local copies only, and nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from explicate.errors import FileFormatError, InputError

Sample = tuple[np.ndarray, Any, Any, int]
"""(image, global target (concept,) or NaN, spatial target (token, concept) or NaN, label)."""


class ExplainedReader(Protocol):
    """Anything that gives explained samples one by one."""

    def __len__(self) -> int: ...

    def __getitem__(self, case: int, /) -> Sample: ...


@dataclass(frozen=True, eq=False, repr=False)
class Explained:
    """Explained samples in memory.

    Attributes
    ----------
    images : (case, channel, row, column) float32 in [0, 1]. labels : (case,) int64.
    global_targets : (case, concept) float32, or None where there are no such concepts; spatial_targets : (case, token,
        concept) alike, tokens row by row over `grid`.
    class_names, global_names, spatial_names : what codes and concepts mean. grid : (rows, columns) of tokens.
    """

    images: np.ndarray
    labels: np.ndarray
    global_targets: np.ndarray | None = None
    spatial_targets: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    global_names: tuple[str, ...] = ()
    spatial_names: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.ndim != 4 or self.labels.shape != (count,):
            raise InputError(f"images of shape {self.images.shape} and labels of shape {self.labels.shape} do not fit")
        tokens = () if self.grid is None else (self.grid[0] * self.grid[1],)
        for what, target, middle, names in (
            ("global", self.global_targets, (), self.global_names),
            ("spatial", self.spatial_targets, tokens, self.spatial_names),
        ):
            if target is not None and target.shape != (count, *middle, len(names)):
                raise InputError(
                    f"{what} targets of shape {target.shape}; {count} cases and {len(names)} concepts need "
                    f"{(count, *middle, len(names))}"
                )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, case: int) -> Sample:
        known, spatial = (
            np.nan if target is None else target[case] for target in (self.global_targets, self.spatial_targets)
        )
        return self.images[case], known, spatial, int(self.labels[case])

    def __repr__(self) -> str:
        concepts = f"{len(self.global_names)} global and {len(self.spatial_names)} spatial concepts"
        return (
            f"Explained({len(self):,} images of {self.images.shape[1:]}, {len(self.class_names)} classes, {concepts})"
        )

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The concepts' names by stream."""
        return {"global": self.global_names, "spatial": self.spatial_names}

    def take(self, rows: Any) -> Explained:
        """Some cases: indices, a boolean mask or a slice."""
        known, spatial = (
            None if target is None else target[rows] for target in (self.global_targets, self.spatial_targets)
        )
        return Explained(
            self.images[rows], self.labels[rows], known, spatial, self.class_names, self.global_names,
            self.spatial_names, self.grid,
        )  # fmt: skip


def in_memory(reader: ExplainedReader, rows: Sequence[int] | None = None, **names: Any) -> Explained:
    """Some samples of a reader, or all, at once.

    Parameters
    ----------
    names : the fields of `Explained` that a reader does not give: names of classes and concepts, `grid`.

    Raises
    ------
    InputError : no rows; targets that are known for the cases in different shapes.
    """
    samples = [reader[int(row)] for row in (range(len(reader)) if rows is None else rows)]
    if not samples:
        raise InputError("no samples are asked for; give at least one row")
    images, known, spatial, labels = zip(*samples, strict=True)
    return Explained(
        np.stack(images), np.array(labels), _stacked(known, "global"), _stacked(spatial, "spatial"), **names
    )


def _stacked(targets: Sequence[Any], what: str) -> np.ndarray | None:
    """(case, ...) targets, NaN for the cases without; None where no case has any."""
    shapes = {np.shape(target) for target in targets if np.ndim(target)}
    if not shapes:
        return None
    if len(shapes) > 1:
        raise InputError(f"{what} targets of different shapes: {sorted(shapes)}")
    (shape,) = shapes
    return np.stack([target if np.ndim(target) else np.full(shape, np.nan) for target in targets]).astype(np.float32)


def cifar100(folder: str | Path, part: str = "train") -> Explained:
    """CIFAR-100 by its 20 super-classes, the 100 fine labels as global concepts, from the binary version's files.

    Parameters
    ----------
    folder : `cifar-100-binary`, with `train.bin`, `test.bin` and both files of label names.
    part : "train" or "test".

    Raises
    ------
    InputError : no such folder or file; the version with Python pickles, which is not read.
    FileFormatError : a file that holds something else.
    """
    folder = Path(folder)
    if part not in ("train", "test"):
        raise InputError(f"part is {part!r}; CIFAR-100 has train and test")
    path = folder / f"{part}.bin"
    if not path.is_file():
        if (folder / part).is_file() and (folder / "meta").is_file():
            raise InputError(
                f"{folder} holds Python pickles, and nothing is unpickled here, for a pickle can run code; "
                "get the binary version of CIFAR-100 (cifar-100-binary) and give its folder"
            )
        raise InputError(f"there is no {path}; give the folder cifar-100-binary")
    coarse, fine = (_lines(folder / f"{which}_label_names.txt") for which in ("coarse", "fine"))
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    side, record = 32, 2 + 3 * 32 * 32
    if not raw.size or raw.size % record:
        raise FileFormatError(f"{path} has {raw.size} bytes, which are no records of {record}; get the file anew")
    rows = raw.reshape(-1, record)
    if rows[:, 0].max() >= len(coarse) or rows[:, 1].max() >= len(fine):
        raise FileFormatError(f"{path} has labels beyond the {len(coarse)} coarse and {len(fine)} fine names")
    return Explained(
        images=rows[:, 2:].reshape(-1, 3, side, side).astype(np.float32) / 255,
        labels=rows[:, 0].astype(np.int64),
        global_targets=np.eye(len(fine), dtype=np.float32)[rows[:, 1]],
        class_names=coarse,
        global_names=fine,
    )


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise InputError(f"there is no {path}; it comes with the data set")
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
