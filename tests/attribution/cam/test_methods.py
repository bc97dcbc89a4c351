"""The class-activation family: identities, selections, targets, bad input, and a peer."""

import sys
import types
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from explicate.api import explain  # noqa: E402
from explicate.attribution.cam import CAM, GradCAM, GradCAMPlusPlus, SmoothGradCAMPlusPlus  # noqa: E402
from explicate.core.sites import Site  # noqa: E402
from explicate.core.targets import Contrast  # noqa: E402
from explicate.errors import CapabilityError, InputError, SelectionError, SiteError, TargetError  # noqa: E402
from explicate.models.preprocessing import Preprocessing  # noqa: E402
from explicate.models.tabular import TabularModel  # noqa: E402
from explicate.models.vision import VisionModel  # noqa: E402

PLAIN = Preprocessing(size=(16, 16), mean=(0, 0, 0), std=(1, 1, 1))
FAMILY = [CAM, GradCAM, GradCAMPlusPlus, SmoothGradCAMPlusPlus]
LAYER = "maps.4"


def _dense(seed: int = 0) -> VisionModel:
    """Two convolutions and a dense head, so that the gradient differs from place to place."""
    torch.manual_seed(seed)
    maps = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU(inplace=True)
    )
    head = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(80, 16), nn.ReLU(), nn.Linear(16, 4))
    return VisionModel(_Two(maps, head), PLAIN, name="dense")


class _Two(nn.Module):
    def __init__(self, maps: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.maps, self.head = maps, head

    def forward(self, x):
        return self.head(self.maps(x))


def _pooled(seed: int = 0) -> VisionModel:
    torch.manual_seed(seed)
    maps = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU()
    )
    return VisionModel(_Two(maps, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))), PLAIN)


@pytest.fixture
def model():
    return _dense()


@pytest.fixture
def batch():
    return np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(np.float32)


def _slopes(model, batch, targets):
    found = model.activation_gradients(batch, [LAYER], targets)
    (site,) = found.activations
    return found.activations[site].astype(float), found.gradients[site].astype(float)


# -- definitions ---------------------------------------------------------------------------------------------------


def test_grad_cam_is_the_mean_gradient_times_the_maps(model, batch):
    targets = model.predict(batch).argmax(axis=1)
    found = GradCAM(layers=LAYER, rectify=False).explain(model, batch)
    maps, slopes = _slopes(model, batch, targets)
    np.testing.assert_allclose(found["weights"].values, slopes.mean(axis=(2, 3)), rtol=1e-6)
    raw = np.einsum("nk,nkij->nij", slopes.mean(axis=(2, 3)), maps)
    np.testing.assert_allclose(found["raw_map"].values, raw, rtol=1e-6, atol=1e-9)
    high, low = raw.max(axis=(1, 2), keepdims=True), raw.min(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found["map"].values, (raw - low) / (high - low), atol=1e-6)
    assert found.values.shape == (4, 16, 16)
    assert found.values.min() == 0
    assert np.allclose(found.values.max(axis=(1, 2)), 1)


def test_without_noise_the_smooth_one_is_grad_cam_plus_plus(model, batch):
    plain = GradCAMPlusPlus(layers=LAYER).explain(model, batch)
    smooth = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=1, noise=0.0).explain(model, batch)
    for name in ("attribution", "raw_map", "weights", "alpha"):
        np.testing.assert_array_equal(smooth[name].values, plain[name].values)


def test_vanishing_noise_tends_to_grad_cam_plus_plus(model, batch):
    plain = GradCAMPlusPlus(layers=LAYER).explain(model, batch)
    smooth = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=3, noise=1e-6, noise_unit="absolute").explain(model, batch)
    np.testing.assert_allclose(smooth.values, plain.values, atol=1e-3)


def test_the_printed_numerator_does_not_fall_back(model, batch):
    plain = GradCAMPlusPlus(layers=LAYER).explain(model, batch)
    printed = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=1, noise=0.0, alpha_numerator="first").explain(model, batch)
    assert np.abs(printed["weights"].values - plain["weights"].values).max() > 1e-4


