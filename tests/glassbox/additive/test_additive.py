"""Neural additive models: curves that are the networks, exactly; known truths; bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import check_estimator

from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution
from explicate.errors import InputError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.additive import NeuralAdditiveClassifier, NeuralAdditiveRegressor
from explicate.glassbox.additive.compiling import member_outputs, straight_pieces
from explicate.glassbox.additive.networks import Term

SMALL = {"members": 2, "epochs": 15, "hidden": (8, 4), "batch": 32}


def mixed(rows=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "job": rng.choice(["cook", "pilot", "smith"], rows),
            "x": rng.normal(size=rows),
            "own": rng.choice([True, False], rows),
        }
    )
    return frame, np.where((frame["age"] > 45) ^ (rng.random(rows) < 0.1), "yes", "no")


def random_term(exu, rng, members=2):
    def draw(*shape):
        return rng.normal(size=(members, *shape))

    first = (draw(6) + (2.0 if exu else 0.0), draw(6) * 0.5, draw(3, 6))
    return Term((0,), (first,), ((draw(6, 5), draw(5)), (draw(5, 4), draw(4))), draw(4, 2), exu)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), exu=st.booleans())
def test_between_neighbouring_points_a_network_is_straight(seed, exu):
    term = random_term(exu, np.random.default_rng(seed))
    ends = straight_pieces(term, 1, -1.0, 1.0)
    assert (ends[0], ends[-1]) == (-1.0, 1.0)
    at_ends = member_outputs(term, 1, ((ends, np.full(len(ends), -1)),))
    for share in (0.25, 0.5, 0.9):
        inside = ends[:-1] + share * np.diff(ends)
        found = member_outputs(term, 1, ((inside, np.full(len(inside), -1)),))
        assert found == pytest.approx(at_ends[:-1] + share * np.diff(at_ends, axis=0), abs=1e-9)


@pytest.mark.parametrize("kind", [NeuralAdditiveClassifier, NeuralAdditiveRegressor])
def test_scikit_learn_accepts_it(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(kind(members=1, epochs=25, hidden=(8,), batch=32), on_fail=None, on_skip=None)
    not_passed = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] != "passed"}
    assert set(not_passed) <= {"check_array_api_input"}, not_passed  # skipped by scikit-learn itself


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_whatever_is_learned_replays_to_its_predictions(data):
    rows = data.draw(st.integers(12, 60))
    frame, labels = mixed(rows, data.draw(st.integers(0, 99)))
    options = {**SMALL, "epochs": 3, "units": data.draw(st.sampled_from(["relu", "exu"]))}
    options["pairs"] = data.draw(st.sampled_from([(), (("age", "job"),), (("x", "age"), ("job", "own"))]))
    if data.draw(st.booleans()):
        frame.loc[data.draw(st.integers(0, rows - 1)), "x"] = np.nan
        frame.loc[data.draw(st.integers(0, rows - 1)), "job"] = None
        options["missing"] = "bin"
    target = data.draw(st.sampled_from(["two", "three", "value"]))
    if target == "value":
        model = NeuralAdditiveRegressor(**options).fit(frame, frame["age"] * 2.5)
    else:
        three = np.array(["a", "b", "c"])[np.arange(rows) % 3]
        model = NeuralAdditiveClassifier(**options).fit(frame, three if target == "three" else labels)
    check_glass_box(model, frame)
    check_glass_box(model, frame.head(1))
    found = model.explain(frame)
    assert isinstance(found, Attribution)
    gap = found.values.sum(axis=1) + found["baseline_score"].values - found["score"].values
    assert np.abs(gap).max() <= 1e-9 * max(1.0, np.abs(found["score"].values).max())


def test_an_additive_truth_is_recovered():
    """f1 = sin, f2 = square, f3 = step, f4 = line; x5 and x6 do nothing."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (800, 6))
    truth = [
        lambda v: np.sin(3 * v),
        lambda v: 2 * v**2,
        lambda v: np.where(v > 0.2, 1.0, -1.0),
        lambda v: 1.5 * v,
    ]
    y = sum(f(x[:, j]) for j, f in enumerate(truth)) + rng.normal(0, 0.05, 800)
    model = NeuralAdditiveRegressor(members=2, epochs=80, hidden=(32, 32), batch=100, output_penalty=0.01).fit(x, y)
    found = model.curves_.contributions(model.curves_.cells(pd.DataFrame(x, columns=[f"x{j}" for j in range(6)])))
    for j, f in enumerate(truth):
        assert np.corrcoef(found[:, j, 0], f(x[:, j]))[0, 1] > 0.95
    ranges = np.ptp(found[:, :, 0], axis=0)
    assert ranges[4:].max() < 0.15 * ranges[:4].max()
    assert abs(found.mean(axis=0)).max() < 1e-9  # means are in the intercept


def test_an_exclusive_or_needs_the_pair():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.uniform(-1, 1, (600, 2)), columns=["a", "b"])
    y = (x["a"] * x["b"] > 0).to_numpy()
    test = pd.DataFrame(rng.uniform(-1, 1, (600, 2)), columns=["a", "b"])
    truth = test["a"] * test["b"] > 0
    options = {"members": 1, "epochs": 60, "hidden": (16, 16), "batch": 100}
    without = NeuralAdditiveClassifier(**options).fit(x, y).predict_proba(test)[:, 1]
    paired = NeuralAdditiveClassifier(**options, pairs=[("a", "b")]).fit(x, y)
    assert 0.4 <= roc_auc_score(truth, without) <= 0.6
    assert roc_auc_score(truth, paired.predict_proba(test)[:, 1]) >= 0.95
    assert paired.explain(test)["feature"].values.tolist() == ["a", "b", "a × b"]


