"""Shapley values against their axioms, exhaustive enumeration and planted games."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.tree import DecisionTreeRegressor

from explicate.attribution.shapley import (
    all_coalitions,
    banzhaf_values,
    gaussian_process,
    shapley_estimate,
    shapley_values,
)
from explicate.attribution.shapley.gaussian_process import Kernel, functional, prior_variance
from explicate.attribution.shapley.sampling import draw_pairs, kernel_weight, pair_count
from explicate.attribution.shapley.solver import estimate_from_pairs
from explicate.attribution.shapley.tree_proxy import tree_values
from explicate.errors import InputError

games = arrays(float, 2**4, elements=st.floats(-100, 100))
ESTIMATORS = ("least-squares", "gaussian-process", "tree-proxy")


def lookup(worth: np.ndarray):
    bits = 1 << np.arange(len(worth).bit_length() - 1)
    return lambda masks: worth[masks @ bits]


def smooth_game(players: int, seed: int) -> np.ndarray:
    """A saturating sum with two interactions: what models are like."""
    rng = np.random.default_rng(seed)
    masks = all_coalitions(players).astype(float)
    weights = rng.normal(size=players)
    return np.tanh(masks @ weights + masks[:, 0] * masks[:, 1] - masks[:, 2] * masks[:, 3])


@given(games, games, st.floats(-3, 3))
def test_linearity_and_efficiency(one, two, factor):
    joined = shapley_values(one + factor * two)
    assert np.allclose(joined, shapley_values(one) + factor * shapley_values(two), atol=1e-8)
    assert math.isclose(shapley_values(one).sum(), one[-1] - one[0], abs_tol=1e-8)


@given(games)
def test_a_player_without_effect_gets_nothing_and_equals_get_the_same(worth):
    masks = all_coalitions(4)
    blind = worth[(masks[:, :3] @ [1, 2, 4])]  # player 3 changes nothing
    assert shapley_values(blind)[3] == pytest.approx(0, abs=1e-9)
    counted = worth[masks.sum(axis=1)]  # only the number matters
    assert np.allclose(shapley_values(counted), shapley_values(counted)[0])
    assert np.allclose(banzhaf_values(counted), banzhaf_values(counted)[0])


def test_closed_forms():
    masks = all_coalitions(3)
    both = (masks[:, 0] & masks[:, 1]).astype(float)
    assert np.allclose(shapley_values(both), [0.5, 0.5, 0])
    majority = (masks.sum(axis=1) >= 2).astype(float)
    assert np.allclose(shapley_values(majority), 1 / 3)
    assert np.allclose(banzhaf_values(majority), 1 / 2)


@given(st.integers(2, 9), st.integers(1, 80), st.integers(0, 5))
def test_pairs_are_distinct_and_weighted_as_the_kernel(players, wanted, seed):
    pairs = draw_pairs(players, wanted, np.random.default_rng(seed))
    assert len(pairs) == min(wanted, pair_count(players))
    everything = pairs.both()
    assert len(np.unique(everything, axis=0)) == len(everything)
    for size in np.unique(pairs.size):
        total = pairs.weight[pairs.size == size].sum() * (2 if 2 * size == players else 1)
        assert total == pytest.approx(kernel_weight(players, int(size)))


def test_many_players_need_no_list_of_coalitions():
    pairs = draw_pairs(300, 500, np.random.default_rng(0))
    assert len(np.unique(pairs.masks, axis=0)) == 500
    assert pairs.size.min() >= 1
    assert pairs.size.max() > 100


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 7), st.integers(0, 50), st.sampled_from(["shapley", "banzhaf"]))
def test_all_coalitions_give_exact_values_without_error(players, seed, index):
    worth = np.random.default_rng(seed).normal(size=2**players)
    truth = shapley_values(worth) if index == "shapley" else banzhaf_values(worth)
    found, empty, full = shapley_estimate(
        lookup(worth), players, 2**players, np.random.default_rng(0), "least-squares", index
    )
    assert (found.estimator, empty, full) == ("exact", worth[0], worth[-1])
    assert np.allclose(found.values, truth)
    pairs = draw_pairs(players, 2**players, np.random.default_rng(0), index)
    odd = (lookup(worth)(pairs.masks) - lookup(worth)(~pairs.masks)) / 2
    for estimator in ("least-squares", "gaussian-process"):
        found = estimate_from_pairs(pairs, odd, worth[-1] - worth[0], np.random.default_rng(0), estimator)
        assert np.allclose(found.values, truth, atol=1e-5)
        assert np.allclose(found.standard_error, 0)


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_values_add_up_whatever_was_tried(estimator, index):
    worth = smooth_game(9, 4)
    found, *_ = shapley_estimate(lookup(worth), 9, 90, np.random.default_rng(0), estimator, index)
    assert found.estimator == estimator
    gap = found.values.sum() - (worth[-1] - worth[0])
    if index == "shapley":
        assert gap == pytest.approx(0, abs=1e-12)
    else:
        assert found.values.sum() == pytest.approx(banzhaf_values(worth).sum(), abs=4 * found.standard_error.sum())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_additive_game_is_recovered_from_few_coalitions(estimator):
    weights = np.arange(10.0) - 4
    found, *_ = shapley_estimate(lambda m: m @ weights + 3, 10, 40, np.random.default_rng(0), estimator)
    assert np.allclose(found.values, weights, atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_standard_error_is_of_the_size_of_the_error(estimator):
    scores = []
    for seed in range(6 if estimator == "tree-proxy" else 60):
        worth = smooth_game(9, seed)
        found, *_ = shapley_estimate(lookup(worth), 9, 120, np.random.default_rng(seed), estimator)
        scores.append((found.values - shapley_values(worth)) / found.standard_error)
    spread = float(np.sqrt(np.mean(np.square(scores))))
    assert 0.5 < spread < 1.5
    assert np.mean(np.abs(scores) < 2) > 0.85


def test_the_process_beats_least_squares_on_games_that_models_play():
    ratios = []
    for seed in range(20):
        worth = smooth_game(10, 100 + seed)
        truth = shapley_values(worth)
        errors = [
            ((shapley_estimate(lookup(worth), 10, 128, np.random.default_rng(seed), e)[0].values - truth) ** 2).sum()
            for e in ("least-squares", "gaussian-process")
        ]
        ratios.append(errors[1] / errors[0])
    assert np.median(ratios) < 0.75


def test_auto_falls_back_where_the_process_predicts_worse():
    def parity(masks):
        return (masks.sum(axis=1) % 2).astype(float)

    chosen = {shapley_estimate(parity, 9, 60, np.random.default_rng(seed))[0].estimator for seed in range(5)} | {
        shapley_estimate(lookup(smooth_game(9, 1)), 9, 60, np.random.default_rng(0))[0].estimator
    }
    assert chosen <= {"least-squares", "gaussian-process"}
    found, *_ = shapley_estimate(parity, 9, 60, np.random.default_rng(0))
    plain, *_ = shapley_estimate(parity, 9, 60, np.random.default_rng(0), "least-squares")
    process, *_ = shapley_estimate(parity, 9, 60, np.random.default_rng(0), "gaussian-process")
    assert found.held_out == min(plain.held_out, process.held_out)


def test_the_functional_is_the_shapley_value_of_the_covariance():
    kernel = Kernel(np.random.default_rng(0).uniform(0.05, 0.5, 6), 0.3)
    signs = np.where(all_coalitions(6), 1.0, -1.0)
    overlap = signs @ signs.T
    covariance = kernel.smooth(signs, signs) + kernel.independent * ((overlap == 6).astype(float) - (overlap == -6))
    found = functional(signs, kernel)
    assert np.allclose(found, [shapley_values(column) for column in covariance])
    assert np.allclose(prior_variance(kernel), [shapley_values(found[:, player])[player] for player in range(6)])


@pytest.mark.parametrize("budget", [64, 256])
def test_a_weighted_vote_is_not_taken_for_certain(budget):
    """Small coalitions all lose: a process that trusts them too much sees three dictators, with no standard error."""
    scores = []
    for seed in range(6):
        quota = np.random.default_rng(seed).integers(1, 12, size=12)
        worth = (2 * (all_coalitions(12) @ quota) > quota.sum()).astype(float)
        found, *_ = shapley_estimate(lookup(worth), 12, budget, np.random.default_rng(seed), "gaussian-process")
        scores.append((found.values - shapley_values(worth)) / found.standard_error)
    assert np.sqrt(np.mean(np.square(scores))) < 2.5


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_values_of_a_tree_are_those_of_its_predictions(seed, depth):
    rng = np.random.default_rng(seed)
    masks = all_coalitions(6)
    tree = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(masks, rng.normal(size=64))
    worth = tree.predict(masks)
    assert np.allclose(tree_values(tree.tree_, 6), shapley_values(worth))
    assert np.allclose(tree_values(tree.tree_, 6, "banzhaf"), banzhaf_values(worth))


def test_many_coalitions_are_left_to_the_tree_proxy(monkeypatch):
    monkeypatch.setattr(gaussian_process, "LARGEST", 50)
    masks = all_coalitions(14)
    worth = (masks[:, :4].sum(axis=1) >= 2) * 1.0 + masks[:, 5] * masks[:, 6]
    truth = shapley_values(worth)
    found, *_ = shapley_estimate(lookup(worth), 14, 800, np.random.default_rng(0))
    plain, *_ = shapley_estimate(lookup(worth), 14, 800, np.random.default_rng(0), "least-squares")
    assert found.estimator == "tree-proxy"
    assert ((found.values - truth) ** 2).sum() < 0.5 * ((plain.values - truth) ** 2).sum()
    most, *_ = shapley_estimate(lookup(worth[: 2**9]), 9, 500, np.random.default_rng(0))
    assert most.estimator == "least-squares"  # nearly all were tried, so plain least squares is nearly exact


def test_bad_budgets_are_named():
    with pytest.raises(InputError, match="too small"):
        shapley_estimate(lambda m: m.sum(axis=1), 5, 3, np.random.default_rng(0))
    with pytest.raises(InputError, match="unknown"):
        shapley_estimate(lambda m: m.sum(axis=1), 5, 30, np.random.default_rng(0), "magic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="too many"):
        all_coalitions(30)


@pytest.mark.peer
def test_it_agrees_with_shap_at_full_budget():
    shap = pytest.importorskip("shap")
    worth = smooth_game(7, 3)
    explainer = shap.KernelExplainer(lambda m: lookup(worth)(m.astype(int)), np.zeros((1, 7)))
    theirs = explainer.shap_values(np.ones((1, 7)), nsamples=2**7, silent=True, l1_reg=0)[0]
    assert np.allclose(theirs, shapley_values(worth), atol=1e-6)
