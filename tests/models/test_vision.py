"""Image classifiers: scores, gradients, sites, interventions, bad input."""

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from explicate.core.capabilities import Differentiable, Transparent  # noqa: E402
from explicate.core.cost import measure  # noqa: E402
from explicate.core.interventions import Ablate, Edit, Patch, Project, Scale, Steer  # noqa: E402
from explicate.core.sites import Site  # noqa: E402
from explicate.errors import InputError, ModelError, SiteError, TargetError  # noqa: E402
from explicate.models.preprocessing import Preprocessing  # noqa: E402
from explicate.models.vision import VisionModel  # noqa: E402

PLAIN = Preprocessing(size=(16, 16), mean=(0, 0, 0), std=(1, 1, 1))


class Network(nn.Module):
    """Two convolutions with norms, an in-place ReLU, pooling, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 5, 3, stride=2)
        self.last = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(5, 4)

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        return self.head(self.pool(self.last(self.second(x))).flatten(1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    module = Network()
    module.norm.running_mean.normal_()
    module.norm.running_var.uniform_(0.5, 2)
    return VisionModel(module, PLAIN, class_names=("ant", "bee", "cat", "dog"), name="tiny")


@pytest.fixture
def batch():
    return np.random.default_rng(0).standard_normal((5, 3, 16, 16)).astype(np.float32)


def _plain(model, batch):
    with torch.no_grad():
        return model.module(torch.as_tensor(batch)).numpy()


def test_offers_gradients_and_sites(model):
    assert isinstance(model, Differentiable)
    assert isinstance(model, Transparent)


def test_scores_and_gradients_of_the_fast_copy_are_the_modules(model, batch):
    np.testing.assert_allclose(model.predict(batch), _plain(model, batch), atol=1e-5)
    assert model._twin[2] is not None
    tensor = torch.as_tensor(batch).requires_grad_(True)
    (expected,) = torch.autograd.grad(model.module(tensor)[:, 1].sum(), tensor)
    np.testing.assert_allclose(model.gradients(batch, np.ones(5, int)), expected.numpy(), atol=1e-5)
    two = model.gradients(batch, np.array([[1, 3]] * 5))
    np.testing.assert_allclose(
        two, model.gradients(batch, np.ones(5, int)) - model.gradients(batch, np.full(5, 3)), atol=1e-5
    )


def test_parameters_keep_their_gradients_flag_and_get_none(model, batch):
    model.gradients(batch, np.zeros(5, int))
    model.activation_gradients(batch, ["second"], np.zeros(5, int))
    assert all(p.requires_grad and p.grad is None for p in model.module.parameters())


def test_changed_weights_are_seen_at_once(model, batch):
    model.predict(batch)
    model.module.first.weight.data.mul_(-2.0)
    np.testing.assert_allclose(model.predict(batch), _plain(model, batch), atol=1e-5)


def test_a_copy_that_gives_other_scores_is_not_used(model, batch, monkeypatch):
    import explicate.models.folding as folding

    honest = folding.fast_copy

    def wrong(module):
        twin = honest(module)
        twin.get_submodule("head").bias.data.add_(0.01)
        return twin

    monkeypatch.setattr(folding, "fast_copy", wrong)
    np.testing.assert_allclose(model.predict(batch), _plain(model, batch), atol=1e-6)
    assert model._twin[2] is None


def test_a_users_hook_is_not_lost(model, batch):
    model.predict(batch)
    handle = model.module.second.register_forward_hook(lambda _, __, output: output * 0)
    changed = model.predict(batch)
    handle.remove()
    np.testing.assert_allclose(changed, np.broadcast_to(changed[0], changed.shape), atol=1e-6)
    np.testing.assert_allclose(model.predict(batch), _plain(model, batch), atol=1e-5)


def test_costs_are_counted(model, batch):
    with measure() as cost:
        model.predict(batch)
        model.gradients(batch, np.zeros(5, int))
        model.capture(batch, ["first"])
        model.activation_gradients(batch, ["first"], np.zeros(5, int))
    assert (cost.evaluations, cost.gradients) == (10, 10)


def test_names_and_probabilities(model, batch):
    assert model.output_count == 4
    assert model.output_name(1) == "bee"
    assert model.output_index("CAT") == 2
    with pytest.raises(TargetError, match="no output 'cow'"):
        model.output_index("cow")
    shares = np.exp(_plain(model, batch))
    expected = shares[:, 2] / shares.sum(axis=1)
    np.testing.assert_allclose(model.probabilities(batch, np.full(5, 2)), expected, rtol=1e-4)
    double = VisionModel(model.module, PLAIN, class_names=("crane", "crane", "a", "b"))
    with pytest.raises(TargetError, match="0 and 1"):
        double.output_index("crane")


def test_outputs_with_logits_inside_are_unwrapped(model, batch):
    from types import SimpleNamespace

    class Wrapped(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return SimpleNamespace(logits=self.inner(x))

    np.testing.assert_allclose(
        VisionModel(Wrapped(model.module), PLAIN).predict(batch), _plain(model, batch), atol=1e-5
    )


def test_a_copy_in_another_process_is_the_same_model(model, batch):
    model.predict(batch)
    other = pickle.loads(pickle.dumps(model))
    assert other.fingerprint() == model.fingerprint()
    np.testing.assert_array_equal(other.predict(batch), model.predict(batch))


def test_the_fingerprint_knows_weights_and_preprocessing(model):
    torch.manual_seed(1)
    prints = {
        model.fingerprint(),
        model.with_module(Network()).fingerprint(),
        VisionModel(model.module, Preprocessing(size=(16, 16))).fingerprint(),
    }
    assert len(prints) == 3


# -- pictures ------------------------------------------------------------------------------------------------------


def test_encoded_pictures_go_through_as_they_are(model, batch):
    np.testing.assert_array_equal(model.encode(batch), batch)
    np.testing.assert_array_equal(model.encode(batch[0]), batch[:1])
    np.testing.assert_array_equal(model.encode(torch.as_tensor(batch)), batch)
    np.testing.assert_array_equal(model.encode([batch[0], batch[1]]), batch[:2])


def test_pictures_of_any_size_become_a_batch(model):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (rows, 20, 3)).astype(np.uint8) for rows in (10, 30)]
    assert model.encode(pictures).shape == (2, 3, 16, 16)
    assert model.encode(pictures[0]).shape == (1, 3, 16, 16)
    assert model.encode(np.stack([pictures[0]] * 3)).shape == (3, 3, 16, 16)


@pytest.mark.parametrize(
    "bad",
    [
        [],
        np.zeros((0, 3, 16, 16), np.float32),
        np.zeros((2, 3, 8, 8), np.float32),
        np.full((1, 3, 16, 16), np.nan, np.float32),
        np.full((1, 3, 16, 16), np.inf, np.float32),
        [np.full((3, 16, 16), np.nan, np.float32)],
    ],
)
def test_bad_pictures_are_refused(model, bad):
    with pytest.raises(InputError):
        model.encode(bad)


# -- sites ---------------------------------------------------------------------------------------------------------


def test_convolutions_come_first_and_the_last_maps_are_found(model):
    sites = list(map(str, model.sites()))
    assert sites[:2] == ["first", "second"]
    assert "pool:input" in sites
    assert model.map_site() == Site("pool:input")


def test_capture_clones_before_in_place_parts_write(model, batch):
    found = model.capture(batch, ["second", "pool:input"])
    before, after = found[Site("second")], found[Site("pool:input")]
    assert before.min() < 0
    np.testing.assert_allclose(after, np.maximum(before, 0), atol=1e-6)


def test_gradients_at_sites_are_those_of_autograd(model, batch):
    found = model.activation_gradients(batch, ["first", "second"], np.array([0, 1, 2, 3, 0]))
    x = torch.as_tensor(batch)
    module = model.module
    first = module.first(x).detach().requires_grad_(True)
    second = module.second(torch.relu(module.norm(first)))
    second.retain_grad()
    logits = module.head(module.pool(torch.relu(second)).flatten(1))
    scores = logits[torch.arange(5), torch.tensor([0, 1, 2, 3, 0])]
    scores.sum().backward()
    np.testing.assert_allclose(found.gradients[Site("first")], first.grad.numpy(), atol=1e-6)
    np.testing.assert_allclose(found.gradients[Site("second")], second.grad.numpy(), atol=1e-6)
    np.testing.assert_allclose(found.activations[Site("second")], second.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(found.scores, scores.detach().numpy(), atol=1e-6)


def test_a_later_neuron_can_be_what_is_differentiated(model, batch):
    found = model.activation_gradients(batch, ["first"], np.zeros(5, int), lambda a: a[:, 2, 1, 1], "second")
    np.testing.assert_allclose(found.scores, model.capture(batch, ["second"])[Site("second")][:, 2, 1, 1], atol=1e-6)
    assert np.abs(found.gradients[Site("first")]).max() > 0
    reach = np.abs(found.gradients[Site("first")]).max(axis=(0, 1)) > 0
    assert reach[2:5, 2:5].any()
    assert not reach[6:].any()


def test_unknown_sites_name_the_convolutions(model, batch):
    with pytest.raises(KeyError, match="first, second"):
        model.capture(batch, ["third"])
    with pytest.raises(SiteError):
        model.capture(batch, ["L0.resid_pre"])


def test_a_part_that_runs_twice_is_no_site(batch):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu, self.head = nn.ReLU(), nn.Linear(768, 2)

        def forward(self, x):
            return self.head(self.relu(self.relu(x).flatten(1)))

    with pytest.raises(SiteError, match="more than once"):
        VisionModel(Twice(), PLAIN).capture(batch, ["relu"])


def test_a_score_that_does_not_depend_on_the_site_is_refused(model, batch):
    with pytest.raises(InputError, match="does not depend"):
        model.activation_gradients(batch, ["second"], np.zeros(5, int), lambda a: a[:, 0, 0, 0], "first")


def test_interventions_change_what_follows_and_come_off(model, batch):
    before = model.predict(batch)
    bias = model.module.head.bias.detach().numpy()
    with model.intervene(Ablate("pool:input")):
        np.testing.assert_allclose(model.predict(batch), np.broadcast_to(bias, (5, 4)), atol=1e-6)
    np.testing.assert_array_equal(model.predict(batch), before)
    kept = model.capture(batch, ["second"])[Site("second")]
    with model.intervene(Patch("second", kept[::-1].copy())):
        np.testing.assert_allclose(model.predict(batch), before[::-1], atol=1e-5)
    with model.intervene(Scale("head", 2.0) + Scale("head", 3.0)):
        np.testing.assert_allclose(model.predict(batch), 6 * before, atol=1e-4)


def test_directions_run_over_the_channels_of_maps(model, batch):
    direction = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    maps = model.capture(batch, ["pool:input"])[Site("pool:input")]
    weights, bias = (p.detach().numpy() for p in model.module.head.parameters())
    with model.intervene(Steer("pool:input", direction, 2.0)):
        expected = (maps.mean(axis=(2, 3)) + 2 * direction) @ weights.T + bias
        np.testing.assert_allclose(model.predict(batch), expected, atol=1e-4)
    with model.intervene(Project("pool:input", direction)):
        unit = direction / np.linalg.norm(direction)
        pooled = maps.mean(axis=(2, 3))
        expected = (pooled - (pooled @ unit)[:, None] * unit) @ weights.T + bias
        np.testing.assert_allclose(model.predict(batch), expected, atol=1e-4)


def test_everything_is_undone_after_an_exception(model, batch):
    before, weight = model.predict(batch), model.module.head.weight.detach().clone()

    def fail():
        with model.intervene(Edit("head.weight", 1.0), Ablate("first")):
            assert np.abs(model.predict(batch) - before).max() > 1e-3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(model.module.head.weight, weight)
    np.testing.assert_array_equal(model.predict(batch), before)
    with pytest.raises(SiteError, match=r"head\.wait"), model.intervene(Ablate("first"), Edit("head.wait", 1.0)):
        pass
    np.testing.assert_array_equal(model.predict(batch), before)


class Misfit(nn.Module):
    """A head that is wider than what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.maps(x).mean((2, 3)))


