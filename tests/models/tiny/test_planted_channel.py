"""The planted channel and the repeated tokens are what they say."""

import itertools
from collections import Counter

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.mechanisms.weights import HeadWeights, component_scores
from explicate.models.tiny.planted_channel import planted_channel
from explicate.models.tiny.repeated_tokens import RepeatedTokens, Walks, losses_of_halves


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
    with pytest.raises(InputError, match="halves of 1 tokens"):
        RepeatedTokens(16, 1)
    decoder = corpus.attention_only()
    assert (decoder.mlp_widths, decoder.positions, decoder.context) == ((0, 0), "learned", 16)


def test_walks_follow_an_order_of_their_own():
    rows = Walks(16, 40, used=5, jump=0.0).batch(np.random.default_rng(0), 30).ids
    for row in rows:
        assert len(set(row.tolist())) <= 5
        after = dict(itertools.pairwise(row.tolist()))
        assert all(after[here] == there for here, there in itertools.pairwise(row.tolist()))
    assert len({tuple(sorted(set(row.tolist()))) for row in rows}) > 20
    jumping = Walks(16, 400, used=5, jump=0.5).batch(np.random.default_rng(0), 1).ids[0].tolist()
    pairs = Counter(itertools.pairwise(jumping))
    kept = sum(max(count for (here, _), count in pairs.items() if here == each) for each in set(jumping)) / 399
    assert 0.5 < kept < 0.72  # half follow the order; of the jumps, a fifth
    with pytest.raises(InputError, match="used tokens"):
        Walks(4, used=5)


def test_losses_of_halves_are_of_halves():
    corpus = RepeatedTokens(8, 4)
    blind = corpus.attention_only(width=32, heads=2).handle(corpus.attention_only(width=32, heads=2).build(0))
    first, second = losses_of_halves(blind, corpus.batch(np.random.default_rng(0), 32).ids)
    assert abs(first - second) < 0.5  # it cannot copy
    with pytest.raises(InputError, match="second half"):
        losses_of_halves(blind, np.arange(6)[None])
