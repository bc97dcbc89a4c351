"""Writing at sites: kernels kept and restored, patches that change nothing or reach every row, exact undoing."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Ablate, Edit, Patch, Project, Scale, Steer
from explicate.core.sites import LAYERED, Site
from explicate.errors import InputError, SiteError
from explicate.models.language import LanguageModel

TEXTS = ["When John and Mary went to the store", "The cat sat", "Is the value 3.14 today? Nobody"]
LAYERS = 3
TARGETS = np.array([11, 12, 13])
SHARP = {"rtol": 1e-4, "atol": 1e-4}


def present(model, texts=TEXTS):
    return model.encode(texts) >= 0


def norm(module, values):
    with torch.no_grad():
        return module(torch.as_tensor(values)).numpy()


def block_part(model, layer, path):
    return model.blocks[layer].get_submodule(path)


# -- the kernel ------------------------------------------------------------------------------------------------------


def test_reading_the_stream_keeps_the_kernel_and_every_bit(causal):
    ids = causal.encode(TEXTS[0])
    expected = causal.predict(ids)
    seen = []
    kinds = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z", "head_out", "mlp_act")
    same = [Scale(f"L1.{kind}", 1.0) for kind in kinds if kind in causal.architecture.kinds]
    hook = causal.blocks[0].register_forward_hook(lambda *_: seen.append(causal.config._attn_implementation))
    try:
        with causal.intervene(*same):
            np.testing.assert_array_equal(causal.predict(ids), expected)
    finally:
        hook.remove()
    assert set(seen) == {"sdpa"}


def test_inner_sites_switch_the_kernel_and_give_it_back(model):
    ids = model.encode(TEXTS)
    expected = model.predict(ids)
    for kind in ("q", "k", "v", "scores", "pattern"):
        with model.intervene(Scale(f"L1.{kind}", 1.0)):
            assert model.config._attn_implementation == "explicate-sites"
            np.testing.assert_allclose(model.predict(ids), expected, atol=1e-5)
        assert model.config._attn_implementation == "sdpa"
    np.testing.assert_array_equal(model.predict(ids), expected)


def test_the_kernel_comes_back_after_an_exception(llama):
    with pytest.raises(ZeroDivisionError), llama.intervene(Scale("L0.pattern", 1.0)):
        1 / 0  # noqa: B018
    with pytest.raises(InputError), llama.intervene(Patch("L0.pattern", np.ones((5, 77)))):
        llama.predict(llama.encode(TEXTS))
    with pytest.raises(SiteError), llama.intervene(Scale("L0.pattern", 1.0), Scale("L9.pattern", 1.0)):
        pass
    assert llama.config._attn_implementation == "sdpa"


# -- writing ---------------------------------------------------------------------------------------------------------

REDONE = ("q", "k", "v", "scores", "pattern")  # the kernel changes, so arithmetic is done again


def refused(model, kind):
    """Whether a model lacks a kind of site, as it then says."""
    if kind in model.architecture.kinds:
        return False
    with pytest.raises(SiteError, match="side by side"), model.intervene(Scale(f"L1.{kind}", 1.0)):
        pass
    return True


@pytest.mark.parametrize("kind", LAYERED)
def test_patching_a_run_with_its_own_values_changes_nothing(model, kind):
    ids = model.encode(TEXTS)
    if refused(model, kind):
        return
    site = f"L1.{kind}"
    own = model.capture(ids, [site])[site]
    reference = model.predict(ids)
    if kind in REDONE:
        with model.intervene(Scale(site, 1.0)):
            reference = model.predict(ids)
    with model.intervene(Patch(site, own)):
        patched = model.predict(ids)
    # all rows run together here, and alone there, so a batch of padded rows differs by rounding
    np.testing.assert_allclose(patched, reference, atol=1e-5)
    single = ids[:1]
    own = model.capture(single, [site, f"{site}@-1"])
    if kind in REDONE:
        with model.intervene(Scale(site, 1.0)):
            reference = model.predict(single)
    else:
        reference = model.predict(single)
    with model.intervene(Patch(site, own[site])):
        np.testing.assert_array_equal(model.predict(single), reference)
    with model.intervene(Patch(f"{site}@-1", own[f"{site}@-1"])):
        np.testing.assert_array_equal(model.predict(single), reference)


@pytest.mark.parametrize("kind", LAYERED)
def test_a_written_value_is_the_value_read_downstream_in_all_rows(model, kind):
    ids = model.encode(TEXTS)
    if refused(model, kind):
        return
    rng = np.random.default_rng(0)
    site = Site.parse(f"L1.{kind}@-1")
    before = model.capture(ids, [site])[site]
    value = rng.normal(size=before.shape).astype(np.float32)
    if kind in ("scores", "pattern"):  # keys that are not there stay without weight
        value = np.where(before == 0, 0, np.abs(value))
    clean = model.predict(ids)
    with model.intervene(Patch(site, value)):
        after = model.capture(ids, [site])[site]
        changed = model.predict(ids)
    np.testing.assert_allclose(after, value, atol=1e-5)
    if model.architecture.causal:
        assert (np.abs(changed - clean).max(axis=1) > 1e-3).all()  # every row, not only the first
    np.testing.assert_array_equal(model.predict(ids), clean)


def test_a_changed_middle_of_the_stream_reaches_both_of_its_readers(model):
    """A hook on the norm's input alone would change the MLP and not the residual stream it is added to."""
    ids = model.encode(TEXTS)
    if refused(model, "resid_mid"):
        return
    value = np.random.default_rng(1).normal(size=model.width).astype(np.float32)
    with model.intervene(Patch("L1.resid_mid", value)):
        seen = model.capture(ids, ["L1.resid_mid", "L1.mlp_out", "L1.resid_post"])
    there = present(model)
    mid, mlp, post = (seen[f"L1.{kind}"][there] for kind in ("resid_mid", "mlp_out", "resid_post"))
    np.testing.assert_allclose(mid, np.broadcast_to(value, mid.shape), atol=1e-6)
    if model.architecture.residual == "sum":
        np.testing.assert_allclose(mid + mlp, post, **SHARP)
    else:
        np.testing.assert_allclose(norm(block_part(model, 1, "output.LayerNorm"), mid + mlp), post, **SHARP)


