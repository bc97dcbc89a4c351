"""Logistic regression as a glass box, against scikit-learn's and planted weights."""

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from explicate.core.kinds import Attribution, Terms
from explicate.errors import InputError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.logistic import LogisticRegression


def mixed(rows=2000):
    """Log-odds 2 x (age - 50) / 15 + 1.5 for cooks - 1.5 where the job is not known; gaps in age say nothing."""
    rng = np.random.default_rng(1)
    age = rng.normal(50, 15, rows)
    job = rng.choice(["cook", "clerk", None], rows)
    odds = 2 * (age - 50) / 15 + 1.5 * (job == "cook") - 1.5 * np.array([one is None for one in job])
    labels = np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "paid", "late")
    return pd.DataFrame({"age": age, "job": job, "never": 3.0, "empty": np.nan}), labels


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_probabilities_are_scikit_learns_on_standardised_numbers(load):
    rows, labels = load(return_X_y=True)
    scaled = StandardScaler().fit_transform(rows)
    theirs = linear_model.LogisticRegression(max_iter=1000, tol=1e-3).fit(scaled, labels)
    mine = LogisticRegression().fit(rows, labels)
    np.testing.assert_allclose(mine.predict_proba(rows), theirs.predict_proba(scaled), atol=1e-5)
    assert (mine.predict(rows) == theirs.predict(scaled)).all()


def test_planted_weights_are_found():
    frame, labels = mixed(8000)
    model = LogisticRegression().fit(frame, labels)
    weight = dict(zip(map(str, model.terms_), model.weights_[:, 0], strict=True))
    assert weight["age (per 15)"] == pytest.approx(2, abs=0.2)
    assert weight["job = cook"] - weight["job = clerk"] == pytest.approx(1.5, abs=0.25)
    assert weight["job = missing"] - weight["job = clerk"] == pytest.approx(-1.5, abs=0.25)
    assert weight["never (per 1)"] == 0


def test_the_contract_holds_for_two_classes_and_for_more():
    frame, labels = mixed(300)
    check_glass_box(LogisticRegression().fit(frame, labels), frame.head(20))
    rows, kinds = load_wine(return_X_y=True, as_frame=True)
    check_glass_box(LogisticRegression().fit(rows, kinds), rows)


def test_contributions_add_up_to_the_score():
    frame, labels = mixed(300)
    model = LogisticRegression().fit(frame, labels)
    cases = model.explain(frame.head(9))
    assert isinstance(cases, Attribution)
    assert isinstance(model.explain(), Terms)
    total = cases["baseline_score"].values + cases.values.sum(axis=1)
    np.testing.assert_allclose(total, cases["score"].values)
    assert (cases["score"].values >= 0).all()  # of the class that was predicted
    with pytest.raises(InputError, match="give the cases"):
        replay(model.explain())
    with pytest.raises(InputError, match="replay it without others"):
        replay(cases, frame)


def test_texts_never_seen_and_rare_ones_share_a_term():
    frame, labels = mixed(300)
    frame.loc[:3, "job"] = "astronaut"  # in 4 rows
    model = LogisticRegression().fit(frame, labels)
    assert "job = astronaut" not in map(str, model.terms_)
    rows = frame.head(2).assign(job=["astronaut", "poet"], age=[40.0, 40.0])
    assert np.ptp(model.decision_function(rows)) == 0


@pytest.mark.parametrize(("options", "said"), [({"penalty": 0}, "penalty is 0"), ({"rare": 0}, "rare is 0")])
def test_parameters_out_of_range_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        LogisticRegression(**options).fit(*mixed(50))


def test_one_class_is_refused():
    with pytest.raises(InputError, match="one class only, 'x'"):
        LogisticRegression().fit(pd.DataFrame({"a": [1.0, 2.0]}), ["x", "x"])
