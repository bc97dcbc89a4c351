"""Max-sensitivity of explainers with known answers."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from explicate import TabularModel
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.feature_ablation import FeatureAblation
from explicate.attribution.missingness import Zero
from explicate.errors import InputError
from explicate.evaluation.robustness import MaxSensitivity


@dataclass(frozen=True)
class Echo(Explainer):
    """Gives back the inputs, plus noise of its own."""

    noise: float = 0.0
    name = "echo"

    def attribute(self, model, inputs, targets, rng):
        return Found(inputs + self.noise * rng.standard_normal(inputs.shape))


@pytest.fixture
def model(linear):
    return linear([1.0, 2.0, 3.0])


def test_a_constant_explanation_never_moves(model, explained):
    explanation = explained(model, np.ones((4, 3)), np.ones((4, 3)))

    @dataclass(frozen=True)
    class Constant(Explainer):
        def attribute(self, model, inputs, targets, rng):
            return Found(np.ones_like(inputs))

    assert MaxSensitivity().score(explanation, model, explainer=Constant()).value == 0


def test_the_largest_step_inside_the_box_is_found(model, explained):
    inputs = np.random.default_rng(0).normal(size=(20, 3))
    explanation = explained(model, inputs, inputs)
    radius = 0.1 * model.background.std(axis=0)
    found = MaxSensitivity(draws=300, radius=0.1, relative=False).score(explanation, model, explainer=Echo())
    corner = np.linalg.norm(radius)  # the echo moves as far as the input: at most into a corner of the box
    assert (found.values <= corner).all()
    assert (found.values > 0.85 * corner).all()


def test_twice_the_radius_moves_an_echo_twice_as_far(model, explained):
    inputs = np.random.default_rng(0).normal(size=(5, 3))
    explanation = explained(model, inputs, inputs)
    one, two = (
        MaxSensitivity(radius=radius).score(explanation, model, explainer=Echo()).values for radius in (0.05, 0.1)
    )
    np.testing.assert_allclose(two, 2 * one)


def test_it_is_relative_to_the_size_of_the_explanation(model, explained):
    inputs = np.random.default_rng(0).normal(size=(5, 3))
    explanation = explained(model, inputs, inputs)
    plain, relative = (
        MaxSensitivity(relative=relative).score(explanation, model, explainer=Echo()).values
        for relative in (False, True)
    )
    np.testing.assert_allclose(relative, plain / np.linalg.norm(inputs, axis=1))


def test_the_methods_own_noise_is_not_counted(model):
    inputs = np.random.default_rng(0).normal(size=(5, 3))
    noisy = Echo(noise=5.0)
    explanation = noisy.explain(model, inputs, seed=7)
    found = MaxSensitivity(relative=False, radius=0.01).score(explanation, model, explainer=noisy)
    assert found.value < 0.05


def test_the_explainer_comes_from_the_provenance(model):
    inputs = np.random.default_rng(0).normal(size=(5, 3))
    explainer = FeatureAblation(missingness=Zero())
    explanation = explainer.explain(model, inputs, target=0)
    metric = MaxSensitivity(draws=3)
    found = metric.score(explanation, model)
    np.testing.assert_array_equal(found.values, metric.score(explanation, model, explainer=explainer).values)
    assert found.values.min() > 0
    assert 0 < found.evaluations <= metric.cost(explanation, model)


def test_categories_stay(explained):
    frame = pd.DataFrame({"colour": ["red", "green"] * 10, "size": np.linspace(0, 1, 20)})
    model = TabularModel(lambda rows: rows["size"].to_numpy(), frame, output="call")
    inputs = model.encode(frame.iloc[:2])
    explanation = explained(model, inputs, inputs)
    seen = []

    @dataclass(frozen=True)
    class Watch(Echo):
        def attribute(self, model, inputs, targets, rng):
            seen.append(inputs)
            return super().attribute(model, inputs, targets, rng)

    MaxSensitivity(draws=4).score(explanation, model, explainer=Watch())
    assert len(seen) == 4
    for moved in seen:
        np.testing.assert_array_equal(moved[:, 0], inputs[:, 0])
        assert (moved[:, 1] != inputs[:, 1]).all()


@pytest.mark.parametrize("options", [{"draws": 0}, {"radius": 0.0}])
def test_parameters_out_of_range(options):
    with pytest.raises(InputError, match="draws must be 1 or more and radius above 0"):
        replace(MaxSensitivity(), **options)