@pytest.mark.parametrize("weighting", [False, True])
def test_the_smooth_one_averages_derivatives_and_forms_alpha_once(model, batch, weighting, monkeypatch):
    from explicate.attribution.cam import methods

    copies, inner = [], methods.noisy_copies

    def kept(*given):
        copies.append(inner(*given))
        return copies[-1]

    monkeypatch.setattr(methods, "noisy_copies", kept)
    monkeypatch.setattr(methods, "COPIES_AT_ONCE", 7)  # copies of one picture are cut across blocks
    method = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=5, noise=0.3, exp_weighting=weighting)
    targets = np.array([0, 1, 2, 3])
    found = method.explain(model, batch, targets.tolist())
    noisy = np.concatenate(copies).reshape(4, 5, 3, 16, 16)
    maps, _ = _slopes(model, batch, targets)
    for n in range(4):
        answer = model.activation_gradients(noisy[n], [LAYER], np.full(5, targets[n]))
        (slopes,) = answer.gradients.values()
        shares = np.exp(answer.scores - answer.scores.max()) if weighting else np.ones(5)
        d1, d2, d3 = (np.average(slopes.astype(float) ** p, axis=0, weights=shares) for p in (1, 2, 3))
        below = 2 * d2 + maps[n].sum(axis=(1, 2), keepdims=True) * d3
        alpha = np.where(d2 > 0, d2 / (below + np.where(below < 0, -1e-8, 1e-8)), 0)
        weights = (alpha * np.maximum(d1, 0)).sum(axis=(1, 2))
        np.testing.assert_allclose(found["weights"].values[n], weights, rtol=1e-4, atol=1e-8)
        raw = np.einsum("k,kij->ij", weights, maps[n])
        np.testing.assert_allclose(found["raw_map"].values[n], raw, rtol=1e-4, atol=1e-8)


def test_averaging_finished_maps_is_something_else(model, batch):
    method = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=8, noise=0.5)
    found = method.explain(model, batch, 1, seed=3)
    rng = np.random.default_rng(3)
    maps = [
        GradCAMPlusPlus(layers=LAYER)
        .explain(model, (batch + 0.5 * np.ptp(batch) * rng.standard_normal(batch.shape)).astype(np.float32), 1)
        .values
        for _ in range(8)
    ]
    assert np.abs(np.mean(maps, axis=0) - found.values).max() > 0.05


def test_exponential_weights_cannot_overflow(model, batch):
    huge = _dense()
    with torch.no_grad():
        huge.module.head[4].weight.mul_(1e4)
    method = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=6, noise=0.3, exp_weighting=True)
    assert np.isfinite(method.explain(huge, batch, 1)["weights"].values).all()


