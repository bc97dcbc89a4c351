import numpy as np
import pytest

from explicate.errors import InputError
from explicate.glassbox import check_glass_box
from explicate.glassbox.additive import NeuralAdditiveClassifier
from explicate.glassbox.additive.policy import cross_entropy_policy, returns

pytest.importorskip("gymnasium")


def test_a_policy_of_four_curves_balances_a_pole_longer_than_chance():
    model = NeuralAdditiveClassifier(members=1, epochs=12, hidden=(16, 8), batch=128, validation=0.0)
    policy = cross_entropy_policy("CartPole-v1", model, iterations=4, episodes=16, elite=4)
    chance = returns("CartPole-v1", None, 10).mean()
    assert returns("CartPole-v1", policy, 5).mean() > 2 * chance
    assert len(policy.curves_.terms) == 4
    check_glass_box(policy, np.random.default_rng(0).normal(0, 0.1, (20, 4)))
    assert returns("CartPole-v1", policy, 3, seed=1).tolist() == returns("CartPole-v1", policy, 3, seed=1).tolist()


def test_there_must_be_as_many_episodes_as_elite_ones():
    with pytest.raises(InputError, match="elite is 9; give 1 to 8"):
        cross_entropy_policy("CartPole-v1", NeuralAdditiveClassifier(), episodes=8, elite=9)
