"""Fidelity gaps against hand-made groups, scikit-learn and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from explicate.attribution.feature_ablation import FeatureAblation
from explicate.attribution.lime_tabular import LIME
from explicate.core.registry import find
from explicate.errors import CapabilityError, InputError
from explicate.evaluation import disparity
from explicate.evaluation.disparity import LocalFidelity, fidelity_gaps, group_labels
from explicate.models.tabular import TabularModel


def three_groups() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Agreement 1.0 in a, 0.75 in b, 0.5 in c, forty rows each; both of the model's labels occur everywhere."""
    groups = np.repeat(["a", "b", "c"], 40)
    p = np.tile([0.75, 0.25], 60)
    e = p.copy()
    e[40:50] = 1 - e[40:50]
    e[80:100] = 1 - e[80:100]
    return p, e, groups


def test_every_gap_of_known_groups():
    p, e, groups = three_groups()
    gaps = fidelity_gaps(p, e, groups)
    assert gaps["accuracy"].groups == pytest.approx({"a": 1.0, "b": 0.75, "c": 0.5})
    assert gaps["accuracy"].overall == pytest.approx(0.75)
    assert gaps["maximum"].value == pytest.approx(0.25)
    assert gaps["accuracy"].value == pytest.approx((0.25 + 0.5 + 0.25) / 3)
    assert gaps["residual"].value == pytest.approx(gaps["accuracy"].value)
    assert gaps["residual"].groups == pytest.approx({"a": 0.0, "b": 0.25, "c": 0.5})
    assert gaps["probability_residual"].groups == pytest.approx({"a": 0.0, "b": 0.125, "c": 0.25})
    assert gaps["auroc"].groups == pytest.approx({"a": 1.0, "b": 0.75, "c": 0.5})
    assert gaps["accuracy"].pairs == 3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_auroc_is_scikit_learns_also_with_ties(seed, ties):
    rng = np.random.default_rng(seed)
    p, e, groups = rng.random(80), rng.random(80), np.repeat([0, 1], 40)
    e = np.round(e, 1) if ties else e
    gap = fidelity_gaps(p, e, groups)["auroc"]
    for name in ("0", "1"):
        rows = groups == int(name)
        assert gap.groups[name] == pytest.approx(roc_auc_score(p[rows] >= 0.5, e[rows]))
    assert gap.overall == pytest.approx(roc_auc_score(p >= 0.5, e))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_gaps_do_not_depend_on_the_order_of_rows_or_the_names_of_groups(seed):
    rng = np.random.default_rng(seed)
    p, e, groups = rng.random(90), rng.normal(0.5, 0.3, 90), np.repeat([0, 1, 2], 30)
    order = rng.permutation(90)
    one = fidelity_gaps(p, e, groups)
    other = fidelity_gaps(p[order], e[order], np.array(["z", "x", "y"])[groups[order]])
    for name, gap in one.items():
        assert gap.value == pytest.approx(other[name].value, nan_ok=True)
        assert gap.value >= 0


def test_a_group_of_one_predicted_class_is_left_out_of_auroc_and_counted():
    p, e, groups = three_groups()
    p = np.where(groups == "b", 0.9, p)
    gap = fidelity_gaps(p, e, groups)["auroc"]
    assert np.isnan(gap.groups["b"])
    assert (gap.pairs, gap.undefined_pairs) == (1, 2)
    assert gap.value == pytest.approx(0.5)
    two = groups != "a"
    none = fidelity_gaps(p[two], e[two], groups[two])["auroc"]
    assert np.isnan(none.value)
    assert (none.pairs, none.undefined_pairs) == (0, 1)


def test_groups_dealt_at_random_give_the_gap_of_chance():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], 500)
    p = rng.random(1000)
    e = np.where((groups == "b") & (rng.random(1000) < 0.4), 1 - p, p)
    chance = disparity.permuted_gaps(p, e, groups, rng, 200)
    share = 0.2 * 0.8  # a gap of two shares of 500 is |N(0, 2 p q / 500)|
    assert chance["accuracy"] == pytest.approx(np.sqrt(2 / np.pi * 2 * share / 500), rel=0.2)
    assert fidelity_gaps(p, e, groups)["accuracy"].value > 10 * chance["accuracy"]


