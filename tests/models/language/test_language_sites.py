"""Sites: the identities that say each one is what its name says, on every architecture; writing; undoing."""

import dataclasses

import numpy as np
import pytest
import torch

from explicate.core.interventions import Ablate
from explicate.core.sites import HEADED
from explicate.errors import CapabilityError, InputError, SelectionError, SiteError
from explicate.models.language import architectures

from .conftest import handle

TEXTS = ["When John and Mary went to the store", "The cat sat", "Is the value 3.14 today? Nobody"]
LAYERS = 3
SHARP = {"rtol": 1e-4, "atol": 1e-4}


def everything(model, texts=TEXTS):
    sites = [f"L{layer}.{kind}" for layer in range(LAYERS) for kind in model.architecture.kinds]
    return model.capture(texts, ["embed", *sites])


def present(model, texts=TEXTS):
    return model.encode(texts) >= 0


def norm(module, values):
    with torch.no_grad():
        return module(torch.as_tensor(values)).numpy()


def block_part(model, layer, path):
    return model.blocks[layer].get_submodule(path)


# -- identities ------------------------------------------------------------------------------------------------------


def test_residual_stream_adds_up(model):
    seen = everything(model)
    there = present(model)
    layout = model.architecture
    for layer in range(LAYERS):
        pre, post = (seen[f"L{layer}.resid_{where}"][there] for where in ("pre", "post"))
        attn, mlp = seen[f"L{layer}.attn_out"][there], seen[f"L{layer}.mlp_out"][there]
        mid = seen[f"L{layer}.resid_mid"][there] if "resid_mid" in layout.kinds else None
        if layout.residual == "parallel":  # both read the same stream
            np.testing.assert_allclose(pre + attn + mlp, post, **SHARP)
            block = model.blocks[layer]
            np.testing.assert_allclose(norm(block.mlp, norm(block.post_attention_layernorm, pre)), mlp, **SHARP)
        elif layout.residual == "sum":
            np.testing.assert_allclose(pre + attn, mid, **SHARP)
            np.testing.assert_allclose(mid + mlp, post, **SHARP)
            np.testing.assert_allclose(pre + attn + mlp, post, **SHARP)
        else:
            first, second = (block_part(model, layer, f"{where}.LayerNorm") for where in ("attention.output", "output"))
            np.testing.assert_allclose(norm(first, pre + attn), mid, **SHARP)
            np.testing.assert_allclose(norm(second, mid + mlp), post, **SHARP)
        if layer:
            np.testing.assert_array_equal(pre, seen[f"L{layer - 1}.resid_post"][there])
        assert np.abs(attn).max() > 0.01  # not vacuous
        assert np.abs(attn - mlp).max() > 0.01


def test_embedding_starts_the_stream(causal):
    seen = causal.capture(TEXTS, ["embed", "L0.resid_pre"])
    first = seen["embed"]
    if causal.config.model_type == "gpt2":  # learned positions are added inside the model
        positions = causal.module.transformer.wpe.weight.detach().numpy()[: first.shape[1]]
        first = np.where(causal.encode(TEXTS)[..., None] >= 0, first + positions, 0.0)
    np.testing.assert_array_equal(first, seen["L0.resid_pre"])


def test_heads_add_up_to_the_attention_output(model):
    seen = everything(model)
    there = present(model)
    layout = model.architecture
    for layer in range(LAYERS):
        total = seen[f"L{layer}.head_out"].sum(axis=1)[there]
        projection = block_part(model, layer, layout.output_projection)
        if projection.bias is not None:
            total = total + projection.bias.detach().numpy()
        if layout.head_sum == "before the norm":  # Gemma-3: the norm stands between the heads and what is written
            total = norm(block_part(model, layer, "post_attention_layernorm"), total)
        np.testing.assert_allclose(total, seen[f"L{layer}.attn_out"][there], **SHARP)


def test_pattern_times_values_is_z(model):
    seen = everything(model)
    there = present(model)
    for layer in range(LAYERS):
        product = seen[f"L{layer}.pattern"] @ seen[f"L{layer}.v"]
        z = seen[f"L{layer}.z"]
        for head in range(model.head_count):
            np.testing.assert_allclose(product[:, head][there], z[:, head][there], **SHARP)
        rows = seen[f"L{layer}.pattern"].sum(axis=-1)
        np.testing.assert_allclose(rows.transpose(0, 2, 1)[there], 1.0, atol=1e-5)


