"""The black boxes take tables as they are, and are scikit-learn's where nothing is odd about the table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from explicate.core.features import features_of
from explicate.models.black_boxes import BLACK_BOXES, gradient_boosting, perceptron


def people(rows=400):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"job": pd.Categorical(rng.choice(list("abc"), rows)), "age": rng.normal(40, 10, rows)})
    frame["pay"] = rng.normal(size=rows)
    return frame, np.where((frame["age"] > 40) ^ (frame["job"] == "b"), "yes", "no")


def test_boosting_is_scikit_learns_with_its_own_categories():
    frame, labels = people()
    mine = gradient_boosting(features_of(frame)).fit(frame, labels)
    theirs = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(frame, labels)
    np.testing.assert_allclose(mine.predict_proba(frame), theirs.predict_proba(frame))


def test_the_perceptron_is_scikit_learns_on_one_hot_and_standardised_columns():
    frame, labels = people()
    encoder = make_column_transformer((OneHotEncoder(), ["job"]), remainder=StandardScaler())
    theirs = make_pipeline(encoder, MLPClassifier(early_stopping=True, random_state=0)).fit(frame, labels)
    mine = perceptron(features_of(frame)).fit(frame, labels)
    np.testing.assert_allclose(mine.predict_proba(frame), theirs.predict_proba(frame))


@pytest.mark.parametrize("name", BLACK_BOXES)
def test_odd_columns_are_no_error(name):
    frame, labels = people()
    frame["empty"], frame["same"] = np.nan, 1.0
    frame["name"] = pd.Categorical([f"person {row}" for row in range(len(frame))])  # more than a histogram has bins
    frame["member"] = frame["pay"] > 0
    frame.loc[::7, "age"] = np.nan
    features = features_of(frame)
    model = BLACK_BOXES[name](features, 0).fit(frame, labels)
    rows = frame.head(3).assign(job=["z", "a", "b"], name=["nobody"] * 3, empty=[1.0, np.nan, 2.0])
    assert np.isfinite(model.predict_proba(rows)).all()
    assert (model.predict(frame) == labels).mean() > 0.7
