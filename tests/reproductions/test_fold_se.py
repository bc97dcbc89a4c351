"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

from explicate.reproductions import fold_se
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    small = {"splits": 2, "rows": 3000, "sample": 1000, "growth": (1000, 2000)}
    monkeypatch.setitem(fold_se.SIZES, "smoke", small)
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("fold-se", context)
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    assert [claim["bar"] for claim in judged] == [
        "<= 3", "<= 7", ">= 0.835", ">= 1 of 2", "< 5", ">= 4", ">= 4", "<= 2", "> 1"
    ]  # fmt: skip
    sides = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less}
    for claim in judged[:8]:
        sign, limit = claim["bar"].split()[:2]
        assert claim["met"] == sides[sign](claim["measured"], float(limit))
    learners = [claim["claim"] for claim in result["claims"] if claim["met"] is None]
    assert learners == ["gradient boosting on the same splits", "multi-layer perceptron on the same splits"]
    monkeypatch.setattr(fold_se, "_adult", lambda unit: pytest.fail("done twice"))
    assert reproduce("fold-se", context)["claims"] == result["claims"]


def test_adult_has_its_census_weight_only_when_asked():
    whole = fold_se.adult("train", fnlwgt=True)
    assert len(whole) == 32_561
    assert len(whole.features) == 14
    assert "fnlwgt" not in [feature.name for feature in fold_se.adult("train").features]


def test_scores_of_a_worked_table():
    predicted = np.array(["<=50K", "<=50K", ">50K", ">50K", "<=50K"])
    truth = np.array(["<=50K", ">50K", ">50K", "<=50K", "<=50K"])
    found = fold_se._scored(predicted, truth)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == found["recall"] == found["f1"] == pytest.approx(2 / 3)
    assert found["majority"] == pytest.approx(3 / 5)


def test_baselines_predict_labels():
    pytest.importorskip("wittgenstein")
    data = fold_se.adult("train").take(slice(600))
    labels = np.array(data.class_names)[data.labels]
    for learn in fold_se.BASELINES.values():
        predicted = learn(data.frame, labels)(data.frame)
        assert set(predicted) <= set(data.class_names)
        assert (predicted == labels).mean() > 0.7