def test_cam_is_grad_cam_up_to_a_factor_under_global_average_pooling(batch):
    model = _pooled()
    cam = CAM().explain(model, batch, 2)
    slope = GradCAM(rectify=False).explain(model, batch, 2)
    np.testing.assert_allclose(cam["raw_map"].values, 64 * slope["raw_map"].values, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(cam.values, slope.values, atol=1e-5)
    weights = model.module.head[2].weight.detach().numpy()
    np.testing.assert_allclose(cam["weights"].values, np.broadcast_to(weights[2], (4, 5)), rtol=1e-6)


def test_cam_refuses_other_heads(model, batch):
    with pytest.raises(CapabilityError, match="use grad-cam"):
        CAM(layers=LAYER).explain(model, batch)
    pooled = _pooled()
    pooled.module.head.insert(0, nn.Softplus())  # pooling no longer sees these maps
    with pytest.raises(CapabilityError, match="average of the maps"):
        CAM(layers=LAYER).explain(pooled, batch)


@pytest.mark.parametrize("method", [GradCAM, GradCAMPlusPlus, SmoothGradCAMPlusPlus])
def test_a_constant_added_to_the_class_score_changes_nothing(method, model, batch):
    before = method(layers=LAYER).explain(model, batch, 1)
    with torch.no_grad():
        model.module.head[4].bias.add_(5.0)
    np.testing.assert_allclose(method(layers=LAYER).explain(model, batch, 1).values, before.values, atol=1e-6)


@pytest.mark.parametrize(("method", "same"), [(GradCAM, 1), (GradCAMPlusPlus, 0), (SmoothGradCAMPlusPlus, 0)])
def test_the_scale_of_the_class_weights_matters_to_the_plus_plus_family_only(method, same, model, batch):
    before = method(layers=LAYER).explain(model, batch, 1).values
    with torch.no_grad():
        model.module.head[4].weight.mul_(50.0)
    change = np.abs(method(layers=LAYER).explain(model, batch, 1).values - before).max()
    assert (change < 1e-4) == same


def test_the_class_is_fixed_on_the_clean_picture(model, batch):
    best = model.predict(batch).argmax(axis=1)
    by_default = SmoothGradCAMPlusPlus(layers=LAYER, noise=2.0, n_samples=4).explain(model, batch, seed=1)
    named = SmoothGradCAMPlusPlus(layers=LAYER, noise=2.0, n_samples=4).explain(model, batch, best.tolist(), seed=1)
    np.testing.assert_array_equal(by_default.targets, best)
    np.testing.assert_array_equal(by_default.values, named.values)


# -- noise ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "factor"), [("relative", None), ("absolute", 1.0)])
def test_the_noise_has_the_stated_spread(unit, factor, model, batch, monkeypatch):
    from explicate.attribution.cam import methods

    copies, inner = [], methods.noisy_copies
    monkeypatch.setattr(methods, "noisy_copies", lambda *given: copies.append(inner(*given)) or copies[-1])
    scaled = batch * np.array([1, 2, 5, 10], dtype=np.float32)[:, None, None, None]
    method = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=60, noise=0.2, noise_unit=unit)
    found = method.explain(model, scaled, 0)
    noisy = np.concatenate(copies).reshape(4, 60, 3, 16, 16)
    spread = (noisy - scaled[:, None]).std(axis=(1, 2, 3, 4))
    expected = 0.2 * (factor or np.ptp(scaled.reshape(4, -1), axis=1))
    np.testing.assert_allclose(spread, np.broadcast_to(expected, 4), rtol=0.02)
    np.testing.assert_allclose(found["sigma"].values, np.broadcast_to(expected, 4), rtol=1e-6)


def test_the_seed_decides_and_block_sizes_do_not(model, batch, monkeypatch):
    from explicate.attribution.cam import base, methods

    method = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=6)
    one = method.explain(model, batch, seed=1).values
    np.testing.assert_array_equal(method.explain(model, batch, seed=1).values, one)
    assert np.abs(method.explain(model, batch, seed=2).values - one).max() > 1e-4
    monkeypatch.setattr(methods, "COPIES_AT_ONCE", 5)
    monkeypatch.setattr(base, "SAMPLES_AT_ONCE", 3)
    np.testing.assert_allclose(method.explain(model, batch, seed=1).values, one, atol=1e-5)
    few = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=6, batch_size=2)
    np.testing.assert_allclose(few.explain(model, batch, seed=1).values, one, atol=1e-5)


def test_no_noise_with_several_samples_is_one_pass_and_a_warning(model, batch):
    with pytest.warns(UserWarning, match="one pass"):
        found = SmoothGradCAMPlusPlus(layers=LAYER, noise=0.0).explain(model, batch)
    assert found.provenance.gradients == 4


