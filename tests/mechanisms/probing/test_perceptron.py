"""Probes with hidden layers learn what a linear one cannot, each problem for itself, and never from held-out rows."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.mechanisms.probing import MLPProbe, Problem

RNG = np.random.default_rng(0)
FAST = {"epochs": 30, "batch": 128, "stages": 10, "weight_decay": 0.01}


def signs(count, width=6):
    features = RNG.standard_normal((count, width)).astype(np.float32)
    both = ((features[:, 0] > 0) ^ (features[:, 1] > 0)).astype(np.int64)
    return features, both, (features[:, 2] > 0).astype(np.int64)


def accuracies(probe, features, problems, classes=2, seed=0):
    guesses = probe.outputs(features, problems, classes, seed).argmax(axis=2)
    return [(guess == one.labels)[~one.train].mean() for guess, one in zip(guesses, problems, strict=True)]


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_exclusive_or_needs_a_hidden_layer_and_problems_do_not_mix(norm):
    features, both, single = signs(1500)
    train = np.arange(1500) < 1000
    problems = [Problem(both, train), Problem(single, train)]
    linear = accuracies(MLPProbe(hidden=(), **FAST), features, problems)
    deep = accuracies(MLPProbe(hidden=(32,), norm=norm, **FAST), features, problems)
    assert linear[0] < 0.6
    assert linear[1] > 0.95
    assert min(deep) > 0.9


def test_two_hidden_layers_learn_a_sum_modulo_four():
    digits = RNG.integers(4, size=(3000, 3))
    features = (digits[:, :, None] == np.arange(4)).reshape(3000, 12).astype(np.float32)
    problem = Problem(digits.sum(axis=1) % 4, np.arange(3000) < 2000)
    assert accuracies(MLPProbe(hidden=(64, 64), **FAST), features, [problem], 4)[0] > 0.95
    assert accuracies(MLPProbe(hidden=(), **FAST), features, [problem], 4)[0] < 0.5


def test_held_out_rows_change_nothing_and_the_seed_everything():
    features, both, _ = signs(400)
    train = np.arange(400) < 300
    probe = MLPProbe(hidden=(8,), epochs=3, batch=64)
    first = probe.outputs(features, [Problem(both, train)], 2)
    garbled = np.where(train, both, 1 - both)
    moved = np.where(train[:, None], features, features + 100)
    assert np.array_equal(first, probe.outputs(features, [Problem(garbled, train)], 2))
    assert np.array_equal(first[:, train], probe.outputs(moved, [Problem(both, train)], 2)[:, train])
    assert not np.allclose(first, probe.outputs(features, [Problem(both, train)], 2, seed=1))


def test_rows_of_one_problem_only_do_not_teach_another():
    features, _, single = signs(800)
    train = np.arange(800) < 600
    odd = train & (np.arange(800) % 2 == 1)
    wrong = np.where(odd, single, 1 - single)  # outside its own rows this problem is all lies
    found = accuracies(MLPProbe(hidden=(), **FAST), features, [Problem(single, train), Problem(wrong, odd)])
    test = np.arange(800) >= 600
    guesses = MLPProbe(hidden=(), **FAST).outputs(features, [Problem(single, train), Problem(wrong, odd)], 2).argmax(2)
    assert found[0] > 0.95
    assert (guesses[1] == single)[test].mean() > 0.95


def test_the_best_epoch_on_evaluation_groups_is_kept():
    features, both, _ = signs(300)
    groups = np.arange(300) // 3
    noisy = np.where(RNG.random(300) < 0.45, 1 - both, both)
    train = groups < 80
    long = {"hidden": (64,), "epochs": 60, "batch": 32, "weight_decay": 0.0, "decay": 1.0}
    kept = MLPProbe(evaluation=0.3, **long)
    held = kept._held(Problem(noisy, train, groups), 0)
    assert held.sum() == 3 * 24
    assert (np.bincount(groups[held])[np.bincount(groups[held]) > 0] == 3).all()
    problem = Problem(noisy, train, groups)
    right = [
        (probe.outputs(features, [problem], 2)[0].argmax(1) == noisy)[held].mean()
        for probe in (kept, MLPProbe(evaluation=0.3, **(long | {"epochs": 1})))
    ]
    assert right[0] >= right[1]
    assert (MLPProbe(evaluation=0.0, **long).outputs(features, [problem], 2)[0].argmax(1) == noisy)[train].mean() > 0.8


def test_parameters_that_make_no_sense_are_refused():
    for wrong in ({"norm": "group"}, {"epochs": 0}, {"hidden": (0,)}, {"evaluation": 1.0}, {"learning_rate": 0.0}):
        with pytest.raises(InputError):
            MLPProbe(**wrong)
    features, both, _ = signs(50)
    with pytest.raises(InputError, match="NaN"):
        MLPProbe().outputs(features * np.nan, [Problem(both, both >= 0)], 2)
    with pytest.raises(InputError, match="2 or more"):
        MLPProbe().outputs(features, [Problem(both, both >= 0)], 0)
    with pytest.raises(InputError, match="no rows"):
        MLPProbe().outputs(features, [Problem(both, both < 0)], 2)
