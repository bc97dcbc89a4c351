import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explicate.attribution.players import Players

labels = arrays(np.int64, st.integers(1, 12), elements=st.integers(-1, 4)).filter(lambda found: found.max() >= 0)


@given(labels, st.integers(0, 100))
def test_spreading_and_adding_up_undo_each_other(found, seed):
    players = Players(found)
    members = np.bincount(found[found >= 0], minlength=players.count) > 0
    values = np.random.default_rng(seed).normal(size=players.count) * members
    assert np.allclose(players.total(players.spread(values)), values)
    assert (players.spread(values)[found < 0] == 0).all()


@given(labels, st.integers(0, 100))
def test_features_stay_with_their_player_and_the_unowned_always(found, seed):
    players = Players(found)
    masks = np.random.default_rng(seed).random((5, players.count)) < 0.5
    kept = players.keep(masks, found.shape)
    for feature, player in enumerate(found):
        assert (kept[:, feature] == (masks[:, player] if player >= 0 else True)).all()


@given(labels, st.integers(0, 100))
def test_unanimous_players_have_all_their_features_marked(found, seed):
    players = Players(found)
    marks = np.random.default_rng(seed).random((3, len(found))) < 0.7
    truth = [[row[found == player].all() for player in range(players.count)] for row in marks]
    assert np.array_equal(players.unanimous(marks), truth)


def test_channels_go_together():
    players = Players(np.array([[0, 1]]))
    kept = players.keep(np.array([[True, False]]), (3, 1, 2))
    assert kept.shape == (1, 3, 1, 2)
    assert kept[0, :, 0].tolist() == [[True, False]] * 3
    assert players.total(np.ones((3, 1, 2))).tolist() == [3.0, 3.0]
