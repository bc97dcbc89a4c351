"""Path patching against its two passes made with `intervene`; invariants; the planted path."""

import numpy as np
import pytest
import torch

import explicate as ex
from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError, SelectionError, SiteError
from explicate.mechanisms import patch_paths
from explicate.models.language import architectures

TARGET = 11
LAYERS, HEADS = 3, 4


def naive(model, ids, source, sender, receivers, position, freeze_mlps=False, read=None):
    """One path by the definition: all heads frozen at the sender's position and after it."""
    tokens = ids.shape[1]
    later = tuple(range(position % tokens, tokens))
    frozen = [Site("z", layer, None, later) for layer in range(LAYERS)]
    frozen += [Site("mlp_out", layer, None, later) for layer in range(LAYERS)] if freeze_mlps else []
    own = model.capture(ids, frozen)
    layer, head = sender
    kind = "mlp_out" if head is None else "z"
    there = Site(kind, layer, head, (position if read is None else read,))
    value = model.capture(source, [there])[there]
    whole = Site(kind, layer, None, later)
    changed = model.capture(ids, [whole])[whole].copy()
    changed[(slice(None), 0) if head is None else (slice(None), head, 0)] = value[:, 0]
    still = [Patch(site, own[site]) for site in frozen if site.kind == "z" or site.layer >= layer]
    still = [part for part in still if part.address != whole]
    with model.intervene(*still, Patch(whole, changed)):
        if receivers == ["logits"]:
            return model.predict(ids)[:, TARGET]
        named = [Site.parse(site).at(position) for site in receivers]
        read_from = {
            site: Site(model.architecture.mlp_input, site.layer, None, site.positions)
            for site in named
            if site.kind == "mlp_out"
        }
        seen = model.capture(ids, [read_from.get(site, site) for site in named])
    values = {site: seen[site] for site in named if site not in read_from}
    for site, input_ in read_from.items():
        with model.intervene(Patch(input_, seen[input_])):
            values[site] = model.capture(ids, [site])[site]
    with model.intervene(*(Patch(site, value) for site, value in values.items())):
        return model.predict(ids)[:, TARGET]


CASES = [
    (["logits"], -1, False),
    (["logits"], -1, True),
    (["L2.q.H1"], -1, False),
    (["L2.v.H0", "L1.k.H3"], 2, False),
    (["L1.q"], 5, True),
    (["L2.mlp_out"], -1, False),
    (["L1.mlp_out", "L2.mlp_out", "L2.k.H1"], 3, True),
]


@pytest.mark.parametrize(("receivers", "position", "freeze"), CASES)
def test_every_sender_equals_the_two_passes(causal, pair, receivers, position, freeze):
    ids, source = pair(causal)
    found = patch_paths(causal, ids, source, receivers=receivers, position=position, freeze_mlps=freeze, target=TARGET)
    assert found.place_dims == ("layer", "head")
    base = causal.predict(ids)[:, TARGET]
    for layer in range(LAYERS):
        for head in range(HEADS):
            expected = naive(causal, ids, source, (layer, head), receivers, position, freeze) - base
            np.testing.assert_allclose(found.values[:, layer, head], expected, atol=1e-4, err_msg=f"{layer}.{head}")
    assert np.abs(found.values).max() > 1e-3
    if receivers != ["logits"] and "L2.mlp_out" not in receivers:
        assert not found.values[:, 2].any()  # nothing comes after the last layer's heads but its MLP and the logits


@pytest.mark.parametrize(("receivers", "position", "freeze"), CASES)
def test_every_mlp_equals_the_two_passes(causal, pair, receivers, position, freeze):
    ids, source = pair(causal)
    found = patch_paths(
        causal, ids, source, receivers=receivers, position=position, freeze_mlps=freeze, target=TARGET, senders="mlps"
    )
    assert found.place_dims == ("layer",)
    base = causal.predict(ids)[:, TARGET]
    for layer in range(LAYERS):
        expected = naive(causal, ids, source, (layer, None), receivers, position, freeze) - base
        np.testing.assert_allclose(found.values[:, layer], expected, atol=1e-4, err_msg=str(layer))
    assert np.abs(found.values).max() > 1e-4


