"""The decision tree: scikit-learn's splits, read as rules."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.tree import DecisionTreeClassifier

from explicate.errors import InputError
from explicate.glassbox import check_glass_box
from explicate.glassbox.decision_tree import DecisionTree


def mixed(rows=400):
    """A planted tree over a number with gaps and a text with gaps."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(18, 80, rows)),
            "job": rng.choice(["cook", "clerk", None], rows),
            "never": 1.0,
            "empty": np.nan,
        }
    )
    young = frame["age"] <= 40  # not known is not young
    return frame, np.where(young, np.where(frame["job"] == "cook", "yes", "no"), "old")


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_predictions_are_scikit_learns(load):
    rows, labels = load(return_X_y=True)
    mine = DecisionTree(least=3).fit(rows[::2], labels[::2])
    theirs = DecisionTreeClassifier(max_depth=3, min_samples_leaf=3, random_state=0).fit(rows[::2], labels[::2])
    assert (mine.predict(rows) == theirs.predict(rows)).all()
    assert mine.size() == {"leaves": theirs.get_n_leaves(), "conditions": theirs.get_n_leaves() - 1}


def test_a_planted_tree_is_found_with_gaps_and_texts():
    frame, labels = mixed()
    model = DecisionTree(depth=2).fit(frame, labels)
    assert model.score(frame, labels) == 1
    assert {one.column for rule in model.rules_ for one in rule.default} == {"age", "job"}
    unknown = pd.DataFrame({"age": [30.0, np.nan], "job": ["astronaut", "cook"], "never": 1.0, "empty": np.nan})
    assert model.predict(unknown).tolist() == ["no", "old"]


def test_every_row_is_in_one_leaf_and_the_contract_holds():
    frame, labels = mixed()
    model = DecisionTree().fit(frame, labels)
    fires = np.array([rule.fires(model.program_.cells(frame)) for rule in model.rules_])
    assert (fires.sum(axis=0) == 1).all()
    check_glass_box(model, frame.head(30))
    assert (
        model.predict_proba(frame).argmax(axis=1).tolist()
        == np.searchsorted(model.classes_, model.predict(frame)).tolist()
    )


@pytest.mark.parametrize(
    ("options", "said"), [({"depth": 0}, "depth is 0"), ({"least": 0}, "least is 0"), ({"least": 1.5}, "least is 1.5")]
)
def test_parameters_out_of_range_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        DecisionTree(**options).fit(*mixed())


def test_nothing_to_split_is_one_leaf():
    model = DecisionTree().fit(pd.DataFrame({"a": [1.0] * 20}), [0] * 12 + [1] * 8)
    assert model.size() == {"leaves": 1, "conditions": 0}
    assert (model.predict(pd.DataFrame({"a": [5.0]})) == 0).all()