def test_scores_are_scaled_products_and_their_softmax_is_the_pattern(model):
    seen = everything(model, TEXTS[:1])
    layer = 1
    q, k, scores, pattern = (seen[f"L{layer}.{kind}"] for kind in ("q", "k", "scores", "pattern"))
    np.testing.assert_allclose(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), scores, **SHARP)
    if model.architecture.causal:
        scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(shares / shares.sum(-1, keepdims=True), pattern, atol=1e-5)


def test_mlp_activation_gives_the_mlp_output(model):
    seen = everything(model)
    there = present(model)
    path = model.architecture.mlp_act.path
    for layer in range(LAYERS):
        out = norm(block_part(model, layer, path), seen[f"L{layer}.mlp_act"][there])
        if model.architecture.mlp_out.path == "post_feedforward_layernorm":
            out = norm(block_part(model, layer, "post_feedforward_layernorm"), out)
        np.testing.assert_allclose(out, seen[f"L{layer}.mlp_out"][there], **SHARP)


def test_grouped_heads_share_keys_and_values(llama):
    seen = llama.capture(TEXTS, ["L1.k", "L1.v", "L1.q"])
    for kind in ("k", "v"):
        np.testing.assert_array_equal(seen[f"L1.{kind}"][:, 0], seen[f"L1.{kind}"][:, 1])
        assert np.abs(seen[f"L1.{kind}"][:, 1] - seen[f"L1.{kind}"][:, 2]).max() > 0.01
    assert np.abs(seen["L1.q"][:, 0] - seen["L1.q"][:, 1]).max() > 0.01


@pytest.mark.parametrize(
    "wrong",
    [
        {"attn_out": architectures.Tap("", "output")},  # already holds the residual
        {"mlp_out": architectures.Tap("mlp.down_proj", "input")},
        {"attn_out": architectures.Tap("self_attn.o_proj", "input")},
        {"resid_mid": architectures.Tap("post_attention_layernorm", "output")},
    ],
)
def test_a_wrong_layout_is_found_out(llama, monkeypatch, wrong):
    monkeypatch.setitem(architectures._TABLE, "llama", dataclasses.replace(architectures.LLAMA, **wrong))
    with pytest.raises((AssertionError, ValueError)):
        test_residual_stream_adds_up(llama)


def test_a_wrong_layout_of_gemma_is_found_out(monkeypatch, request):
    gemma = request.getfixturevalue("gemma")
    test_residual_stream_adds_up(gemma)
    wrong = dataclasses.replace(architectures.GEMMA_3, attn_out=architectures.Tap("self_attn", "output"))
    monkeypatch.setitem(architectures._TABLE, "gemma3_text", wrong)
    with pytest.raises(AssertionError):
        test_residual_stream_adds_up(gemma)


# -- shapes and addresses --------------------------------------------------------------------------------------------


def test_shapes_and_zeros_after_short_texts(model):
    seen = everything(model)
    there = present(model)
    samples, tokens = there.shape
    for site, values in seen.items():
        heads = (model.head_count,) if site.kind in HEADED else ()
        assert values.shape[: 2 + len(heads)] == (samples, *heads, tokens), site
        if site.kind in ("scores", "pattern"):
            assert values.shape[-1] == tokens
        short = values[1][..., int(there[1].sum()) :, :]
        assert short.size
        assert not short.any(), site


def test_padding_does_not_change_what_is_captured(model):
    together = everything(model)
    alone = everything(model, TEXTS[1:2])
    length = int(present(model)[1].sum())
    for site, values in alone.items():
        width = length if site.kind in ("scores", "pattern") else values.shape[-1]
        np.testing.assert_allclose(together[site][1][..., :length, :width], values[0], atol=5e-4, err_msg=str(site))


def test_positions_and_heads_pick_from_the_whole(model):
    whole = everything(model)
    lengths = present(model).sum(axis=1)
    for kind in model.architecture.kinds:
        last = model.capture(TEXTS, [f"L1.{kind}@-1", f"L1.{kind}@0,2"])
        values = whole[f"L1.{kind}"]
        ends = np.stack([values[row][..., lengths[row] - 1, :] for row in range(3)])
        np.testing.assert_allclose(last[f"L1.{kind}@-1"][..., 0, :], ends, atol=2e-5, err_msg=kind)
        np.testing.assert_allclose(last[f"L1.{kind}@0,2"], values[..., [0, 2], :], atol=2e-5, err_msg=kind)
        if kind in HEADED:
            one = model.capture(TEXTS, [f"L1.{kind}.H2"])[f"L1.{kind}.H2"]
            np.testing.assert_allclose(one, values[:, 2], atol=2e-5, err_msg=kind)


