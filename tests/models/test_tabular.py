import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from explicate.errors import CapabilityError, InputError, ModelError, NonFiniteScoreError
from explicate.models.tabular import TabularModel

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"income": RNG.normal(50, 10, 80), "job": RNG.choice(["cook", "pilot"], 80)})
LABELS = np.where(FRAME["income"] + 10 * (FRAME["job"] == "pilot") > 55, "yes", "no")


@pytest.fixture
def pipeline():
    parts = make_column_transformer((StandardScaler(), ["income"]), (OneHotEncoder(), ["job"]))
    return make_pipeline(parts, LogisticRegression()).fit(FRAME, LABELS)


def test_a_pipeline_over_a_frame_scores_as_it_does_alone(pipeline):
    model = TabularModel(pipeline, FRAME)
    assert model.name == "LogisticRegression"
    assert np.allclose(model.predict(model.encode(FRAME)), pipeline.predict_proba(FRAME))
    assert [model.output_name(i) for i in range(model.output_count)] == ["no", "yes"]
    assert model.output_index("yes") == 1


def test_one_row_can_be_a_mapping_a_series_or_a_list(pipeline):
    model = TabularModel(pipeline, FRAME)
    expected = model.encode(FRAME.iloc[[3]])
    assert np.array_equal(model.encode(FRAME.iloc[3]), expected)
    assert np.array_equal(model.encode(dict(FRAME.iloc[3])), expected)
    assert np.array_equal(model.encode(expected[0].tolist()), expected)


def test_functions_and_other_outputs(pipeline):
    assert TabularModel(lambda x: x @ [1.0, 2.0], np.ones((3, 2))).predict(np.ones((4, 2))).tolist() == [[3.0]] * 4
    rows = np.ones((3, 2))
    linear = TabularModel(LinearRegression().fit(rows, [1.0, 2, 3]), rows)
    assert linear.output_name(0) == "prediction"
    margin = TabularModel(pipeline, FRAME, output="decision_function")
    assert np.allclose(margin.predict(margin.encode(FRAME))[:, 0], pipeline.decision_function(FRAME))
    with pytest.raises(CapabilityError, match="no predict_proba"):
        TabularModel(LinearRegression(), rows, output="predict_proba")
    with pytest.raises(CapabilityError, match="is no function"):
        TabularModel(object(), rows)


def test_chunks_change_nothing(pipeline):
    whole, cut = TabularModel(pipeline, FRAME), TabularModel(pipeline, FRAME, chunk=7)
    assert np.array_equal(whole.predict(whole.encode(FRAME)), cut.predict(cut.encode(FRAME)))


def test_the_fingerprint_follows_the_scores(pipeline):
    again = TabularModel(pipeline, FRAME)
    other = make_pipeline(*[step for _, step in pipeline.steps[:-1]], LogisticRegression(C=0.01)).fit(FRAME, LABELS)
    assert TabularModel(pipeline, FRAME).fingerprint() == again.fingerprint()
    assert TabularModel(other, FRAME).fingerprint() != again.fingerprint()


def test_bad_inputs_are_named(pipeline):
    model = TabularModel(pipeline, FRAME)
    with pytest.raises(InputError, match="column 'income', row 1: NaN"):
        model.encode(FRAME.assign(income=[1.0, np.nan, *[2.0] * 78]))
    with pytest.raises(InputError, match="takes 2 features"):
        model.encode(np.ones((3, 5)))
    with pytest.raises(InputError, match="no rows"):
        model.encode(FRAME.iloc[:0])
    with pytest.raises(InputError, match="no table of numbers"):
        model.encode([["a", "b"]])
    with pytest.raises(InputError, match="more than once"):
        TabularModel(lambda x: x, np.ones((2, 2)), features=["a", "a"])
    with pytest.raises(InputError, match="a code outside"):
        model.encode([[50.0, 2.0]])


