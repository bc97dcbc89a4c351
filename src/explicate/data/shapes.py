"""Rendered shapes: pictures whose label has known places, to test where an explanation points.

Each picture is 64 x 64 pixels: one to three equal-class shapes, large and bright, and one distractor of another class,
small and dim, on a grey textured ground. The label is the class of the large bright shapes. Size and brightness
ranges do not meet, so the label is decidable even with one instance and one distractor, and a convolutional network
learns it; the distractor's shape alone would lead astray.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explicate.errors import InputError

CLASS_NAMES = ("disc", "square", "triangle", "cross", "star")
SIZE = 64
MOST_INSTANCES = 3

INSTANCE_RADIUS = (8.0, 10.5)
DISTRACTOR_RADIUS = (5.0, 6.0)
INSTANCE_BRIGHTNESS = (0.80, 1.00)
DISTRACTOR_BRIGHTNESS = (0.58, 0.68)
GROUND_BRIGHTNESS = (0.25, 0.40)
GAP = 2.0  # pixels between the circles around two shapes, and between a circle and the edge

_CHUNK = 1000
_PATCH = 2 * (int(INSTANCE_RADIUS[1]) + 2)


@dataclass(frozen=True, eq=False, repr=False)
class Shapes:
    """Pictures of shapes with their truth.

    Attributes
    ----------
    images : (sample, channel, 64, 64) float32 in [0, 1].
    labels : (sample,) int64, class of the large bright shapes.
    counts : (sample,) int64, how many of them there are, 1 to 3.
    masks : (sample, 3, 64, 64) bool, the pixels of each; all False beyond `counts`. They never overlap.
    distractor_labels : (sample,) int64, class of the small dim shape; never the label.
    distractor_masks : (sample, 64, 64) bool, its pixels.
    class_names : what the class codes mean.
    """

    images: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    masks: np.ndarray
    distractor_labels: np.ndarray
    distractor_masks: np.ndarray
    class_names: tuple[str, ...] = CLASS_NAMES

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Shapes({len(self):,} pictures of {SIZE} x {SIZE} pixels, {len(self.class_names)} classes)"

    def any_mask(self) -> np.ndarray:
        """(sample, 64, 64) bool: the pixels of all instances together."""
        return np.asarray(self.masks.any(axis=1))

    def take(self, rows: np.ndarray | slice) -> Shapes:
        """Some pictures: indices, a boolean mask or a slice."""
        return Shapes(
            self.images[rows],
            self.labels[rows],
            self.counts[rows],
            self.masks[rows],
            self.distractor_labels[rows],
            self.distractor_masks[rows],
            self.class_names,
        )


def rendered_shapes(
    samples: int,
    generator: np.random.Generator,
    instances: tuple[int, int] = (1, MOST_INSTANCES),
    channels: int = 1,
) -> Shapes:
    """Draw pictures of shapes.

    Parameters
    ----------
    samples : how many pictures. A thousand take a few tenths of a second and, in one channel, 29 MB.
    generator : source of all randomness; the same state gives the same pictures.
    instances : least and most large shapes in a picture, within 1 to 3; every number is equally likely.
    channels : 1 for grey; 3 tints every shape and the ground at random, independently of the class.

    Raises
    ------
    InputError : a parameter out of its range.
    """
    least, most = instances
    if samples < 0:
        raise InputError(f"samples is {samples}; give 0 or more")
    if not 1 <= least <= most <= MOST_INSTANCES:
        raise InputError(f"instances is {instances}; give the least and the most, within 1 to {MOST_INSTANCES}")
    if channels not in (1, 3):
        raise InputError(f"channels is {channels}; use 1 (grey) or 3 (red green blue)")
    result = Shapes(
        images=np.empty((samples, channels, SIZE, SIZE), np.float32),
        labels=generator.integers(len(CLASS_NAMES), size=samples),
        counts=generator.integers(least, most + 1, size=samples),
        masks=np.zeros((samples, MOST_INSTANCES, SIZE, SIZE), bool),
        distractor_labels=generator.integers(len(CLASS_NAMES) - 1, size=samples),
        distractor_masks=np.zeros((samples, SIZE, SIZE), bool),
    )
    result.distractor_labels[result.distractor_labels >= result.labels] += 1
    for start in range(0, samples, _CHUNK):  # bounds the memory for intermediate arrays
        _draw(result.take(slice(start, start + _CHUNK)), generator)
    return result


def _draw(shapes: Shapes, generator: np.random.Generator) -> None:
    """Fill in images and masks in place (the arrays of `shapes` are views)."""
    count, channels = shapes.images.shape[:2]
    slots = MOST_INSTANCES + 1  # the distractor is the last
    present = np.arange(slots) < shapes.counts[:, None]
    present[:, -1] = True
    radii = generator.uniform(*INSTANCE_RADIUS, size=(count, slots))
    radii[:, -1] = generator.uniform(*DISTRACTOR_RADIUS, size=count)
    brightness = generator.uniform(*INSTANCE_BRIGHTNESS, size=(count, slots))
    brightness[:, -1] = generator.uniform(*DISTRACTOR_BRIGHTNESS, size=count)
    angles = generator.uniform(0, 2 * np.pi, size=(count, slots))
    centres = _places(radii, present, generator)
    colours = np.clip(brightness[:, :, None] + _tint((count, slots), channels, generator), 0, 1)

    # a border as wide as a patch saves cutting patches at the edge
    canvas = np.zeros((count, channels, SIZE + 2 * _PATCH, SIZE + 2 * _PATCH), np.float32)
    inner = slice(_PATCH, _PATCH + SIZE)
    canvas[:, :, inner, inner] = _ground(count, channels, generator)
    for slot in range(slots):
        rows = np.flatnonzero(present[:, slot])
        if rows.size == 0:
            continue
        kinds = (shapes.distractor_labels if slot == slots - 1 else shapes.labels)[rows]
        corner = np.rint(centres[rows, slot]).astype(int) - _PATCH // 2
        window = corner[:, :, None] + np.arange(_PATCH)  # (shape, axis, pixel)
        offset = window - centres[rows, slot][:, :, None]
        cover = _cover(offset, kinds, radii[rows, slot], angles[rows, slot]).astype(np.float32)
        place = (rows[:, None, None], window[:, 0, :, None] + _PATCH, window[:, 1, None, :] + _PATCH)
        for channel in range(channels):
            colour = colours[rows, slot, channel].astype(np.float32)[:, None, None]
            below = canvas[place[0], channel, place[1], place[2]]
            canvas[place[0], channel, place[1], place[2]] = below + cover * (colour - below)
        shape, row, column = np.nonzero(cover > 0.5)
        mask = shapes.distractor_masks if slot == slots - 1 else shapes.masks[:, slot]
        mask[rows[shape], window[shape, 0, row], window[shape, 1, column]] = True
    np.clip(canvas[:, :, inner, inner], 0, 1, out=shapes.images)


def _places(radii: np.ndarray, present: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Centres (sample, slot, 2) such that the circles around the present shapes keep `GAP` between them."""
    count, slots = radii.shape
    centres = np.zeros((count, slots, 2))
    first, second = np.triu_indices(slots, 1)
    needed = radii[:, first] + radii[:, second] + GAP
    matters = present[:, first] & present[:, second]
    pending = np.arange(count)
    while pending.size:
        margin = (radii[pending] + GAP)[:, :, None]
        centres[pending] = margin + generator.random((pending.size, slots, 2)) * (SIZE - 1 - 2 * margin)
        apart = np.linalg.norm(centres[pending][:, first] - centres[pending][:, second], axis=2)
        pending = pending[(matters[pending] & (apart < needed[pending])).any(axis=1)]
    return centres


