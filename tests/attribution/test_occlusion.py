"""Occlusion: closed forms for a linear score, tables, a peer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from explicate.attribution.feature_ablation import FeatureAblation  # noqa: E402
from explicate.attribution.missingness import Baseline  # noqa: E402
from explicate.attribution.occlusion import Occlusion  # noqa: E402
from explicate.errors import InputError  # noqa: E402
from explicate.models.preprocessing import Preprocessing  # noqa: E402
from explicate.models.vision import VisionModel  # noqa: E402

PLAIN = Preprocessing(size=(10, 12), mean=(0, 0, 0), std=(1, 1, 1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VisionModel(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(320, 3)), PLAIN)


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return VisionModel(nn.Sequential(nn.Flatten(), nn.Linear(360, 2)), PLAIN)


@pytest.fixture
def batch():
    return np.random.default_rng(0).standard_normal((3, 3, 10, 12)).astype(np.float32)


def test_windows_of_one_pixel_give_a_linear_scores_terms(linear, batch):
    found = Occlusion(window=(1, 1), stride=(1, 1), missingness=Baseline(0.25)).explain(linear, batch, 1)
    weights = linear.module[1].weight.detach().numpy()[1].reshape(3, 10, 12)
    np.testing.assert_allclose(found.values, (weights * (batch - 0.25)).sum(axis=1), atol=1e-4)
    np.testing.assert_allclose(found.values.sum(axis=(1, 2)), found["score"] - found["baseline_score"], atol=1e-3)


def test_pixels_get_the_mean_over_the_windows_that_hide_them(linear, batch):
    found = Occlusion(window=(4, 3), stride=(2, 3)).explain(linear, batch[:1], 0)
    weights = linear.module[1].weight.detach().numpy()[0].reshape(3, 10, 12)
    terms = (weights * batch[0]).sum(axis=0)
    total, count = np.zeros((10, 12)), np.zeros((10, 12))
    for top in range(0, 10, 2):
        for left in range(0, 12, 3):
            if top < 8:  # the last window that still reaches new rows begins at 6
                total[top : top + 4, left : left + 3] += terms[top : top + 4, left : left + 3].sum()
                count[top : top + 4, left : left + 3] += 1
    np.testing.assert_allclose(found.values[0], total / count, atol=1e-4)


def test_tables_lose_one_column_at_a_time():
    from explicate.models.tabular import TabularModel

    rows = np.random.default_rng(0).standard_normal((20, 4))
    table = TabularModel(lambda x: x[:, 0] * x[:, 1] + 2 * x[:, 2], rows)
    found = Occlusion(missingness=Baseline(0.5)).explain(table, rows[:5])
    expected = np.stack(
        [rows[:, 0] * rows[:, 1] - 0.5 * rows[:, 1], rows[:, 0] * (rows[:, 1] - 0.5), 2 * (rows[:, 2] - 0.5)], 1
    )
    np.testing.assert_allclose(found.values[:, :3], expected[:5], atol=1e-9)
    assert (found.values[:, 3] == 0).all()
    same = FeatureAblation(missingness=Baseline(0.5)).explain(table, rows[:5])
    np.testing.assert_allclose(found.values, same.values)


def test_the_default_window_is_a_seventh_of_the_picture():
    masks = Occlusion()._windows((224, 224))
    assert len(masks) == 169
    assert masks[0].reshape(224, 224)[:32, :32].all()
    assert masks[0].sum() == 32 * 32
    assert masks.any(axis=0).all()


@pytest.mark.parametrize(
    "wrong", [{"window": (11, 3)}, {"window": (0, 3)}, {"window": (2, 2), "stride": (3, 1)}, {"stride": (0, 1)}]
)
def test_windows_that_do_not_fit_are_refused(wrong, model, batch):
    with pytest.raises(InputError):
        Occlusion(**wrong).explain(model, batch)


@pytest.mark.peer
@pytest.mark.parametrize(("window", "stride"), [((4, 4), (2, 2)), ((5, 3), (3, 2)), ((10, 12), (4, 4))])
def test_captum_agrees(window, stride, model, batch):
    captum = pytest.importorskip("captum.attr")
    theirs = captum.Occlusion(model.module).attribute(
        torch.as_tensor(batch), (3, *window), (3, *stride), target=2, baselines=0
    )
    ours = Occlusion(window=window, stride=stride).explain(model, batch, 2).values
    np.testing.assert_allclose(ours, theirs[:, 0].detach().numpy(), atol=1e-5)
