"""Concept metrics against cases counted by hand and planted concepts."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.evaluation.concept_metrics import concept_accuracy, concept_f1, consistency, purity, shuffled


def test_purity_counts_the_top_cases():
    attention = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8]])
    attributes = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]])
    found = purity(attention, attributes, top=3)
    assert found.values.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert found.attributes.tolist() == [0, 1]
    assert purity(attention, attributes, top=2).values.tolist() == [1.0, 1.0]
    lonely = purity(np.hstack([attention, np.zeros((5, 1))]), attributes, top=2)
    assert lonely.used.tolist() == [True, True, False]
    assert np.isnan(lonely.values[2])
    assert lonely.mean == 1.0


def test_purity_of_places_looks_where_the_concept_looks():
    rng = np.random.default_rng(0)
    shown = rng.integers(4, size=(200, 9))
    attention = np.eye(4)[shown] * rng.uniform(0.5, 1, (200, 9, 1))
    found = purity(attention, np.eye(4)[shown])
    assert found.values.tolist() == [1, 1, 1, 1]
    assert found.attributes.tolist() == [0, 1, 2, 3]
    control = purity(shuffled(attention, rng), np.eye(4)[shown])
    assert control.mean < 0.6


def test_shuffling_keeps_the_rows():
    rows = np.random.default_rng(0).random((5, 3, 4))
    moved = shuffled(rows, np.random.default_rng(1))
    assert sorted(moved.reshape(-1, 4).tolist()) == sorted(rows.reshape(-1, 4).tolist())
    assert not np.array_equal(moved, rows)


def test_f1_is_of_annotated_places_and_agrees_with_scikit_learn():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth, said = rng.integers(3, size=(2, 40, 5))
    targets = np.eye(3)[truth]
    assert concept_f1(np.eye(3)[said], targets) == pytest.approx(f1_score(truth.ravel(), said.ravel(), average="macro"))
    assert concept_accuracy(np.eye(3)[said], targets) == pytest.approx((truth == said).mean())
    targets[:, 1:] = np.nan
    targets[0, 0] = 0
    own = f1_score(truth[1:, 0], said[1:, 0], average="macro")
    assert concept_f1(np.eye(3)[said], targets) == pytest.approx(own)


def test_any_of_several_shown_concepts_is_right():
    targets = np.array([[1.0, 1, 0], [1, 1, 0]])
    assert concept_f1(np.eye(3)[[0, 1]], targets) == 1.0
    assert concept_accuracy(np.eye(3)[[0, 2]], targets) == 0.5


def test_consistency_is_the_share_of_equal_places():
    one = np.eye(3)[[[0, 1], [2, 2]]]
    assert consistency(one, one) == 1.0
    assert consistency(one, np.eye(3)[[[0, 2], [2, 1]]]) == 0.5


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="of other cases"):
        purity(np.ones((4, 2)), np.ones((3, 2)))
    with pytest.raises(InputError, match="top is 30 of 4 cases"):
        purity(np.ones((4, 2)), np.ones((4, 2)))
    with pytest.raises(InputError, match="nothing to score"):
        concept_f1(np.ones((4, 2)), np.full((4, 2), np.nan))
    with pytest.raises(InputError, match="give the same places"):
        concept_f1(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(InputError, match="two readings of the same cases"):
        consistency(np.ones((4, 2)), np.ones((3, 2)))
