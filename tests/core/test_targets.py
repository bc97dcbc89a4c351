import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from explicate.core.targets import Contrast, resolve_targets, select, target_names
from explicate.errors import TargetError
from explicate.models.tabular import TabularModel


@pytest.fixture
def classifier() -> TabularModel:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3))
    labels = np.array(["low", "middle", "high"])[np.digitize(rows[:, 0], [-0.4, 0.4])]
    return TabularModel(LogisticRegression().fit(rows, labels), rows)


def test_the_default_is_the_highest_score(classifier):
    rows = classifier.background[:8]
    targets = resolve_targets(classifier, rows, None)
    assert (targets == classifier.predict(rows).argmax(axis=1)).all()


def test_names_numbers_and_contrasts(classifier):
    rows = classifier.background[:2]
    assert resolve_targets(classifier, rows, "low").tolist() == [1, 1]  # classes are sorted: high, low, middle
    pairs = resolve_targets(classifier, rows, Contrast("low", "high"))
    scores = classifier.predict(rows)
    assert np.allclose(select(scores, pairs), scores[:, 1] - scores[:, 0])
    assert target_names(classifier, pairs) == ["low rather than high"] * 2


def test_a_binary_model_with_one_column_explains_class_1_by_it():
    rows = np.arange(12.0).reshape(4, 3)
    model = TabularModel(lambda x: x.sum(axis=1), rows)
    assert resolve_targets(model, rows, 1).tolist() == [0] * 4
    with pytest.raises(TargetError, match="has 1 output; its target is 0"):
        resolve_targets(model, rows, 2)


def test_bad_targets_are_named(classifier):
    rows = classifier.background[:3]
    with pytest.raises(TargetError, match="3 outputs"):
        resolve_targets(classifier, rows, 3)
    with pytest.raises(TargetError, match="has no output 'tall'"):
        resolve_targets(classifier, rows, "tall")
    with pytest.raises(TargetError, match="2 targets for 3 samples"):
        resolve_targets(classifier, rows, [0, 1])
    with pytest.raises(TargetError, match="mixed"):
        resolve_targets(classifier, rows, [0, Contrast(0, 1), 2])
    regression = TabularModel(LinearRegression().fit(rows, [1.0, 2, 3]), rows)
    assert resolve_targets(regression, rows, None).tolist() == [0, 0, 0]


def test_only_whole_numbers_are_indices(classifier):
    rows = classifier.background[:2]
    for whole in (1, 1.0, np.int8(1), np.float32(1), np.array(1), [1.0, 1], np.array([1.0, 1.0])):
        assert resolve_targets(classifier, rows, whole).tolist() == [1, 1]
    for bad in (
        1.5,
        np.float64(0.5),
        [1, 1.5],
        np.array([0.5, 1]),
        np.nan,
        Contrast(0.5, 1),
        1j,
        [[0], [1, 2]],
        {0: 1},
    ):
        with pytest.raises(TargetError, match=r"is no output|targets for 2 samples"):
            resolve_targets(classifier, rows, bad)
    for function in (lambda logits: logits[:, 0], [lambda logits: logits[:, 0]] * 2):
        with pytest.raises(TargetError, match="the target is a function"):
            resolve_targets(classifier, rows, function)
