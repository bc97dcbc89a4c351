"""Explained data sets: what is read is what was written, and what cannot be trusted is refused."""

from __future__ import annotations

import numpy as np
import pytest

from explicate.data.cub import CUB
from explicate.data.explained import Explained, cifar100, in_memory
from explicate.data.rendered_birds import ATTRIBUTES, BACKGROUNDS, CLASSES, DEFINING, rendered_birds, same_pair
from explicate.errors import FileFormatError, InputError


def write_cifar(folder, fine=(3, 1), coarse=(1, 0)):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(len(fine), 3072), dtype=np.uint8)
    rows = np.column_stack([np.array(coarse, np.uint8), np.array(fine, np.uint8), pixels])
    (folder / "train.bin").write_bytes(rows.tobytes())
    (folder / "fine_label_names.txt").write_text("apple\nbee\ncat\ndog\n")
    (folder / "coarse_label_names.txt").write_text("food\nanimal\n\n")
    return pixels


def test_cifar_is_read_from_the_binary_version(tmp_path):
    pixels = write_cifar(tmp_path)
    data = cifar100(tmp_path)
    np.testing.assert_allclose(data.images.reshape(2, -1), pixels / 255, atol=1e-7)
    assert data.images.shape == (2, 3, 32, 32)
    assert [data.class_names[label] for label in data.labels] == ["animal", "food"]
    assert [data.global_names[one] for one in data.global_targets.argmax(axis=1)] == ["dog", "bee"]
    image, known, spatial, label = data[0]
    assert (known.tolist(), label) == ([0, 0, 0, 1], 1)
    assert np.isnan(spatial)
    np.testing.assert_array_equal(image, data.images[0])


def test_cifar_pickles_are_refused_unread(tmp_path):
    for name in ("train", "test", "meta"):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(InputError, match=r"nothing is unpickled here.*get the binary version"):
        cifar100(tmp_path)
    with pytest.raises(InputError, match=r"there is no .*test\.bin"):
        cifar100(tmp_path / "none", "test")


def test_damaged_cifar_files_are_refused(tmp_path):
    write_cifar(tmp_path, fine=(3, 9))
    with pytest.raises(FileFormatError, match="labels beyond the 2 coarse and 4 fine"):
        cifar100(tmp_path)
    (tmp_path / "train.bin").write_bytes(b"123")
    with pytest.raises(FileFormatError, match="3 bytes, which are no records of 3074"):
        cifar100(tmp_path)
    with pytest.raises(InputError, match="train and test"):
        cifar100(tmp_path, "validation")


def write_cub(folder):
    """Two classes of two birds; bill shape 2 and size 4 hold for all, wing colour 3 for one class, 1 for nobody."""
    from PIL import Image

    for name in ("images/a", "images/b", "attributes", "parts"):
        (folder / name).mkdir(parents=True)
    files = ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"]
    for number, file in enumerate(files):
        Image.fromarray(np.full((40, 60, 3), 60 * number, np.uint8)).save(folder / "images" / file, quality=100)
    texts = {
        "images.txt": [f"{n} {file}" for n, file in enumerate(files, 1)],
        "image_class_labels.txt": ["1 1", "2 1", "3 2", "4 2"],
        "train_test_split.txt": ["1 1", "2 0", "3 1", "4 0"],
        "classes.txt": ["1 001.Crow", "2 002.Wren"],
        "bounding_boxes.txt": [f"{n} 20.0 0.0 40.0 40.0" for n in range(1, 5)],
        "attributes.txt": [
            "1 has_bill_shape::curved", "2 has_bill_shape::dagger", "3 has_wing_color::blue", "4 has_size::small"
        ],
        "parts/parts.txt": ["1 back", "2 beak", "9 left wing", "13 right wing"],
        "parts/part_locs.txt": ["1 2 50.0 10.0 1", "1 9 0.0 0.0 0", "3 2 10.0 10.0 1", "3 9 21.0 39.0 1", "3 1 30 5 1"],
        "attributes/image_attribute_labels.txt": [
            f"{n} {one} {int(one in (2, 4) or (one == 3 and n > 2))} 3 2.5" for n in range(1, 5) for one in range(1, 5)
        ],
    }  # fmt: skip
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines) + "\n")