class NoWayBack(torch.autograd.Function):
    """The identity, whose gradient fails."""

    @staticmethod
    def forward(_, x):
        return x.clone()

    @staticmethod
    def backward(_, gradient):
        raise RuntimeError("no way back\nfor sure")


class ForwardOnly(nn.Module):
    """Scores without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return NoWayBack.apply(self.maps(x)).mean((2, 3))


def test_a_failing_module_is_one_clear_error(batch):
    targets, many = np.zeros(len(batch), int), np.zeros((9, 3, 16, 16), np.float32)
    failure = r"^the model 'Misfit' failed on inputs of shape \(\d, 3, 16, 16\): RuntimeError: mat1 and mat2 .*\)$"
    for ask in (
        lambda model: model.output_count,
        lambda model: model.predict(batch),
        lambda model: model.predict(many),  # which measures how many go through at once
        lambda model: model.gradients(batch, targets),
        lambda model: model.map_site(),
        lambda model: model.logits(batch),
        lambda model: model.capture(batch, ["maps"]),
        lambda model: model.activation_gradients(batch, ["maps"], targets),
    ):
        with pytest.raises(ModelError, match=failure):
            ask(VisionModel(Misfit(), PLAIN))


def test_a_module_that_fails_on_the_way_back_still_has_scores(batch):
    model = VisionModel(ForwardOnly(), PLAIN, fast=False)
    assert model.predict(np.zeros((9, 3, 16, 16), np.float32)).shape == (9, 4)
    targets = np.zeros(len(batch), int)
    for ask in (lambda: model.gradients(batch, targets), lambda: model.activation_gradients(batch, ["maps"], targets)):
        with pytest.raises(ModelError, match=r"^the model 'ForwardOnly' failed when asked for gradients .* way back$"):
            ask()


def test_preprocessing_that_is_none_is_refused_when_the_handle_is_made():
    with pytest.raises(InputError, match=r"preprocessing is \(16, 16\); give a Preprocessing"):
        VisionModel(Network(), (16, 16))


class Guided(torch.autograd.Function):
    """A rectifier whose backward pass is its own, as in guided backpropagation."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.relu() * (ctx.saved_tensors[0] > 0)