# -- selections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [GradCAM, GradCAMPlusPlus, SmoothGradCAMPlusPlus])
def test_a_partition_of_the_channels_sums_to_the_whole_raw_map(method, model, batch):
    whole = method(layers=LAYER).explain(model, batch, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [method(layers=LAYER, channels=part).explain(model, batch, 1) for part in ((0, 2), (1,), (3, 4))]
    np.testing.assert_allclose(sum(p["raw_map"].values for p in parts), whole["raw_map"].values, atol=1e-9)
    np.testing.assert_array_equal(parts[0]["weights"].values, whole["weights"].values)


@pytest.mark.parametrize("method", [GradCAM, GradCAMPlusPlus])
def test_a_region_keeps_its_neurons_in_weights_and_map_only(method, model, batch):
    targets = np.full(4, 1)
    maps, slopes = _slopes(model, batch, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = method(layers=LAYER, region=(2, 6, 0, 5), rectify=False).explain(model, batch, 1)
        whole = method(layers=LAYER).explain(model, batch, 1)
    inside = np.zeros((8, 8), dtype=bool)
    inside[2:6, :5] = True
    terms = slopes / 64 if method is GradCAM else whole["alpha"].values * np.maximum(slopes, 0)
    weights = (terms * inside).sum(axis=(2, 3))
    np.testing.assert_allclose(found["weights"].values, weights, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(
        found["raw_map"].values, np.einsum("nk,nkij->nij", weights, maps) * inside, rtol=1e-4, atol=1e-9
    )


def test_single_neurons_are_the_region_of_one_channel(model, batch):
    inside = np.zeros((8, 8), dtype=bool)
    inside[2:6, :5] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_mask = GradCAMPlusPlus(layers=LAYER, neurons={3: inside}).explain(model, batch, 1)
        by_region = GradCAMPlusPlus(layers=LAYER, region=(2, 6, 0, 5), channels=(3,)).explain(model, batch, 1)
    np.testing.assert_allclose(by_mask["raw_map"].values, by_region["raw_map"].values, atol=1e-12)
    assert (by_mask["weights"].values[:, [0, 1, 2, 4]] == 0).all()


def test_several_layers_give_all_maps_and_their_fusion(model, batch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = [SmoothGradCAMPlusPlus(layers=at, n_samples=3).explain(model, batch, 1) for at in ("maps.0", LAYER)]
        both = SmoothGradCAMPlusPlus(layers=("maps.0", LAYER), n_samples=3).explain(model, batch, 1)
        highest = SmoothGradCAMPlusPlus(layers=("maps.0", LAYER), n_samples=3, fuse="max").explain(model, batch, 1)
    for number in range(2):
        np.testing.assert_allclose(both["layer_maps"].values[:, number], alone[number].values, atol=1e-5)
    assert both["map.0"].shape == (4, 16, 16)
    assert both["map.1"].shape == (4, 8, 8)
    np.testing.assert_allclose(both.values, both["layer_maps"].values.mean(axis=1))
    np.testing.assert_allclose(highest.values, both["layer_maps"].values.max(axis=1), atol=1e-9)


# -- targets -------------------------------------------------------------------------------------------------------


def test_a_callable_target_is_differentiated(model, batch):
    by_class = GradCAM(layers=LAYER).explain(model, batch, 2)
    by_function = GradCAM(layers=LAYER).explain(model, batch, lambda logits: logits[:, 2])
    np.testing.assert_allclose(by_function["raw_map"].values, by_class["raw_map"].values, atol=1e-9)
    np.testing.assert_allclose(by_function["score"].values, by_class["score"].values, atol=1e-6)
    assert set(by_function["target_name"].values) == {"a target function"}
    contrast = GradCAM(layers=LAYER, rectify=False).explain(model, batch, Contrast(2, 0))
    other = GradCAM(layers=LAYER, rectify=False).explain(model, batch, 0)
    np.testing.assert_allclose(
        contrast["raw_map"].values, by_class["raw_map"].values - other["raw_map"].values, atol=1e-6
    )


def test_a_neuron_can_be_explained_as_well_as_used(model, batch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = GradCAM(layers="maps.0", target_site="maps.3", target_neuron=(2, 4, 4)).explain(model, batch)
        same = GradCAM(layers="maps.0", target_site="maps.3", target_function=lambda maps: maps[:, 2, 4, 4]).explain(
            model, batch
        )
        with pytest.raises(SelectionError, match="target_neuron"):
            GradCAM(layers="maps.0", target_site="maps.3", target_neuron=(9, 4, 4)).explain(model, batch)
    np.testing.assert_array_equal(found["raw_map"].values, same["raw_map"].values)
    np.testing.assert_allclose(found["score"].values, model.capture(batch, ["maps.3"])[Site("maps.3")][:, 2, 4, 4])
    assert set(found["target_name"].values) == {"neuron (2, 4, 4) of maps.3"}


# -- empty maps, bad input -----------------------------------------------------------------------------------------


def test_a_map_without_gradient_is_empty_with_a_warning(model, batch):
    with torch.no_grad():
        model.module.head[4].weight[1].zero_()
    with pytest.warns(UserWarning, match="empty"):
        found = GradCAMPlusPlus(layers=LAYER).explain(model, batch, 1)
    assert found["empty"].values.all()
    assert (found.values == 0).all()
    assert (found["map"].values == 0).all()


def test_activations_that_are_not_finite_give_an_empty_map(batch):
    class Blows(nn.Module):
        def forward(self, x):
            return torch.where(x > 2.9, torch.full_like(x, torch.inf), x)

    model = _dense()
    model.module.maps[4] = Blows()
    model.module.head[0] = nn.Sequential(nn.Hardtanh(-1, 1), nn.MaxPool2d(2))
    loud = batch.copy()
    loud[2] *= 30
    with pytest.warns(UserWarning, match="sample 2 is empty"):
        found = GradCAMPlusPlus(layers=LAYER).explain(model, loud, 1)
    assert found["empty"].values.tolist() == [False, False, True, False]
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("method", FAMILY)
def test_unknown_layers_are_key_errors_that_list_the_convolutions(method, model, batch):
    with pytest.raises(KeyError, match=r"maps\.0, maps\.3"):
        method(layers="maps.9").explain(model, batch)
    assert issubclass(SiteError, KeyError)


@pytest.mark.parametrize("method", FAMILY)
def test_a_layer_without_maps_names_its_shape_and_the_way_out(method, model, batch):
    with pytest.raises(ValueError, match=r"\(4, 16\).*reshape_transform"):
        method(layers="head.2").explain(model, batch)


def test_reshape_transform_makes_maps_of_tokens(batch):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 6, 4, stride=4)
            self.mixing = nn.Linear(6, 6)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(torch.relu(self.mixing(self.patches(x).flatten(2).transpose(1, 2))).mean(dim=1))

    def to_maps(values):
        return values.transpose(0, 2, 1).reshape(len(values), 6, 4, 4)

    model = VisionModel(Tokens(), PLAIN)
    found = GradCAM(layers="mixing", reshape_transform=to_maps).explain(model, batch, 1)
    assert found["map"].shape == (4, 4, 4)
    with pytest.raises(ValueError, match="reshape_transform"):
        GradCAM(layers="mixing").explain(model, batch, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_samples": 0},
        {"noise": -0.1},
        {"noise": float("nan")},
        {"noise_unit": "percent"},
        {"alpha_numerator": "third"},
        {"epsilon": -1.0},
        {"fuse": "sum"},
        {"layers": ()},
        {"batch_size": 0},
        {"target_neuron": (1,)},
        {"target_site": "maps.0"},
    ],
)
def test_wrong_parameters_are_value_errors(wrong):
    with pytest.raises(ValueError):
        SmoothGradCAMPlusPlus(**wrong)


def test_wrong_targets_and_inputs_are_value_errors(model, batch):
    with pytest.raises(ValueError, match="out of range"):
        GradCAM(layers=LAYER).explain(model, batch, 4)
    with pytest.raises(ValueError, match="3 targets for 4"):
        GradCAM(layers=LAYER).explain(model, batch, [0, 1, 2])
    bad = batch.copy()
    bad[1, 0, 3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        GradCAM(layers=LAYER).explain(model, bad)
    with pytest.raises(InputError, match="must give"):
        GradCAM(layers=LAYER).explain(model, batch, lambda logits: logits)
    with pytest.raises(TargetError):
        GradCAM(layers=LAYER, target_function=lambda logits: logits[:, 0]).explain(model, batch, lambda logits: logits)
    with pytest.raises(InputError, match="classes only"):
        CAM().explain(_pooled(), batch, lambda logits: logits[:, 0])


@pytest.mark.parametrize(
    "outside",
    [
        {"channels": (5,)},
        {"channels": (-1,)},
        {"channels": ()},
        {"region": (0, 9, 0, 8)},
        {"region": (3, 3, 0, 8)},
        {"neurons": {7: np.ones((8, 8), bool)}},
        {"neurons": {0: np.ones((4, 8), bool)}},
    ],
)
def test_selections_outside_the_maps_are_index_errors_with_their_shape(outside, model, batch):
    with pytest.raises(IndexError, match=r"\(5, 8, 8\)"):
        GradCAM(layers=LAYER, **outside).explain(model, batch)


def test_models_without_feature_maps_are_refused():
    from explicate.models.tabular import TabularModel

    table = TabularModel(lambda rows: rows.sum(axis=1), np.zeros((3, 2)))
    with pytest.raises(CapabilityError, match="grad-cam"):
        GradCAM().explain(table, np.zeros((1, 2)))


def test_parameters_and_results_survive_a_file(model, batch, tmp_path):
    method = SmoothGradCAMPlusPlus(layers=LAYER, n_samples=3, neurons={1: np.ones((8, 8), bool)})
    again = SmoothGradCAMPlusPlus.from_parameters(method.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = method.explain(model, batch, 1)
        np.testing.assert_array_equal(again.explain(model, batch, 1).values, found.values)
    loaded = type(found).load(found.save(tmp_path / "map.nc"))
    for name in ("attribution", "alpha", "weights", "raw_map", "sigma", "empty"):
        np.testing.assert_array_equal(loaded[name].values, found[name].values)


# -- a peer --------------------------------------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("name", ["GradCAM", "GradCAMPlusPlus"])
def test_grad_cam_the_package_agrees(name, model, batch, monkeypatch):
    """The package imports two libraries for what is not used here; one of them does not load beside every torch."""
    for missing in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "ttach"):
        if missing not in sys.modules:
            stand_in = types.ModuleType(missing)
            for word in ("Compose", "Normalize", "ToTensor", "resize", "HorizontalFlip", "Multiply"):
                setattr(stand_in, word, lambda *_, **__: None)
            monkeypatch.setitem(sys.modules, missing, stand_in)
    peer = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    theirs = getattr(peer, name)(model=model.module, target_layers=[model.module.maps[4]])
    expected = theirs.get_cam_image  # the raw map, before scaling
    x = torch.as_tensor(batch)
    theirs(input_tensor=x, targets=[ClassifierOutputTarget(1)] * 4)
    maps, slopes = theirs.activations_and_grads.activations[0], theirs.activations_and_grads.gradients[0]
    theirs_raw = expected(x, model.module.maps[4], [ClassifierOutputTarget(1)] * 4, maps.numpy(), slopes.numpy(), False)
    ours = GradCAM if name == "GradCAM" else lambda **options: GradCAMPlusPlus(epsilon=1e-6, **options)
    found = ours(layers=LAYER).explain(model, batch, 1)
    np.testing.assert_allclose(found["raw_map"].values, theirs_raw, rtol=1e-3, atol=1e-6)


def test_functions_in_a_list_of_targets_are_refused(model, batch):
    for method in (CAM(), GradCAM()):
        with pytest.raises(
            TargetError, match=r"the target is a function: class-activation methods .* take one, for all"
        ):
            method.explain(model, batch, target=[lambda logits: logits[:, 0]] * len(batch))


def test_a_region_of_three_numbers_and_a_method_that_is_none_are_refused(model, batch):
    with pytest.raises(InputError, match=r"region \(0, 1, 0\) is no \(first row"):
        GradCAM(region=(0, 1, 0))
    with pytest.raises(InputError, match="7 is no method"):
        explain(model, batch, 7)


def test_a_model_without_maps_is_told_what_is_missing():
    model = TabularModel(lambda rows: rows.sum(axis=1), np.ones((3, 2)))
    with pytest.raises(CapabilityError, match="grad-cam needs feature maps and the gradients at them, which"):
        GradCAM().explain(model, np.ones((1, 2)))
