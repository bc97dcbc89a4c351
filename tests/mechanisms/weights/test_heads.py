"""Folded weights and heads' factors against the models themselves: logits, scores, outputs, singular vectors."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.core.interventions import Edit, Patch, Scale
from explicate.core.sites import Site
from explicate.errors import CapabilityError, FoldingError, InputError, SelectionError, SiteError
from explicate.mechanisms.weights import (
    HeadWeights,
    LowRank,
    effective_ov,
    fold_norms,
    head_outputs,
    layouts,
    register_weight_layout,
    token_states,
)
from explicate.models.language import LanguageModel
from explicate.models.tiny.decoder import Decoder

ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma3", "gpt2", "gpt_neox")
TEXTS = ["When John and Mary went to the store,", "The cat sat on the mat. The dog did not"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request, small):
    return small(request.param)


def dense(product):
    return product.left @ product.right


# -- folding -------------------------------------------------------------------------------------------------------


def test_the_folded_copy_gives_the_same_logits_and_has_no_gains(model):
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    folded = fold_norms(model)
    ids = model.encode(TEXTS)
    clean = model.predict(ids)
    np.testing.assert_allclose(folded.predict(ids), clean, atol=1e-4)
    layout = layouts.weight_layout_of(model)
    for block in folded.blocks:
        norm = block.get_submodule(layout.norm_attention)
        assert torch.equal(layout.gain(norm), torch.ones_like(norm.weight))
        assert getattr(norm, "bias", None) is None or not norm.bias.any()
    # the model itself is as it was, bit for bit, and still runs on its own weights
    after = model.module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    np.testing.assert_array_equal(model.predict(ids), clean)


def test_a_layer_norm_s_stream_has_no_mean_once_folded(small):
    folded = fold_norms(small("gpt2"))
    seen = folded.capture(TEXTS, [f"L{layer}.resid_post" for layer in range(3)])
    assert max(np.abs(stream.mean(-1)).max() for stream in seen.values()) < 1e-5


def test_a_wrong_layout_is_named_with_the_layer(small):
    model = small("llama")
    entry = layouts.weight_layout_of(model)
    with torch.no_grad():  # only the second layer's gain is folded as if it were kept less one
        for layer in (0, 2):
            for norm in (model.blocks[layer].input_layernorm, model.blocks[layer].post_attention_layernorm):
                norm.weight.fill_(1.0)
        model.module.model.norm.weight.fill_(1.0)
    register_weight_layout(dataclasses.replace(entry, mlp_inputs=("mlp.gate_proj",)))
    try:
        with pytest.raises(FoldingError, match="first at layer 1; check"):
            fold_norms(model)
    finally:
        register_weight_layout(entry)
    fold_norms(model)


def test_edits_in_force_are_folded_and_other_interventions_refused(small):
    model = small("llama")
    ids = model.encode(TEXTS)
    with model.intervene(Edit("model.layers.1.self_attn.o_proj.weight", np.ones((32, 32)))):
        edited = model.predict(ids)
        folded = fold_norms(model)
    np.testing.assert_allclose(folded.predict(ids), edited, atol=1e-4)
    with model.intervene(Scale("L0.z", 0.5)), pytest.raises(InputError, match="leave them"):
        fold_norms(model)


def test_an_unknown_architecture_is_refused_with_those_that_are_known(small):
    model = small("llama")
    model.config.model_type = "mamba"
    with pytest.raises(CapabilityError, match=r"'mamba' is none of .*gemma3_text, gpt2, gpt_neox, llama"):
        fold_norms(model)


# -- factors -------------------------------------------------------------------------------------------------------


def test_what_a_head_writes_is_its_pattern_times_w_ov(model):
    folded, weights = fold_norms(model), HeadWeights.of(model)
    sites = [Site(kind, 1) for kind in ("resid_pre", "pattern", "head_out")]
    x, pattern, out = (folded.capture([TEXTS[0]], sites)[site][0] for site in sites)
    normed = norm(folded, 1, x)
    biases = folded.config.model_type in ("gpt2", "gpt_neox", "qwen2")
    for head in range(weights.heads):
        written = pattern[head] @ weights.ov(1, head)(normed)
        if weights.post_norm:
            gain = 1 + model.blocks[1].post_attention_layernorm.weight.detach().numpy()
            np.testing.assert_allclose(written, out[head] * gain, atol=2e-4)
        elif not biases:
            np.testing.assert_allclose(written, out[head], atol=1e-4)
        else:  # a bias of the values adds the same to every row
            gap = out[head] - written
            assert np.abs(gap - gap[:1]).max() < 1e-4


@pytest.mark.parametrize("name", ["llama", "gpt_neox"])
def test_scores_are_w_qk_at_the_offset(small, name):
    model = small(name)
    if name == "gpt_neox":  # which turns a part of each head's width only
        with torch.no_grad():
            for block in model.blocks:
                block.attention.query_key_value.bias.zero_()
                block.input_layernorm.bias.zero_()
    weights = HeadWeights.of(model)
    folded = fold_norms(model)
    seen = folded.capture([TEXTS[0]], ["L2.resid_pre", "L2.scores"])
    normed, scores = norm(folded, 2, seen["L2.resid_pre"][0]), seen["L2.scores"][0]
    for query, key in ((6, 6), (6, 5), (7, 2), (8, 0)):
        for head in range(weights.heads):
            form = weights.qk(2, head, offset=query - key)
            expected = normed[query] @ form.left @ form.right @ normed[key] / np.sqrt(weights.head_width)
            assert abs(expected - scores[head, query, key]) < 1e-4
    form = weights.qk(2, 0)
    wrong = normed[8] @ form.left @ form.right @ normed[0] / np.sqrt(weights.head_width)
    assert abs(wrong - scores[0, 8, 0]) > 1e-3  # the offset matters


def test_heads_of_a_group_share_keys_and_values(small):
    weights = HeadWeights.of(small("llama"))
    assert (weights.heads, weights.groups) == (4, 2)
    assert [weights.group(head) for head in range(4)] == [0, 0, 1, 1]
    assert weights.sharing(2) == (2, 3)
    np.testing.assert_array_equal(weights.ov(0, 2).left, weights.ov(0, 3).left)
    assert np.abs(weights.ov(0, 1).left - weights.ov(0, 2).left).max() > 0.01


def test_flags_say_what_the_forms_leave_out(small):
    flags = {name: HeadWeights.of(small(name)) for name in ARCHITECTURES}
    assert [name for name in ARCHITECTURES if flags[name].qk_norm] == ["qwen3", "gemma3"]
    assert [name for name in ARCHITECTURES if flags[name].post_norm] == ["gemma3"]
    assert [name for name in ARCHITECTURES if flags[name].norm == "layer"] == ["gpt2", "gpt_neox"]
    assert [name for name in ARCHITECTURES if flags[name].frequencies is None] == ["gpt2"]
    assert [name for name in ARCHITECTURES if flags[name].tied] == ["gemma3", "gpt2"]


def test_small_decoders_without_norms_rotation_or_mlps():
    decoder = Decoder(("a", "b", "c"), layers=2, width=16, heads=2, mlp_width=0, positions="learned", norm=False)
    weights = HeadWeights.of(decoder.handle(decoder.build(0)))
    assert (weights.norm, weights.frequencies) == ("none", None)


def test_a_head_that_is_not_there(small):
    with pytest.raises(SiteError, match=r"L0.H4: .* heads 0 to 3"):
        HeadWeights.of(small("llama")).ov(0, 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_products_of_factors_equal_the_dense_matrices(seed, rank):
    rng = np.random.default_rng(seed)
    one, two = (LowRank(rng.normal(size=(9, rank)), rng.normal(size=(rank, 9))) for _ in range(2))
    np.testing.assert_allclose(one.norm, np.linalg.norm(dense(one)))
    np.testing.assert_allclose(dense(one @ two), dense(one) @ dense(two), atol=1e-9)
    np.testing.assert_allclose(dense(one.T), dense(one).T)
    found = one.components()
    np.testing.assert_allclose((found.read.T * found.size) @ found.write, dense(one), atol=1e-9)
    np.testing.assert_allclose(found.read @ found.read.T, np.eye(rank), atol=1e-9)
    np.testing.assert_allclose(found.write @ found.write.T, np.eye(rank), atol=1e-9)
    assert (np.diff(found.size) <= 0).all()


def test_written_directions_of_all_heads_are_those_of_each(small):
    weights = HeadWeights.of(small("llama"))
    sizes, directions = weights.written
    for layer, head in ((0, 0), (2, 3)):
        one = weights.svd_components(layer, head)
        np.testing.assert_allclose(sizes[layer, head], one.size, rtol=1e-4)
        overlap = np.abs(np.sum(directions[layer, head] * one.write, axis=-1))  # signs are free
        np.testing.assert_allclose(overlap, 1.0, atol=1e-3)


# -- the effective OV circuit ------------------------------------------------------------------------------------------


def test_a_token_alone_is_what_the_model_does_with_it(model):
    """With one token every pattern is 1, so the next layer's heads write what the effective circuit says."""
    ids = np.array([5, 9, 20])
    state = token_states(model, ids, "embed+attn0+mlp0")[1]
    alone = model.capture(ids[:, None], ["L1.resid_pre", "L1.head_out"])
    gap = learned(model)
    if gap is None:
        np.testing.assert_allclose(state, alone["L1.resid_pre"][:, 0], atol=1e-5)
    written = head_outputs(model, 1, torch.as_tensor(alone["L1.resid_pre"][:, 0])).detach().numpy()
    gain = 1 + model.blocks[1].post_attention_layernorm.weight.detach().numpy() if gained(model) else 1.0
    np.testing.assert_allclose(written, alone["L1.head_out"][:, :, 0].swapaxes(0, 1) * gain, atol=1e-4)