@pytest.mark.parametrize(("receivers", "position", "read"), [("L2.v.H1", 2, 5), ("L2.k", -1, 3), ("L1.v.H0", 4, 0)])
def test_the_source_may_be_read_elsewhere(causal, pair, receivers, position, read):
    ids, source = pair(causal)
    options = {"receivers": receivers, "position": position, "target": TARGET}
    found = patch_paths(causal, ids, source, source_position=read, **options)
    longer = pair(causal, 10)[1]
    other = patch_paths(causal, ids, longer, source_position=read, **options)
    base = causal.predict(ids)[:, TARGET]
    for layer, head in [(0, 0), (0, 3), (1, 2)]:
        for result, given in ((found, source), (other, longer)):
            if layer < Site.parse(receivers).layer:
                expected = naive(causal, ids, given, (layer, head), [receivers], position, read=read) - base
                np.testing.assert_allclose(result.values[:, layer, head], expected, atol=1e-4)
    both = patch_paths(
        causal, np.concatenate([ids, source]), np.concatenate([source, ids]), receivers=receivers,
        position=(position, 1), source_position=(read, 6), target=TARGET,
    )  # fmt: skip
    second = patch_paths(causal, source, ids, receivers=receivers, position=1, source_position=6, target=TARGET)
    np.testing.assert_allclose(both.values, np.concatenate([found.values, second.values]), atol=2e-5)


@pytest.mark.parametrize("name", ["gpt_neox", "gpt_neox_sequential"])
@pytest.mark.parametrize("senders", ["heads", "mlps"])
def test_where_mlps_stand_beside_the_heads_only_later_ones_hear_of_them(small, pair, name, senders):
    model = small(name)
    ids, source = pair(model)
    heads = range(HEADS) if senders == "heads" else (None,)
    for receivers, position, freeze in CASES:
        found = patch_paths(
            model,
            ids,
            source,
            receivers=receivers,
            position=position,
            freeze_mlps=freeze,
            target=TARGET,
            senders=senders,
        )
        assert found.data.attrs["way"] == "own blocks"
        base = model.predict(ids)[:, TARGET]
        for layer in range(LAYERS):
            for head in heads:
                expected = naive(model, ids, source, (layer, head), receivers, position, freeze) - base
                values = found.values[:, layer] if head is None else found.values[:, layer, head]
                np.testing.assert_allclose(values, expected, atol=1e-4, err_msg=f"{receivers} {layer}.{head}")
        assert np.abs(found.values).max() > 1e-4
        if receivers == ["L2.mlp_out"]:
            assert bool(found.values[:, 2].any()) == (name == "gpt_neox_sequential" and senders == "heads")


def test_the_model_s_own_blocks_give_the_same(llama, pair, monkeypatch):
    ids, source = pair(llama)
    expected = [patch_paths(llama, ids, source, receivers=case[0], position=case[1], target=TARGET) for case in CASES]
    monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    for case, known in zip(CASES, expected, strict=True):
        found = patch_paths(llama, ids, source, receivers=case[0], position=case[1], target=TARGET)
        assert found.data.attrs["way"] == "own blocks"
        np.testing.assert_allclose(found.values, known.values, atol=1e-4)


def test_a_source_equal_to_the_prompt_gives_nothing(causal, pair):
    ids, _ = pair(causal)
    for receivers in ("logits", "L2.k.H1"):
        assert np.abs(patch_paths(causal, ids, ids, receivers=receivers, target=TARGET).values).max() < 2e-5


