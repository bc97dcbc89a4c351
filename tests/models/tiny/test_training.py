import numpy as np
import pytest

from explicate.errors import InputError, ModelError
from explicate.models.tiny.mlp import network, paper_recipe, trained_network
from explicate.models.tiny.training import Recipe, train

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
ROWS = RNG.uniform(size=(200, 3))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    return tmp_path


def weights(module):
    return np.concatenate([value.detach().numpy().ravel() for value in module.parameters()])


def test_least_squares_is_found_by_both_optimisers():
    labels = ROWS @ [1.0, -2.0, 0.5] + 0.3
    for recipe in (
        Recipe("mean-squared-error", 200, 20, "sgd", 0.3, schedule="cosine"),
        Recipe("mean-squared-error", 200, 20, "adam", 0.05, schedule="cosine"),
    ):
        module = train(lambda: network(3, layers=1), ROWS, labels, recipe)
        assert np.allclose(weights(module), [1.0, -2.0, 0.5, 0.3], atol=1e-3)


def test_a_network_learns_what_no_line_can():
    labels = (np.abs(ROWS[:, 0] - 0.5) > 0.25).astype(float)
    module = trained_network(ROWS, labels, classification=True, layers=3, seed=1)
    with torch.no_grad():
        found = module(torch.as_tensor(ROWS))[:, 0].numpy() > 0
    assert (found == labels).mean() > 0.9


def test_classes_are_learnt_by_cross_entropy():
    labels = ROWS.argmax(axis=1)
    recipe = Recipe("cross-entropy", 60, 20, "adam", 0.05)
    module = train(lambda: network(3, 3, layers=1), ROWS, labels, recipe)
    with torch.no_grad():
        assert (module(torch.as_tensor(ROWS)).numpy().argmax(axis=1) == labels).mean() > 0.95


def test_the_second_time_the_weights_come_from_the_cache(cache):
    recipe = paper_recipe(False, 3, 0, epochs=3)
    first = train(lambda: network(3), ROWS, ROWS[:, 0], recipe)
    (file,) = (cache / "tiny").glob("*.safetensors")
    stamp = file.stat().st_mtime_ns
    again = train(lambda: network(3), ROWS, ROWS[:, 0], recipe)
    assert np.array_equal(weights(first), weights(again))
    assert file.stat().st_mtime_ns == stamp
    train(lambda: network(3), ROWS, ROWS[:, 1], recipe)  # other labels
    train(lambda: network(3, activation="tanh"), ROWS, ROWS[:, 0], recipe)  # another structure
    assert len(list((cache / "tiny").glob("*.safetensors"))) == 3


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    recipes = [Recipe("mean-squared-error", epochs=1, seed=seed) for seed in (0, 0, 1)]
    make = [train(lambda: network(3), ROWS, ROWS[:, 0], recipe, cache=False) for recipe in recipes]
    assert np.array_equal(weights(make[0]), weights(make[1]))
    assert not np.array_equal(weights(make[0]), weights(make[2]))
    assert torch.equal(before, torch.get_rng_state())


def test_bad_recipes_and_data_are_refused():
    for attempt, message in (
        (lambda: Recipe(optimiser="lion"), "optimiser 'lion'"),
        (lambda: Recipe(epochs=0), "at least 1"),
        (lambda: network(3, activation="sine"), "activation 'sine'"),
        (lambda: network(3, layers=0), "at least 1"),
        (lambda: train(lambda: network(3), ROWS, ROWS[:5, 0], Recipe()), "200 inputs and 5 labels"),
        (lambda: train(lambda: network(3), ROWS * np.nan, ROWS[:, 0], Recipe()), "NaN"),
    ):
        with pytest.raises(InputError, match=message):
            attempt()


def test_a_diverging_run_stops_with_an_error_and_leaves_nothing(cache):
    recipe = Recipe("mean-squared-error", 50, 20, "sgd", 1e6)
    with pytest.raises(ModelError, match="lower the learning rate"):
        train(lambda: network(3, layers=1), ROWS, ROWS[:, 0], recipe)
    assert not list((cache / "tiny").glob("*.safetensors"))
