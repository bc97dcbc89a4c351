"""The randomisation check: what ignores the model is found out, what reads it passes."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import nn

from explicate import TabularModel, TorchTabularModel
from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.feature_ablation import FeatureAblation
from explicate.attribution.random_baseline import RandomAttribution
from explicate.errors import CapabilityError, InputError, ModelError
from explicate.evaluation.randomisation import Randomisation, randomised, refitted, structural_similarities

FEATURES = 30


@dataclass(frozen=True)
class InputTimesGradient(Explainer):
    """x * df/dx."""

    name = "input-times-gradient"

    def attribute(self, model, inputs, targets, rng):
        return Found(inputs * model.gradients(inputs, targets, inputs))


@dataclass(frozen=True)
class Gradient(Explainer):
    """df/dx."""

    name = "gradient-for-the-test"

    def attribute(self, model, inputs, targets, rng):
        return Found(np.asarray(model.gradients(inputs, targets, inputs), dtype=float))


@dataclass(frozen=True)
class EdgeDetector(Explainer):
    """Looks at the input only, as an edge detector does."""

    name = "edge-detector"

    def attribute(self, model, inputs, targets, rng):
        return Found(np.abs(inputs))


def planted(seed: int = 0) -> TorchTabularModel:
    """A network whose weights on the features fall off, so that its gradients have a clear order."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, 2))
    with torch.no_grad():
        module[0].weight *= torch.exp(-torch.arange(FEATURES) / 6.0)
    background = np.random.default_rng(0).normal(size=(100, FEATURES))
    return TorchTabularModel(module, background, class_names=("no", "yes"))


@pytest.fixture
def inputs():
    return np.random.default_rng(1).normal(size=(24, FEATURES))


def test_explanations_that_ignore_the_model_fail(inputs):
    model = planted()
    for explainer in (EdgeDetector(), RandomAttribution()):
        found = Randomisation().score(explainer.explain(model, inputs, target=1), model, explainer=explainer)
        np.testing.assert_allclose(found.values, 1.0)
        assert found.verdict == "fail"


@pytest.mark.parametrize("how", ["draw", "permute", "reset"])
def test_a_gradient_passes(how, inputs):
    model = planted()
    explanation = Gradient().explain(model, inputs, target=1)
    found = Randomisation(how=how, repeats=2).score(explanation, model, explainer=Gradient())
    assert abs(found.value) < 0.3
    assert found.verdict == "pass"
    assert found.chance_level == 0


def test_the_model_stays_as_it_was(inputs):
    model = planted()
    before = model.predict(inputs)
    explanation = Gradient().explain(model, inputs, target=1)
    Randomisation(repeats=1).score(explanation, model, explainer=Gradient())
    np.testing.assert_array_equal(model.predict(inputs), before)
    assert explanation.provenance.model_fingerprint == model.fingerprint()


def test_randomised_weights_keep_their_scale_and_follow_the_seed(inputs):
    model = planted()
    one, same, other = (randomised(model, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.predict(inputs), same.predict(inputs))
    assert not np.allclose(one.predict(inputs), other.predict(inputs))
    assert one.fingerprint() != model.fingerprint()
    for new, old in zip(one.module.parameters(), model.module.parameters(), strict=True):
        if old.numel() > 100:
            assert new.std().item() == pytest.approx(old.std().item(), rel=0.2)
    permuted = randomised(model, 1, "permute")
    for new, old in zip(permuted.module.parameters(), model.module.parameters(), strict=True):
        torch.testing.assert_close(new.flatten().sort().values, old.flatten().sort().values)


def test_cascading_goes_from_the_last_layer_to_the_first(inputs):
    model = planted()
    half = randomised(model, 0, share=0.5)
    torch.testing.assert_close(half.module[0].weight, model.module[0].weight)
    assert not torch.allclose(half.module[2].weight, model.module[2].weight)
    explanation = Gradient().explain(model, inputs, target=1)
    found = Randomisation(stages=2, repeats=2).score(explanation, model, explainer=Gradient())
    cascade = found.details["cascade"]
    assert cascade.shape == (len(inputs), 2)
    # with the first layer in place the planted order of the features is still there
    assert cascade[:, 0].mean() > 0.5 > abs(cascade[:, 1].mean())
    np.testing.assert_array_equal(found.values, cascade[:, 1])


def test_tied_weights_stay_tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x).relu())

    model = TorchTabularModel(Tied(), np.random.default_rng(0).normal(size=(10, 4)), class_names="abcd")
    changed = randomised(model, 0)
    assert changed.module.first.weight is changed.module.second.weight