def test_frozen_paths_to_the_logits_add_up_like_the_stream(llama, pair):
    """With everything frozen the heads' direct effects are those of their outputs through the final norm alone."""
    ids, source = pair(llama)
    found = patch_paths(llama, ids, source, freeze_mlps=True, target=TARGET)
    sites = [f"L{layer}.head_out@-1" for layer in range(LAYERS)]
    own, other = llama.capture(ids, [*sites, "L2.resid_post@-1"]), llama.capture(source, sites)
    norm, unembed = llama.module.model.norm, llama.module.lm_head
    for layer in range(LAYERS):
        for head in range(HEADS):
            change = other[sites[layer]][:, head, 0] - own[sites[layer]][:, head, 0]
            with torch.no_grad():
                state = torch.as_tensor(own["L2.resid_post@-1"][:, 0] + change)
                expected = unembed(norm(state))[:, TARGET].numpy() - found["base_score"].values
            np.testing.assert_allclose(found.values[:, layer, head], expected, atol=1e-4)


def test_several_prompts_positions_and_lengths(llama, pair):
    ids, source = pair(llama)
    short = np.where(np.arange(8) < 6, source, -1)
    found = patch_paths(
        llama, np.concatenate([ids, short]), np.concatenate([source, ids]), receivers="L2.q", position=(2, -1),
        target=TARGET,
    )  # fmt: skip
    first = patch_paths(llama, ids, source, receivers="L2.q", position=2, target=TARGET)
    second = patch_paths(llama, source[:, :6], ids, receivers="L2.q", position=-1, target=TARGET)
    np.testing.assert_allclose(found.values, np.concatenate([first.values, second.values]), atol=2e-5)


def test_a_planted_path_is_found(small, pair):
    """Only head 0.2 differs between prompt and source at the reader's input, since all other heads write nothing."""
    model = small("llama")
    ids, source = pair(model)
    with torch.no_grad():
        for block in model.blocks[:2]:
            weight = block.self_attn.o_proj.weight
            keep = weight[:, 16:24].clone() if block is model.blocks[0] else None
            weight.zero_()
            if keep is not None:
                weight[:, 16:24] = keep
    found = patch_paths(model, ids, source, receivers="L2.q", target=TARGET)
    assert found.strongest(1) == [Site("head_out", 0, 2, (-1,))]
    others = np.abs(found.values[0]).ravel()
    assert np.sort(others)[-2] < 1e-6 < 1e-4 < others.max()


def test_the_work_is_small(smollm2):
    ids = smollm2.encode("When John and Mary went to the store, John gave a drink to")
    source = smollm2.encode("When John and Mary went to the store, Mary gave a drink to")
    found = patch_paths(smollm2, ids, source, receivers="L25.q.H3", target=ex.Contrast("Mary", "John"))
    assert found.values.shape == (1, 30, 9)
    assert found.data.attrs["forwards"] * 10 < 270


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"receivers": "L1.z.H2"}, SiteError, "no receiver"),
        ({"receivers": "L1.q.H2@-1"}, SiteError, "without positions"),
        ({"receivers": "L7.q"}, SiteError, "has 3 layers"),
        ({"receivers": []}, InputError, "at least one receiver"),
        ({"senders": "neurons"}, InputError, "use heads or mlps"),
        ({"position": 2}, InputError, "only the last position reaches the logits"),
        ({"position": 9, "receivers": "L1.q"}, SelectionError, "outside a prompt of 8"),
        ({"position": (1, 2), "receivers": "L1.q"}, InputError, "2 positions for 1 prompts"),
    ],
)
def test_what_cannot_be_is_refused(llama, pair, options, error, words):
    ids, source = pair(llama)
    with pytest.raises(error, match=words):
        patch_paths(llama, ids, source, target=TARGET, **options)


def test_standing_interventions_and_unknown_layouts_are_refused(llama, pair, monkeypatch):
    ids, source = pair(llama)
    with llama.intervene(ex.Scale("L0.z", 0.5)), pytest.raises(InputError, match="while other interventions"):
        patch_paths(llama, ids, source)
    monkeypatch.delitem(architectures._TABLE, "llama")
    with pytest.raises(CapabilityError, match="register_architecture"):
        patch_paths(llama, ids, source)
