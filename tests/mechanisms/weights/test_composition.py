"""Composition scores against dense matrices, planted pairs, and the exact mean and spread of random vectors."""

import dataclasses

import numpy as np
import pytest
import torch

from explicate.errors import InputError, SiteError
from explicate.mechanisms.weights import (
    HeadWeights,
    Reading,
    block_maps,
    component_scores,
    composition_score,
    composition_scores,
    random_spread,
)

RNG = np.random.Generator(np.random.PCG64(0))


def random_weights(layers=3, heads=4, groups=2, width=24, rank=4, frequencies=True):
    draw = RNG.normal
    turns = np.tile(1.0 / 10.0 ** np.arange(rank // 2), (layers, 1)) if frequencies else None
    return HeadWeights(
        draw(size=(layers, heads, width, rank)), draw(size=(layers, groups, width, rank)),
        draw(size=(layers, groups, width, rank)), draw(size=(layers, heads, rank, width)), turns,
        "random", "rms", False, False, False,
    )  # fmt: skip


def dense(product):
    return product.left @ product.right


def form(weights, kind, layer, head, offset=0):
    if kind == "v":
        return dense(weights.ov(layer, head))
    found = dense(weights.qk(layer, head, offset))
    return found if kind == "q" else found.T


@pytest.mark.parametrize("kind", ["q", "k", "v"])
@pytest.mark.parametrize("offset", [0, 3])
def test_scores_of_every_pair_are_those_of_the_dense_matrices(kind, offset):
    weights = random_weights()
    found = composition_scores(weights, [kind], offsets=[offset])
    for source in np.ndindex(3, 4):
        for destination in np.ndindex(3, 4):
            place = (*source, *destination)
            if source[0] >= destination[0]:
                assert np.isnan(found.full[kind][place])
                assert np.isnan(found.component[kind][place]).all()
                continue
            ov, later = dense(weights.ov(*source)), form(weights, kind, *destination, offset)
            expected = np.linalg.norm(ov @ later) / np.linalg.norm(ov) / np.linalg.norm(later)
            assert abs(found.full[kind][place] - expected) < 1e-5
            assert abs(composition_score(weights, source, destination, Reading(kind, (offset,))) - expected) < 1e-9
            v = np.linalg.svd(ov)[2][:4]
            each = np.linalg.norm(v @ later, axis=1) / np.linalg.norm(later)
            np.testing.assert_allclose(found.component[kind][place], each, atol=1e-5)


@pytest.mark.parametrize("kind", ["q", "k", "v"])
def test_one_destination_equals_its_part_of_all(kind):
    weights = random_weights()
    one = component_scores(weights, (2, 3), Reading(kind, (0, 1, 5), "max"))
    every = composition_scores(weights, [kind], offsets=[0, 1, 5], over="max")
    np.testing.assert_allclose(one.component, every.component[kind][:, :, 2, 3], atol=1e-5)
    np.testing.assert_allclose(one.full, every.full[kind][:, :, 2, 3], atol=1e-5)
    weighted = component_scores(weights, (2, 3), kind)
    sizes, _ = weights.written
    mean = np.sqrt((sizes[:2] ** 2 * weighted.component[:2] ** 2).sum(-1) / (sizes[:2] ** 2).sum(-1))
    np.testing.assert_allclose(weighted.full[:2], mean)  # the whole score is its components'


def test_several_offsets_give_their_mean_or_largest():
    weights = random_weights()
    single = [component_scores(weights, (1, 0), Reading("k", (offset,))).component for offset in (0, 2, 7)]
    assert np.nanmax(np.abs(single[0] - single[1])) > 0.01
    for over, expected in (("mean", np.mean(single, axis=0)), ("max", np.max(single, axis=0))):
        found = component_scores(weights, (1, 0), Reading("k", (0, 2, 7), over))
        np.testing.assert_allclose(found.component, expected)


def test_without_rotation_offsets_change_nothing():
    weights = random_weights(frequencies=False)
    one, other = (component_scores(weights, (1, 0), Reading("q", (offset,))).component for offset in (0, 9))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["q", "k", "v"])
def test_rotation_free_reading_is_the_map_alone(kind):
    weights = random_weights()
    found = component_scores(weights, (2, 3), Reading(kind, read="rotation-free"))
    whole = {"q": weights.query[2, 3], "k": weights.key[2, 1], "v": weights.value[2, 1]}[kind]
    v = weights.svd_components(0, 2).write
    np.testing.assert_allclose(
        found.component[0, 2], np.linalg.norm(v @ whole, axis=1) / np.linalg.norm(whole), atol=1e-9
    )
    np.testing.assert_allclose(found.full[0, 2], composition_score(weights, (0, 2), (2, 3), found.reading))


@pytest.mark.parametrize("kind", ["q", "k", "v"])
def test_the_destination_s_components_and_pairs(kind):
    weights = random_weights()
    later = form(weights, kind, 2, 1)
    a, t, _ = np.linalg.svd(later)
    ov = dense(weights.ov(1, 3))
    alone = component_scores(weights, (2, 1), kind, decompose="destination").component[1, 3]
    expected = [t[j] * np.linalg.norm(ov @ a[:, j]) for j in range(4)]
    np.testing.assert_allclose(alone, np.array(expected) / np.linalg.norm(ov) / np.linalg.norm(later), atol=1e-9)
    both = component_scores(weights, (2, 1), kind, decompose="both").component[1, 3]
    v = weights.svd_components(1, 3).write
    np.testing.assert_allclose(both, np.abs(v @ a[:, :4]) * t[:4] / np.linalg.norm(later), atol=1e-9)
    source = component_scores(weights, (2, 1), kind).component[1, 3]
    np.testing.assert_allclose(np.linalg.norm(both, axis=-1), source)  # pairs add up to the source's component


@pytest.mark.parametrize("kind", ["q", "k", "v"])
def test_random_vectors_score_one_over_the_width_with_the_stated_spread(kind):
    weights = random_weights()
    reading = Reading(kind)
    half = reading.halves(weights, 2)[0][1]
    v = RNG.normal(size=(200_000, weights.width))
    squares = np.sum((v / np.linalg.norm(v, axis=1, keepdims=True) @ half) ** 2, axis=1)
    spread = random_spread(float(np.sum((half.T @ half) ** 2)), weights.width)
    assert abs(squares.mean() - 1 / weights.width) < 5 * spread / np.sqrt(len(v))
    assert abs(squares.std() / spread - 1) < 0.02
    assert component_scores(weights, (2, 1), kind).spread == pytest.approx(spread)


def test_a_planted_component_stands_out_and_the_whole_matrix_does_not():
    weights = random_weights(layers=2, heads=4, groups=4, width=256, rank=16, frequencies=False)
    direction = RNG.normal(size=256)
    direction /= np.linalg.norm(direction)
    output, query = weights.output.copy(), weights.query.copy()
    output[0, 2, 5] = 4 * direction * np.linalg.norm(output[0, 2, 5])
    query[1, 1, :, 3] = 6 * direction * np.linalg.norm(query[1, 1, :, 3])
    planted = dataclasses.replace(weights, output=output, query=query)
    found = component_scores(planted, (1, 1), "q")
    layer, head, component = found.strongest(1)[0]
    assert (layer, head) == (0, 2)
    assert found.rank[layer, head, component] == 1
    assert found.z[layer, head, component] > 7
    assert found.z_of_null[layer, head, component] > found.z[layer, head, component]
    assert found.strongest(2)[1][:2] != (0, 2) or found.z[found.strongest(2)[1]] < 5


def test_heads_that_share_keys_count_once():
    found = composition_scores(random_weights(), components=False)
    pairs = 3 * 4 * 4  # layer pairs, source heads, components
    assert found.tests == {"q": pairs * 4, "k": pairs * 2, "v": pairs * 2}
    assert not found.component


def test_some_later_layers_alone():
    weights = random_weights()
    some, every = composition_scores(weights, ["v"], later=[2]), composition_scores(weights, ["v"])
    np.testing.assert_array_equal(some.full["v"][:, :, 2], every.full["v"][:, :, 2])
    assert np.isnan(some.full["v"][:, :, 1]).all()
    assert some.tests == {"v": 2 * 4 * 4 * 2}
    with pytest.raises(SiteError, match=r"L3\.H0"):
        composition_scores(weights, later=[3])


def test_what_is_refused():
    weights = random_weights()
    with pytest.raises(InputError, match=r"L2.H1 cannot feed L1.H0: layer 2 is not before layer 1"):
        composition_score(weights, (2, 1), (1, 0))
    with pytest.raises(InputError, match="layer 0 has no earlier layer"):
        component_scores(weights, (0, 1))
    with pytest.raises(SiteError, match=r"L3\.H0"):
        component_scores(weights, (3, 0))
    with pytest.raises(InputError, match="kind 'o' is unknown"):
        Reading("o")
    with pytest.raises(InputError, match="offsets"):
        Reading("q", (-1,))
    with pytest.raises(InputError, match="decompose 'none'"):
        component_scores(weights, (1, 0), decompose="none")


def test_scores_do_not_depend_on_how_a_gain_and_its_readers_share_a_scale(small):
    """Two ways to write the same function; raw weights of the second one follow the channels of the gain."""
    model, other = small("llama"), small("llama")
    scale = np.exp(RNG.normal(size=32)).astype(np.float32)
    with torch.no_grad():
        for block in other.blocks:
            block.input_layernorm.weight.mul_(torch.as_tensor(scale))
            for part in (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj):
                part.weight.div_(torch.as_tensor(scale))
    one, two = (composition_scores(HeadWeights.of(each), components=False).full["q"] for each in (model, other))
    np.testing.assert_allclose(one, two, atol=1e-5)
    maps, ov = block_maps(other, 1), dense(HeadWeights.of(model).ov(0, 1))
    query, key = maps.query[0].detach().numpy(), maps.key[0].detach().numpy()
    raw = np.linalg.norm(ov @ query @ key.T) / np.linalg.norm(ov) / np.linalg.norm(query @ key.T)
    assert abs(raw - one[0, 1, 1, 0]) > 0.02


def test_smollm2_s_whole_matrices_score_about_the_null(smollm2):
    found = composition_scores(HeadWeights.of(smollm2), ["q"], components=False)
    full = found.full["q"][~np.isnan(found.full["q"])]
    assert 0.040 < full.mean() < 0.055  # the null is 576 ** -0.5 = 0.042
    assert full.std() < 0.02
