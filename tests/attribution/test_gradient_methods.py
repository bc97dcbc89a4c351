"""Gradient, gradient x input, SmoothGrad, integrated gradients: closed forms, a real network, a real language model."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from explicate.attribution.gradient import Gradient, GradientTimesInput, SmoothGrad  # noqa: E402
from explicate.attribution.integrated_gradients import IntegratedGradients  # noqa: E402
from explicate.attribution.missingness import Baseline, Mean  # noqa: E402
from explicate.core.targets import Contrast  # noqa: E402
from explicate.errors import CapabilityError, InputError  # noqa: E402
from explicate.models.preprocessing import Preprocessing  # noqa: E402
from explicate.models.vision import VisionModel  # noqa: E402

PLAIN = Preprocessing(size=(4, 4), mean=(0, 0, 0), std=(1, 1, 1))
WEIGHTS = np.random.default_rng(0).standard_normal((2, 3, 4, 4))


class Cubic(nn.Module):
    """Scores c . x^3 / 3 + 1, whose gradient is c x^2, for two outputs."""

    def forward(self, x):
        weights = torch.as_tensor(WEIGHTS, dtype=x.dtype)
        return torch.einsum("ncij,ocij->no", x**3, weights) / 3 + 1


@pytest.fixture
def model():
    return VisionModel(Cubic(), PLAIN, name="cubic")


@pytest.fixture
def batch():
    return np.random.default_rng(1).standard_normal((3, 3, 4, 4)).astype(np.float32)


def test_the_mean_gradient_along_the_path_without_the_step(model, batch):
    whole = IntegratedGradients(steps=8).explain(model, batch, 0)
    mean = IntegratedGradients(steps=8, multiply=False).explain(model, batch, 0)
    np.testing.assert_allclose(mean.values * batch, whole.values, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean.values, WEIGHTS[0] * batch**2 / 3, rtol=0.02, atol=1e-3)
    assert (mean.data.attrs["complete"], whole.data.attrs["complete"]) == (0, 1)
    assert "baseline_score" not in mean.data


def test_gradient(model, batch):
    found = Gradient().explain(model, batch, [0, 1, 0])
    np.testing.assert_allclose(found.values, WEIGHTS[[0, 1, 0]] * batch**2, rtol=1e-4, atol=1e-5)
    assert (found.provenance.gradients, found.data.attrs["signed"]) == (3, 1)
    contrast = Gradient().explain(model, batch, Contrast(0, 1))
    np.testing.assert_allclose(contrast.values, (WEIGHTS[0] - WEIGHTS[1]) * batch**2, rtol=1e-4, atol=1e-5)


def test_sizes_and_one_map_for_all_channels(model, batch):
    plain = WEIGHTS[0] * batch**2
    sizes = Gradient(absolute=True).explain(model, batch, 0)
    np.testing.assert_allclose(sizes.values, np.abs(plain), rtol=1e-4, atol=1e-5)
    assert sizes.data.attrs["signed"] == 0
    largest = Gradient(absolute=True, channels="max").explain(model, batch, 0)
    np.testing.assert_allclose(largest.values, np.abs(plain).max(axis=1), rtol=1e-4, atol=1e-5)
    assert largest.feature_dims == ("row", "column")
    mean = Gradient(channels="mean").explain(model, batch, 0)
    np.testing.assert_allclose(mean.values, plain.mean(axis=1), rtol=1e-4, atol=1e-5)


def test_gradient_times_input(model, batch):
    found = GradientTimesInput().explain(model, batch, 1)
    np.testing.assert_allclose(found.values, WEIGHTS[1] * batch**3, rtol=1e-4, atol=1e-5)


def test_smooth_grad_is_the_gradient_of_the_smoothed_score(model, batch):
    """E[c (x + s e)^2] = c (x^2 + s^2); the error is that of the mean, and the standard error says how large it is."""
    sigma = 0.3
    found = SmoothGrad(samples=2000, noise=sigma, noise_unit="absolute").explain(model, batch, 0)
    expected = WEIGHTS[0] * (batch.astype(float) ** 2 + sigma**2)
    error = found["standard_error"].values
    # Var[(x + s e)^2] = 4 x^2 s^2 + 2 s^4
    true_error = np.abs(WEIGHTS[0]) * np.sqrt((4 * batch**2 * sigma**2 + 2 * sigma**4) / 2000)
    np.testing.assert_allclose(error, true_error, rtol=0.2)
    off = (found.values - expected) / error
    assert np.abs(off).max() < 4.5
    assert 0.8 < off.std() < 1.2


def test_square_and_variance_of_smooth_grad(model, batch):
    sigma = 0.3
    options = {"samples": 3000, "noise": sigma, "noise_unit": "absolute"}
    square = SmoothGrad(statistic="square", **options).explain(model, batch, 0)
    variance = SmoothGrad(statistic="variance", **options).explain(model, batch, 0)
    mean = SmoothGrad(**options).explain(model, batch, 0)
    n = 3000
    np.testing.assert_allclose(variance.values, (square.values - mean.values**2) * n / (n - 1), rtol=1e-3, atol=1e-6)
    expected = WEIGHTS[0] ** 2 * (4 * batch**2 * sigma**2 + 2 * sigma**4)
    np.testing.assert_allclose(variance.values, expected, rtol=0.25)
    assert square.data.attrs["signed"] == variance.data.attrs["signed"] == 0
    assert "standard_error" in square.data
    assert "standard_error" not in variance.data


def test_relative_noise_is_a_share_of_each_samples_range(model, batch):
    wide = batch * np.array([1, 10, 100], dtype=np.float32)[:, None, None, None]
    found = SmoothGrad(samples=4000, noise=0.1).explain(model, wide, 0)
    sigma = 0.1 * np.ptp(wide.reshape(3, -1), axis=1)
    excess = (found.values - WEIGHTS[0] * wide**2) / WEIGHTS[0]
    np.testing.assert_allclose(np.median(excess, axis=(1, 2, 3)), sigma**2, rtol=0.15)


def test_no_noise_and_one_sample_is_the_gradient(model, batch):
    found = SmoothGrad(samples=1, noise=0.0).explain(model, batch, 0)
    np.testing.assert_allclose(found.values, Gradient().explain(model, batch, 0).values, rtol=1e-6)
    assert "standard_error" not in found.data


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_integrated_gradients_has_the_closed_form_and_is_complete(model, batch, start):
    baseline = Baseline(start)
    found = IntegratedGradients(baseline=baseline, steps=200).explain(model, batch, 0)
    expected = WEIGHTS[0] * (batch.astype(float) ** 3 - start**3) / 3
    np.testing.assert_allclose(found.values, expected, atol=2e-4)
    span = found["score"].values - found["baseline_score"].values
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), span, atol=2e-3)
    np.testing.assert_allclose(found["completeness_gap"].values, found.values.sum(axis=(1, 2, 3)) - span, atol=1e-5)
    assert found.data.attrs["largest_completeness_gap"] == np.abs(found["completeness_gap"].values).max()


def test_the_gap_tells_of_too_few_steps(model, batch):
    gaps = [
        IntegratedGradients(steps=n).explain(model, batch, 0).data.attrs["largest_completeness_gap"] for n in (1, 4, 16)
    ]
    assert gaps[0] > 4 * gaps[1] > 16 * gaps[2]
    exact = IntegratedGradients(steps=2, rule="gauss-legendre").explain(model, batch, 0)
    assert exact.data.attrs["largest_completeness_gap"] < 1e-3


def test_the_mean_colour_as_baseline(model, batch):
    found = IntegratedGradients(baseline=Mean(), steps=100).explain(model, batch, 0)
    mean = batch.astype(float).mean(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(found.values, WEIGHTS[0] * (batch.astype(float) ** 3 - mean**3) / 3 * 1.0, atol=0.01)


def test_a_torch_table_is_explained_from_its_mean_row():
    from explicate.models.torch_tabular import TorchTabularModel

    torch.manual_seed(0)
    rows = np.random.default_rng(0).standard_normal((50, 4))
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    model = TorchTabularModel(module, rows)
    found = IntegratedGradients(steps=200).explain(model, rows[:5], 1)
    with torch.no_grad():
        at_mean = module(torch.as_tensor(rows.mean(axis=0, keepdims=True)))
    scores = model.predict(rows.mean(axis=0, keepdims=True))
    assert scores.shape == tuple(at_mean.shape)
    np.testing.assert_allclose(found["baseline_score"].values, np.full(5, scores[0, 1]), rtol=1e-5)
    assert found.data.attrs["largest_completeness_gap"] < 1e-3


def test_needs_gradients():
    from explicate.models.tabular import TabularModel

    table = TabularModel(lambda rows: rows.sum(axis=1), np.zeros((3, 2)))
    for method in (Gradient(), SmoothGrad(), IntegratedGradients()):
        with pytest.raises(CapabilityError, match="gradients"):
            method.explain(table, np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        (SmoothGrad, {"samples": 0}),
        (SmoothGrad, {"noise": -1.0}),
        (SmoothGrad, {"noise_unit": "dB"}),
        (SmoothGrad, {"statistic": "median"}),
        (SmoothGrad, {"statistic": "variance", "samples": 1}),
        (Gradient, {"channels": "sum"}),
        (IntegratedGradients, {"steps": 0}),
        (IntegratedGradients, {"rule": "simpson"}),
    ],
)
def test_wrong_parameters_are_refused(method, wrong):
    with pytest.raises(InputError):
        method(**wrong)


def test_a_baseline_with_many_draws_is_refused(model, batch):
    from explicate.attribution.missingness import Marginal
    from explicate.models.torch_tabular import TorchTabularModel

    rows = np.random.default_rng(0).standard_normal((20, 3))
    table = TorchTabularModel(nn.Linear(3, 2).double(), rows)
    with pytest.raises(InputError, match="one baseline"):
        IntegratedGradients(baseline=Marginal()).explain(table, rows[:1])


# -- a real network and peers --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    pytest.importorskip("efficientnet_lite_pytorch")
    from explicate.data.images import picture
    from explicate.models import zoo

    model = zoo.load("efficientnet-lite0")
    return model, model.encode([picture("cat"), picture("coffee")])


def _captum(module, batch, targets):
    captum = pytest.importorskip("captum.attr")
    x = torch.as_tensor(batch).to(next(module.parameters()).dtype)
    classes = torch.as_tensor(targets)
    saliency = captum.Saliency(module).attribute(x, classes, abs=False)
    integrated = captum.IntegratedGradients(module).attribute(
        x, 0 * x, classes, n_steps=8, method="riemann_middle", internal_batch_size=2
    )
    return saliency.detach().numpy(), integrated.detach().numpy()


@pytest.mark.peer
@pytest.mark.parametrize("precision", ["double", "single"])
def test_captum_agrees_on_a_real_network(precision, real):
    """Equal to rounding, but for pixels behind a kink on whose other side a rounded activation has come to lie."""
    import copy

    model, batch = real
    targets = model.predict(batch).argmax(axis=1)
    if precision == "double":
        model = model.with_module(copy.deepcopy(model.module).double())
    theirs = _captum(model.module, batch, targets)
    methods = (Gradient(), IntegratedGradients(steps=8))
    for method, expected in zip(methods, theirs, strict=True):
        found = method.explain(model, batch, targets.tolist()).values
        assert model._twin[2] is not None
        if precision == "double":
            close = np.isclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
            assert close.mean() > (0.9999 if isinstance(method, Gradient) else 0.99)  # points of the path are rounded
        cosine = (found * expected).sum() / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.9999


@pytest.mark.peer
def test_captum_agrees_on_noisy_copies(model, batch, monkeypatch):
    from explicate.attribution import gradient

    captum = pytest.importorskip("captum.attr")
    copies, inner = [], gradient.noisy_copies
    monkeypatch.setattr(gradient, "noisy_copies", lambda *given: copies.append(inner(*given)) or copies[-1])
    found = SmoothGrad(samples=7, noise=0.2).explain(model, batch, 1)
    noisy = np.concatenate(copies)
    saliency = captum.Saliency(model.module).attribute(torch.as_tensor(noisy), 1, abs=False)
    expected = saliency.detach().numpy().reshape(3, 7, 3, 4, 4).mean(axis=1)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_language_model_is_explained_token_by_token(smollm2):
    model = smollm2
    texts = ["The capital of France is", "Monday, Tuesday,"]
    for method in (Gradient(), GradientTimesInput(), IntegratedGradients(steps=4), SmoothGrad(samples=2)):
        found = method.explain(model, texts)
        assert found.feature_dims == ("token",)
        absent = model.encode(texts) < 0
        assert absent.any()
        assert (found.values[absent] == 0).all()
        assert (np.abs(found.values[~absent]) > 0).mean() > 0.9