def test_misbehaving_models_are_named():
    rows = np.arange(8.0).reshape(4, 2)
    with pytest.raises(NonFiniteScoreError, match="sample 2"):
        TabularModel(lambda x: np.where(x[:, 0] == 4, np.nan, 1.0), rows).predict(rows)
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        TabularModel(lambda x: 1 / 0, rows).predict(rows)
    with pytest.raises(ModelError, match="shape"):
        TabularModel(lambda x: np.ones(3), rows).predict(rows)
    changing = TabularModel(lambda x: np.ones((len(x), len(x))), rows)
    changing.predict(rows[:2])
    with pytest.raises(ModelError, match="changed its number of outputs from 2 to 3"):
        changing.predict(rows[:3])


KINDS_OF_CATEGORIES = {
    "integer categories": pd.Categorical(RNG.choice([10, 2, 7], 80)),
    "ordered integer categories": pd.Categorical(RNG.choice([1, 2, 3], 80), ordered=True),
    "float categories": pd.Categorical(RNG.choice([0.5, 1.0], 80)),
    "boolean categories": pd.Categorical(RNG.choice([True, False], 80)),
    "text categories": pd.Categorical(RNG.choice(["a", "b"], 80), categories=["b", "a"]),
    "booleans": RNG.choice([True, False], 80),
    "nullable booleans": pd.array(RNG.choice([True, False], 80), dtype="boolean"),
    "texts": pd.array(RNG.choice(["a", "b"], 80), dtype="string"),
    "objects of text": pd.Series(RNG.choice(["a", "b"], 80), dtype=object),
    "objects of integers": pd.Series(RNG.choice([10, 2, 7], 80), dtype=object),
    "dates": pd.to_datetime(RNG.choice(["2024-01-01", "2024-02-01"], 80)),
}


@pytest.mark.parametrize("column", KINDS_OF_CATEGORIES.values(), ids=KINDS_OF_CATEGORIES)
def test_the_estimator_gets_a_columns_own_values_back(column):
    frame = FRAME[["income"]].assign(region=column)
    labels = frame["region"] == frame["region"].iloc[0]
    parts = make_column_transformer(
        (StandardScaler(), ["income"]), (OneHotEncoder(handle_unknown="ignore"), ["region"])
    )
    estimator = make_pipeline(parts, LogisticRegression()).fit(frame, labels)
    model = TabularModel(estimator, frame)
    assert np.array_equal(model.predict(model.encode(frame)), estimator.predict_proba(frame))
    assert model.decode(model.encode(frame))["region"].dtype == frame["region"].dtype


def test_an_estimator_that_reads_column_types_or_numbers_gets_them():
    frame = FRAME[["income"]].assign(region=KINDS_OF_CATEGORIES["integer categories"])
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=5).fit(frame, LABELS)
    model = TabularModel(trees, frame)
    assert np.array_equal(model.predict(model.encode(frame)), trees.predict_proba(frame))
    frame = FRAME[["income"]].assign(owner=KINDS_OF_CATEGORIES["booleans"])
    plain = LogisticRegression().fit(frame, LABELS)
    model = TabularModel(plain, frame)
    assert np.array_equal(model.predict(model.encode(frame)), plain.predict_proba(frame))
    assert np.array_equal(model.encode(frame.iloc[3]), model.encode(frame)[3:4])


def test_class_names_that_do_not_fit_the_outputs_are_refused(pipeline):
    model = TabularModel(pipeline, FRAME, class_names=["a", "b", "c"])
    with pytest.raises(InputError, match="'LogisticRegression' has 2 outputs, but 3 class names: a, b, c; give one"):
        model.predict(model.encode(FRAME))
    with pytest.raises(InputError, match="3 class names"):
        model.output_name(0)
    margin = TabularModel(pipeline, FRAME, output="decision_function", class_names=["no", "yes"])
    assert margin.output_name(0) == "yes"
    three = LogisticRegression().fit(FRAME[["income"]], np.arange(80) % 3)
    label = TabularModel(three, FRAME[["income"]], output="predict")  # the estimator's own names are not the user's
    assert label.output_name(0) == "prediction"


def test_a_models_long_error_is_cut_to_its_first_line():
    def broken(rows):
        raise ValueError("\n  no licence \nask the vendor\n")

    model = TabularModel(broken, np.ones((3, 2)), name="broken")
    with pytest.raises(
        ModelError, match=r"^the model 'broken' failed on inputs of shape \(3, 2\): ValueError: no licence$"
    ):
        model.predict(np.ones((3, 2)))
