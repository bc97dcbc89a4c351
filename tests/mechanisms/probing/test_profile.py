"""Probe sweeps on planted activations: what is held at which layer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import f1_score as their_f1
from sklearn.metrics import roc_auc_score

import explicate as ex
from explicate.errors import InputError
from explicate.mechanisms.probing import (
    LinearProbe,
    auc,
    control_labels,
    f1_score,
    layer_profile,
    training_rows,
)

RNG = np.random.default_rng(0)


def bank(labels, layers=6, known_from=3, strength=2.0, width=12):
    """Noise, to which a direction for the label is added from one layer on; the best accuracy is norm.cdf(strength)."""
    found = {}
    for layer in range(layers):
        noise = RNG.normal(size=(len(labels), width))
        noise[:, 0] += strength * (2 * labels - 1) * (layer >= known_from)
        found[f"L{layer}.resid_post"] = noise.astype(np.float32)
    return found


def test_scores_rise_where_the_label_was_planted_and_to_what_can_be_reached():
    labels = RNG.integers(0, 2, 1500)
    profile = layer_profile(bank(labels), labels)
    accuracy = profile.curve()
    np.testing.assert_allclose(accuracy[:3], 0.5, atol=0.05)
    np.testing.assert_allclose(accuracy[3:], norm.cdf(2.0), atol=0.025)
    np.testing.assert_allclose(profile.curve("control"), 0.5, atol=0.06)
    np.testing.assert_allclose(profile.curve(measure="auc")[3:], norm.cdf(2 * np.sqrt(2)), atol=0.02)
    assert profile.chance == pytest.approx(0.5, abs=0.03)
    assert profile.best() in ("L3.resid_post", "L4.resid_post", "L5.resid_post")


def test_intervals_hold_the_true_accuracy_and_are_wider_for_groups_that_agree():
    labels = RNG.integers(0, 2, 800)
    held = layer_profile(bank(labels), labels, repeats=3)
    low, high = held.curve("low")[3:], held.curve("high")[3:]
    assert ((low < norm.cdf(2.0)) & (norm.cdf(2.0) < high)).sum() >= 2
    subjects = np.repeat(np.arange(80), 10)
    alike = {"L0.resid_post": np.repeat(RNG.normal(size=(80, 4)) + 1.0 * labels[::10, None], 10, axis=0)}
    grouped = layer_profile(alike, np.repeat(labels[::10], 10), groups=subjects, repeats=3)
    alone = layer_profile(alike, np.repeat(labels[::10], 10), repeats=3)
    assert np.ptp([grouped.curve("low"), grouped.curve("high")]) > 2 * np.ptp([alone.curve("low"), alone.curve("high")])


def test_groups_on_both_sides_let_a_probe_learn_the_group():
    subjects = np.repeat(np.arange(60), 10)
    labels = RNG.integers(0, 2, 60)[subjects]
    own = {"L0.mlp_out": RNG.normal(size=(60, 80))[subjects] + 0.1 * RNG.normal(size=(600, 80))}
    assert layer_profile(own, labels).curve()[0] > 0.95
    assert layer_profile(own, labels, groups=subjects).curve()[0] < 0.65


def test_values_are_read_by_ridge_with_their_share_of_variance():
    values = RNG.normal(size=1200)
    features = RNG.normal(size=(1200, 6))
    features[:, 2] = values + 0.5 * RNG.normal(size=1200)
    profile = layer_profile({"L0.z.H1": features}, values, probe=LinearProbe("ridge"))
    assert profile.measures == ["r2", "correlation"]
    assert profile.curve()[0] == pytest.approx(1 / 1.25, abs=0.03)
    assert profile.curve(measure="correlation")[0] == pytest.approx(np.sqrt(1 / 1.25), abs=0.02)
    assert abs(profile.curve("control")[0]) < 0.05
    assert profile.chance == 0


def test_control_labels_by_kind_are_learned_by_heart():
    kinds = RNG.integers(0, 20, 1000)
    words = np.eye(20)[kinds] + 0.05 * RNG.normal(size=(1000, 20))
    labels = kinds % 2
    by_heart = layer_profile({"L0.resid_pre": words}, labels, kinds=kinds)
    shuffled = layer_profile({"L0.resid_pre": words}, labels)
    assert by_heart.selectivity().values[0, 0] < 0.05
    assert shuffled.selectivity().values[0, 0] > 0.4
    drawn = control_labels(labels, kinds, 3)
    assert all(len(set(drawn[kinds == kind])) == 1 for kind in range(20))


def test_control_labels_are_drawn_again_until_there_is_something_to_learn():
    kinds = np.arange(200) % 2  # half of all draws give both kinds the same label
    labels = RNG.integers(0, 2, 200)
    by_heart = layer_profile({"L0.resid_pre": kinds[:, None] + 0.01 * RNG.normal(size=(200, 1))}, labels, kinds=kinds)
    assert by_heart.curve("control")[0] == 1.0
    with pytest.raises(InputError, match="control labels come out all alike"):
        layer_profile({"L0.resid_pre": RNG.normal(size=(200, 1))}, labels, kinds=np.zeros(200))


def test_places_are_layers_parts_and_positions():
    labels = RNG.integers(0, 2, 100)
    given = {
        "embed@-1": RNG.normal(size=(100, 1, 4)),
        "L0.attn_out@0,-1": RNG.normal(size=(100, 2, 4)),
        "model.layers.7.norm": RNG.normal(size=(100, 5)),
        "L2.z.H4": RNG.normal(size=(100, 3)),
    }
    profile = layer_profile(given, labels, repeats=1)
    assert profile["site"].values.tolist() == [
        "embed@-1", "L0.attn_out@0", "L0.attn_out@-1", "model.layers.7.norm", "L2.z.H4",
    ]  # fmt: skip
    assert profile["layer"].values.tolist() == [-1, 0, 0, 7, 2]
    assert profile["part"].values.tolist() == ["embed", "attn_out", "attn_out", "model.layers.*.norm", "z.H4"]
    with pytest.raises(InputError, match="there are 5 curves: embed@-1"):
        profile.curve()


def test_an_untrained_model_is_scored_on_the_same_splits():
    labels = RNG.integers(0, 2, 600)
    trained = bank(labels)
    profile = layer_profile(trained, labels, untrained=dict(reversed(trained.items())))
    np.testing.assert_array_equal(profile["untrained"].values, profile["score"].values)
    missing = dict(list(trained.items())[:2])
    with pytest.raises(InputError, match=r"L2.resid_post is missing among the untrained activations"):
        layer_profile(trained, labels, untrained=missing)


def test_the_same_seed_gives_the_same_profile_and_a_file_gives_it_back(tmp_path):
    labels = RNG.integers(0, 2, 200)
    given = bank(labels, layers=2)
    first, second = (layer_profile(given, labels, seed=4) for _ in range(2))
    assert first.data.equals(second.data)
    back = ex.Explanation.load(first.save(tmp_path / "profile.nc"))
    assert back.data["score"].equals(first.data["score"])
    assert back.measures == first.measures


def test_curves_are_drawn_with_their_controls_and_many_as_a_heat_map():
    labels = RNG.integers(0, 2, 200)
    axes = layer_profile(bank(labels), labels, repeats=2).plot()
    assert [len(line.get_xdata()) for line in axes.lines] == [6, 6, 2]
    many = {f"L{layer}.z.H{head}": RNG.normal(size=(200, 3)) for layer in range(2) for head in range(8)}
    profile = layer_profile(many, labels, repeats=1, control="none", intervals=False)
    assert profile.plot().images[0].get_array().shape == (8, 2)
    assert profile._repr_html_().startswith('<div class="explanation"><img')
    with pytest.raises(InputError, match="the profile has no control"):
        profile.selectivity()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.6), st.booleans())
def test_splits_keep_groups_whole_and_their_share(seed, share, grouped):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    groups = rng.integers(0, 60, 300) if grouped else np.arange(300)
    train = training_rows(labels, groups, 2, share, 2, seed)
    assert abs((~train).mean() - share) < 0.06
    for rows in train:
        assert not set(groups[rows]) & set(groups[~rows])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_measures_are_those_of_scikit_learn(pairs):
    outputs, truth = np.array([o for o, _ in pairs], dtype=float), np.array([t for _, t in pairs])
    assert f1_score(outputs > 0, truth) == pytest.approx(their_f1(truth, outputs > 0, zero_division=0))
    if truth.any() and not truth.all():
        assert auc(outputs, truth) == pytest.approx(roc_auc_score(truth, outputs))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros(50, int), {}, "at least two classes"),
        (["a"] * 50, {}, "labels are class numbers from 0"),
        (np.zeros((50, 2), int), {}, "one label for each sample"),
        (np.arange(50) % 2, {"groups": [1] * 3}, "3 groups for 50 samples"),
        (np.arange(50) % 2, {"test_share": 1.0}, "test_share is 1.0"),
        (np.arange(50) % 2, {"repeats": 0}, "repeats is 0"),
        (np.arange(50) % 2, {"control": "words"}, "control 'words' is unknown"),
        (np.arange(50) % 2, {"train": np.ones(50, bool)}, "no held-out rows"),
        (np.arange(50) % 2, {"train": np.ones(5, bool)}, r"train of shape \(5,\) for 50 samples"),
        ((np.arange(50) == 0).astype(int), {}, "class 1 has no held-out rows"),
        (np.arange(40) % 2, {}, r"activations of shape \(50, 4\) for 40 labels"),
        ([np.nan] * 50, {"probe": LinearProbe("ridge")}, "give finite numbers as labels"),
    ],
)
def test_bad_input_is_named(labels, options, message):
    with pytest.raises(InputError, match=message):
        layer_profile({"L0.resid_post": RNG.normal(size=(50, 4))}, labels, **options)
