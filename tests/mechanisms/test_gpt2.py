"""GPT-2's layout (layer norms, one joint map, learned positions, biases) through the model's own blocks."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Edit, Patch, Scale
from explicate.core.sites import HEADED, LAYERED, Site
from explicate.errors import CapabilityError
from explicate.mechanisms import direct_effects_of, estimate_patches, logits_of, patch_paths, sweep
from explicate.mechanisms.restart import fastest_way


@pytest.fixture(scope="module")
def gpt2(small):
    return small("gpt2")


def test_patches_of_every_kind_equal_the_naive_loop(gpt2, pair):
    ids, source = pair(gpt2)
    assert fastest_way(gpt2) == "own blocks"
    variants = []
    for kind in LAYERED:
        site = Site(kind, 1, 2 if kind in HEADED else None, (3,))
        variants.append(Patch(site, torch.as_tensor(gpt2.capture(source, [site])[site])))
    found = logits_of(gpt2, ids, variants)
    for variant, logits in zip(variants, found, strict=True):
        with gpt2.intervene(variant):
            np.testing.assert_allclose(logits, gpt2.predict(ids), atol=1e-4)


def test_paths_and_estimates(gpt2, pair):
    ids, source = pair(gpt2)
    assert np.abs(patch_paths(gpt2, ids, ids, target=5).values).max() < 2e-5
    total = sweep(gpt2, ids, source, sites="head_out", positions=-1, layers=[2], target=5)
    direct = patch_paths(gpt2, ids, source, layers=[2], freeze_mlps=False, target=5)
    np.testing.assert_allclose(direct.values, total.values, atol=1e-4)  # nothing but the MLP follows the last heads
    guess = estimate_patches(gpt2, ids, source, sites="head_out", positions=-1, layers=[2], target=5)
    assert np.corrcoef(guess.values.ravel(), total.values.ravel())[0, 1] > 0.5


def test_an_edit_of_the_joint_map_is_undone(gpt2, pair):
    ids, _ = pair(gpt2)
    clean = gpt2.predict(ids)
    weight = gpt2.module.transformer.h[1].attn.c_attn.weight
    with gpt2.intervene(Edit("transformer.h.1.attn.c_attn.weight", np.ones(weight.shape)), Scale("L2.z.H0", 2.0)):
        assert np.abs(gpt2.predict(ids) - clean).max() > 1e-3
    np.testing.assert_array_equal(gpt2.predict(ids), clean)


def test_shares_of_a_layer_norm_are_refused(gpt2, pair):
    with pytest.raises(CapabilityError, match="final norm is more than a scale"):
        direct_effects_of(gpt2, pair(gpt2)[0])
