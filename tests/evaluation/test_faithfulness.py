"""Deletion, insertion, PGI and PGU against closed forms of linear models."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate import Attribution, TabularModel
from explicate.attribution.missingness import Marginal, Zero
from explicate.attribution.players import Groups
from explicate.core.provenance import Provenance
from explicate.errors import CapabilityError, InputError
from explicate.evaluation.faithfulness import (
    Deletion,
    Insertion,
    PredictionGapImportant,
    PredictionGapUnimportant,
)

WEIGHTS = np.array([3.0, 2.0, 1.0])
ONES = np.ones((1, 3))


def test_curves_of_an_additive_score(linear, explained):
    model = linear(WEIGHTS)
    explanation = explained(model, ONES, WEIGHTS[None])
    # scores 6, 3, 1, 0 over the shares 0, 1/3, 2/3, 1; as parts of the span 1, 1/2, 1/6, 0
    deletion = Deletion(missingness=Zero()).score(explanation, model)
    insertion = Insertion(missingness=Zero()).score(explanation, model)
    assert deletion.value == pytest.approx((1 / 2 + 1 / 2 + 1 / 6) / 3)
    assert insertion.value == pytest.approx((1 / 2 + 5 / 6 + 1 / 2) / 3)


def test_the_curve_is_kept_for_plotting(linear, explained):
    model = linear(WEIGHTS)
    found = Deletion(steps=3, missingness=Zero()).score(explained(model, ONES, WEIGHTS[None]), model)
    np.testing.assert_allclose(found.details["curve"], [[1, 1 / 2, 1 / 6, 0]])
    np.testing.assert_allclose(found.details["grid_share"], [0, 1 / 3, 2 / 3, 1])


def test_fewer_steps_remove_several_at_once(linear, explained):
    model = linear([4.0, 3.0, 2.0, 1.0])
    found = Deletion(steps=2, missingness=Zero()).score(explained(model, np.ones((1, 4)), [[4, 3, 2, 1]]), model)
    assert found.value == pytest.approx((1 / 2 + 3 / 10 + 0) / 2)
    assert found.evaluations == 3


def test_what_speaks_against_the_target_comes_last_unless_only_sizes_count(linear, explained):
    model = linear([1.0, -3.0, 5.0])
    explanation = explained(model, ONES, [[1, -3, 5]])
    signed = Deletion(missingness=Zero()).score(explanation, model).details["curve"][0]
    sizes = Deletion(missingness=Zero(), order="absolute", steps=3).score(explanation, model).details["curve"][0]
    np.testing.assert_allclose(Deletion(missingness=Zero(), steps=3).score(explanation, model).details["curve"][0] * 3,
                               [3, -2, -3, 0])  # fmt: skip
    np.testing.assert_allclose(sizes * 3, [3, -2, 1, 0])
    assert len(signed) == 21  # the grid of the default 20 steps, whatever the number of players


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_no_order_beats_the_true_one_on_an_additive_score(weights, random):
    weights = np.array(weights)
    if abs(weights.sum()) < 0.1:
        return
    model = TabularModel(lambda x: x @ weights, np.zeros((2, len(weights))), output="call")
    order = list(range(len(weights)))
    random.shuffle(order)

    def deletion(values):
        data = xr.Dataset({"attribution": (("sample", "feature"), values[None]),
                           "inputs": (("sample", "feature"), np.ones((1, len(weights)))),
                           "target": ("sample", np.zeros(1, dtype=int)),
                           "score": ("sample", np.array([weights.sum()]))}, attrs={"model_kind": "table"})  # fmt: skip
        return Deletion(missingness=Zero()).score(Attribution(data, Provenance("random")), model).value

    assert deletion(weights) <= deletion(weights[order]) + 1e-9


def test_a_mean_is_weighted_by_the_span(linear, explained):
    model = linear([1.0, 1.0])
    inputs = np.array([[1.0, 0.0], [9.0, 9.0]])
    found = Insertion(missingness=Zero()).score(explained(model, inputs, inputs), model)
    # sample 0: 0, 1, 1 -> 0.75 with span 1; sample 1: 0, 1/2, 1 -> 0.5 with span 18
    np.testing.assert_allclose(found.values, [0.75, 0.5])
    assert found.value == pytest.approx((0.75 + 18 * 0.5) / 19)


def test_a_sample_without_a_span_is_left_out_and_said(linear, explained):
    model = linear([1.0, -1.0])
    inputs = np.array([[1.0, 1.0], [1.0, 0.0]])
    found = Deletion(missingness=Zero()).score(explained(model, inputs, inputs), model)
    assert np.isnan(found.values[0])
    assert found.undefined == 1
    assert "1 of 2 samples" in found.notes[-1]
    assert np.isfinite(found.value)


def test_a_score_below_that_of_nothing(linear, explained):
    model = linear([-3.0, -1.0])
    found = Insertion(missingness=Zero()).score(explained(model, np.ones((1, 2)), [[-3.0, -1.0]]), model)
    # the least negative comes first: 0, -1, -4; as parts of |span|: 0, -1/4, -1
    assert found.value == pytest.approx(-(1 / 8 + 5 / 8) / 2)


def test_ties_are_broken_at_random_and_the_same_for_every_explanation_of_a_sample(linear, explained):
    model = linear(np.arange(8.0))
    inputs = np.random.default_rng(1).normal(size=(200, 8)) + 3
    explanation = explained(model, inputs, np.zeros_like(inputs))
    first = Deletion(missingness=Zero()).score(explanation, model)
    assert first.value == pytest.approx(0.5, abs=0.03)  # the order of the columns would give far more than 0.5
    np.testing.assert_array_equal(first.values, Deletion(missingness=Zero()).score(explanation, model).values)
    assert not np.array_equal(first.values, Deletion(missingness=Zero()).score(explanation, model, seed=1).values)


def test_a_sample_is_scored_alike_alone_and_among_others(linear, explained):
    model = linear(WEIGHTS)
    inputs = np.random.default_rng(2).normal(size=(5, 3))
    values = np.random.default_rng(3).normal(size=(5, 3))
    for metric in (Deletion(), PredictionGapImportant()):
        together = metric.score(explained(model, inputs, values), model).values
        alone = metric.score(explained(model, inputs[3:4], values[3:4]), model).values
        np.testing.assert_allclose(together[3:4], alone)


@pytest.mark.parametrize("metric", [Deletion(), Insertion(steps=2), PredictionGapImportant(), PredictionGapUnimportant(
    perturbation="missing"), Deletion(missingness=Marginal(7))])  # fmt: skip
def test_the_cost_is_stated_and_the_same_for_any_attribution(metric, linear, explained):
    model = linear(WEIGHTS)
    inputs = np.random.default_rng(2).normal(size=(4, 3))
    for values in (inputs * WEIGHTS, np.random.default_rng(3).normal(size=(4, 3)), np.zeros((4, 3))):
        explanation = explained(model, inputs, values)
        assert metric.score(explanation, model).evaluations == metric.cost(explanation, model) > 0


def test_players_can_be_groups(linear, explained):
    model = linear([1.0, 1.0, 3.0])
    metric = Deletion(missingness=Zero(), partition=Groups(((0, 1), (2,))))
    found = metric.score(explained(model, ONES, [[1, 1, 3]]), model)
    assert found.value == pytest.approx((1 / 2 + 2 / 5 + 0) / 2)


def test_gaussian_gaps_of_a_linear_score(linear, explained):
    model = linear([2.0, -1.0, 0.5, 0.1])
    inputs = np.random.default_rng(4).normal(size=(3, 4))
    explanation = explained(model, inputs, np.abs(inputs) * 0 + [9, -8, 1, 0.5])
    spread = 0.1 * model.background.std(axis=0)
    options = {"share": 0.5, "draws": 20_000, "noise": 0.1, "perturbation": "gaussian"}
    # |N(0, s^2)| has the mean s sqrt(2 / pi)
    important = np.sqrt((2 * spread[0]) ** 2 + (1 * spread[1]) ** 2) * np.sqrt(2 / np.pi)
    unimportant = np.sqrt((0.5 * spread[2]) ** 2 + (0.1 * spread[3]) ** 2) * np.sqrt(2 / np.pi)
    pgi = PredictionGapImportant(**options).score(explanation, model)
    pgu = PredictionGapUnimportant(**options).score(explanation, model)
    np.testing.assert_allclose(pgi.values, important, rtol=0.03)
    np.testing.assert_allclose(pgu.values, unimportant, rtol=0.03)


def test_gaps_under_missingness_are_means_of_sizes_not_sizes_of_means(linear, explained):
    model = linear([2.0, 1.0])
    inputs = np.array([[0.3, -0.2]])
    explanation = explained(model, inputs, [[5.0, 1.0]])
    metric = PredictionGapImportant(share=0.5, perturbation="missing", missingness=Marginal(0))
    expected = np.abs(2 * (inputs[0, 0] - model.background[:, 0])).mean()
    assert metric.score(explanation, model).value == pytest.approx(expected)


def test_categories_are_resampled_not_blurred(explained):
    frame = pd.DataFrame({"colour": ["red", "green", "blue", "blue"] * 25, "size": np.linspace(0, 1, 100)})
    seen = []

    def score(rows):
        seen.append(set(rows["colour"]))
        return (rows["colour"] == "red").to_numpy(float)

    model = TabularModel(score, frame, output="call")
    inputs = model.encode(frame.iloc[:1])
    explanation = explained(model, inputs, [[1.0, 0.0]])
    found = PredictionGapImportant(share=0.5, draws=4000, flip=0.5).score(explanation, model)
    # half of the copies take a background value, three quarters of which are not red
    assert found.value == pytest.approx(0.5 * 0.75, abs=0.03)
    assert seen[-1] <= {"red", "green", "blue"}


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Deletion(steps=0), "steps is 0"),
    (lambda: Deletion(order="random"), "order 'random'"),
    (lambda: PredictionGapImportant(share=1.5), "share is 1.5"),
    (lambda: PredictionGapImportant(noise=0), "noise above 0"),
])  # fmt: skip
def test_parameters_out_of_range(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_attribution_over_something_else_is_refused(linear):
    model = linear(WEIGHTS)
    data = xr.Dataset({"attribution": (("sample", "segment"), np.ones((1, 2))), "inputs": (("sample", "feature"), ONES),
                       "target": ("sample", np.zeros(1, dtype=int)), "score": ("sample", np.ones(1))})  # fmt: skip
    explanation = Attribution(data, Provenance("random"))
    with pytest.raises(InputError, match="one value per feature"):
        Deletion().score(explanation, model)


def test_the_model_must_be_there_and_of_the_kind(linear, explained):
    explanation = explained(linear(WEIGHTS), ONES, WEIGHTS[None])
    with pytest.raises(InputError, match="give it as `model`"):
        Deletion().score(explanation)
    with pytest.raises(CapabilityError, match="deletion needs scores"):
        Deletion().score(explanation, object())