def test_cub_annotates_the_patches_where_visible_parts_lie(tmp_path):
    write_cub(tmp_path)
    data = CUB(tmp_path, size=8, grid=(2, 2), classes=0)
    assert repr(data) == "CUB(2 images, 2 classes, 1 global and 2 spatial concepts)"
    assert data.global_names == ("has_size::small",)
    assert data.spatial_names == ("has_bill_shape::dagger", "has_wing_color::blue")
    image, known, spatial, label = data[0]
    assert image.shape == (3, 8, 8)
    assert (known.tolist(), label) == ([1.0], 0)
    np.testing.assert_array_equal(spatial, [[np.nan] * 2, [1, 0], [np.nan] * 2, [np.nan] * 2])
    image, _, spatial, label = data[1]
    assert image.mean() == pytest.approx(120 / 255, abs=0.01)
    np.testing.assert_array_equal(spatial, [[np.nan] * 2, [np.nan] * 2, [0, 1], [np.nan] * 2])
    assert len(CUB(tmp_path, "test", classes=0)) == 2
    assert CUB(tmp_path, classes=1).spatial_names == ("has_bill_shape::dagger",)
    whole = in_memory(data, grid=(2, 2), global_names=data.global_names, spatial_names=data.spatial_names)
    assert whole.spatial_targets.shape == (2, 4, 2)
    assert whole.labels.tolist() == [0, 1]


def test_broken_copies_of_cub_are_refused(tmp_path):
    with pytest.raises(InputError, match="give the folder CUB_200_2011"):
        CUB(tmp_path)
    write_cub(tmp_path)
    with pytest.raises(InputError, match="train and test"):
        CUB(tmp_path, "all")
    (tmp_path / "parts" / "part_locs.txt").write_text("1 2 50.0\n")
    with pytest.raises(FileFormatError, match=r"line 1: '1 2 50\.0' is no row"):
        CUB(tmp_path)
    (tmp_path / "attributes.txt").write_text("2 has_gait::slow\n4 has_size::small\n3 has_wing_color::blue\n")
    (tmp_path / "parts" / "part_locs.txt").write_text("1 2 50.0 10.0 1\n")
    with pytest.raises(FileFormatError, match="has_gait::slow"):
        CUB(tmp_path, classes=0)
    (tmp_path / "attributes.txt").write_text("4 has_size::small\n")
    with pytest.raises(FileFormatError, match=r"attributes\.txt has no attribute 2"):
        CUB(tmp_path, classes=0)


def test_unknown_targets_are_nan():
    images, labels = np.zeros((2, 1, 4, 4), np.float32), np.array([0, 1])
    data = Explained(images, labels)
    assert np.isnan(data[1][1])
    samples = [(images[0], np.array([1.0, 0.0]), np.nan, 0), (images[1], np.nan, np.nan, 1)]
    whole = in_memory(samples, global_names=("a", "b"))
    np.testing.assert_array_equal(whole.global_targets, [[1, 0], [np.nan, np.nan]])
    assert whole.spatial_targets is None
    with pytest.raises(InputError, match="different shapes"):
        in_memory([samples[0], (images[0], np.ones(3), np.nan, 0)], global_names=("a", "b"))
    with pytest.raises(InputError, match=r"global targets of shape \(2, 2\); 2 cases and 1 concepts need \(2, 1\)"):
        Explained(images, labels, np.ones((2, 2)), global_names=("a",))
    with pytest.raises(InputError, match="at least one row"):
        in_memory(samples, [])


def test_birds_have_their_parts_where_the_targets_say():
    data = rendered_birds(200, np.random.default_rng(0))
    again = rendered_birds(200, np.random.default_rng(0))
    np.testing.assert_array_equal(data.images, again.images)
    assert data.images.shape == (200, 3, 64, 64)
    assert 0 <= data.images.min() < data.images.max() <= 1
    colours = {"red wing": 0, "blue wing": 2}
    for image, known, spatial, label in (data[n] for n in range(200)):
        beak, wing, tail, background, _ = CLASSES[label]
        assert known.tolist() == [float(name == background) for name in BACKGROUNDS]
        shown = {ATTRIBUTES[c] for c in np.argwhere(spatial == 1)[:, 1]}
        assert shown == {beak, wing, tail}
        if wing in colours:
            patches = np.flatnonzero(spatial[:, ATTRIBUTES.index(wing)] == 1)
            tiles = image.reshape(3, 4, 16, 4, 16).transpose(1, 3, 0, 2, 4).reshape(16, 3, -1)[patches]
            others = [c for c in range(3) if c != colours[wing]]
            strong = tiles[:, colours[wing]] - tiles[:, others].max(axis=1) > 0.3
            assert strong.mean() > 0.05


def test_classes_come_in_pairs_that_one_attribute_tells_apart():
    for one, first in enumerate(CLASSES):
        for two, second in enumerate(CLASSES):
            differing = {value for value in first[:4] if value not in second[:4]}
            if same_pair(one, two) and one != two:
                assert differing == {DEFINING[one]}
            elif one != two:
                assert len(differing) >= 2
    assert {name for each in CLASSES for name in each[:4]} == {*BACKGROUNDS, *ATTRIBUTES}


def test_bad_birds_are_refused():
    with pytest.raises(InputError, match="samples is 0"):
        rendered_birds(0, np.random.default_rng(0))
    with pytest.raises(InputError, match="divides 64"):
        rendered_birds(1, np.random.default_rng(0), patch=12)
