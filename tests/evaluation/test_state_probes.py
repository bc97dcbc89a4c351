"""Readings are shares of held-out rows with every part right; missing labels and groups are kept apart."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.evaluation.state_probes import Labels, easy_labels, enough, held_out_groups, read_labels, shuffled
from explicate.mechanisms.probing import LinearProbe, MLPProbe

RNG = np.random.default_rng(0)
PROBE = LinearProbe()


def planted(count=2600):
    values = RNG.integers(0, [4, 3], size=(count, 2))
    columns = np.concatenate([values[:, [0]] == np.arange(4), values[:, [1]] == np.arange(3)], axis=1)
    vectors = columns @ RNG.standard_normal((7, 12)) + 0.01 * RNG.standard_normal((count, 12))
    return vectors, values, np.arange(count) // 2


def test_all_parts_must_be_right():
    vectors, values, groups = planted()
    held = held_out_groups(groups, 0.4, 0)
    spoiled = values.copy()
    wrong = RNG.random(len(values)) < 0.5
    spoiled[:, 1] = np.where(wrong & held, (values[:, 1] + 1) % 3, values[:, 1])
    found = read_labels(
        vectors, {"both": Labels(spoiled, (4, 3)), "first": Labels(values[:, :1], (4,))}, PROBE, groups, held
    )
    assert found["first"].accuracy == 1
    assert found["both"].accuracy == pytest.approx((~wrong[held]).mean())
    assert found["both"].rows == held.sum()
    assert found["first"].majority == pytest.approx((values[held, 0] == np.bincount(values[~held, 0]).argmax()).mean())
    assert found["first"].above_majority == found["first"].accuracy - found["first"].majority


def test_rows_without_a_label_are_no_class():
    vectors, values, groups = planted()
    held = held_out_groups(groups, 0.4, 0)
    missing = RNG.random(len(values)) < 0.3
    vectors[missing] = 1e3 * RNG.standard_normal((missing.sum(), 12))  # would ruin any probe that saw them
    labels = Labels(np.where(missing[:, None], -1, values[:, :1]), (4,))
    found = read_labels(vectors, {"some": labels}, PROBE, groups, held)["some"]
    assert found.rows == (held & ~missing).sum()
    assert found.accuracy > 0.9


def test_shuffled_labels_are_the_same_labels_with_nothing_to_read():
    vectors, values, groups = planted()
    held = held_out_groups(groups, 0.4, 0)
    labels = {"first": Labels(np.where(RNG.random(2600)[:, None] < 0.1, -1, values[:, :1]), (4,))}
    mixed = shuffled(labels, 3)
    assert np.array_equal(np.bincount(mixed["first"].values[:, 0] + 1), np.bincount(labels["first"].values[:, 0] + 1))
    assert np.array_equal(mixed["first"].there, labels["first"].there)
    assert read_labels(vectors, mixed, PROBE, groups, held)["first"].accuracy < 0.32


def test_a_simple_function_of_the_original_is_easy_and_another_is_not():
    _, values, groups = planted()
    held = held_out_groups(groups, 0.4, 0)
    original = {"state": Labels(values, (4, 3))}
    others = {"mirrored": Labels(3 - values[:, :1], (4,)), "free": Labels(RNG.integers(4, size=(2600, 1)), (4,))}
    found = easy_labels(original, others, MLPProbe(hidden=(16,), epochs=15, batch=128), groups, held)
    assert found["mirrored"] > 0.99
    assert found["free"] < 0.33


def test_few_labelled_rows_are_warned_of_and_very_few_are_an_error():
    vectors, values, groups = planted(700)
    held = held_out_groups(groups, 0.4, 0)
    labels = {"first": Labels(values[:, :1], (4,))}
    with pytest.warns(UserWarning, match="first: only 280 labelled states to test on"):
        read_labels(vectors, labels, PROBE, groups, held)
    few = Labels(np.where(np.arange(700)[:, None] < 300, values[:, :1], -1), (4,))
    assert enough(labels["first"], held)
    assert enough(few, held) == (min((held[:300]).sum(), (~held[:300]).sum()) >= 100)
    none = {"first": Labels(np.where(held[:, None], -1, values[:, :1]), (4,))}
    with pytest.raises(InputError, match="only 0 labelled states to test on, 100 are needed"):
        read_labels(vectors, none, PROBE, groups, held)
    with pytest.raises(InputError, match="share"):
        held_out_groups(groups, 0.0)


def test_groups_are_held_out_whole():
    groups = RNG.integers(50, size=500)
    held = held_out_groups(groups, 0.3, 1)
    assert len(np.unique(groups[held])) == 15
    assert not set(groups[held]) & set(groups[~held])
