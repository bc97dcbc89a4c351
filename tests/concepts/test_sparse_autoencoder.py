"""Sparse autoencoders find planted directions, and many restarts at once are the same as each by itself."""

import numpy as np
import pytest

from explicate.concepts import SparseAutoencoder, residue_features
from explicate.errors import InputError

RNG = np.random.Generator(np.random.PCG64(0))


def planted(rng, inputs=600, directions=20, width=16, active=3):
    """Inputs that are sums of three of twenty random directions."""
    true = rng.standard_normal((directions, width))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    strengths = np.zeros((inputs, directions))
    for row in strengths:
        row[rng.choice(directions, active, replace=False)] = rng.uniform(0.5, 1.5, active)
    return strengths @ true, true, strengths


def test_it_finds_planted_directions():
    inputs, true, _ = planted(RNG)
    found = SparseAutoencoder(features=40, penalties=(0.3,), steps=1500).fit(inputs, seeds=(0, 1))
    random = RNG.standard_normal(found.decoder[0].shape)
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    for restart in range(2):
        assert np.median((found.decoder[restart] @ true.T).max(axis=0)) > 0.95
        quality = found.quality(inputs, restart)
        assert quality["explained"] > 0.9
        assert quality["active"] < 10
    assert np.median((random @ true.T).max(axis=0)) < 0.75


def test_restarts_together_are_restarts_alone():
    inputs, _, _ = planted(RNG, inputs=60)
    for at_once in (None, 16):
        method = SparseAutoencoder(features=20, penalties=(0.1, 1.0), steps=30, inputs_at_once=at_once)
        together = method.fit(inputs, seeds=(3, 4))
        assert [*together.penalties] == [0.1, 0.1, 1.0, 1.0]
        assert together.seeds == (3, 4, 3, 4)
        alone = SparseAutoencoder(features=20, penalties=(1.0,), steps=30, inputs_at_once=at_once).fit(inputs, (4,))
        for name in ("encoder", "encoder_bias", "decoder", "decoder_bias", "losses"):
            np.testing.assert_allclose(getattr(together, name)[3], getattr(alone, name)[0], atol=2e-4)
        assert (together.restart(3).decoder == together.decoder[3:]).all()


def test_what_is_stored_is_what_was_trained():
    inputs, _, _ = planted(RNG, inputs=200)
    inputs = 30 * inputs  # the scale of the inputs does not matter
    found = SparseAutoencoder(features=40, penalties=(0.3,), steps=400).fit(inputs)
    np.testing.assert_allclose(np.linalg.norm(found.decoder[0], axis=1), 1, atol=1e-5)
    activations = found.encode(inputs)
    own = np.maximum(inputs / found.scale @ found.encoder[0].T + found.encoder_bias[0], 0)
    np.testing.assert_allclose(activations, own)
    error = (((inputs - found.decode(activations)) / found.scale) ** 2).sum(axis=1).mean()
    assert found.losses[0, -1] == pytest.approx(error + 0.3 * activations.sum(axis=1).mean(), rel=0.02)
    assert found.losses[0, -1] < 0.5 * found.losses[0, 0]


def test_a_larger_penalty_leaves_fewer_features_active():
    inputs, _, _ = planted(RNG, inputs=200)
    found = SparseAutoencoder(features=40, penalties=(0.03, 3.0), steps=400).fit(inputs)
    few, many = found.quality(inputs, 1), found.quality(inputs, 0)
    assert few["active"] < many["active"]
    assert few["explained"] < many["explained"]


def test_too_few_inputs_lower_the_number_of_features():
    with pytest.warns(UserWarning, match="50 inputs for 512 features: 25 features"):
        found = SparseAutoencoder(steps=2).fit(RNG.standard_normal((50, 4)))
    assert found.feature_count == 25


@pytest.mark.parametrize(
    ("inputs", "options"),
    [(np.zeros((9, 3)), {}), (np.full((9, 3), np.nan), {}), (np.ones((9, 3)), {"steps": 0}),
     (np.ones((9, 3)), {"penalties": (-1.0,)}), (np.ones(9), {})],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_refused(inputs, options):
    with pytest.raises(InputError):
        SparseAutoencoder(features=2, **{"steps": 3, **options}).fit(inputs)


def test_the_feature_of_a_class_is_the_one_that_matters():
    """Inputs are a class direction plus a stronger one that does not matter; importance reads the class directions."""
    classes = np.arange(400) % 5
    distractor = RNG.integers(5, size=400)
    inputs = np.concatenate([np.eye(5)[classes], 2 * np.eye(5)[distractor]], axis=1)
    inputs += 0.01 * RNG.standard_normal(inputs.shape)
    autoencoders = SparseAutoencoder(features=12, penalties=(0.1, 0.3), steps=800).fit(inputs, seeds=range(4))

    def importance(rows, contributions):
        return contributions[np.arange(len(rows)), classes[rows]]

    test = np.arange(400) >= 300
    found = residue_features(autoencoders, inputs, classes, importance, test=test)
    assert found.exclusive > 0.9
    assert found.held_out_exclusive > 0.9
    assert found.distinct == 5
    assert found.shuffled < 0.5
    apart = found.vectors - found.vectors.mean(axis=0)
    wanted = np.eye(5, 10) - np.eye(5, 10).mean(axis=0)
    cosines = (apart * wanted).sum(axis=1) / np.linalg.norm(apart, axis=1) / np.linalg.norm(wanted, axis=1)
    assert (cosines > 0.95).all()
    every = [residue_features(autoencoders, inputs, classes, importance, restart=i, test=test) for i in range(8)]
    best = max(each.exclusive for each in every)
    good = [each for each in every if each.exclusive >= best - np.sqrt(best * (1 - best) / 300)]
    assert found.restart in [each.restart for each in good]
    assert autoencoders.penalties[found.restart] == max(autoencoders.penalties[each.restart] for each in good)


def test_one_feature_for_all_classes_covers_all_but_is_no_assignment():
    inputs = RNG.standard_normal((60, 1)) * np.ones((60, 4)) + 5
    autoencoders = SparseAutoencoder(features=2, penalties=(0.03,), steps=300).fit(inputs, seeds=range(4))
    found = residue_features(autoencoders, inputs, np.arange(60) % 4, lambda rows, given: given.sum(axis=1))
    assert found.coverage > 0.6
    assert found.exclusive < 0.6
    assert found.distinct < 4
    assert (found.vectors[found.features < 0] == 0).all()