def test_ground_truth_fidelity_counts_shared_features():
    found = disparity.ground_truth_fidelity(
        np.array([[3.0, -2.0, 0.1, 0.0], [0.1, 0.2, -3.0, 1.0]]), np.array([-5.0, 4.0, 1.0, 0.5]), k=2
    )
    np.testing.assert_array_equal(found, [1.0, 0.0])
    rng = np.random.default_rng(0)
    random = disparity.ground_truth_fidelity(rng.normal(size=(20_000, 6)), rng.normal(size=6), k=3)
    assert random.mean() == pytest.approx(0.5, abs=0.01)  # chance is k / features
    with pytest.raises(InputError, match="k is 5"):
        disparity.ground_truth_fidelity(np.ones((2, 4)), np.ones(4), k=5)


def test_tests_are_scipys():
    rng = np.random.default_rng(0)
    values = rng.normal(size=90)
    two = disparity.difference_between_groups(values, np.repeat(["x", "y"], 45))
    assert (two.name, two.p_value) == ("mann-whitney", stats.mannwhitneyu(values[:45], values[45:]).pvalue)
    three = disparity.difference_between_groups(values, np.repeat([0, 1, 2], 30))
    assert three.name == "kruskal-wallis"
    assert three.p_value == stats.kruskal(values[:30], values[30:60], values[60:]).pvalue
    assert disparity.difference_between_groups(np.ones(90), np.repeat([0, 1, 2], 30)).p_value == 1.0
    up = disparity.increase_between_conditions(np.arange(10) + 1.0, np.zeros(10))
    assert up.p_value == pytest.approx(2**-10)
    assert disparity.increase_between_conditions(np.zeros(10), np.arange(10) + 1.0).p_value == 1.0
    assert disparity.increase_between_conditions(np.ones(5), np.ones(5)).p_value == 1.0


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (np.linspace(20, 60, 120), "bins"),
        (np.arange(120), "bins"),
        (["a"] * 120, "one group"),
        (["a"] * 110 + ["b"] * 10, "'b' has 10 test rows"),
        (np.ones((120, 2)), "one value per sample"),
        (np.r_[np.nan, np.ones(119)], "NaN"),
    ],
)
def test_bad_groups_are_named(groups, said):
    with pytest.raises(ValueError, match=said):
        group_labels(groups)


def test_a_missing_group_is_named():
    with pytest.raises(ValueError, match="'c' is missing"):
        group_labels(["a"] * 30 + ["b"] * 30, expected=("a", "b", "c"))


def test_bad_scores_are_named():
    p, e, groups = three_groups()
    with pytest.raises(CapabilityError, match="predict_proba"):
        fidelity_gaps(3 * p, e, groups)
    with pytest.raises(InputError, match="sample 0"):
        fidelity_gaps(p, np.r_[np.nan, e[1:]], groups)
    with pytest.raises(InputError, match="one per sample"):
        fidelity_gaps(p, e[:-1], groups)


def test_what_explanations_predict():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = (x @ [2.0, -1.0, 0.5] + rng.normal(size=300) > 0).astype(int)
    model = TabularModel(LogisticRegression().fit(x, y), x)
    surrogate = LIME(samples=200).explain(model, x[:50], target=1)
    np.testing.assert_array_equal(disparity.local_prediction(surrogate), surrogate["local_prediction"])
    ablation = FeatureAblation().explain(model, x[:50], target=1)
    start = model.predict(np.zeros((1, 3)))[0, 1]
    predicted = disparity.local_prediction(ablation.isel(), np.zeros(3), model)
    if "baseline_score" in ablation.data:
        wanted = ablation["baseline_score"] + ablation.values.sum(axis=1)
    else:
        wanted = start + (ablation.values * x[:50]).sum(axis=1)
    np.testing.assert_allclose(predicted, wanted)


def test_local_fidelity_of_a_surrogate_and_of_a_saliency_map():
    assert find("local-fidelity", "metrics") is LocalFidelity
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    model = TabularModel(lambda rows: 0.5 + 0.1 * rows[:, 0] - 0.05 * rows[:, 1], x, output="call")
    exact = LocalFidelity().score(LIME(samples=100, ridge=0.0).explain(model, x[:20], target=0))
    assert exact.value < 1e-12
    bent = TabularModel(lambda rows: np.sin(3 * rows[:, 0]), x, output="call")
    explanation = LIME(samples=100).explain(bent, x[:20], target=0)
    found = LocalFidelity().score(explanation)
    np.testing.assert_allclose(found.values, np.abs(explanation["score"] - explanation["local_prediction"]))
    assert found.value > 0.1
    silent = find("random")().explain(model, x[:20], target=0)
    assert LocalFidelity().score(silent).undefined == 20