def test_every_listed_site_can_be_captured(model):
    listed = model.sites()
    assert len(listed) == 2 + LAYERS * len(model.architecture.kinds)
    seen = model.capture("The cat sat", listed)
    assert set(seen) == set(listed)
    assert all(np.isfinite(values).all() for values in seen.values())


def test_module_paths(llama):
    seen = llama.capture(TEXTS, ["model.layers.1.mlp.down_proj", "L1.mlp_out", "model.layers.1@-1", "L1.resid_post@-1"])
    np.testing.assert_array_equal(seen["model.layers.1.mlp.down_proj"], seen["L1.mlp_out"])
    np.testing.assert_array_equal(seen["model.layers.1@-1"], seen["L1.resid_post@-1"])


def test_logits_site(causal):
    seen = causal.capture(TEXTS, ["logits", "logits@-1"])
    lengths = present(causal).sum(axis=1)
    expected = causal.predict(causal.encode(TEXTS))
    np.testing.assert_allclose(seen["logits@-1"][:, 0], expected, atol=2e-5)
    np.testing.assert_allclose(seen["logits"][np.arange(3), lengths - 1], expected, atol=2e-5)
    assert not seen["logits"][1, lengths[1] :].any()
    few = causal.capture(TEXTS, ["logits@-3,-2", "logits@-1"])  # no other columns are unembedded
    np.testing.assert_allclose(few["logits@-1"][:, 0], expected, atol=2e-5)
    for place, back in enumerate((3, 2)):
        whole = seen["logits"][np.arange(3), lengths - back]
        np.testing.assert_allclose(few["logits@-3,-2"][:, place], whole, atol=2e-5)
    with pytest.raises(SelectionError, match="outside a text"):
        causal.capture(TEXTS, ["logits@-99"])


@pytest.mark.parametrize(
    ("site", "error", "words"),
    [
        ("L3.z", SiteError, "has 3 layers, 0 to 2"),
        ("L0.z.H4", SiteError, "has 4 query heads"),
        ("L0.resid_post@7", SelectionError, "position 7 is outside a text of 3 tokens"),
        ("L0.resid_post@-4", SelectionError, "position -4 is outside a text of 3 tokens"),
        ("model.layers.1.mpl", SiteError, "did you mean 'model.layers.1.mlp'"),
        ("model.norm.weight", SiteError, "change it with Edit"),
        ("model", CapabilityError, "no tensor"),
    ],
)
def test_sites_that_are_not_there(llama, site, error, words):
    with pytest.raises(error, match=words) as caught:
        llama.capture(TEXTS, [site])
    assert "\n" not in str(caught.value)
    with pytest.raises(error), llama.intervene(Ablate(site)):
        llama.predict(llama.encode(TEXTS))


def test_side_by_side_nothing_is_between_attention_and_mlp():
    model, sequential = handle("gpt_neox"), handle("gpt_neox_sequential")
    assert "resid_mid" not in model.architecture.kinds
    assert "resid_mid" in sequential.architecture.kinds
    test_residual_stream_adds_up(sequential)
    for refused in (lambda: model.capture(TEXTS, ["L1.resid_mid"]), lambda: model.intervene(Ablate("L1.resid_mid"))):
        with pytest.raises(SiteError, match=r"L1.resid_mid: .*side by side.*use resid_pre or resid_post"), refused():
            pass
    with pytest.raises(InputError, match="there is no resid_mid if"):
        dataclasses.replace(architectures.LLAMA, residual="parallel")


def test_an_unknown_architecture_says_how_to_register_it(llama, monkeypatch):
    ids = llama.encode("The cat")
    expected = llama.predict(ids)
    by_path = llama.capture("The cat", ["L1.mlp_out"])["L1.mlp_out"]
    monkeypatch.delitem(architectures._TABLE, "llama")
    np.testing.assert_array_equal(llama.predict(ids), expected)
    np.testing.assert_allclose(llama.scores(ids, np.array([5])), expected[:, 5], atol=1e-5)
    with pytest.raises(CapabilityError, match=r"register_architecture"):
        llama.capture("The cat", ["L1.mlp_out"])
    path = "model.layers.1.mlp"
    np.testing.assert_array_equal(llama.capture("The cat", [path])[path], by_path)
    architectures.register_architecture(architectures.LLAMA)
    np.testing.assert_array_equal(llama.capture("The cat", ["L1.mlp_out"])["L1.mlp_out"], by_path)
