"""Agreement with quantus where its metrics are what their papers define."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from explicate import TorchTabularModel
from explicate.attribution.missingness import Zero
from explicate.evaluation.complexity import Complexity, Sparseness
from explicate.evaluation.correspondence import Monotonicity
from explicate.evaluation.localisation import RelevanceMass, RelevanceRank

pytestmark = pytest.mark.peer
quantus = pytest.importorskip("quantus")
SAMPLES, SIDE = 6, 4
QUIET = {"disable_warnings": True, "display_progressbar": False}


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 12), nn.ReLU(), nn.Linear(12, 3)).eval()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, 1, SIDE, SIDE)).astype(np.float32)
    return x, rng.normal(size=x.shape), rng.random((SAMPLES, SIDE, SIDE)) < 0.4


def theirs(metric, module, x, a, **options):
    targets = np.zeros(len(x), dtype=int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(metric(model=module, x_batch=x, y_batch=targets, a_batch=a.copy(), device="cpu", **options))


@pytest.mark.parametrize(("ours", "name"), [(Sparseness(), "Sparseness"), (Complexity(), "Complexity")])
def test_concentration(ours, name, module, batch, explained):
    x, a, _ = batch
    peer = getattr(quantus, name)(abs=True, normalise=False, **QUIET)
    np.testing.assert_allclose(ours.score(explained(None, x, a)).values, theirs(peer, module, x, a), rtol=1e-4)


def test_monotonicity_of_nguyen_and_martinez(module, batch, explained):
    x, a, _ = batch
    flat = x.reshape(SAMPLES, -1).astype(float)
    model = TorchTabularModel(module, flat, class_names="abc")
    found = Monotonicity(missingness=Zero()).score(explained(model, flat, a.reshape(SAMPLES, -1)), model)
    peer = quantus.MonotonicityCorrelation(
        abs=True, normalise=False, nr_samples=1, features_in_step=1, perturb_baseline=0.0, **QUIET
    )
    np.testing.assert_allclose(found.values, theirs(peer, module, x, a, softmax=False), atol=1e-9)


@pytest.mark.parametrize(("ours", "name"), [
    (RelevanceMass("absolute"), "RelevanceMassAccuracy"), (RelevanceRank("absolute"), "RelevanceRankAccuracy"),
])  # fmt: skip
def test_localisation(ours, name, module, batch, explained):
    x, a, masks = batch
    peer = getattr(quantus, name)(abs=True, normalise=False, **QUIET)
    expected = theirs(peer, module, x, a, s_batch=masks[:, None])
    np.testing.assert_allclose(ours.score(explained(None, x, a), masks=masks).values, expected)
