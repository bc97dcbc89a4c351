"""LIME for tables against closed forms, scikit-learn's ridge on the same neighbours, and the package `lime`."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from explicate.attribution import lime_tabular
from explicate.attribution.least_squares import fit_linear, fit_linear_each
from explicate.attribution.lime_tabular import LIME, RowNeighbourhood
from explicate.core.features import Feature
from explicate.core.registry import find
from explicate.errors import CapabilityError, InputError
from explicate.models.tabular import TabularModel

FEATURES = (Feature("a"), Feature("b"), Feature("c", "categorical", ("u", "v", "w")))


def rows(count: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, count, p=[0.2, 0.3, 0.5])
    return np.column_stack([rng.normal(3.0, 2.0, count), rng.normal(-1.0, 0.5, count), codes])


def handle(function) -> TabularModel:
    return TabularModel(function, rows(), features=FEATURES, output="call")


def curved(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(x[:, 0] - 3) * (x[:, 1] + 1) - (x[:, 2] == 1)))


def test_it_is_registered():
    assert find("lime") is LIME


def test_an_additive_function_is_recovered_exactly_without_ridge():
    values = np.array([5.0, -1.0, 2.0])
    model = handle(lambda x: 0.5 * x[:, 0] - 2.0 * x[:, 1] + values[x[:, 2].astype(int)] * (x[:, 2] == 0))
    found = LIME(samples=300, ridge=0.0).explain(model, np.array([[1.0, 2.0, 0], [4.0, 0.0, 0]]), target=0)
    spread = rows().std(axis=0)
    np.testing.assert_allclose(found.values[:, :2], [[0.5 * spread[0], -2 * spread[1]]] * 2, atol=1e-9)
    np.testing.assert_allclose(found.values[:, 2], 5.0, atol=1e-9)
    np.testing.assert_allclose(found["local_prediction"], found["score"], atol=1e-9)
    np.testing.assert_allclose(found["determination"], 1.0)
    np.testing.assert_allclose(found["standard_error"], 0.0, atol=1e-9)


def test_a_category_is_compared_with_the_others_by_their_frequency():
    values = np.array([0.0, 3.0, 9.0])
    model = handle(lambda x: values[x[:, 2].astype(int)])
    found = LIME(samples=40_000, ridge=0.0).explain(model, np.array([[0.0, 0.0, 0]]), target=0)
    counts = np.bincount(rows()[:, 2].astype(int))
    others = (3.0 * counts[1] + 9.0 * counts[2]) / counts[1:].sum()
    error = float(found["standard_error"][0, 2])
    assert abs(found.values[0, 2] + others) < 4 * error
    assert 0 < error < 0.1


def test_it_is_sklearns_ridge_on_the_same_neighbours():
    model, row = handle(curved), np.array([[2.5, -0.5, 1.0]])
    found = LIME(samples=500).explain(model, row, target=0, seed=3)
    noise, choice = np.random.Generator(np.random.PCG64(3)).spawn(2)
    points, design = RowNeighbourhood.of(model.background, FEATURES).draw(row, 500, noise, choice)
    near = np.sqrt(np.exp(-((design[0] - design[0, 0]) ** 2).sum(axis=1) / (0.75**2 * 3)))
    ridge = Ridge(alpha=1.0).fit(design[0], curved(points[0]), sample_weight=near)
    np.testing.assert_allclose(found.values[0], ridge.coef_, rtol=1e-8)
    assert float(found["local_prediction"][0]) == pytest.approx(ridge.predict(design[0, :1])[0])
    assert float(found["intercept"][0]) == pytest.approx(ridge.intercept_)
    assert float(found["determination"][0]) == pytest.approx(ridge.score(design[0], curved(points[0]), near))


def test_neighbours_have_the_training_spread_and_frequencies_and_begin_with_the_row():
    row = np.array([[10.0, 0.0, 2.0]])
    rng = np.random.default_rng(0)
    points, design = RowNeighbourhood.of(rows(), FEATURES).draw(row, 50_000, *rng.spawn(2))
    np.testing.assert_array_equal(points[0, 0], row[0])
    assert points[0, :, 0].mean() == pytest.approx(10.0, abs=0.05)
    np.testing.assert_allclose(points[0].std(axis=0)[:2], rows().std(axis=0)[:2], rtol=0.02)
    frequency = np.bincount(rows()[:, 2].astype(int)) / 400
    np.testing.assert_allclose(np.bincount(points[0, :, 2].astype(int)) / 50_000, frequency, atol=0.01)
    np.testing.assert_array_equal(design[0, :, 2], points[0, :, 2] == 2.0)


def test_chunks_and_batches_change_nothing(monkeypatch):
    model, asked = handle(curved), rows(7, seed=1)
    whole = LIME(samples=100).explain(model, asked, target=0)
    monkeypatch.setattr(lime_tabular, "NEIGHBOURS_HELD", 200)
    np.testing.assert_allclose(LIME(samples=100).explain(model, asked, target=0).values, whole.values, rtol=1e-12)
    assert whole.provenance.evaluations == 7 * 100 + 7


def test_a_fixed_radius_does_not_follow_the_training_data():
    narrow = TabularModel(curved, rows() * [0.1, 0.1, 1.0], features=FEATURES, output="call")
    row = np.array([[2.5, -0.5, 1.0]])
    fixed = LIME(radius="fixed", reference=rows())
    np.testing.assert_allclose(
        fixed.explain(narrow, row, target=0).values, LIME().explain(handle(curved), row, target=0).values, rtol=1e-12
    )
    assert (
        np.abs(LIME().explain(narrow, row, target=0).values - fixed.explain(narrow, row, target=0).values).max() > 0.01
    )


def test_a_column_that_never_varied_gets_no_weight():
    background = rows()
    background[:, 1] = 7.0
    model = TabularModel(lambda x: x[:, 0] + 100 * x[:, 1], background, features=FEATURES, output="call")
    found = LIME().explain(model, np.array([[1.0, 7.0, 0.0]]), target=0)
    assert found.values[0, 1] == 0.0


def test_local_predictions_follow_a_real_logistic_model():
    x, y = load_breast_cancer(return_X_y=True)
    model = TabularModel(make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(x[:400], y[:400]), x[:400])
    found = LIME(samples=3000).explain(model, x[400:450], target=1)
    labels = found["local_prediction"].values >= 0.5
    assert (labels == (found["score"].values >= 0.5)).mean() >= 0.98
    slopes = model.wrapped[-1].coef_[0]
    strong = np.argsort(-np.abs(slopes))[:5]
    assert (np.sign(found.values[:, strong]) == np.sign(slopes[strong])).mean() > 0.95


def test_many_fits_at_once_are_the_single_fits():
    rng = np.random.default_rng(2)
    design, values, weights = rng.normal(size=(4, 30, 3)), rng.normal(size=(4, 30)), rng.random((4, 30))
    many = fit_linear_each(design, values, weights, ridge=0.7)
    for k in range(4):
        one = fit_linear(design[k], values[k], weights[k], ridge=0.7)
        np.testing.assert_allclose(many.weights[k], one.weights)
        assert many.intercepts[k] == pytest.approx(one.intercept)


def test_the_standard_error_covers_what_other_neighbours_give():
    model, row = handle(curved), np.array([[2.5, -0.5, 1.0]])
    found = LIME(samples=400).explain(model, np.repeat(row, 300, axis=0), target=0)
    spread = found.values.std(axis=0)
    np.testing.assert_allclose(found["standard_error"].values.mean(axis=0), spread, rtol=0.2)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"samples": 1}, "at least 2"),
        ({"width": 0.0}, "positive"),
        ({"ridge": -1.0}, "0 or more"),
        ({"radius": "small"}, "'training' or 'fixed'"),
        ({"radius": "fixed"}, "reference"),
        ({"reference": rows()}, "reference"),
    ],
)
def test_bad_parameters_are_named(parameters, said):
    with pytest.raises(InputError, match=said):
        LIME(**parameters)


def test_bad_requests_are_named():
    with pytest.raises(InputError, match="cannot determine 4"):
        LIME(samples=3, ridge=0.0).explain(handle(curved), rows(1), target=0)
    with pytest.raises(InputError, match="reference rows"):
        LIME(radius="fixed", reference=rows()[:, :2]).explain(handle(curved), rows(1), target=0)
    bare = handle(curved)
    bare.predict(rows(1))
    bare.background = None
    with pytest.raises(CapabilityError, match="training rows"):
        LIME().explain(bare, rows(1), target=0)


@pytest.mark.peer
def test_it_agrees_with_the_package_lime():
    peer = pytest.importorskip("lime.lime_tabular")
    model, row = handle(curved), np.array([2.5, -0.5, 1.0])
    ours = LIME(samples=1000).explain(model, np.repeat(row[None], 40, axis=0), target=0)
    weights, local = [], []
    for seed in range(40):
        explainer = peer.LimeTabularExplainer(
            model.background,
            categorical_features=[2],
            discretize_continuous=False,
            sample_around_instance=True,
            feature_selection="none",
            random_state=seed,
        )
        found = explainer.explain_instance(
            row, lambda x: np.column_stack([1 - curved(x), curved(x)]), num_features=3, num_samples=1000
        )
        weights.append([weight for _, weight in sorted(found.local_exp[1])])
        local.append(found.local_pred[0])
    spread = np.sqrt((ours.values.var(axis=0) + np.var(weights, axis=0)) / 40)
    assert (np.abs(ours.values.mean(axis=0) - np.mean(weights, axis=0)) < 4 * spread).all()
    np.testing.assert_allclose(ours.values.std(axis=0), np.std(weights, axis=0), rtol=0.5)
    both = ours["local_prediction"].values
    assert abs(both.mean() - np.mean(local)) < 4 * np.sqrt((both.var() + np.var(local)) / 40)