def test_gaps_and_categories_have_contributions_of_their_own():
    frame, _ = mixed(300)
    frame["x"] = frame["x"].where(np.arange(300) % 3 > 0)
    labels = frame["x"].isna() | (frame["job"] == "pilot")
    options = {**SMALL, "epochs": 80, "missing": "bin"}
    model = NeuralAdditiveClassifier(**options).fit(frame, labels)
    assert model.score(frame, labels) > 0.95
    job = next(term for term in model.curves_.terms if term.name == "job")
    assert job.axes[0].words == ("cook", "pilot", "smith")
    assert job.values[:, 0].argmax() == 1
    gone = pd.DataFrame({"age": [30], "job": [None], "x": [0.0], "own": [True]})
    assert model.explain(gone)["contribution"].sel(term="job").values == pytest.approx(job.missing[None])


def test_columns_of_few_values_are_run_value_by_value_to_the_same_effect(monkeypatch):
    """Without dropout the two ways give the same gradients, so the same model up to rounding."""
    frame, labels = mixed(200)
    options = {**SMALL, "epochs": 4, "dropout": 0.0, "feature_dropout": 0.0, "members": 1, "batch": 200}
    columns = frame[["job", "own"]]
    few = NeuralAdditiveClassifier(**options).fit(columns, labels)
    monkeypatch.setattr("explicate.glassbox.additive.networks.FEW", 0.0)
    many = NeuralAdditiveClassifier(**options).fit(columns, labels)
    assert few.predict_proba(columns) == pytest.approx(many.predict_proba(columns), abs=1e-4)


def test_beyond_the_training_data_a_curve_keeps_its_last_value():
    frame, labels = mixed()
    model = NeuralAdditiveClassifier(**SMALL).fit(frame[["age"]], labels)
    low, high = frame["age"].min(), frame["age"].max()
    ages = pd.DataFrame({"age": [low - 50, low, high, high + 1000]})
    found = model.decision_function(ages)
    assert found[0] == found[1]
    assert found[2] == found[3]


def test_a_category_without_rows_adds_nothing_of_its_own():
    frame, labels = mixed()
    frame["job"] = pd.Categorical(frame["job"], categories=["cook", "pilot", "smith", "weaver"])
    model = NeuralAdditiveClassifier(**SMALL).fit(frame, labels)
    job = next(term for term in model.curves_.terms if term.name == "job")
    assert job.values[3, 0] == pytest.approx(job.values[:3, 0].mean())
    model.predict(frame.assign(job="weaver"))


def test_the_curves_of_a_file_are_the_model(tmp_path):
    frame, labels = mixed()
    model = NeuralAdditiveClassifier(**SMALL, pairs=[("age", "x")]).fit(frame, labels)
    stored = Explanation.load(model.explain().save(tmp_path / "whole.nc"))
    assert replay(stored, frame).tolist() == model.predict(frame).tolist()
    other = NeuralAdditiveClassifier(**SMALL, seed=1).fit(frame, labels)
    with pytest.raises(InputError, match="another model"):
        replay(other.explain(), frame, model=model)
    with pytest.raises(InputError, match="of the whole model, not of cases"):
        replay(model.explain())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": {3: np.nan}}, r"column 'x', row 3: no value \(NaN\)"),
        ({"x": {4: np.inf}}, "column 'x', row 4: the number is infinite"),
        ({"job": {5: None}}, r"column 'job', row 5: no value \(NaN\)"),
    ],
)
def test_gaps_are_named_by_column_and_row(change, said):
    frame, labels = mixed()
    broken = frame.copy()
    for name, cells in change.items():
        for row, value in cells.items():
            broken.loc[row, name] = value
    with pytest.raises(InputError, match=said):
        NeuralAdditiveClassifier(**SMALL).fit(broken, labels)
    model = NeuralAdditiveClassifier(**SMALL).fit(frame, labels)
    with pytest.raises(InputError, match=said):
        model.predict(broken)


def test_bad_input_is_refused():
    frame, labels = mixed()
    model = NeuralAdditiveClassifier(**SMALL).fit(frame, labels)
    with pytest.raises(InputError, match="column 'job', row 1: category 'king' was not there in training; known are"):
        model.predict(frame.assign(job=["cook", "king"] + ["cook"] * 118))
    with pytest.raises(InputError, match="one class only"):
        NeuralAdditiveClassifier(**SMALL).fit(frame, np.zeros(120))
    with pytest.raises(InputError, match="holds dates"):
        NeuralAdditiveClassifier(**SMALL).fit(frame.assign(x=pd.Timestamp("2020-01-01")), labels)
    for options, said in [
        ({"units": "tanh"}, "units is 'tanh'"),
        ({"members": 0}, "members is 0"),
        ({"hidden": ()}, r"hidden is \(\)"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"learning_rate": -1}, "learning_rate is -1"),
        ({"pairs": [("age", "weight")]}, r"pair \('age', 'weight'\): give two different columns of age, job, x, own"),
        ({"features": {"job": "text"}}, "column 'job' is declared 'text'"),
    ]:
        with pytest.raises(InputError, match=said):
            NeuralAdditiveClassifier(**{**SMALL, **options}).fit(frame, labels)