def test_restoring_the_stream_restores_the_outputs(causal):
    clean, corrupt = causal.encode("John gave Mary the store"), causal.encode("Mary gave John the drink")
    assert clean.shape == corrupt.shape
    expected = causal.predict(clean)
    assert np.abs(causal.predict(corrupt) - expected).max() > 1e-2
    for layer in range(LAYERS):
        site = f"L{layer}.resid_post"
        with causal.intervene(Patch(site, causal.capture(clean, [site])[site])):
            np.testing.assert_allclose(causal.predict(corrupt), expected, atol=1e-5)


def test_ablating_a_head_takes_its_part_away(model):
    ids = model.encode(TEXTS)
    seen = model.capture(ids, ["L1.head_out.H2", "L1.attn_out"])
    there = present(model)
    with model.intervene(Ablate("L1.head_out.H2")):
        without = model.capture(ids, ["L1.attn_out", "L1.head_out.H2"])
    with model.intervene(Ablate("L1.z.H2")):
        by_z = model.capture(ids, ["L1.attn_out"])
    np.testing.assert_allclose(without["L1.attn_out"], by_z["L1.attn_out"], **SHARP)
    assert np.abs(without["L1.head_out.H2"]).max() < 1e-6
    if model.architecture.head_sum == "attn_out":
        expected = (seen["L1.attn_out"] - seen["L1.head_out.H2"])[there]
        np.testing.assert_allclose(without["L1.attn_out"][there], expected, **SHARP)


def test_one_heads_key_can_be_changed_alone(llama):
    ids = llama.encode(TEXTS)
    before = llama.capture(ids, ["L1.pattern"])["L1.pattern"]
    with llama.intervene(Ablate("L1.k.H1")):
        after = llama.capture(ids, ["L1.pattern"])["L1.pattern"]
    assert np.abs(after[:, 1] - before[:, 1]).max() > 1e-2
    np.testing.assert_array_equal(after[:, [0, 2, 3]], before[:, [0, 2, 3]])


