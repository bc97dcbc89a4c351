from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.data import rendered_shapes
from explicate.data.shapes import CLASS_NAMES, DISTRACTOR_BRIGHTNESS, INSTANCE_BRIGHTNESS
from explicate.errors import InputError


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    instances=st.sampled_from([(1, 3), (2, 3), (1, 1), (3, 3)]),
    channels=st.sampled_from([1, 3]),
)
def test_invariants_of_every_picture(seed, instances, channels) -> None:
    shapes = rendered_shapes(6, np.random.default_rng(seed), instances, channels)
    assert shapes.images.shape == (6, channels, 64, 64)
    assert shapes.images.dtype == np.float32
    assert 0 <= shapes.images.min() <= shapes.images.max() <= 1
    assert np.all((instances[0] <= shapes.counts) & (shapes.counts <= instances[1]))
    present = np.arange(3) < shapes.counts[:, None]
    assert np.array_equal(shapes.masks.any(axis=(2, 3)), present)
    assert np.all(shapes.labels != shapes.distractor_labels)
    layers = np.concatenate([shapes.masks, shapes.distractor_masks[:, None]], axis=1)
    assert layers.sum(axis=1).max() == 1  # nothing overlaps
    assert not layers[:, :, [0, -1]].any()  # nothing touches the edge
    assert not layers[:, :, :, [0, -1]].any()
    assert np.array_equal(shapes.any_mask(), shapes.masks.any(axis=1))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_label_is_the_class_of_the_large_bright_shapes(seed) -> None:
    shapes = rendered_shapes(20, np.random.default_rng(seed))
    areas = shapes.masks.sum(axis=(2, 3))
    distractor_areas = shapes.distractor_masks.sum(axis=(1, 2))
    for row in range(len(shapes)):
        grey = shapes.images[row, 0]
        dim = np.median(grey[shapes.distractor_masks[row]])
        ground = np.median(grey[~shapes.any_mask()[row] & ~shapes.distractor_masks[row]])
        for each in range(shapes.counts[row]):
            bright = np.median(grey[shapes.masks[row, each]])
            assert bright >= INSTANCE_BRIGHTNESS[0] - 1e-3 > DISTRACTOR_BRIGHTNESS[1] + 1e-3 >= dim > ground
            # widest outline of a distractor (a disc) against the narrowest of an instance (a triangle)
            assert areas[row, each] > 0.7 * distractor_areas[row]


def test_a_disc_has_the_area_of_a_disc() -> None:
    shapes = rendered_shapes(400, np.random.default_rng(3))
    discs = shapes.labels == CLASS_NAMES.index("disc")
    areas = shapes.masks[discs, 0].sum(axis=(1, 2))
    least, most = (np.pi * (0.85 * radius) ** 2 for radius in (8.0, 10.5))
    assert least - 8 < areas.min() < least + 15
    assert most - 15 < areas.max() < most + 8


def test_outlines_have_their_exact_areas() -> None:
    # relative to the circle around them: a square has area 2, an equilateral triangle 3 sqrt(3) / 4 (times radius^2)
    shapes = rendered_shapes(3000, np.random.default_rng(4))
    mean_square_radius = (10.5**3 - 8.0**3) / (3 * 2.5)
    for name, area in (("square", 2.0), ("triangle", 3 * np.sqrt(3) / 4), ("disc", np.pi * 0.85**2)):
        found = shapes.masks[shapes.labels == CLASS_NAMES.index(name), 0].sum(axis=(1, 2)).mean()
        assert found == pytest.approx(area * mean_square_radius, rel=0.03)


def test_all_classes_and_counts_are_equally_likely() -> None:
    shapes = rendered_shapes(3000, np.random.default_rng(5))
    assert np.abs(np.bincount(shapes.labels) / 3000 - 1 / 5).max() < 0.04
    assert np.abs(np.bincount(shapes.counts)[1:] / 3000 - 1 / 3).max() < 0.04
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (shapes.labels, shapes.distractor_labels), 1)
    assert (np.diag(pairs) == 0).all()
    assert np.abs(pairs[~np.eye(5, dtype=bool)] / 3000 - 1 / 20).max() < 0.02


def test_the_generator_decides_everything() -> None:
    first, again = (rendered_shapes(30, np.random.default_rng(6)) for _ in range(2))
    other = rendered_shapes(30, np.random.default_rng(7))
    for part in ("images", "labels", "counts", "masks", "distractor_labels", "distractor_masks"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
    assert not np.array_equal(first.images, other.images)


def test_grey_channels_differ_only_by_a_tint() -> None:
    shapes = rendered_shapes(50, np.random.default_rng(8), channels=3)
    assert shapes.images.std(axis=1).mean() > 0.01
    assert np.abs(shapes.images - shapes.images.mean(axis=1, keepdims=True)).max() < 0.15


def test_the_ground_is_textured() -> None:
    shapes = rendered_shapes(50, np.random.default_rng(9))
    empty = ~shapes.any_mask() & ~shapes.distractor_masks
    spreads = [image[0][mask].std() for image, mask in zip(shapes.images, empty, strict=True)]
    assert 0.03 < np.median(spreads) < 0.08


def test_take_keeps_everything_together() -> None:
    shapes = rendered_shapes(10, np.random.default_rng(10))
    chosen = shapes.take(np.array([7, 2]))
    assert len(chosen) == 2
    assert np.array_equal(chosen.masks[0], shapes.masks[7])
    assert np.array_equal(chosen.labels, shapes.labels[[7, 2]])


def test_ten_thousand_pictures_take_under_twenty_seconds() -> None:
    start = time.process_time()
    rendered_shapes(1000, np.random.default_rng(11))
    assert time.process_time() - start < 2


def test_no_pictures_are_allowed() -> None:
    assert len(rendered_shapes(0, np.random.default_rng(0))) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": -1}, "give 0 or more"),
        ({"instances": (0, 2)}, "within 1 to 3"),
        ({"instances": (3, 2)}, "within 1 to 3"),
        ({"instances": (1, 4)}, "within 1 to 3"),
        ({"channels": 2}, "use 1"),
    ],
)
def test_wrong_parameters_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        rendered_shapes(**{"samples": 5, "generator": np.random.default_rng(0), **options})


@pytest.mark.slow
def test_a_small_network_learns_the_label() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    train, test = (rendered_shapes(n, np.random.default_rng(seed)) for n, seed in ((2500, 20), (500, 21)))
    torch.manual_seed(0)
    blocks = []
    for before, after in ((1, 16), (16, 32), (32, 48)):
        blocks += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 5))
    images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    epochs, batch = 6, 50
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=epochs * len(images) // batch)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).view(-1, batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        accuracy = (network(torch.from_numpy(test.images)).argmax(1).numpy() == test.labels).mean()
    assert accuracy >= 0.95
