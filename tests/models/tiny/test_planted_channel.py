"""The planted channel and the repeated tokens are what they say."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.mechanisms.weights import HeadWeights, component_scores
from explicate.models.tiny.planted_channel import planted_channel
from explicate.models.tiny.repeated_tokens import RepeatedTokens


@pytest.mark.parametrize("kind", ["q", "k", "v"])
def test_the_planted_component_is_first_of_all_and_far_from_the_others(kind):
    world = planted_channel(0, kind)
    weights = HeadWeights.of(world.model)
    scores = component_scores(weights, world.destination, kind)
    best = scores.strongest(1)[0]
    assert best[:2] == world.source
    assert abs(weights.svd_components(*world.source).write[best[2]] @ world.direction) > 0.95
    assert scores.z[best] > 10
    wrong = {"q": "k", "k": "q", "v": "k"}[kind]
    assert np.nanmax(component_scores(weights, world.destination, wrong).z[world.source]) < 6


def test_sequences_are_said_twice():
    corpus = RepeatedTokens(16, 8)
    ids = corpus.batch(np.random.default_rng(0), 5).ids
    assert ids.shape == (5, 16)
    np.testing.assert_array_equal(ids[:, :8], ids[:, 8:])
    assert all(len(set(row[:8].tolist())) == 8 for row in ids)
    longer = RepeatedTokens(4, 8).batch(np.random.default_rng(0), 5).ids
    np.testing.assert_array_equal(longer[:, :8], longer[:, 8:])
    mixed = RepeatedTokens(16, 8, shortest=3)
    rows = mixed.batch(np.random.default_rng(0), 60).ids
    lengths = (rows >= 0).sum(axis=1) // 2
    assert set(lengths.tolist()) == set(range(3, 9))
    assert all((row[:n] == row[n : 2 * n]).all() for row, n in zip(rows, lengths, strict=True))
    assert mixed.longest_alone == corpus
    with pytest.raises(InputError, match="halves of 9 to 8"):
        RepeatedTokens(16, 8, shortest=9)
    decoder = corpus.attention_only()
    assert (decoder.mlp_widths, decoder.positions, decoder.context) == ((0, 0), "learned", 16)