def test_attention_knockout(model):
    ids = model.encode(TEXTS)
    scores = model.capture(ids, ["L1.scores@2"])["L1.scores@2"]
    scores[..., 0] = -np.inf
    with model.intervene(Patch("L1.scores@2", scores)):
        pattern = model.capture(ids, ["L1.pattern"])["L1.pattern"]
    assert not pattern[:, :, 2, 0].any()
    assert (pattern[:, :, 1, 0] > 0).all()
    np.testing.assert_allclose(pattern[:, :, 2].sum(-1), 1.0, atol=1e-5)
    with (
        pytest.raises(InputError, match="no key left"),
        model.intervene(Patch("L1.scores@2", np.full_like(scores, -np.inf))),
    ):
        model.predict(ids)


def test_steering_projecting_scaling_do_their_arithmetic(model):
    ids = model.encode(TEXTS)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=model.width)
    unit = direction / np.linalg.norm(direction)
    there = present(model)
    before = model.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]

    def after(intervention):
        with model.intervene(intervention):
            return model.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]

    np.testing.assert_allclose(
        after(Steer("L1.mlp_out", direction, 2.0))[there], (before + 2 * direction)[there], **SHARP
    )
    np.testing.assert_allclose(after(Scale("L1.mlp_out", 0.5)), before / 2, **SHARP)
    removed = after(Project("L1.mlp_out", direction))
    assert np.abs((removed @ unit)[there]).max() < 1e-4
    moved = after(Project("L1.mlp_out", direction, coordinate=3.0))
    np.testing.assert_allclose((moved @ unit)[there], 3.0, atol=1e-4)


def test_interventions_compose_in_the_order_of_computation(llama):
    ids = llama.encode(TEXTS)
    value = np.random.default_rng(0).normal(size=llama.width)
    shift = Steer("L1.mlp_out", value)
    with llama.intervene(Scale("L1.mlp_out", 2.0), shift):
        doubled_first = llama.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]
    with llama.intervene(Scale("L1.mlp_out", 2.0)), llama.intervene(shift):
        nested = llama.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]
    with llama.intervene(shift + Scale("L1.mlp_out", 2.0)):
        shifted_first = llama.capture(ids, ["L1.mlp_out"])["L1.mlp_out"]
    np.testing.assert_array_equal(doubled_first, nested)
    there = present(llama)
    np.testing.assert_allclose(
        (shifted_first - doubled_first)[there], np.broadcast_to(value, (there.sum(), 32)), atol=1e-4
    )
    with llama.intervene(Patch("L1.resid_post", value), Patch("L1.resid_pre", 0.0)):
        late_first = llama.predict(ids)
    with llama.intervene(Patch("L1.resid_pre", 0.0), Patch("L1.resid_post", value)):
        np.testing.assert_array_equal(llama.predict(ids), late_first)


def test_noise_on_the_embedding_and_a_change_of_logits(causal):
    ids = causal.encode(TEXTS)
    noise = np.random.default_rng(0).normal(size=causal.width)
    clean = causal.scores(ids, TARGETS)
    with causal.intervene(Steer("embed@0", noise)):
        points = causal.continuous(ids)
        through_ids = causal.scores(ids, TARGETS)
        through_points = causal.point_scores(points, TARGETS, ids)
    np.testing.assert_allclose(through_ids, through_points, atol=2e-5)
    points[:, 0] += noise
    np.testing.assert_allclose(causal.point_scores(points, TARGETS, ids), through_ids, atol=2e-5)
    assert np.abs(through_ids - clean).min() > 1e-4
    with causal.intervene(Scale("logits", 3.0)):
        np.testing.assert_allclose(causal.scores(ids, TARGETS), 3 * clean, rtol=1e-4, atol=1e-4)
    with causal.intervene(Scale("logits@0", 3.0)):
        np.testing.assert_allclose(causal.scores(ids, TARGETS), clean, rtol=1e-4, atol=1e-4)


