"""Direct effects: the parts add up to the logits, and each is its projection."""

import numpy as np
import pytest
import torch

import explicate as ex
from explicate.errors import CapabilityError
from explicate.mechanisms import direct_effects_of

TARGET = 11


def test_the_parts_add_up_to_the_logits(causal, pair):
    ids = np.concatenate([*pair(causal), np.where(np.arange(8) < 5, pair(causal)[0], -1)])
    for target in (TARGET, ex.Contrast(TARGET, 40)):
        found = direct_effects_of(causal, ids, target=target)
        logits = causal.predict(ids)
        expected = logits[:, TARGET] - (logits[:, 40] if target != TARGET else 0)
        np.testing.assert_allclose(found["effect"].sum("site"), expected, atol=1e-4)
        np.testing.assert_allclose(found["base_score"], expected, atol=2e-5)
    heads = [site for site in found.sites if site.kind == "head_out"]
    assert len(heads) == (0 if causal.architecture.head_sum != "attn_out" else 12)


def test_each_share_is_its_projection_under_the_frozen_norm(llama, pair):
    ids, _ = pair(llama)
    found = direct_effects_of(llama, ids, target=TARGET)
    seen = llama.capture(ids, ["L1.head_out.H2@-1", "L2.mlp_out@-1", "L2.resid_post@-1"])
    last = seen["L2.resid_post@-1"][0, 0]
    norm = llama.module.model.norm
    scale = 1 / np.sqrt((last.astype(float) ** 2).mean() + norm.variance_epsilon)
    unembedding = llama.module.lm_head.weight[TARGET].detach().numpy()
    for site in ("L1.head_out.H2@-1", "L2.mlp_out@-1"):
        expected = (seen[site][0, 0] * scale * norm.weight.detach().numpy()) @ unembedding
        np.testing.assert_allclose(found["effect"].sel(site=site), expected, atol=1e-4)


def test_a_norm_that_is_more_than_a_scale_is_refused(small, pair):
    model = small("llama")
    ids, _ = pair(model)
    model.module.model.norm = torch.nn.LayerNorm(model.width)
    with torch.no_grad():
        model.module.model.norm.bias.normal_()
    model.module.lm_head.bias = torch.nn.Parameter(torch.randn(model.output_count))
    with pytest.raises(CapabilityError, match="do not add up"):
        direct_effects_of(model, ids, target=TARGET)
