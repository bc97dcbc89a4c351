"""Localisation on a picture of 4 x 4 with a mask of four pixels."""

import numpy as np
import pytest

from explicate.errors import CapabilityError, InputError
from explicate.evaluation.localisation import (
    EnergyShare,
    InstanceRecall,
    IntersectionOverUnion,
    PointingGame,
    RelevanceMass,
    RelevanceRank,
)

MASK = np.zeros((1, 4, 4), dtype=bool)
MASK[0, :2, :2] = True
INPUTS = np.ones((1, 3, 4, 4))


@pytest.fixture
def of(explained):
    """The value of a metric of one map."""

    def score(metric, values, masks=MASK):
        values = np.asarray(values, dtype=float)
        return metric.score(explained(None, np.ones((len(values), 3, 4, 4)), values), masks=masks)

    return score


def planted(**places):
    found = np.zeros((1, 4, 4))
    for place, value in places.items():
        found[0, int(place[1]), int(place[2])] = value
    return found


def test_energy_is_the_positive_part_on_the_object(of):
    found = of(EnergyShare(), planted(p00=3, p33=1, p01=-5, p32=-7))
    assert found.value == pytest.approx(3 / 4)
    assert found.chance_level == pytest.approx(4 / 16)
    assert of(EnergyShare(), MASK).value == 1
    assert np.isnan(of(EnergyShare(), planted(p00=-1)).value)


def test_relevance_mass_pools_the_channels(of):
    values = np.zeros((1, 3, 4, 4))
    values[0, :, 0, 0] = [3, -1, 0]
    values[0, :, 3, 3] = [0, 2, -2]
    assert of(RelevanceMass("squares"), values).value == pytest.approx(10 / 18)
    assert of(RelevanceMass("absolute"), values).value == pytest.approx(4 / 8)
    assert of(RelevanceMass("maximum"), values).value == pytest.approx(3 / 5)
    assert of(RelevanceMass("positive"), values).value == pytest.approx(2 / 2)
    assert of(EnergyShare(), values).value == pytest.approx(2 / 2)


def test_relevance_rank_is_the_precision_among_as_many_pixels_as_the_object_has(of):
    values = planted(p00=9, p01=8, p33=7, p32=6, p10=5)
    assert of(RelevanceRank("absolute"), values).value == pytest.approx(2 / 4)


def test_intersection_over_union_at_half_the_maximum(of):
    # at least 5 of 10: p00, p01 and p33
    found = of(IntersectionOverUnion(), planted(p00=10, p01=5, p33=6, p10=4.9))
    assert found.value == pytest.approx(2 / 5)
    assert of(IntersectionOverUnion(0.45), planted(p00=10, p01=5, p33=6, p10=4.9)).value == pytest.approx(3 / 5)
    assert of(IntersectionOverUnion(), planted(p00=-1)).value == 0


def test_the_pointing_game(of):
    assert of(PointingGame(), planted(p11=2, p33=1)).value == 1
    assert of(PointingGame(), planted(p11=1, p33=2)).value == 0
    assert of(PointingGame(), planted(p11=2, p33=2)).value == 0.5
    assert of(PointingGame(tolerance=1), planted(p12=1)).value == 1
    assert of(PointingGame(tolerance=1), planted(p13=1)).value == 0
    assert np.isnan(of(PointingGame(), np.ones((1, 4, 4))).value)


def test_recall_counts_instances(of):
    instances = np.zeros((1, 4, 4), dtype=int)
    instances[0, 0, :2] = 1
    instances[0, 3, 2:] = 2
    both = planted(p00=5, p01=5, p32=5, p33=5)
    assert (
        of(InstanceRecall(), both, instances).value == 0
    )  # a quarter of the map is as high as its own 80th percentile
    assert of(InstanceRecall(70), both, instances).value == 1
    assert of(InstanceRecall(70), planted(p00=5, p01=5, p20=5, p21=5), instances).value == 0.5


def test_chance_is_what_random_maps_get(explained):
    rng = np.random.default_rng(0)
    masks = np.repeat(MASK, 4000, axis=0)
    explanation = explained(None, np.ones((4000, 1, 4, 4)), rng.normal(size=(4000, 4, 4)))
    for metric in (EnergyShare(), RelevanceMass(), RelevanceRank(), PointingGame()):
        found = metric.score(explanation, masks=masks)
        assert found.value == pytest.approx(found.chance_level, abs=0.015), metric.name


def test_an_empty_mask_is_undefined(of):
    masks = np.concatenate([MASK, MASK & False])
    found = of(PointingGame(), np.repeat(planted(p00=1), 2, axis=0), masks)
    np.testing.assert_array_equal(found.values, [1, np.nan])
    assert "1 of 2" in found.notes[-1]


def test_bad_input(of):
    with pytest.raises(CapabilityError, match="give `masks`"):
        of(EnergyShare(), planted(p00=1), None)
    with pytest.raises(InputError, match="2 masks for 1 samples"):
        of(EnergyShare(), planted(p00=1), np.repeat(MASK, 2, axis=0))
    with pytest.raises(InputError, match="masks of shape"):
        of(EnergyShare(), planted(p00=1), MASK[:, :2])
    for make in (lambda: RelevanceMass("median"), lambda: IntersectionOverUnion(0), lambda: InstanceRecall(100)):
        with pytest.raises(InputError, match=r"use|lies"):
            make()


def test_tables_have_no_masks(explained):
    with pytest.raises(InputError, match="for models of image"):
        EnergyShare().score(explained(None, np.ones((1, 3)), np.ones((1, 3))), masks=MASK)