def test_gradients_flow_through_interventions(model):
    ids = model.encode(TEXTS[:2])
    targets = np.array([3, 4])
    points = model.continuous(ids)
    with model.intervene(Patch("L1.resid_post", 0.0)):
        assert not model.gradients(points, targets, ids).any()  # the stream is cut
    with model.intervene(Scale(f"L1.{model.architecture.mlp_input}", 1.0), Scale("L0.scores", 1.0)):
        np.testing.assert_allclose(
            model.gradients(points, targets, ids),
            LanguageModelGradients.plain(model, points, targets, ids),
            rtol=1e-3,
            atol=1e-5,
        )


class LanguageModelGradients:
    """The same gradients from a second handle, without hooks in force on it being entered by the first."""

    @staticmethod
    def plain(model, points, targets, ids):
        with torch.enable_grad():
            batch = model.batch(ids)
            leaf = torch.as_tensor(np.take_along_axis(points, np.maximum(batch.origin, 0)[..., None], axis=1))
            leaf = leaf.clone().requires_grad_(True)
            options = {"inputs_embeds": leaf, "attention_mask": batch.present.long()}
            if model.architecture.causal:
                options["position_ids"] = batch.position_ids
                outputs = model.module(**options).logits[:, -1]
            else:
                states = model.module(**options).last_hidden_state
                weights = batch.present[..., None].float()
                pooled = (states * weights).sum(1) / weights.sum(1)
                outputs = torch.nn.functional.normalize(pooled, dim=1)
            (gradient,) = torch.autograd.grad(outputs[torch.arange(len(ids)), torch.as_tensor(targets)].sum(), leaf)
        found = np.zeros_like(points)
        row, column = np.nonzero(batch.origin >= 0)
        found[row, batch.origin[row, column]] = gradient.numpy()[row, column]
        return found


def test_values_can_be_trained(llama):
    """Setters are differentiable with respect to what they write."""
    ids = llama.encode(TEXTS[:1])
    direction = torch.zeros(llama.width, requires_grad=True)

    class Learned(Steer):
        def apply(self, activation):
            return activation + direction

    batch = llama.batch(ids)
    with llama.intervene(Learned("L1.resid_mid@-1")), llama.framed(batch.frame):
        score = llama.target_tensor(batch, llama.embeddings(batch), torch.tensor([5]))
        (slope,) = torch.autograd.grad(score.sum(), direction)
    step = 1e-2 * slope / slope.norm()
    with llama.intervene(Steer("L1.resid_mid@-1", step.numpy())):
        up = llama.scores(ids, np.array([5]))
    with llama.intervene(Steer("L1.resid_mid@-1", -step.numpy())):
        down = llama.scores(ids, np.array([5]))
    np.testing.assert_allclose((up - down)[0] / 2e-2, float(slope.norm()), rtol=2e-2)


# -- rows that stay together -----------------------------------------------------------------------------------------


def test_values_for_each_row_reach_their_rows_whatever_the_chunks(llama):
    small = LanguageModel(llama.module, llama.tokenizer, chunk=1)
    ids = small.encode(TEXTS)
    site = "L1.resid_post@-1"
    other = small.capture(ids[::-1], [site])[site]
    with small.intervene(Patch(site, other)):
        seen = small.capture(ids, [site])[site]
        scores = small.predict(ids)
    np.testing.assert_allclose(seen, other, atol=1e-6)
    for row in range(3):
        with small.intervene(Patch(site, other[row])):
            np.testing.assert_allclose(small.predict(ids[row : row + 1])[0], scores[row], atol=2e-5)


# -- undoing ---------------------------------------------------------------------------------------------------------