def _cover(offset: np.ndarray, kinds: np.ndarray, radii: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """How much of each pixel a shape covers, (shape, pixel, pixel) in [0, 1], from the offsets to its centre."""
    down, right = offset[:, 0, :, None], offset[:, 1, None, :]
    direction = np.arctan2(down, right) - angles[:, None, None]
    distance = np.hypot(down, right)
    cover = np.empty(distance.shape)
    for kind, outline in enumerate(_OUTLINES):
        chosen = kinds == kind
        edge = radii[chosen, None, None] * outline(direction[chosen])
        cover[chosen] = np.clip(edge - distance[chosen] + 0.5, 0, 1)
    return cover


def _folded(direction: np.ndarray, corners: int) -> np.ndarray:
    """The direction's angle to the nearest of `corners` evenly spaced ones, from 0 to pi / corners."""
    turn = 2 * np.pi / corners
    return np.abs((direction + turn / 2) % turn - turn / 2)


def _disc(direction: np.ndarray) -> np.ndarray:
    return np.full(direction.shape, 0.85)


def _square(direction: np.ndarray) -> np.ndarray:
    return np.cos(np.pi / 4) / np.cos(np.pi / 4 - _folded(direction, 4))


def _triangle(direction: np.ndarray) -> np.ndarray:
    return np.cos(np.pi / 3) / np.cos(np.pi / 3 - _folded(direction, 3))


def _cross(direction: np.ndarray) -> np.ndarray:
    half_width = 0.3  # of an arm, relative to the circle around the cross
    angle = _folded(direction, 4)
    length = np.sqrt(1 - half_width**2)
    return np.minimum(length / np.cos(angle), half_width / np.maximum(np.sin(angle), 1e-9))


def _star(direction: np.ndarray) -> np.ndarray:
    inner, half_turn = 0.45, np.pi / 5  # of the notches between five points
    angle = _folded(direction, 5)
    # the straight line from (1, 0) to the notch, in polar coordinates
    return inner * np.sin(half_turn) / (inner * np.sin(half_turn - angle) + np.sin(angle))


# class -> distance of the edge in a direction, relative to the circle around the shape
_OUTLINES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (_disc, _square, _triangle, _cross, _star)


def _ground(count: int, channels: int, generator: np.random.Generator) -> np.ndarray:
    """A grey level, blotches of two sizes and grain: (sample, channel, 64, 64) float32."""
    level = (
        generator.uniform(*GROUND_BRIGHTNESS, size=(count, 1, 1, 1))
        + _tint((count,), channels, generator)[..., None, None]
    )
    texture = 0.02 * generator.standard_normal((count, SIZE, SIZE), dtype=np.float32)
    for cells, strength in ((5, 0.04), (13, 0.03)):
        stretch = _linear_stretch(cells)
        coarse = generator.standard_normal((count, cells, cells), dtype=np.float32)
        texture += strength * (stretch @ coarse @ stretch.T)
    return (level + texture[:, None]).astype(np.float32)


def _linear_stretch(cells: int) -> np.ndarray:
    """(64, cells) matrix that interpolates linearly between `cells` evenly spaced values."""
    grid = np.linspace(0, cells - 1, SIZE)
    return np.maximum(0, 1 - np.abs(grid[:, None] - np.arange(cells))).astype(np.float32)


def _tint(shape: tuple[int, ...], channels: int, generator: np.random.Generator) -> np.ndarray:
    """A shift of each colour channel that leaves the mean brightness alone; nothing for grey."""
    if channels == 1:
        return np.zeros((*shape, 1))
    shift = generator.uniform(-0.06, 0.06, size=(*shape, channels))
    return np.asarray(shift - shift.mean(axis=-1, keepdims=True))
