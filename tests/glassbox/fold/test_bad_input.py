"""What cannot be learned from is refused in one line that names it; what can, is."""

import numpy as np
import pandas as pd
import pytest

from explicate.errors import InputError
from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier

BOTH = [FoldSEClassifier, FoldSEMulticlassClassifier]


def world(rows=100):
    frame = pd.DataFrame({"a": np.arange(rows), "b": ["x", "y"] * (rows // 2)})
    return frame, pd.Series(np.where(frame["a"] < 60, "no", "yes"), name="loan")


def refused(said, model, X, y):
    with pytest.raises(InputError, match=said) as caught:
        model.fit(X, y)
    assert "\n" not in str(caught.value)
    assert not hasattr(model, "program_")


@pytest.mark.parametrize("kind", BOTH)
def test_labels(kind):
    frame, labels = world()
    refused("no label column 'loan'; the columns are a, b", kind(), frame, "loan")
    refused("label column 'loan' has one class only, 'no'", kind(), frame, labels.map(lambda _: "no"))
    refused(
        "label column 'loan' has no label in row 3 and 1 more", kind(), frame, labels.where(~frame["a"].isin([3, 5]))
    )
    refused("no label in row 0", kind(), frame, np.where(frame["a"] == 0, np.nan, frame["a"] % 2))
    refused("99 labels for 100 rows", kind(), frame, labels[:-1])
    refused("labels of several types", kind(), frame, pd.Series(["a", 1] * 50, dtype=object))
    refused("requires y to be passed", kind(), frame, None)
    refused("(?i)unknown label type", kind(), frame, np.linspace(0, 1, 100))


def test_two_classes_are_for_the_binary_version():
    frame, labels = world()
    refused(
        "Only binary classification is supported.*FoldSEMulticlassClassifier", FoldSEClassifier(), frame, frame["a"] % 3
    )
    refused("positive is 'maybe'", FoldSEClassifier(positive="maybe"), frame, labels)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"ratio": 0}, "ratio is 0; give a number above 0 and at most 1"),
        ({"ratio": 1.5}, "ratio is 1.5"),
        ({"ratio": float("nan")}, "ratio is nan"),
        ({"tail": -0.1}, "tail is -0.1; give a share of the rows from 0 to below 1, or a whole number from 0 to 99"),
        ({"tail": 100}, "tail is 100"),
        ({"tail": 1.0}, "tail is 1.0"),
        ({"tail": float("nan")}, "tail is nan"),
        ({"criterion": "entropy"}, "criterion is 'entropy'; use one of gini, information_gain"),
        ({"comparison": "loose"}, "comparison is 'loose'"),
    ],
)
def test_parameters(kind, parameters, said):
    refused(said, kind(**parameters), *world())


@pytest.mark.parametrize("kind", BOTH)
def test_tables(kind):
    frame, labels = world()
    refused("0 rows; at least 2", kind(), frame.head(0), labels.head(0))
    refused(r"0 feature\(s\)", kind(), frame[[]], labels)
    refused("column 'a' occurs more than once", kind(), frame.set_axis(["a", "a"], axis=1), labels)
    refused("column 'a', row 4: the number is infinite", kind(), frame.replace({"a": {4: np.inf}}), labels)
    refused("column 'a' holds dates or times", kind(), frame.assign(a=pd.Timestamp("2020-01-01")), labels)
    refused("(?i)reshape your data", kind(), np.arange(100.0), labels)


@pytest.mark.parametrize("kind", BOTH)
def test_a_row_to_predict_must_have_every_column(kind):
    frame, labels = world()
    model = kind().fit(frame, labels)
    with pytest.raises(KeyError, match="column 'b' is missing; needed are a, b"):
        model.predict(frame[["a"]])
    with pytest.raises(InputError, match=f"X has 1 features, but {kind.__name__} is expecting 2"):
        model.predict(np.zeros((3, 1)))
    with pytest.raises(InputError, match="column 'a' occurs more than once"):
        model.predict(frame.set_axis(["a", "a"], axis=1))


@pytest.mark.parametrize("kind", BOTH)
def test_no_rows_give_no_predictions(kind):
    frame, labels = world()
    model = kind().fit(frame, labels)
    assert model.predict(frame.head(0)).shape == (0,)
    assert model.predict_proba(frame.head(0)).shape == (0, 2)
    assert kind.replay(model.explain(frame.head(0))).shape == (0,)


@pytest.mark.parametrize("kind", BOTH)
def test_constant_and_empty_columns_are_never_used(kind):
    frame, labels = world()
    model = kind().fit(frame.assign(one=1, none=None, nan=np.nan, word="w"), labels)
    used = {one.column for rule in model.rules_ for each in rule.nested() for one in each.default}
    assert used == {"a"}
    useless = frame[[]].assign(one=1, none=None, nan=np.nan)
    with pytest.warns(UserWarning, match="no rule covers enough rows"):
        kind().fit(useless, labels)


def test_noise_gives_no_rules_and_a_warning():
    rng = np.random.default_rng(0)
    frame, labels = pd.DataFrame({"a": rng.normal(size=2000)}), rng.choice(["no", "yes"], 2000)
    for kind, outcome in ((FoldSEClassifier, "'"), (FoldSEMulticlassClassifier, "undecided")):
        with pytest.warns(UserWarning, match=f"no rule covers enough rows: every prediction is {outcome}"):
            model = kind(tail=0.2).fit(frame, labels)
        assert model.rules_ == ()
        with pytest.warns(UserWarning, match="no rule covers"):
            predicted = model.predict(frame)
        rarer = min(("no", "yes"), key=labels.tolist().count)
        assert set(predicted) == ({None} if outcome == "undecided" else {rarer})
        assert str(model.program_).startswith("otherwise: label is")


def test_gaps_are_a_category_of_their_own():
    frame, _ = world()
    frame["c"] = np.where(frame["a"] < 60, np.nan, 5.0)
    model = FoldSEClassifier(tail=1).fit(frame[["b", "c"]], np.where(frame["a"] < 60, "no", "yes"))
    assert model.predict(pd.DataFrame({"b": ["x", "x", "x"], "c": [None, 5, "?"]})).tolist() == ["no", "yes", "no"]


def test_a_category_never_seen_is_unequal_to_all():
    frame = pd.DataFrame({"c": ["x", "y", "z"] * 40})
    labels = frame["c"].map({"x": "p", "y": "q", "z": "p"})
    model = FoldSEClassifier().fit(frame, labels)
    (rule,) = model.program_.rules
    assert str(rule) == "'p' if c != 'y'"
    assert model.predict(pd.DataFrame({"c": ["new", "", None]})).tolist() == ["p", "p", "p"]


def test_a_declared_number_that_is_none_is_a_category_with_a_warning():
    frame, labels = world()
    with pytest.warns(UserWarning, match="column 'b' is declared numeric but holds no number"):
        model = FoldSEClassifier(features={"b": "numeric"}).fit(frame, labels)
    assert model.program_.kinds["b"] == "categorical"


def test_the_rarer_class_as_positive_is_warned_about():
    frame, labels = world()
    with pytest.warns(UserWarning, match="the positive label 'yes' is the rarer one"):
        FoldSEClassifier(positive="yes").fit(frame, labels)
