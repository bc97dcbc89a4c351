"""Infidelity, completeness and monotonicity against closed forms of linear models."""

import numpy as np
import pytest

from explicate import TabularModel
from explicate.attribution.missingness import Baseline, Marginal, Zero
from explicate.errors import InputError
from explicate.evaluation.correspondence import CompletenessGap, Infidelity, Monotonicity, MonotonicityInsertion

WEIGHTS = np.array([3.0, -2.0, 1.0, 0.5])


@pytest.fixture
def inputs():
    return np.random.default_rng(5).normal(size=(6, 4))


@pytest.mark.parametrize("missingness", [Zero(), Baseline(values=0.7), Marginal(50)])
def test_exact_contributions_of_a_linear_score_have_no_infidelity(missingness, inputs, linear, explained):
    model = linear(WEIGHTS, constant=1.0)
    absent = {"zero": 0.0, "baseline": 0.7}.get(missingness.name)
    reference = missingness.drawn(model).mean(axis=0) if absent is None else absent
    exact = WEIGHTS * (inputs - reference)
    metric = Infidelity(missingness=missingness)
    assert metric.score(explained(model, inputs, exact), model).value == pytest.approx(0, abs=1e-20)
    assert metric.score(explained(model, inputs, exact * 1.1), model).value > 1e-3


@pytest.mark.parametrize("perturbation", ["removal", "noise"])
def test_a_gradient_is_exact_in_its_own_units(perturbation, inputs, linear, explained):
    model = linear(WEIGHTS)
    gradient = np.broadcast_to(WEIGHTS, inputs.shape)
    metric = Infidelity(perturbation=perturbation, units="gradient")
    assert metric.score(explained(model, inputs, gradient), model).value == pytest.approx(0, abs=1e-20)
    said = explained(model, inputs, gradient, units="gradient")  # the explanation says its units itself
    assert Infidelity(perturbation=perturbation).score(said, model).value == pytest.approx(0, abs=1e-20)


def test_contributions_become_sensitivities_under_noise(inputs, linear, explained):
    model = linear(WEIGHTS)
    metric = Infidelity(perturbation="noise", missingness=Zero())
    assert metric.score(explained(model, inputs, WEIGHTS * inputs), model).value == pytest.approx(0, abs=1e-20)


def test_the_noise_has_the_stated_size(linear, explained):
    model = linear([2.0, 0.0])
    explanation = explained(model, np.zeros((1, 2)), np.zeros((1, 2)), units="gradient")
    found = Infidelity(evaluations=20_000, perturbation="noise", noise=0.3).score(explanation, model)
    # of zeros, the infidelity is E[(f(x) - f(x - I))^2] = (2 * 0.3 * std)^2
    assert found.value == pytest.approx((2 * 0.3 * model.background[:, 0].std()) ** 2, rel=0.03)


def test_zeros_explain_nothing(inputs, linear, explained):
    model = linear(WEIGHTS)
    relative = Infidelity(relative=True, missingness=Zero())
    np.testing.assert_allclose(relative.score(explained(model, inputs, inputs * 0), model).values, 1.0)


def test_with_optimal_scaling_only_the_direction_counts(inputs, linear, explained):
    model = linear(WEIGHTS)
    values = np.random.default_rng(6).normal(size=inputs.shape)
    plain, scaled = Infidelity(missingness=Zero()), Infidelity(missingness=Zero(), scaled=True)
    one, hundred = (explained(model, inputs, factor * values) for factor in (1, 100))
    np.testing.assert_allclose(scaled.score(one, model).values, scaled.score(hundred, model).values)
    assert (scaled.score(one, model).values <= plain.score(one, model).values + 1e-12).all()
    assert scaled.score(explained(model, inputs, 7 * WEIGHTS * inputs), model).value == pytest.approx(0, abs=1e-18)


def test_infidelity_is_the_mean_over_all_subsets_in_the_limit(linear, explained):
    model = TabularModel(lambda x: x[:, 0] * x[:, 1], np.zeros((2, 2)), output="call")
    found = Infidelity(evaluations=30_000, missingness=Zero()).score(
        explained(model, np.ones((1, 2)), [[1.0, 0.0]]), model
    )
    # sizes 1 and 2 are equally likely; absent {0}: 1 against 1; {1}: 0 against 1; {0, 1}: 1 against 1
    assert found.value == pytest.approx(0.25, abs=0.01)