def weights_of(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def test_an_edited_weight_comes_back_bit_by_bit(model):
    before = weights_of(model)
    name = next(
        name
        for name, _ in model.module.named_parameters()
        if ("layer" in name or "h.0" in name) and name.endswith("weight")
    )
    shape = dict(model.module.named_parameters())[name].shape
    ids = model.encode(TEXTS)
    clean = model.predict(ids)
    change = np.random.default_rng(0).normal(size=shape)
    with model.intervene(Edit(name, change)):
        assert np.abs(model.predict(ids) - clean).max() > 1e-3
    with pytest.raises(ZeroDivisionError), model.intervene(Edit(name, change)):
        1 / 0  # noqa: B018
    assert all(torch.equal(value, before[key]) for key, value in model.module.state_dict().items())
    np.testing.assert_array_equal(model.predict(ids), clean)


def test_an_edit_of_tied_weights_reaches_both_ends(llama, build):
    module = build("llama", llama.vocabulary)
    module.config.tie_word_embeddings = True
    module.tie_weights()
    tied = LanguageModel(module, llama.tokenizer)
    ids = tied.encode("The cat sat")
    change = np.zeros(module.lm_head.weight.shape)
    change[7] = 1.0
    clean = tied.predict(ids)
    with tied.intervene(Edit("model.embed_tokens.weight", change)):
        edited = tied.predict(ids)
    assert np.flatnonzero(np.abs(edited - clean)[0] > 1e-6).tolist() == [7]
    np.testing.assert_array_equal(tied.predict(ids), clean)


def test_wrong_edits_are_named(llama):
    with pytest.raises(SiteError, match=r"did you mean 'model.layers.0.mlp.down_proj.weight'"):
        llama.intervene(Edit("model.layers.0.mlp.downproj.weight", 1.0)).__enter__()
    with pytest.raises(Exception, match="shape"), llama.intervene(Edit("model.norm.weight", np.ones((3, 32)))):
        pass


def test_interventions_are_undone_after_exceptions_and_in_nests(model):
    ids = model.encode(TEXTS)
    clean = model.predict(ids)
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.module.modules()]
    outer, inner = Ablate("L0.attn_out"), Ablate("L1.mlp_out@-1")
    with model.intervene(outer):
        once = model.predict(ids)
        with model.intervene(inner):
            assert np.abs(model.predict(ids) - once).max() > 1e-4
        with pytest.raises(RuntimeError, match="inside"), model.intervene(inner):
            raise RuntimeError("inside")
        np.testing.assert_array_equal(model.predict(ids), once)
    np.testing.assert_array_equal(model.predict(ids), clean)
    assert np.abs(once - clean).max() > 1e-4
    after = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.module.modules()]
    assert after == hooks


def test_the_fingerprint_knows_what_is_in_force(llama):
    clean = llama.fingerprint()
    with llama.intervene(Scale("L0.z", 2.0)):
        scaled = llama.fingerprint()
    with llama.intervene(Scale("L0.z", 3.0)):
        other = llama.fingerprint()
    with llama.intervene(Edit("model.norm.weight", 1.0)):
        edited = llama.fingerprint()
    assert len({clean, scaled, other, edited}) == 4
    assert llama.fingerprint() == clean


def test_smollm2_identities_and_exact_undo(smollm2):
    prompt = "When John and Mary went to the store, John gave a drink to"
    ids = smollm2.encode(prompt)
    clean = smollm2.predict(ids)
    layer = 12
    kinds = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "head_out", "pattern", "v", "z")
    seen = smollm2.capture(ids, [f"L{layer}.{kind}" for kind in kinds])
    value = {kind: seen[f"L{layer}.{kind}"] for kind in kinds}
    scale = np.abs(value["resid_post"]).max()
    written = value["resid_pre"] + value["attn_out"] + value["mlp_out"]
    np.testing.assert_allclose(written, value["resid_post"], atol=1e-6 * scale)
    np.testing.assert_allclose(value["head_out"].sum(axis=1), value["attn_out"], atol=1e-4)
    np.testing.assert_allclose(value["pattern"] @ value["v"], value["z"], atol=1e-4)
    with smollm2.intervene(Patch(f"L{layer}.resid_post", value["resid_post"])):
        # the capture of a pattern above ran another kernel, so this is one of rounding, not of bits
        np.testing.assert_allclose(smollm2.predict(ids), clean, atol=1e-3)
    own = smollm2.capture(ids, [f"L{layer}.resid_post"])[f"L{layer}.resid_post"]
    with smollm2.intervene(Patch(f"L{layer}.resid_post", own)):
        np.testing.assert_array_equal(smollm2.predict(ids), clean)
    with smollm2.intervene(Ablate("L0.mlp_out")):
        assert np.abs(smollm2.predict(ids) - clean).max() > 1.0
    np.testing.assert_array_equal(smollm2.predict(ids), clean)
