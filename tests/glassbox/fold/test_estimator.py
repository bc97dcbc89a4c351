import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from explicate.errors import CapabilityError, InputError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier
from explicate.glassbox.fold.logic_engine import clingo_codes
from explicate.models.tabular import TabularModel

BOTH = [FoldSEClassifier, FoldSEMulticlassClassifier]


def world(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "job": rng.choice(["cook", "pilot", None], rows),
            "x": rng.normal(size=rows),
        }
    )
    return frame, pd.Series(np.where((frame["age"] > 40) & (frame["job"] != "pilot"), "yes", "no"), name="loan")


@pytest.mark.parametrize("model", [FoldSEClassifier(), FoldSEMulticlassClassifier(default="majority")], ids=repr)
def test_scikit_learn_accepts_it(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(model, on_fail=None, on_skip=None)
    not_passed = {one["check_name"]: one["status"] for one in results if one["status"] != "passed"}
    assert set(not_passed) <= {"check_array_api_input"}, not_passed  # skipped by scikit-learn itself
    assert "failed" not in not_passed.values()


def test_why_undecided_rows_do_not_pass():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(FoldSEMulticlassClassifier(), on_fail=None, on_skip=None)
    failed = [str(one["exception"]) for one in results if one["status"] == "failed"]
    assert failed
    assert all("NoneType" in message for message in failed)
    assert "None" in (FoldSEMulticlassClassifier.__doc__ or "")


@pytest.mark.parametrize("kind", BOTH)
def test_labels_keep_their_type(kind):
    frame, _ = world()
    truth = frame["age"] > 40
    words = truth.map({True: "b", False: "a"})
    numbers = truth.map({True: 7, False: 3})
    for labels in (
        truth.to_numpy(),
        numbers,
        numbers * 1.0,
        words,
        words.astype("category"),
        words.to_numpy(dtype=str),
    ):
        model = kind(tail=1).fit(frame, labels)
        predicted = model.predict(frame)
        assert predicted.tolist() == np.asarray(labels).tolist()
        assert predicted.dtype == model.classes_.dtype
        assert set(json.loads(model.to_json())["classes"]) == set(np.unique(labels).tolist())


@pytest.mark.parametrize("kind", BOTH)
def test_json_gives_the_classifier_back(kind):
    frame, labels = world()
    model = kind().fit(frame, labels)
    again = kind.from_json(model.to_json())
    assert again.predict(frame).tolist() == model.predict(frame).tolist()
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert again.to_asp() == model.to_asp()
    check_glass_box(again, frame)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_is_learned_keeps_the_contract_and_clingo_agrees(tables, data):
    """Random mixed tables and labels: the explanations replay to the predictions, and so does the exported text."""
    frame, other = data.draw(tables), data.draw(tables)
    labels = np.array(data.draw(st.lists(st.sampled_from("pqr"), min_size=len(frame), max_size=len(frame))))
    if len(set(labels)) < 2:
        return
    options = {"tail": 0, "comparison": data.draw(st.sampled_from(["complementary", "strict"]))}
    kind = FoldSEClassifier if len(set(labels)) == 2 else FoldSEMulticlassClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = kind(**options).fit(frame, labels)
        check_glass_box(model, other)
        for rows in (frame, other):
            assert replay(model.explain(rows)).tolist() == model.predict(rows).tolist()
            cells = model.program_.cells(rows)
            assert clingo_codes(model.program_, cells).tolist() == model.program_.predict(cells).tolist()
            assert model.predict(rows).tolist() == kind.from_json(model.to_json()).predict(rows).tolist()
        raw = replace(model.program_, rules=model.rules_)
        assert raw.predict(raw.cells(other)).tolist() == model.program_.predict(raw.cells(other)).tolist()


def test_labels_may_be_a_column_of_the_table():
    frame, labels = world()
    model = FoldSEClassifier().fit(frame.assign(loan=labels), "loan")
    assert model.predict(frame).tolist() == labels.tolist()
    assert list(model.feature_names_in_) == ["age", "job", "x"]
    assert str(model.program_).startswith("rule 1: loan is 'no' if")


def test_one_row_is_explained_and_justified():
    frame, labels = world()
    with pytest.warns(UserWarning, match="the rarer one"):
        model = FoldSEClassifier(positive="yes", tail=1).fit(frame, labels)
    row = {"age": 50, "job": None, "x": 0.0}
    assert model.predict(row).tolist() == ["yes"]
    assert "true: age is above 40 (it is 50)" in str(model.justify(row))
    assert "true: job is not 'pilot' (it is missing)" in str(model.justify(row))
    found = model.explain(pd.Series(row))
    assert found["proof"].values.tolist() == [str(model.justify(row))]
    assert found.provenance.method == "fold-se"
    assert found.provenance.parameters["tail"] == 1
    with pytest.raises(InputError, match="a proof is of one row, given are 400"):
        model.justify(frame)


def test_it_is_an_estimator_among_others():
    frame, labels = world()
    assert cross_val_score(FoldSEClassifier(), frame, labels, cv=3).min() > 0.9
    assert clone(FoldSEClassifier(ratio=0.3)).ratio == 0.3
    handle = TabularModel(FoldSEClassifier().fit(frame[["age", "x"]], labels), frame[["age", "x"]])
    assert handle.predict(handle.background[:5]).shape == (5, 2)
    with pytest.raises(CapabilityError):
        TabularModel(object(), frame[["age"]])


def test_a_notebook_shows_the_rules():
    frame, labels = world()
    model = FoldSEClassifier()
    assert "rule 1" not in model._repr_html_()
    model.fit(frame, labels)
    assert "rule 1" in model._repr_html_()
    assert "rule 1" in model._repr_mimebundle_()["text/html"]


def test_undecided_rows_count_as_wrong_and_majority_decides_them():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300)})
    labels = np.select([frame["a"] > 0.5, frame["a"] < -0.5], ["up", "down"], "flat")
    model = FoldSEMulticlassClassifier(tail=100).fit(frame, labels)
    predicted = model.predict(frame)
    undecided = np.array([one is None for one in predicted])
    assert undecided.any()
    assert model.score(frame, labels) == np.mean([one == two for one, two in zip(predicted, labels, strict=True)])
    decided = FoldSEMulticlassClassifier(tail=100, default="majority").fit(frame, labels).predict(frame)
    values, counts = np.unique(labels, return_counts=True)
    assert set(decided[undecided]) == {values[counts.argmax()]}
    assert (decided[~undecided] == predicted[~undecided]).all()


def test_the_order_of_rows_does_not_matter_and_of_columns_only_for_ties():
    frame, labels = world()
    order = np.random.default_rng(1).permutation(len(frame))
    one = FoldSEClassifier().fit(frame, labels)
    other = FoldSEClassifier().fit(frame.iloc[order], labels.iloc[order])
    assert one.program_ == other.program_
    assert one.predict(frame[["x", "job", "age"]]).tolist() == one.predict(frame).tolist()