def test_in_context_is_the_token_behind_the_first_one(small):
    model = small("llama")
    ids = np.array([5, 9])
    prompts = np.stack([np.full(2, model.stand_in_token), ids], axis=1)
    onto_itself = np.tile(np.array([[1.0, 0.0], [0.0, 1.0]]), (2, 4, 1, 1))
    with model.intervene(Patch("L2.pattern", onto_itself)):
        out = model.capture(prompts, ["L2.head_out@-1"])["L2.head_out@-1"][:, :, 0]
    states = token_states(model, ids, "in_context")
    np.testing.assert_allclose(
        head_outputs(model, 2, torch.as_tensor(states[2])).detach().numpy(), out.swapaxes(0, 1), atol=1e-5
    )
    logits = effective_ov(model, ids, [3, 4], state="in_context", layers=[2])
    final = model.module.model.norm(torch.as_tensor(out[:, 1])).detach().numpy()
    expected = final @ model.module.lm_head.weight.detach().numpy()[[3, 4]].T
    np.testing.assert_allclose(logits[0, 1], expected, atol=1e-4)


def test_mlp0_is_the_first_mlp_behind_its_own_norm(small):
    model = small("llama")
    ids = np.array([5, 9, 20])
    with torch.no_grad():
        embedded = model.module.model.embed_tokens(torch.as_tensor(ids))
        block = model.blocks[0]
        mlp = block.mlp(block.post_attention_layernorm(embedded)).numpy()
    np.testing.assert_allclose(token_states(model, ids, "mlp0")[2], mlp, atol=1e-5)
    np.testing.assert_allclose(token_states(model, ids, "embed+mlp0")[2], mlp + embedded.numpy(), atol=1e-5)