def test_the_cost_of_infidelity_is_stated(inputs, linear, explained):
    model = linear(WEIGHTS)
    explanation = explained(model, inputs, inputs)
    for metric in (Infidelity(evaluations=10), Infidelity(evaluations=7, perturbation="noise", units="gradient")):
        assert metric.score(explanation, model).evaluations == metric.cost(explanation, model)
    assert Infidelity(evaluations=10, missingness=Marginal(5)).cost(explanation, model) == 10 * 5 * 6


def test_completeness_against_the_explanations_own_baseline(linear, explained):
    model = linear(WEIGHTS)
    x = np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 0.0, 0.0]])
    exact = explained(model, x, WEIGHTS * x, baseline_score=0.0)
    assert CompletenessGap().score(exact, model).value == pytest.approx(0, abs=1e-15)
    off = explained(model, x, WEIGHTS * x + [[0.25, 0, 0, 0]], baseline_score=0.0)
    found = CompletenessGap().score(off, model)
    np.testing.assert_allclose(found.values, [0.25 / 2.5, 0.25 / 6])
    assert found.value == pytest.approx(0.5 / 8.5)
    assert CompletenessGap(relative=False).score(off, model).value == pytest.approx(0.25)
    assert found.evaluations == 0


def test_completeness_without_a_baseline_asks_the_missingness(linear, explained):
    model = linear(WEIGHTS, constant=4.0)
    x = np.ones((1, 4))
    metric = CompletenessGap(missingness=Zero())
    found = metric.score(explained(model, x, WEIGHTS * x), model)
    assert found.value == pytest.approx(0, abs=1e-15)
    assert found.evaluations == metric.cost(explained(model, x, x), model) == 1
    assert "no baseline of its own" in found.notes[0]


def test_monotonicity_is_the_rank_correlation_with_the_effect_of_one_unknown_feature(linear, explained):
    model = linear(WEIGHTS)
    x = np.ones((1, 4))
    metric = Monotonicity(missingness=Zero())
    assert metric.score(explained(model, x, [[30, -20, 10, 5]]), model).value == pytest.approx(1)
    assert metric.score(explained(model, x, [[5, 10, 20, 30]]), model).value == pytest.approx(-1)
    assert metric.score(explained(model, x, [[20, 30, 10, 5]]), model).value == pytest.approx(0.8)
    assert np.isnan(metric.score(explained(model, x, [[1, 1, 1, 1]]), model).value)


def test_the_effect_is_the_mean_squared_loss_over_draws(linear, explained):
    # feature 0 moves the score by -1 or +1, feature 1 by 0.5 always: the mean change of feature 0 is 0, its square 1
    background = np.array([[1.0, 0.5], [-1.0, 0.5]])
    model = TabularModel(lambda x: x[:, 0] + x[:, 1], background, output="call")
    x = np.zeros((1, 2))
    metric = Monotonicity(missingness=Marginal(0))
    assert metric.score(explained(model, x, [[2.0, 1.0]]), model).value == pytest.approx(1)


def test_monotonicity_by_insertion(linear, explained):
    x = np.ones((1, 3))
    metric = MonotonicityInsertion(missingness=Zero())
    rising = linear([1.0, 2.0, 3.0])
    assert metric.score(explained(rising, x, [[1, 2, 3]]), rising).value == 1
    first_falls = linear([1.0, -2.0, 3.0])  # as in the authors' code, the step from nothing to one feature is not seen
    assert metric.score(explained(first_falls, x, [[1, -2, 3]]), first_falls).value == 1
    falling = linear([-1.0, -2.0, 3.0])
    assert metric.score(explained(falling, x, [[-1, -2, 3]]), falling).value == 0
    both = TabularModel(lambda x: x[:, 1] - x[:, 0] * x[:, 1], np.zeros((2, 2)), output="call")
    # feature 0 takes away what feature 1 gave, but loses nothing by coming first
    assert metric.score(explained(both, np.ones((1, 2)), [[1, 2]]), both).value == 1
    assert metric.score(explained(both, np.ones((1, 2)), [[2, 1]]), both).value == 0


@pytest.mark.parametrize(("options", "message"), [
    ({"evaluations": 1}, "evaluations is 1"),
    ({"perturbation": "blur"}, "perturbation 'blur'"),
    ({"units": "metres"}, "units 'metres'"),
])  # fmt: skip
def test_parameters_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        Infidelity(**options)
