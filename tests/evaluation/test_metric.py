"""What all metrics share: intervals, weights, joining, records."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import explicate as ex
from explicate.attribution.missingness import Zero
from explicate.core import registry
from explicate.errors import InputError, UnknownNameError
from explicate.evaluation.complexity import Sparseness
from explicate.evaluation.faithfulness import Deletion
from explicate.evaluation.measurement import Measurement, linearised, paired_interval, weighted_interval, weighted_mean
from explicate.evaluation.metric import Metric, evaluate, fitting_metrics, metric_of


def measurement(values, weights=None):
    values = np.asarray(values, dtype=float)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    return Measurement("m", values, weights, weighted_interval(values, weights), True, 0, 0, 0.0)


def test_a_linearised_mean_is_the_weighted_mean():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=50), rng.exponential(size=50)
    assert linearised(values, weights).mean() == pytest.approx(np.average(values, weights=weights))
    np.testing.assert_allclose(linearised(values, np.ones(50)), values)


def test_intervals_of_weighted_means_are_those_of_resampled_ratios():
    rng = np.random.default_rng(1)
    weights = rng.exponential(size=200)
    values = weights + rng.normal(size=200)
    found = weighted_interval(values, weights)
    rows = rng.integers(200, size=(20_000, 200))
    low, high = np.quantile((weights * values)[rows].sum(axis=1) / weights[rows].sum(axis=1), [0.025, 0.975])
    width = high - low
    assert abs(found.low - low) < 0.1 * width
    assert abs(found.high - high) < 0.1 * width


def test_intervals_of_weighted_means_cover():
    # values that depend on the weights: the truth is E[w v] / E[w] = E[w^2] / E[w] = 2/3 for w ~ U(0, 1)
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        weights = rng.uniform(size=100)
        found = weighted_interval(weights + rng.normal(size=100), weights)
        hits += found.low <= 2 / 3 <= found.high
    assert 0.91 <= hits / 300 <= 0.98


def test_intervals_of_yes_and_no_are_those_of_a_proportion():
    found = weighted_interval(np.array([1.0, 1.0, 1.0, 0.0, 0.0]), np.ones(5), (0.0, 1.0))
    # Wilson (1927): (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) with p = 0.6, n = 5
    assert (found.low, found.high) == pytest.approx((0.23072, 0.88238), abs=1e-5)
    assert found.method == "wilson"
    all_right = weighted_interval(np.ones(5), np.ones(5), (0.0, 1.0))
    assert (all_right.low, all_right.high) == pytest.approx((0.56552, 1.0), abs=1e-5)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=14), st.integers(0, 3))
def test_no_interval_leaves_the_range(values, seed):
    values = np.array(values)
    weights = np.random.default_rng(seed).uniform(0.1, 1, len(values)) if seed else np.ones(len(values))
    found = weighted_interval(values, weights, (0.0, 1.0))
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_differences_stay_between_the_ends_of_the_range():
    first, second = (
        Measurement("m", np.array(v), np.ones(3), None, True, 0, 0, 0.0, range=(0.0, 1.0))
        for v in ([1.0, 1.0, 0.9], [0.0, 0.3, 0.0])
    )
    found = paired_interval(first, second)
    assert found.value == pytest.approx(2.6 / 3)
    assert found.high == 1


def test_the_range_is_kept_in_records(explained):
    found = Sparseness().score(explained(None, np.ones((3, 3)), np.eye(3)))
    again = Measurement.from_record(json.loads(json.dumps(found.to_record())))
    assert again.range == found.range == Sparseness.range
    assert again.interval == found.interval


def test_paired_intervals_are_narrower_than_unpaired_ones():
    rng = np.random.default_rng(2)
    common = 10 * rng.normal(size=60)
    first, second = measurement(common + 0.5 + 0.1 * rng.normal(size=60)), measurement(common)
    paired = paired_interval(first, second)
    assert paired.low > 0.4
    assert paired.high < 0.6
    assert first.interval.high - first.interval.low > 2


def test_pairs_without_a_value_in_both_are_left_out():
    first = measurement([1.0, np.nan, 3.0, 5.0])
    second = measurement([0.0, 1.0, np.nan, 4.0])
    assert paired_interval(first, second).value == pytest.approx(1)
    assert paired_interval(first, measurement([np.nan, 1.0, 1.0, np.nan])) is None


def test_one_sample_has_a_value_and_no_interval():
    found = measurement([2.0])
    assert found.value == 2
    assert found.interval is None
    assert found.to_dict()["low"] is None


def test_nothing_defined_is_said(explained):
    found = Sparseness().score(explained(None, np.ones((2, 3)), np.zeros((2, 3))))
    assert np.isnan(found.value)
    assert weighted_mean(found.values, found.weights) is not None
    assert str(found).startswith("sparseness: undefined for all 2 samples")
    assert found.to_dict()["value"] is None


def test_parts_join_to_the_whole(linear, explained):
    model = linear([1.0, 2.0, 3.0])
    rng = np.random.default_rng(3)
    inputs, values = rng.normal(size=(2, 13, 3))
    metric = Deletion(missingness=Zero())
    whole = metric.score(explained(model, inputs, values), model)
    parts = [metric.score(explained(model, inputs[s], values[s]), model) for s in (slice(0, 5), slice(5, 13))]
    joined = metric.joined(parts)
    np.testing.assert_array_equal(joined.values, whole.values)
    assert joined.interval == whole.interval
    assert joined.evaluations == whole.evaluations
    for name, array in whole.details.items():
        np.testing.assert_array_equal(joined.details[name], array)


def test_records_are_json_and_undo_themselves(linear, explained):
    model = linear([1.0, -1.0])
    inputs = np.array([[1.0, 1.0], [1.0, 0.0], [0.5, 0.1]])  # the first has no span
    found = Deletion(missingness=Zero()).score(explained(model, inputs, inputs), model)
    again = Measurement.from_record(json.loads(json.dumps(found.to_record(), allow_nan=False)))
    np.testing.assert_array_equal(again.values, found.values)
    np.testing.assert_array_equal(again.details["curve"], found.details["curve"])
    assert again.interval == found.interval
    assert again.notes == found.notes


def test_metrics_by_name(linear, explained):
    model = linear([1.0, 2.0])
    explanation = explained(model, np.ones((3, 2)), np.ones((3, 2)) * [1, 2])
    found = evaluate(explanation, model, ["sparseness", Deletion(steps=2), Sparseness])
    assert [item.metric for item in found] == ["sparseness", "deletion", "sparseness"]
    assert found[1].parameters["steps"] == 2
    with pytest.raises(UnknownNameError, match="did you mean 'deletion'"):
        evaluate(explanation, model, ["deletoin"])
    with pytest.raises(InputError, match="is no metric"):
        metric_of(3)


def test_every_metric_says_what_it_needs():
    metrics = [registry.find(name, "metrics") for name in registry.names("metrics")]
    assert {"deletion", "insertion", "pgi", "pgu", "infidelity", "max-sensitivity", "completeness", "monotonicity",
            "sparseness", "complexity", "randomisation", "energy-share", "mask-iou", "pointing-game",
            "instance-recall"} <= set(registry.names("metrics"))  # fmt: skip
    for metric in metrics:
        if isinstance(metric, type) and issubclass(metric, Metric):
            assert metric.__doc__
            assert metric.chance
            assert metric.higher_is_better in (True, False, None)
            assert metric.from_parameters(metric().parameters()) == metric()


@pytest.fixture
def of_two_models(linear):
    """An explanation, the model that it is of, and another model of the same form."""
    one, other = linear([1.0, 2.0]), linear([3.0, -1.0])
    return ex.explain(one, np.array([[1.0, 1.0], [0.5, -2.0]]), "feature-ablation"), one, other


def test_a_measurement_by_another_model_says_so(of_two_models):
    explanation, one, other = of_two_models
    own, foreign = (Deletion(steps=2).score(explanation, model) for model in (one, other))
    assert own.notes == ()
    assert len(foreign.notes) == 1
    assert "the explanation is of another model" in foreign.notes[0]
    assert one.fingerprint()[:8] in foreign.notes[0]
    assert other.fingerprint()[:8] in foreign.notes[0]
    assert Measurement.from_record(foreign.to_record()).notes == foreign.notes
    assert Sparseness().score(explanation, other).notes == ()  # asks no model


def test_a_model_of_another_width_is_refused_in_its_own_words(of_two_models, linear):
    explanation = of_two_models[0]
    with pytest.raises(InputError, match="takes 3 features"):
        Deletion().score(explanation, linear([1.0, 2.0, 3.0]))


def test_one_metric_is_taken_by_its_name(of_two_models):
    explanation, model, _ = of_two_models
    for one in ("deletion", Deletion, Deletion()):
        assert [item.metric for item in evaluate(explanation, model, one)] == ["deletion"]
    with pytest.raises(InputError, match="name at least one"):
        evaluate(explanation, model, [])


def test_without_names_all_metrics_that_fit_are_taken(of_two_models, explained):
    explanation, model, _ = of_two_models
    assert [item.metric for item in evaluate(explanation, model)] == fitting_metrics(model)
    alone = {item.metric for item in evaluate(explained(None, np.ones((2, 3)), np.ones((2, 3))))}
    assert {"sparseness", "complexity"} <= alone
    assert not {"deletion", "energy-share"} & alone  # these ask the model, or for masks


def test_masks_and_labels_bring_in_what_needs_them(explained):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 2))
    model = ex.TabularModel(LogisticRegression().fit(rows, rows[:, 0] > 0), rows)
    explanation = ex.explain(model, rows[:5], "feature-ablation")
    labels = (rows[:, 0] > 0).astype(int)
    assert "randomisation" in {item.metric for item in evaluate(explanation, model, training=(rows, labels))}
    assert "randomisation" not in fitting_metrics(model)
    picture = explained(None, rng.random((2, 3, 4, 4)), rng.random((2, 4, 4)))
    found = {item.metric for item in evaluate(picture, masks=np.ones((2, 4, 4), bool))}
    assert {"energy-share", "pointing-game", "mask-iou"} <= found
