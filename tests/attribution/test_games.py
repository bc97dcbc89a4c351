import numpy as np
import pytest

import explicate as ex
from explicate.attribution import games
from explicate.attribution.games import Game
from explicate.attribution.missingness import Baseline, Marginal, Zero
from explicate.attribution.missingness.base import Mean
from explicate.attribution.players import Each, Grid, Groups, Players
from explicate.attribution.shapley import all_coalitions
from explicate.core.cost import measure
from explicate.errors import CapabilityError, InputError, NonFiniteScoreError

RNG = np.random.Generator(np.random.PCG64(0))


def table_game(rows, sample, missingness, function=lambda x: x.prod(axis=1), players=None) -> Game:
    model = ex.TabularModel(function, rows)
    sample = np.asarray(sample, dtype=float)
    return Game(model, sample, np.array(0), players or Each().players(model, sample), missingness)


def test_the_worth_is_the_mean_over_the_rows():
    rows = RNG.normal(size=(7, 3))
    game = table_game(rows, [1.0, 2.0, 3.0], Marginal(rows=0))
    assert game(np.array([[True, False, True]]))[0] == pytest.approx(3 * rows[:, 1].mean())
    assert game.ends() == (pytest.approx(rows.prod(axis=1).mean()), pytest.approx(6.0))


@pytest.mark.parametrize("table", [games.TABLE, 0])
@pytest.mark.parametrize("players", [None, Players(np.array([0, 1, 1, 2, 0, -1]))])
def test_equal_inputs_are_evaluated_once_with_equal_worth(monkeypatch, table, players):
    rows = RNG.integers(0, 2, size=(20, 6)).astype(float)  # half of all values are the sample's own
    weights = RNG.normal(size=6)
    sample = np.ones(6)
    game = table_game(rows, sample, Marginal(rows=0), lambda x: np.tanh(x @ weights), players)
    masks = all_coalitions(game.count)
    monkeypatch.setattr(games, "TABLE", table)
    with measure() as shared:
        found = game(masks)
    monkeypatch.setattr(games, "WORTH_SHARING", -1.0)
    with measure() as plain:
        truth = game(masks)
    assert np.allclose(found, truth, rtol=1e-13)
    assert plain.evaluations == 20 * len(masks)
    filled = game.fill(game.players.keep(masks, (6,))).reshape(len(masks), 20, 6)
    assert shared.evaluations == sum(len(np.unique(filled[:, draw], axis=0)) for draw in range(20))
    assert shared.evaluations < plain.evaluations


def test_rows_that_share_nothing_cost_all_draws():
    game = table_game(RNG.normal(size=(5, 4)), [9.0, 9.0, 9.0, 9.0], Marginal(rows=0))
    with measure() as cost:
        game(all_coalitions(4))
    assert cost.evaluations == 5 * 16


def test_the_result_does_not_depend_on_how_masks_are_cut_into_blocks(monkeypatch):
    game = table_game(RNG.integers(0, 3, size=(9, 8)), RNG.integers(0, 3, size=8), Marginal(rows=0))
    masks = all_coalitions(8)
    whole = game(masks)
    monkeypatch.setattr(games, "CHUNK_BYTES", 8 * 8 * 9 * 10)  # ten masks at a time
    assert np.allclose(game(masks), whole, rtol=1e-13)


def test_seventy_players_are_more_than_a_key_holds():
    rows = np.ones((4, 70))
    game = table_game(rows, np.ones(70), Marginal(rows=0), lambda x: x.sum(axis=1))
    assert np.allclose(game(RNG.random((5, 70)) < 0.5), 70.0)


def test_a_contrast_is_the_difference_of_two_outputs():
    model = ex.TabularModel(lambda x: np.stack([x[:, 0], 2 * x[:, 1]], axis=1), np.zeros((2, 2)))
    game = Game(model, np.array([3.0, 5.0]), np.array([1, 0]), Players(np.arange(2)), Zero())
    assert game.ends() == (0.0, 7.0)


def test_missingness_of_another_kind_and_without_background_are_refused():
    class Bare:
        kind, name = "table", "bare"

    with pytest.raises(CapabilityError, match="background"):
        Game(Bare(), np.ones(2), np.array(0), Players(np.arange(2)), Marginal())
    text = Bare()
    text.kind = "text"
    with pytest.raises(InputError, match="not for the text model"):
        Game(text, np.ones(2), np.array(0), Players(np.arange(2)), Zero())


def test_a_model_that_answers_nan_is_named():
    with pytest.raises(NonFiniteScoreError, match="NaN"):
        table_game(np.zeros((2, 2)), [1.0, 1.0], Marginal(rows=0), lambda x: np.full(len(x), np.nan)).ends()


def test_substitutes_of_fixed_kinds():
    rows = np.array([[0.0, 10.0], [0.0, 20.0], [3.0, 60.0]])
    keep = np.array([[True, False]])
    model = ex.TabularModel(lambda x: x[:, 0], rows)
    for missingness, expected in [(Zero(), 0.0), (Mean(), 30.0), (Baseline((1.0, 7.0)), 7.0)]:
        assert missingness.bind(model, np.array([5.0, 5.0]), RNG)(keep).tolist() == [[5.0, expected]]
    with pytest.raises(InputError, match="does not fit"):
        Baseline((1.0, 2.0, 3.0)).bind(model, np.ones(2), RNG)
    with pytest.raises(InputError, match="one baseline"):
        Marginal().reference(model, rows, RNG)


def test_players_of_an_image_cover_it():
    class Picture:
        kind, name = "image", "picture"

    players = Grid(2, 3).players(Picture(), np.zeros((3, 4, 6)))
    assert np.bincount(players.labels.ravel()).tolist() == [4] * 6
    with pytest.raises(InputError, match="does not fit"):
        Grid(9, 9).players(Picture(), np.zeros((3, 4, 6)))
    with pytest.raises(InputError, match="outside"):
        Groups(((0, 99),)).players(Picture(), np.zeros(4))