def test_a_handle_that_keeps_the_old_weights_is_noticed(inputs):
    class Stale(TorchTabularModel):
        def with_module(self, module):
            return self

    model = Stale(planted().module, planted().background, class_names=("no", "yes"))
    explanation = Gradient().explain(model, inputs, target=1)
    with pytest.raises(ModelError, match="left its scores as they were"):
        Randomisation().score(explanation, model, explainer=Gradient())


def test_estimators_are_fitted_to_permuted_labels(inputs):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 12))
    labels = (rows[:, 0] + 0.7 * rows[:, 1] + 0.4 * rows[:, 2] > 0).astype(int)
    model = TabularModel(LogisticRegression().fit(rows, labels), rows[:80])
    coefficients = model.wrapped.coef_.copy()
    explanation = FeatureAblation().explain(model, rows[:20], target=1)
    found = Randomisation().score(explanation, model, training=(rows, labels))
    assert found.verdict == "pass"
    assert "permuted labels" in found.notes[0]
    np.testing.assert_array_equal(model.wrapped.coef_, coefficients)
    ignorant = RandomAttribution().explain(model, rows[:20], target=1)
    assert Randomisation().score(ignorant, model, training=(rows, labels)).verdict == "fail"


def test_a_refit_knows_nothing_and_is_the_same_for_the_same_seed():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(600, 4))
    labels = (rows[:, 0] > 0).astype(int)
    model = TabularModel(RandomForestClassifier(20, random_state=0, max_depth=4).fit(rows[:300], labels[:300]), rows)
    blind = refitted(model, (rows[:300], labels[:300]), 0)
    told = (model.predict(rows[300:]).argmax(axis=1) == labels[300:]).mean()
    guessed = (blind.predict(rows[300:]).argmax(axis=1) == labels[300:]).mean()
    assert told > 0.9
    assert 0.3 < guessed < 0.7
    assert refitted(model, (rows[:300], labels[:300]), 0) is blind


def test_what_cannot_be_randomised(linear, inputs):
    model = linear(np.ones(FEATURES))
    explanation = RandomAttribution().explain(model, inputs)
    with pytest.raises(CapabilityError, match="neither a torch module nor an estimator"):
        Randomisation().score(explanation, model)
    rows = np.random.default_rng(0).normal(size=(50, FEATURES))
    labels = (rows[:, 0] > 0).astype(int)
    estimator = TabularModel(LogisticRegression().fit(rows, labels), rows)
    explanation = RandomAttribution().explain(estimator, inputs)
    with pytest.raises(CapabilityError, match="give `training`"):
        Randomisation().score(explanation, estimator)
    with pytest.raises(InputError, match="49 labels for 50"):
        Randomisation().score(explanation, estimator, training=(rows, labels[:49]))
    with pytest.raises(ModelError, match="could not be fitted"):
        Randomisation().score(explanation, estimator, training=(rows, labels * 0))


def test_structural_similarity():
    maps = np.random.default_rng(0).normal(size=(3, 16, 16))
    np.testing.assert_allclose(structural_similarities(maps, 3 * maps), 1)
    other = np.random.default_rng(1).normal(size=(3, 16, 16))
    assert np.abs(structural_similarities(maps, other)).max() < 0.4
    np.testing.assert_array_equal(structural_similarities(maps, maps * 0), 0)


def test_an_interval_across_the_threshold_decides_nothing():
    metric = Randomisation(threshold=0.5)
    assert metric.verdict(0.1, 0.5) == "pass"
    assert metric.verdict(0.4, 0.6) == "inconclusive"
    assert metric.verdict(0.51, 0.6) == "fail"


@pytest.mark.parametrize("options", [{"repeats": 0}, {"stages": 0}, {"how": "burn"}, {"similarity": "taste"}])
def test_parameters_out_of_range(options):
    with pytest.raises(InputError, match="randomisation"):
        Randomisation(**options)
