"""The stacked training against torch's own layers, loss and optimiser, and the classifier's manners."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from explicate.errors import InputError
from explicate.models.tiny import classifier
from explicate.models.tiny.classifier import NetworkClassifier, fit_networks


def exclusive_or(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 2))
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def by_torch(network: NetworkClassifier, x: np.ndarray, y: np.ndarray) -> torch.nn.Sequential:
    """The same recipe, from the same start and in the same order of rows, with torch's own parts."""
    sizes = (x.shape[1], *network.hidden, 1)
    layers: list[torch.nn.Module] = []
    for weights, bias in classifier._initial(sizes, network.seed):
        linear = torch.nn.Linear(*weights.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(weights.T.copy()), torch.from_numpy(bias)
        layers += [linear, torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(module.parameters(), network.learning_rate, weight_decay=network.weight_decay)
    order = classifier._order(classifier.generator(network.seed, "order"), len(x), network.batch)
    for _ in range(network.epochs * (len(x) // network.batch)):
        pick = next(order)
        adam.zero_grad()
        output = module(torch.from_numpy(x[pick]).float())[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(output, torch.from_numpy(y[pick]).float()).backward()
        adam.step()
    return module


def test_training_is_that_of_torchs_own_parts():
    data = [exclusive_or(200, seed) for seed in range(3)]
    networks = [NetworkClassifier((8, 6), epochs=5, weight_decay=0.01, batch=32, seed=seed) for seed in range(3)]
    fit_networks(networks, [x for x, _ in data], [y for _, y in data])
    for network, (x, y) in zip(networks, data, strict=True):
        wanted = by_torch(network, x, y)(torch.from_numpy(x).float())[:, 0].detach().numpy()
        np.testing.assert_allclose(network.decision_function(x), wanted, atol=2e-4)
        assert np.abs(wanted).max() > 0.05


def test_unequal_numbers_of_rows_change_nothing():
    small, large = exclusive_or(150, 0), exclusive_or(400, 1)
    together = [NetworkClassifier((8,), epochs=4, seed=seed) for seed in (5, 6)]
    fit_networks(together, [small[0], large[0]], [small[1], large[1]])
    for network, (x, y) in zip(together, (small, large), strict=True):
        alone = clone(network).fit(x, y)
        np.testing.assert_allclose(network.decision_function(x), alone.decision_function(x), atol=1e-4)


def test_it_learns_what_no_linear_model_can():
    (x, y), (held_x, held_y) = exclusive_or(2000, 0), exclusive_or(1000, 1)
    assert NetworkClassifier((32, 32), epochs=30).fit(x, y).score(held_x, held_y) > 0.95
    assert LogisticRegression().fit(x, y).score(held_x, held_y) < 0.7


def test_without_hidden_layers_it_is_logistic_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2))
    y = (rng.random(4000) < 1 / (1 + np.exp(-(1.0 * x[:, 0] - 0.5 * x[:, 1])))).astype(int)
    ours = NetworkClassifier((), learning_rate=1e-2, epochs=40, weight_decay=0.0).fit(x, y)
    np.testing.assert_allclose(ours.layers_[0][0][:, 0], LogisticRegression(C=1e6).fit(x, y).coef_[0], atol=0.08)


def test_categories_become_columns_and_numbers_are_scaled():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(50, 10, 3000), rng.integers(0, 3, 3000)])
    y = (np.array([0, 1, 0])[x[:, 1].astype(int)] + (x[:, 0] > 60)) > 0
    network = NetworkClassifier((16,), epochs=30, categories=(0, 3), standardise=True).fit(x, y)
    assert network.score(x, y) > 0.97
    assert network.layers_[0][0].shape == (4, 16)
    assert network.classes_.tolist() == [False, True]


def test_effects_of_a_linear_model_are_in_a_surrogates_units():
    network = NetworkClassifier((), categories=(0, 3, 0))
    network.mean_, network.scale_, network.classes_ = np.zeros(3), np.ones(3), np.array([0, 1])
    network.layers_ = [(np.array([[2.0], [1.0], [4.0], [7.0], [5.0]], dtype=np.float32), np.zeros(1, np.float32))]
    training = np.array([[0.0, 0, 0], [2.0, 1, 1], [0.0, 1, 1], [2.0, 2, 1]])
    effects = network.linear_effects(np.array([[0.3, 0, 0], [0.3, 2, 1]]), training)
    np.testing.assert_allclose(effects[:, 0], 2.0)  # weight 2, standard deviation 1
    np.testing.assert_allclose(effects[:, 1], [1 - (2 * 4 + 7) / 3, 7 - (1 + 2 * 4) / 3])
    np.testing.assert_allclose(effects[:, 2], [-5.0, 5.0])


def test_bad_data_is_named():
    x, y = exclusive_or(100, 0)
    with pytest.raises(InputError, match="3 classes"):
        NetworkClassifier(epochs=1).fit(x, np.arange(100) % 3)
    with pytest.raises(InputError, match="NaN"):
        NetworkClassifier(epochs=1).fit(x * np.nan, y)
    with pytest.raises(InputError, match="equal epochs"):
        fit_networks([NetworkClassifier(epochs=1), NetworkClassifier(epochs=2)], [x, x], [y, y])
    with pytest.raises(InputError, match="hidden layers"):
        NetworkClassifier((4,), epochs=1).fit(x, y).linear_effects(x, x)
    with pytest.raises(InputError, match="name 1 columns"):
        NetworkClassifier(epochs=1, categories=(2,)).fit(x, y)
