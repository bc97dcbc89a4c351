import numpy as np
import pytest

from explicate.attribution import lfa
from explicate.errors import InputError
from explicate.models.torch_model import TorchModel

torch = pytest.importorskip("torch")

PICTURES = np.random.default_rng(0).uniform(0.2, 1, (2, 1, 5, 4)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(1, 5, 4)).astype(np.float32)


class Picture(TorchModel):
    kind = "image"
    feature_dims = ("channel", "row", "column")

    def encode(self, inputs):
        return np.asarray(inputs, dtype=np.float32)

    @property
    def output_count(self):
        return 1


@pytest.fixture
def model():
    convolution = torch.nn.Conv2d(1, 1, (5, 4))
    with torch.no_grad():
        convolution.weight.copy_(torch.as_tensor(KERNEL)[None])
    return Picture(torch.nn.Sequential(convolution, torch.nn.Flatten()))


@pytest.mark.parametrize("factory", [lfa.c_lime, lfa.smooth_grad])
@pytest.mark.parametrize("solver", ["closed", "sgd"])
def test_a_convolution_of_image_size_is_recovered(model, factory, solver):
    found = factory(n=400, surrogate=lfa.Convolution(), solver=solver).explain(model, PICTURES)
    assert found.feature_dims == ("channel", "row", "column")
    assert np.abs(found.values - KERNEL).max() < 0.05


def test_masks_over_pixels_give_weight_times_pixel(model):
    for method in (lfa.lime(n=300), lfa.kernel_shap(n=300), lfa.occlusion(), lfa.integrated_gradients(n=5)):
        assert np.allclose(method.explain(model, PICTURES).values, KERNEL * PICTURES, atol=1e-4)


def test_more_pixels_than_points_are_refused_without_a_ridge(model):
    with pytest.raises(InputError, match="20 points cannot determine the 21 parameters"):
        lfa.lime(n=20).explain(model, PICTURES)
