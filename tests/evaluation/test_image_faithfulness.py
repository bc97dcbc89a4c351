"""Average drop, increase in confidence, deletion and insertion of pixels, where the answer is known."""

import numpy as np
import pytest
import xarray as xr

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from explicate.core.kinds import Attribution  # noqa: E402
from explicate.core.provenance import Provenance  # noqa: E402
from explicate.evaluation.image_faithfulness import (  # noqa: E402
    AverageDrop,
    ImageDeletion,
    ImageInsertion,
    IncreaseInConfidence,
    average_drop,
    increase_in_confidence,
    pixel_curve,
    unit_maps,
)
from explicate.models.preprocessing import Preprocessing  # noqa: E402
from explicate.models.vision import VisionModel  # noqa: E402

PLAIN = Preprocessing(size=(4, 5), mean=(0.0,), std=(1.0,), order="L")


class Planted(nn.Module):
    """The logit of class 1 counts bright pixels of the first row, less those of the last; that of class 0 is 0."""

    def forward(self, x):
        score = 2 * x[:, 0, 0].sum(dim=1) - 3 * x[:, 0, 3].sum(dim=1) - 1
        return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.fixture
def model():
    return VisionModel(Planted(), PLAIN)


def _explained(model, maps, pictures):
    maps = np.asarray(maps, dtype=float)
    targets = np.ones(len(maps), dtype=np.int64)
    data = xr.Dataset(
        {
            "attribution": (("sample", "row", "column"), maps),
            "inputs": (("sample", "channel", "row", "column"), pictures),
            "target": (("sample",), targets),
            "score": (("sample",), model.scores(pictures, targets)),
        },
        attrs={"model_kind": "image"},
    )
    return Attribution(data, Provenance("given"))


def _sigmoid(score):
    return 1 / (1 + np.exp(-score))


@pytest.fixture
def pictures():
    found = np.zeros((2, 1, 4, 5), dtype=np.float32)
    found[:, 0, 0] = 1.0
    found[1, 0, 3] = 1.0
    return found


def test_drop_and_increase_by_hand(model, pictures):
    first_row = np.zeros((2, 4, 5))
    first_row[:, 0] = 3.0
    half = np.zeros((2, 4, 5))
    half[:, 0] = 0.5
    half[:, 2, 2] = 1.0
    whole = _sigmoid(np.array([9.0, -6.0]))
    kept = _sigmoid(np.array([9.0, 9.0]))
    dimmed = _sigmoid(np.array([4.0, 4.0]))
    np.testing.assert_allclose(average_drop(_explained(model, first_row, pictures), model), [0, 0], atol=1e-6)
    np.testing.assert_array_equal(increase_in_confidence(_explained(model, first_row, pictures), model), [0, 1])
    assert kept[1] > whole[1]
    expected = [(whole[0] - dimmed[0]) / whole[0], 0.0]
    np.testing.assert_allclose(average_drop(_explained(model, half, pictures), model), expected, rtol=1e-4)


def test_a_map_of_ones_has_no_drop_and_no_increase(model, pictures):
    ones = _explained(model, np.ones((2, 4, 5)), pictures)
    assert (average_drop(ones, model) == 0).all()
    assert (increase_in_confidence(ones, model) == 0).all()


def test_maps_are_brought_to_the_unit_interval(model, pictures):
    maps = np.zeros((2, 4, 5))
    maps[0, 0] = [-4, 0, 1, 2, 8]
    found = unit_maps(_explained(model, maps, pictures))
    np.testing.assert_allclose(found[0, 0], [0, 0, 0.125, 0.25, 1])
    assert (found[1] == 0).all()


def test_curves_by_hand(model, pictures):
    ranked = -np.arange(20.0).reshape(1, 4, 5).repeat(2, axis=0)  # the first row first, the last row last
    explained = _explained(model, ranked, pictures)
    gone = pixel_curve(explained, model, steps=10)  # two pixels a step
    scores = np.array([[9, 5, 1, -1, -1, -1, -1, -1, -1, -1, -1]])
    np.testing.assert_allclose(gone[0], _sigmoid(scores[0]), rtol=1e-4)
    come = pixel_curve(explained, model, insertion=True, steps=10)
    scores = np.array([-1, 3, 7, 9, 9, 9, 9, 9, 9 - 3, 9 - 9, 9 - 15])
    np.testing.assert_allclose(come[1], _sigmoid(scores), rtol=1e-4)
    deletion = ImageDeletion().score(explained, model)
    np.testing.assert_allclose(deletion.values, np.trapezoid(gone, dx=0.1, axis=1), rtol=1e-6)
    insertion = ImageInsertion().score(explained, model)
    np.testing.assert_allclose(insertion.values, np.trapezoid(come, dx=0.1, axis=1), rtol=1e-6)
    assert deletion.evaluations == ImageDeletion().cost(explained, model) == 22


def test_the_right_map_beats_the_reversed_one(model, pictures):
    right = np.zeros((2, 4, 5))
    right[:, 0], right[:, 3] = 1.0, -1.0
    good, bad = _explained(model, right, pictures), _explained(model, -right, pictures)
    assert ImageDeletion().score(good, model).value < ImageDeletion().score(bad, model).value
    assert ImageInsertion().score(good, model).value > ImageInsertion().score(bad, model).value
    assert AverageDrop().score(good, model).value < AverageDrop().score(bad, model).value
    assert IncreaseInConfidence().score(good, model).value > IncreaseInConfidence().score(bad, model).value
