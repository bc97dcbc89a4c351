"""GPT-NeoX's blocks, attention and MLP side by side or one after the other, through the model's own blocks."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Ablate, Edit, Patch, Scale, Steer
from explicate.core.sites import HEADED, Site
from explicate.errors import SiteError
from explicate.mechanisms import capture_shards, effects_of, logits_of, sweep
from explicate.mechanisms.restart import fastest_way


@pytest.fixture(scope="module", params=["gpt_neox", "gpt_neox_sequential"])
def neox(small, request):
    return small(request.param)


def test_interventions_of_every_kind_equal_the_naive_loop(neox, pair):
    ids, source = pair(neox)
    assert fastest_way(neox) == "own blocks"
    direction = np.random.default_rng(0).normal(size=neox.width)
    variants = [Ablate("L1.attn_out"), Scale("L0.mlp_act@2", 2.0), Steer("L1.resid_pre", direction, 0.3)]
    for kind in neox.architecture.kinds:
        for position in (3, -1):
            site = Site(kind, 1, 2 if kind in HEADED else None, (position,))
            variants.append(Patch(site, torch.as_tensor(neox.capture(source, [site])[site])))
    clean = neox.predict(ids)
    for variant, logits in zip(variants, logits_of(neox, ids, variants), strict=True):
        with neox.intervene(variant):
            expected = neox.predict(ids)
        np.testing.assert_allclose(logits, expected, atol=1e-4, err_msg=str(variant.address))
        assert np.abs(expected - clean).max() > 1e-4, variant.address
    np.testing.assert_array_equal(neox.predict(ids), clean)


def test_sweeps_equal_one_patch_a_place(neox, pair):
    ids, source = pair(neox)
    found = sweep(neox, ids, source, sites="resid_pre", target=5)
    base = neox.predict(ids)[0, 5]
    for layer in range(neox.layer_count):
        for position in range(ids.shape[1]):
            site = Site("resid_pre", layer, None, (position,))
            with neox.intervene(Patch(site, neox.capture(source, [site])[site])):
                expected = neox.predict(ids)[0, 5] - base
            assert found["effect"].sel(layer=layer, position=position).item() == pytest.approx(expected, abs=1e-4)


def test_what_a_head_writes_is_never_read_by_the_mlp_beside_it(small, pair):
    for name, hears in (("gpt_neox", False), ("gpt_neox_sequential", True)):
        model = small(name)
        ids, _ = pair(model)
        own = model.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]
        with model.intervene(Ablate("L1.attn_out")):
            moved = np.abs(model.capture(ids, ["L1.mlp_out"])["L1.mlp_out"] - own).max()
        assert bool(moved > 1e-3) == hears


def test_a_middle_that_is_not_there_is_refused(small, pair, tmp_path):
    model = small("gpt_neox")
    ids, source = pair(model)
    calls = (
        lambda: sweep(model, ids, source, sites="resid_mid"),
        lambda: sweep(model, ids, source, sites=["L1.resid_mid@2"]),
        lambda: effects_of(model, ids, [Scale("L1.resid_mid", 0.5)]),
        lambda: capture_shards(model, ["The cat"], ["L1.resid_mid"], tmp_path),
    )
    clean = model.predict(ids)
    for call in calls:
        with pytest.raises(SiteError, match="side by side") as caught:
            call()
        assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(model.predict(ids), clean)


def test_an_edit_of_the_joint_map_is_undone(neox, pair):
    ids, _ = pair(neox)
    clean = neox.predict(ids)
    weight = neox.blocks[1].attention.query_key_value.weight
    with neox.intervene(Edit("gpt_neox.layers.1.attention.query_key_value.weight", np.ones(weight.shape))):
        assert np.abs(neox.predict(ids) - clean).max() > 1e-3
    np.testing.assert_array_equal(neox.predict(ids), clean)
