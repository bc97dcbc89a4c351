"""Rendered birds: pictures whose class is told by parts with known places, to test what a model says it saw.

A bird of 64 x 64 pixels has a beak of one of three shapes, a wing of one of four colours, a tail of one of three
patterns, and one of four backgrounds. The eight classes are four pairs. The two of a pair differ in one attribute,
their defining one; pairs differ from each other in two or more, so a pair can be told without any one attribute.
"""

from __future__ import annotations

import numpy as np

from explicate.data.explained import Explained
from explicate.errors import InputError

SIZE = 64
BACKGROUNDS = ("sky", "meadow", "sand", "water")
PARTS = {
    "beak": ("short beak", "long beak", "round beak"),
    "wing": ("red wing", "blue wing", "yellow wing", "green wing"),
    "tail": ("plain tail", "striped tail", "dotted tail"),
}
ATTRIBUTES = tuple(name for names in PARTS.values() for name in names)
CLASSES = (  # beak, wing, tail, background, and the attribute that the class does not share with its pair
    ("short beak", "red wing", "plain tail", "sky", "short beak"),
    ("long beak", "red wing", "plain tail", "sky", "long beak"),
    ("round beak", "blue wing", "striped tail", "meadow", "striped tail"),
    ("round beak", "blue wing", "dotted tail", "meadow", "dotted tail"),
    ("short beak", "red wing", "striped tail", "sand", "sand"),
    ("short beak", "red wing", "striped tail", "water", "water"),
    ("long beak", "yellow wing", "dotted tail", "meadow", "yellow wing"),
    ("long beak", "green wing", "dotted tail", "meadow", "green wing"),
)
DEFINING = tuple(each[-1] for each in CLASSES)
SHARE = 0.3  # of a part's pixels that a patch must hold to be annotated with it
_COLOURS = {
    "red wing": (0.85, 0.15, 0.12),
    "blue wing": (0.15, 0.25, 0.85),
    "yellow wing": (0.92, 0.85, 0.15),
    "green wing": (0.10, 0.55, 0.15),
}
_GROUNDS = {
    "sky": (0.55, 0.75, 0.95),
    "meadow": (0.45, 0.70, 0.35),
    "sand": (0.85, 0.75, 0.50),
    "water": (0.20, 0.45, 0.60),
}
_BEAK, _DARK, _LIGHT = (0.95, 0.55, 0.10), (0.15, 0.12, 0.10), (0.95, 0.93, 0.90)


def rendered_birds(samples: int, generator: np.random.Generator, patch: int = 16) -> Explained:
    """Draw birds, the classes equally likely, in jittered places, half of them looking to the left.

    Parameters
    ----------
    samples : how many; a thousand take about half a second.
    generator : source of all randomness.
    patch : side of the annotated patches in pixels. A patch that holds no part has NaN as its spatial target.

    Returns
    -------
    Explained : global concepts are the four backgrounds, spatial ones the ten attributes of parts.

    Raises
    ------
    InputError : fewer samples than 1, or a patch whose side does not divide 64.
    """
    if samples < 1:
        raise InputError(f"samples is {samples}; give 1 or more")
    if patch < 1 or SIZE % patch:
        raise InputError(f"patch is {patch}; give a side that divides {SIZE}, such as 8 or 16")
    side = SIZE // patch
    labels = generator.integers(len(CLASSES), size=samples)
    images = np.empty((samples, 3, SIZE, SIZE), np.float32)
    known = np.zeros((samples, len(BACKGROUNDS)), np.float32)
    spatial = np.full((samples, side * side, len(ATTRIBUTES)), np.nan, np.float32)
    for case, label in enumerate(labels):
        beak, wing, tail, background, _ = CLASSES[label]
        images[case], masks = _drawn(beak, wing, tail, background, generator)
        known[case, BACKGROUNDS.index(background)] = 1
        for name, mask in zip((beak, wing, tail), masks, strict=True):
            held = mask.reshape(side, patch, side, patch).sum(axis=(1, 3)).ravel() / mask.sum()
            held = (held >= SHARE) | (held == held.max())
            spatial[case, held] = np.nan_to_num(spatial[case, held])
            spatial[case, held, ATTRIBUTES.index(name)] = 1
    return Explained(
        images, labels, known, spatial, tuple(", ".join(each[:4]) for each in CLASSES), BACKGROUNDS, ATTRIBUTES,
        (side, side),
    )  # fmt: skip


def _drawn(
    beak: str, wing: str, tail: str, background: str, generator: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """A picture (3, 64, 64), and where its beak, wing and tail are."""
    row, column = np.mgrid[:SIZE, :SIZE].astype(float)
    if generator.random() < 0.5:
        column = SIZE - 1 - column  # looks to the left
    row = row - 34 - generator.uniform(-6, 6)
    column = column - 30 - generator.uniform(-5, 5)
    canvas = np.array(_GROUNDS[background])[:, None, None] + generator.uniform(-0.05, 0.05, (3, 1, 1))
    canvas = canvas + 0.04 * np.sin(row / 3 + generator.uniform(0, 6)) + 0.03 * generator.standard_normal((SIZE, SIZE))
    plumage = generator.uniform(0.35, 0.65) + generator.uniform(-0.05, 0.05, 3)
    for there in (_ellipse(row, column, 9, 13), _ellipse(row + 9, column - 12, 6, 6)):
        canvas[:, there] = plumage[:, None]
    canvas[:, _ellipse(row + 10, column - 14, 1.2, 1.2)] = 0
    masks = [_beak(beak, row + 9, column - 18), _ellipse(row + 3, column + 2, 5, 8), _tail(row - 1, column + 13)]
    canvas[:, masks[0]] = np.array(_BEAK)[:, None]
    canvas[:, masks[1]] = np.array(_COLOURS[wing])[:, None] + generator.uniform(-0.06, 0.06, (3, 1))
    canvas[:, masks[2]] = np.array(_DARK)[:, None]
    canvas[:, masks[2] & _pattern(tail, row, column)] = np.array(_LIGHT)[:, None]
    return np.clip(canvas + 0.02 * generator.standard_normal(canvas.shape), 0, 1).astype(np.float32), masks


def _ellipse(row: np.ndarray, column: np.ndarray, high: float, wide: float) -> np.ndarray:
    return np.asarray((row / high) ** 2 + (column / wide) ** 2 <= 1)


def _beak(name: str, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Where the beak is, its base at the origin."""
    if name == "round beak":
        return _ellipse(row - 1, column - 2, 4, 4)
    length, half = (6.0, 3.5) if name == "short beak" else (13.0, 1.6)
    return np.asarray((column >= 0) & (column <= length) & (np.abs(row) <= half * (1 - column / length) + 0.5))


def _tail(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Where the tail is, its root at the origin."""
    return np.asarray((column <= 0) & (column >= -12) & (np.abs(row) <= 4.5))


def _pattern(name: str, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Where a tail is light."""
    if name == "plain tail":
        return np.zeros(row.shape, bool)
    stripes = np.floor(column) % 4 < 2
    return np.asarray(stripes if name == "striped tail" else stripes & (np.floor(row) % 4 < 2))


def same_pair(label: int, other: int) -> bool:
    """Whether two classes differ in their defining attribute alone."""
    return label // 2 == other // 2
