"""Captum's explainers and ours on a trained network: the same up to sampling."""

import numpy as np
import pytest

pytest.importorskip("captum")

from explicate.attribution import lfa
from explicate.evaluation.agreement import cosine_distance, l1_distance
from explicate.models.tiny.mlp import trained_network
from explicate.models.torch_tabular import TorchTabularModel
from explicate.reproductions.local_function_approximation import prepared
from explicate.reproductions.local_function_approximation_peers import METHODS, captum_attributions, captum_lime

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def trained():
    data = prepared("diabetes")
    module = trained_network(data.training, data.labels, classification=False, layers=3, epochs=60)
    return TorchTabularModel(module, data.training), data.test[:6]


@pytest.fixture(scope="module")
def theirs(trained):
    return captum_attributions(*trained, n=1000, seed=0)


@pytest.mark.parametrize("name", METHODS)
def test_each_instance_points_where_captum_s_explainer_does(trained, theirs, name):
    ours = lfa.FACTORIES[name]().explain(*trained).values
    assert cosine_distance(ours, theirs[name]).mean() < 0.03
    other = "smooth_grad" if name in METHODS[:5] else "integrated_gradients"
    assert l1_distance(ours, theirs[name]).mean() < 0.2 * l1_distance(ours, theirs[other]).mean()


def test_occlusion_is_exactly_captum_s(trained, theirs):
    assert np.allclose(lfa.occlusion().explain(*trained).values, theirs["occlusion"], atol=1e-10)


def test_lime_with_the_same_kernel_differs_by_sampling_alone(trained):
    fits = lfa.lime().fit(*trained)
    peer = captum_lime(*trained, n=1000, seed=0, width=np.sqrt(0.5))
    for fit, weights in zip(fits, peer, strict=True):
        assert np.abs(fit.weights - weights).max() < 6 * np.sqrt(2) * fit.standard_error.max()