class GuidedRectifier(nn.Module):
    def forward(self, x):
        return Guided.apply(x)


def test_a_backward_pass_of_the_modules_own_is_kept():
    """Tracing goes through a custom function to plain operations: the scores would be the same, the gradients not."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), GuidedRectifier(), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    pictures = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    targets = np.zeros(3, dtype=np.int64)
    found = VisionModel(module, PLAIN).gradients(pictures, targets)
    np.testing.assert_array_equal(found, VisionModel(module, PLAIN, fast=False).gradients(pictures, targets))


def test_class_names_that_do_not_fit_the_outputs_are_refused(model, batch):
    wrong = VisionModel(model.module, PLAIN, class_names=("ant", "bee"))
    for ask in (lambda: wrong.output_count, lambda: wrong.output_name(0), lambda: wrong.predict(batch)):
        with pytest.raises(InputError, match="'Network' has 4 outputs, but 2 class names: ant, bee; give one for each"):
            ask()


def test_an_error_names_the_nearest_of_many_convolutions():
    many = VisionModel(nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(40))), PLAIN, fast=False)
    with pytest.raises(
        SiteError, match=r"no site '399'; its convolutions are .*39, \.\.\.; `sites\(\)` lists all"
    ) as caught:
        many.capture(np.zeros((1, 3, 16, 16), np.float32), ["399"])
    assert len(str(caught.value)) < 120
