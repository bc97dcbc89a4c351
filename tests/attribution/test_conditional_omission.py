"""Conditional omission against expectations that can be written down."""

import numpy as np
import pandas as pd
import pytest

from explicate.attribution.conditional_omission import ConditionalOmission, one_hot
from explicate.errors import CapabilityError
from explicate.models.tabular import TabularModel

RNG = np.random.Generator(np.random.PCG64(0))


def model_of(codes, score):
    frame = pd.DataFrame({f"x{j}": pd.Categorical.from_codes(codes[:, j], list("abc")) for j in range(codes.shape[1])})
    return TabularModel(lambda rows: np.stack([1 - score(rows), score(rows)], axis=1), frame, output="call")


def frame_score(weights):
    def score(rows):
        return sum(w[rows[f"x{j}"].cat.codes.to_numpy()] for j, w in enumerate(weights))

    return score


def test_of_independent_columns_it_is_the_effect_less_its_mean():
    codes = np.array([[a, b] for a in range(3) for b in range(3)] * 100)
    weights = np.array([[0.0, 0.1, 0.5], [0.0, 0.2, 0.1]])
    model = model_of(codes, frame_score(weights))
    found = ConditionalOmission().explain(model, model.background[:9], target=1)
    own = weights[np.arange(2), found["inputs"].values.astype(int)]
    assert found.values == pytest.approx(own - weights.mean(axis=1), abs=1e-3)


def test_a_column_that_another_determines_gets_nothing():
    first = RNG.integers(3, size=600)
    codes = np.stack([first, first, RNG.integers(3, size=600)], axis=1)
    model = model_of(codes, frame_score(np.array([[0.0, 0.3, 0.6]] * 3)))
    found = ConditionalOmission().explain(model, model.background[:20], target=1)
    assert np.abs(found.values[:, :2]).max() < 0.02
    assert np.abs(found.values[:, 2]).max() > 0.2


def test_numbers_are_refused_by_name():
    model = TabularModel(
        lambda rows: np.stack([rows[:, 0], 1 - rows[:, 0]], axis=1), np.zeros((4, 1)), features=["age"]
    )
    with pytest.raises(CapabilityError, match="'age' is numeric"):
        ConditionalOmission().explain(model, np.zeros((1, 1)))


def test_one_hot_columns_stand_feature_by_feature():
    assert one_hot(np.array([[1, 0], [2, 1]]), [3, 2]).tolist() == [[0, 1, 0, 1, 0], [0, 0, 1, 0, 1]]
