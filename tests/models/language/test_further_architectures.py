"""Architectures that are in no table: an entry makes their sites and weights known, as the documentation shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from explicate.core.interventions import Ablate, Patch
from explicate.errors import CapabilityError
from explicate.mechanisms import sweep
from explicate.mechanisms.weights import HeadWeights, WeightLayout, layouts, register_weight_layout
from explicate.models.language import Architecture, LanguageModel, Tap, architectures, register_architecture

from .conftest import byte_level_tokenizer

TEXT = "When John and Mary went to the store, John gave a drink to"
OTHER = "When John and Mary went to the store, Mary gave a drink to"
OLMO_2 = replace(  # no norm before the MLP: what it reads is the stream itself
    architectures.GEMMA_3, model_types=("olmo2",), resid_mid=Tap("mlp", "input", shared=True)
)
STABLE_LM = replace(architectures.LLAMA, model_types=("stablelm",))
PHI = Architecture(  # one norm, whose output attention and MLP both read
    model_types=("phi",),
    causal=True,
    blocks="layers",
    attention="self_attn",
    output_projection="self_attn.dense",
    resid_mid=None,
    attn_out=Tap("self_attn", "output"),
    mlp_act=Tap("mlp.fc2", "input"),
    mlp_out=Tap("mlp", "output"),
    residual="parallel",
    final_norm="final_layernorm",
)
FAMILIES = {"olmo2": (OLMO_2, "Olmo2Config"), "stablelm": (STABLE_LM, "StableLmConfig"), "phi": (PHI, "PhiConfig")}


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def further(request, monkeypatch):
    """A small model of the family, not yet known, and the entry that describes it."""
    monkeypatch.setattr(architectures, "_TABLE", dict(architectures._TABLE))
    monkeypatch.setattr(layouts, "_TABLE", dict(layouts._TABLE))
    entry, config = request.param
    tokenizer = byte_level_tokenizer()
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    special = {"num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(0)
    made = getattr(transformers, config)(vocab_size=len(tokenizer), **sizes, **special)
    module = transformers.AutoModelForCausalLM.from_config(made, dtype=torch.float32)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return LanguageModel(module, tokenizer), entry


def test_an_entry_makes_every_site_known_and_changes_no_bit(further):
    model, entry = further
    with pytest.raises(CapabilityError, match="register_architecture"):
        model.capture(TEXT, ["L1.attn_out"])
    register_architecture(entry)
    with torch.no_grad():
        plain = model.module(**model.tokenizer(TEXT, return_tensors="pt")).logits[0].numpy()
    seen = model.capture(TEXT, model.sites())
    np.testing.assert_array_equal(model.logits(TEXT), plain)
    for layer in range(model.layer_count):
        before, attention, mlp, after = (
            seen[f"L{layer}.{kind}"] for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post")
        )
        np.testing.assert_allclose(before + attention + mlp, after, atol=1e-5)
        if entry.residual == "sum":
            np.testing.assert_allclose(before + attention, seen[f"L{layer}.resid_mid"], atol=1e-5)
        np.testing.assert_allclose(seen[f"L{layer}.pattern"] @ seen[f"L{layer}.v"], seen[f"L{layer}.z"], atol=1e-5)
    for site, value in seen.items():
        with model.intervene(Patch(site, value)):
            np.testing.assert_allclose(model.logits(TEXT), plain, atol=1e-4, err_msg=str(site))
        with model.intervene(Ablate(site)):
            assert np.abs(model.logits(TEXT) - plain).max() > 1e-4, site
    np.testing.assert_array_equal(model.logits(TEXT), plain)


def test_sweeps_know_the_family(further):
    model, entry = further
    register_architecture(entry)
    ids, source = model.encode(TEXT), model.encode(OTHER)
    assert ids.shape == source.shape
    kind = entry.mlp_input
    found = sweep(model, ids, source, sites=kind, target=5)
    assert found.data.attrs["way"] == "own blocks"
    values = model.capture(source, [f"L1.{kind}@9"])[f"L1.{kind}@9"]
    with model.intervene(Patch(f"L1.{kind}@9", values)):
        expected = model.predict(ids)[0, 5] - found["base_score"].item()
    assert found["effect"].sel(layer=1, position=9).item() == pytest.approx(expected, abs=1e-4)
    assert abs(expected) > 1e-3


def test_weights_are_known_by_an_entry_of_their_own(further):
    model, entry = further
    register_architecture(entry)
    with pytest.raises(CapabilityError, match="register_weight_layout"):
        HeadWeights.of(model)
    if entry is not STABLE_LM:  # no norm before attention that could be folded, or one for attention and MLP together
        return
    register_weight_layout(WeightLayout(entry.model_types))
    weights = HeadWeights.of(model)  # refuses an entry under which the folded copy gives other logits
    assert (weights.norm, weights.heads, weights.groups) == ("layer", 4, 2)
