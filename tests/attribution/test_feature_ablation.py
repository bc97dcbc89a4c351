import numpy as np

import explicate as ex
from explicate.attribution.feature_ablation import FeatureAblation
from explicate.attribution.missingness import Zero


def test_a_linear_model_gives_weight_times_input():
    weights = np.array([2.0, -1.0, 0.0])
    model = ex.TabularModel(lambda x: x @ weights + 5, np.ones((4, 3)))
    rows = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 7.0]])
    found = FeatureAblation(Zero()).explain(model, rows)
    assert np.allclose(found.values, rows * weights)
    assert np.allclose(found["baseline_score"], 5)


def test_it_is_blind_to_what_either_of_two_does():
    model = ex.TabularModel(lambda x: np.maximum(x[:, 0], x[:, 1]), np.ones((2, 2)))
    assert (FeatureAblation(Zero()).explain(model, [[1.0, 1.0]]).values == 0).all()


def test_the_cost_is_players_plus_two_coalitions_and_the_score_itself():
    model = ex.TabularModel(lambda x: x.sum(axis=1), np.ones((2, 5)))
    assert FeatureAblation(Zero()).explain(model, np.ones((3, 5))).provenance.evaluations == 3 * (5 + 2) + 3