def test_learned_positions_are_no_part_of_a_token(small):
    model = small("gpt2")
    ids = np.array([5, 9])
    with torch.no_grad():
        embedded = model.module.transformer.wte(torch.as_tensor(ids))
        block = model.blocks[0]
        mlp = block.mlp(block.ln_2(embedded)).numpy()
    np.testing.assert_allclose(token_states(model, ids, "mlp0")[0], mlp, atol=1e-5)


def test_what_effective_ov_refuses(small):
    model = small("llama")
    with pytest.raises(InputError, match="'mlp1' is unknown"):
        token_states(model, [1], "mlp1")
    with pytest.raises(InputError, match="not empty"):
        token_states(model, [])
    with pytest.raises(SelectionError, match="100000 is none"):
        effective_ov(model, [100_000])
    decoder = Decoder(("a", "b", "c"), layers=2, width=16, heads=2, mlp_width=(0, 8))
    with pytest.raises(CapabilityError, match=r"no MLP.*in_context"):
        effective_ov(decoder.handle(decoder.build(0)), [0, 1])


def test_smollm2_folds_and_copies_by_its_tied_embeddings(smollm2):
    folded = fold_norms(smollm2)
    prompt = smollm2.encode(["The capital of France is"])
    np.testing.assert_allclose(folded.predict(prompt), smollm2.predict(prompt), atol=3e-4)
    weights = HeadWeights.of(smollm2)
    assert (weights.layers, weights.heads, weights.groups, weights.head_width, weights.tied) == (30, 9, 3, 64, True)
    days = [smollm2.token_index(day) for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")]
    scores = effective_ov(smollm2, days, layers=[0, 15, 29])
    assert scores.shape == (3, 9, 5, 5)
    assert np.isfinite(scores).all()


def norm(model: LanguageModel, layer, stream):
    part = model.blocks[layer].get_submodule(layouts.weight_layout_of(model).norm_attention)
    with torch.no_grad():
        return part(torch.as_tensor(stream)).numpy()


def learned(model):
    return getattr(model.module.base_model, "wpe", None)


def gained(model):
    return layouts.weight_layout_of(model).post_norm
