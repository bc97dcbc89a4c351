"""Restarted rows against one `intervene` each: every kind of site, every architecture, both ways; undoing; refusals."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.core.cost import measure
from explicate.core.interventions import Ablate, Edit, Interchange, Patch, Project, Scale, Steer
from explicate.core.sites import HEADED, LAYERED, Site
from explicate.errors import CapabilityError, InputError, SelectionError, SiteError
from explicate.mechanisms import effects_of, logits_of, rows
from explicate.mechanisms.restart import Batch, Job, engine_for, fastest_way, measured, untouched, writes_of
from explicate.models.language import architectures

LAYERS = 3
CLOSE = 1e-4
PAIRS = ("scores", "pattern")


def under(model, ids, variants, way=None):
    """All logits (variant, sample, vocabulary), the way they were found, and how much work it was."""
    found = measured(Job(model, ids, lambda captured, length: variants, metric="logits", way=way))
    return found.values, found


def naive(model, ids, variants):
    found = []
    for variant in variants:
        with model.intervene(*variant):
            found.append(model.predict(ids))
    return np.stack(found)


def patches(model, kind, source, places):
    found = []
    for layer, head, position in places:
        site = Site(kind, layer, head, None if position is None else (position,))
        found.append((Patch(site, torch.as_tensor(model.capture(source, [site])[site])),))
    return found


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_every_kind_of_patch_equals_the_naive_loop(causal, pair, way):
    ids, source = pair(causal)
    assert fastest_way(causal) == "fused"
    for kind in LAYERED:
        heads = (1, None) if kind in HEADED else (None,)
        places = [(layer, head, position) for layer in (0, 2) for head in heads for position in (2, -1, None)]
        variants = patches(causal, kind, source, places)
        expected = naive(causal, ids, variants)
        values, found = under(causal, ids, variants, way)
        assert found.way == way
        np.testing.assert_allclose(values, expected, atol=CLOSE, err_msg=kind)
        early = np.abs(expected - found.base).max(axis=(1, 2))[: len(places) // 2]
        least = 1e-5 if kind in PAIRS else 1e-4
        assert early.min() > least, kind  # in the last layer earlier tokens do nothing


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_interventions_that_depend_on_what_is_there(causal, pair, way):
    ids, _ = pair(causal)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=causal.width)
    lasting = rng.normal(size=(2, causal.width))
    variants = [
        (Scale("L1.resid_mid@-1", 0.5),),
        (Scale("L2.mlp_out", 0.5),),
        (Steer("L0.attn_out@1,3", direction, 0.3),),
        (Steer("embed@2", direction, 0.1),),
        (Steer("L0.resid_post", direction, 0.5),),
        (Steer("L1.resid_pre", direction, -0.5, keep_norm=True), Steer("L1.resid_pre@-1", direction, 0.2)),
        (Steer("L1.resid_mid", direction, 0.5, tokens="prompt"), Steer("L2.z.H1", rng.normal(size=8), 2.0)),
        (Project("L1.resid_post", direction, 2.0),),
        (Interchange("L1.resid_pre@-1", rng.normal(size=causal.width), lasting),),
        (Ablate("L2.z.H1"),),
        (Patch("L1.z.H1@3", torch.ones(1, 1, 8)), Scale("L1.z@3", 0.5), Patch("L1.z.H0@3", torch.ones(1, 1, 8))),
        (Scale("L1.head_out.H1", 0.5), Scale("L1.head_out", 3.0), Ablate("L1.head_out.H2@-1")),
        (Ablate("L1.head_out.H3@-1"), Ablate("L2.mlp_out@-1"), Scale("L2.q.H0", 2.0)),
        (Scale("L0.k.H1@0", 0.0), Scale("L0.v.H2", 3.0)),
        (Scale("L2.scores.H1", 0.1),),
        (Ablate("L1.mlp_act", "mean", rng.normal(size=(5, 48))),),
        (Ablate("L2.resid_pre@-2", "resample", rng.normal(size=(5, causal.width)), seed=3),),
    ]
    if way == "own blocks":  # blocks know nothing of the embedding
        del variants[3]
    values, found = under(causal, ids, variants, way)
    assert found.way == way
    np.testing.assert_allclose(values, naive(causal, ids, variants), atol=CLOSE)


def test_what_is_meant_for_new_tokens_leaves_a_prompt_alone(llama, pair):
    ids, _ = pair(llama)
    values, found = under(llama, ids, [(Steer("L1.resid_pre", np.ones(llama.width), tokens="new"),)])
    assert found.way == "one by one"
    np.testing.assert_allclose(values[0], found.base, atol=CLOSE)


def test_several_prompts_of_several_lengths(causal, pair):
    """Left-padded batches, single runs and restarted rows agree; values with an axis for prompts reach their own."""
    ids, source = pair(causal)
    texts = np.concatenate([ids, source, np.where(np.arange(8) < 5, ids, -1)])
    variants = [(Scale("L1.z.H2@-1", 0.5),), (Ablate("L0.mlp_out"),), (Steer("L2.resid_mid@0", np.ones(causal.width)),)]
    values, _ = under(causal, texts, variants)
    np.testing.assert_allclose(values, naive(causal, texts, variants), atol=CLOSE)
    alone = under(causal, ids[:, :5], variants)[0]
    np.testing.assert_allclose(values[:, 2], alone[:, 0], atol=CLOSE)
    own = torch.as_tensor(causal.capture(texts[1::-1], ["L1.resid_post@-1"])["L1.resid_post@-1"])
    both, _ = under(causal, texts[:2], [(Patch("L1.resid_post@-1", own),)])
    np.testing.assert_allclose(both, naive(causal, texts[:2], [(Patch("L1.resid_post@-1", own),)]), atol=CLOSE)
    steered = Steer("L1.attn_out@-1", np.random.default_rng(0).normal(size=(3, 1, causal.width)))
    each, _ = under(causal, texts, [(steered,)])  # two lengths, so two batches
    for row in range(3):
        alone = naive(causal, texts[[row]], [(Steer("L1.attn_out@-1", steered.direction[row]),)])
        np.testing.assert_allclose(each[0, row], alone[0, 0], atol=CLOSE)


def test_the_model_s_own_values_change_nothing(causal, pair):
    ids, _ = pair(causal)
    for kind in LAYERED:
        own = patches(causal, kind, ids, [(1, None, None), (1, None, -1), (2, None, 3)])
        values, found = under(causal, ids, own)
        np.testing.assert_allclose(values, np.broadcast_to(found.base, values.shape), atol=2e-5, err_msg=kind)
        assert found.drift < 2e-5


def test_restoring_the_stream_restores_the_outputs(causal, pair):
    clean, corrupt = pair(causal)
    everything = [f"L{layer}.resid_post" for layer in range(LAYERS)]
    seen = causal.capture(clean, everything)
    values = logits_of(causal, corrupt, [Patch(site, seen[site]) for site in everything])
    expected = causal.predict(clean)
    assert np.abs(causal.predict(corrupt) - expected).max() > 1e-2
    np.testing.assert_allclose(values[:, 0], np.repeat(expected, LAYERS, axis=0), atol=2e-5)


def test_setting_a_coordinate_twice_is_setting_it_once(llama, pair):
    ids, _ = pair(llama)
    direction = np.random.default_rng(0).normal(size=llama.width)
    once = Project("L1.resid_mid", direction, 1.5)
    values = logits_of(llama, ids, [once, once + once])
    np.testing.assert_allclose(values[0], values[1], atol=2e-5)
    with llama.intervene(once):
        seen = llama.capture(ids, ["L1.resid_mid"])["L1.resid_mid"]
    np.testing.assert_allclose(seen @ direction / np.linalg.norm(direction), 1.5, atol=1e-4)


def test_half_precision_models_keep_their_precision(small, pair):
    """Each way rounds in its own places, so only the size of 16-bit rounding can be asked for."""
    model = small("llama")
    ids, source = pair(model)
    variants = patches(model, "mlp_out", source, [(0, None, 2), (1, None, None)])
    exact = naive(model, ids, variants)
    model.module.bfloat16()
    for way in ("fused", "own blocks"):
        values, found = under(model, ids, variants, way)
        assert found.way == way
        assert np.abs(values - exact).max() < 0.05 * np.abs(exact).max()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_mixture_of_changes_equals_the_naive_loop(mixed, data):
    model, ids = mixed
    kinds = st.sampled_from([kind for kind in LAYERED if kind not in PAIRS])

    def change():
        kind = data.draw(kinds)
        head = data.draw(st.sampled_from([None, 0, 3])) if kind in HEADED else None
        positions = data.draw(st.none() | st.sets(st.integers(0, 7), min_size=1, max_size=3))
        site = Site(kind, data.draw(st.integers(0, 2)), head, None if positions is None else tuple(sorted(positions)))
        return data.draw(st.sampled_from([Scale(site, 0.5), Scale(site, -1.0), Ablate(site)]))

    variants = [tuple(change() for _ in range(data.draw(st.integers(1, 3)))) for _ in range(3)]
    values, found = under(model, ids, variants)
    assert found.way == "fused"
    np.testing.assert_allclose(values, naive(model, ids, variants), atol=CLOSE)


@pytest.fixture(scope="module")
def mixed(llama, pair):
    return llama, pair(llama)[0]


# -- what is saved ---------------------------------------------------------------------------------------------------


def test_rows_run_only_what_their_changes_touch():
    write = rows.Write.of(Site("mlp_out", 5, None, (3, -1)), 10, None)
    row = rows.Row.of(0, 0, [write], 10)
    assert (row.layer, row.first, row.stop, row.columns) == (5, 3, 10, 7)
    both = rows.Row.of(0, 0, [write, rows.Write.of(Site("z", 7, 1, (1,)), 10, None)], 10)
    assert (both.layer, both.first) == (5, 1)
    assert rows.Row.of(0, 0, [rows.Write.of(Site("embed"), 4, None)], 4).layer == 0


def test_chunks_hold_every_row_once_and_stay_small():
    made = [rows.Row.of(i, 0, [rows.Write.of(Site("z", i % 5, None, (i % 20,)), 20, None)], 20) for i in range(200)]
    cut = list(rows.chunks(made, heads=4, tokens_at_once=64))
    assert sorted(row.number for chunk in cut for row in chunk) == list(range(200))
    assert max(sum(row.columns for row in chunk) for chunk in cut) <= 64
    assert len(cut) < 60


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_rows_record_what_their_changes_make_of_a_site(causal, pair, way):
    ids, source = pair(causal)
    change = patches(causal, "resid_mid", source, [(0, None, 3)])[0]
    base, _ = untouched(causal, Batch(np.arange(1), ids, None), (), way)
    row = rows.Row.of(7, 0, writes_of(change, 0, base), base.tokens)
    for kind in rows.RECORDED:
        head = 1 if kind in HEADED else None
        asked = [Site(kind, layer, head, (position,)) for layer in (1, 2) for position in (3, 5, -2, -1)]
        asked += [Site(kind, layer, head) for layer in (1, 2)]  # the last one
        with torch.no_grad():
            states, seen = engine_for(base, way).states([row], asked)
        with causal.intervene(*change):
            expected = causal.capture(ids, asked)
            end = causal.capture(ids, ["L2.resid_post@-1"])["L2.resid_post@-1"]
        np.testing.assert_allclose(states.numpy(), end[0], atol=CLOSE)
        for site in asked:
            np.testing.assert_allclose(seen[site][7].numpy(), expected[site][0, -1], atol=CLOSE, err_msg=str(site))


@pytest.mark.parametrize("way", ["fused", "own blocks"])
@pytest.mark.parametrize(
    ("site", "error", "words"),
    [
        (Site("z", 1, 0, (2,)), SelectionError, "column 2 does not run again in a row of columns 3 to 7"),
        (Site("z", 1, 0, (-6,)), SelectionError, "column 2 does not run again"),
        (Site("z", 1, 0, (8,)), SelectionError, "outside a prompt of 8 tokens"),
        (Site("z", 1, 0, (3, 4)), SelectionError, "one position a site"),
        (Site("pattern", 1, 0), InputError, "not recorded in restarted rows; there are resid_pre"),
    ],
)
def test_what_rows_cannot_record_is_refused(llama, pair, way, site, error, words):
    ids, source = pair(llama)
    base, _ = untouched(llama, Batch(np.arange(1), ids, None), (), way)
    change = patches(llama, "resid_pre", source, [(0, None, 3)])[0]
    row = rows.Row.of(0, 0, writes_of(change, 0, base), base.tokens)
    with pytest.raises(error, match=words):
        engine_for(base, way).states([row], [site])


def test_the_work_is_counted(llama, pair):
    ids, _ = pair(llama)
    variants = [Ablate("L2.mlp_out@-1"), Ablate("L0.mlp_out@0")]
    with measure() as cost:
        found = effects_of(llama, ids, variants, target=5)
    # the prompt itself, an unchanged row of one column, one layer of one column, everything
    assert found.data.attrs["forwards"] == pytest.approx(1 + 1 / 8 + 1 / 24 + 1, abs=1e-3)
    assert found.provenance.evaluations == cost.evaluations == 3


def test_chunks_of_any_size_give_the_same(llama, pair):
    ids, source = pair(llama)
    variants = patches(llama, "resid_pre", source, [(layer, None, p) for layer in range(3) for p in range(8)])
    whole = under(llama, ids, variants)[0]
    job = Job(llama, ids, lambda captured, length: variants, metric="logits", tokens_at_once=5)
    np.testing.assert_allclose(measured(job).values, whole, atol=2e-5)


# -- ways ------------------------------------------------------------------------------------------------------------


def test_weights_and_module_paths_are_changed_one_by_one_and_come_back(llama, pair):
    ids, _ = pair(llama)
    before = {name: value.clone() for name, value in llama.module.state_dict().items()}
    variants = [(Edit("model.layers.1.mlp.down_proj.weight", 0.1),), (Ablate("model.layers.1.mlp"),), (Ablate("L1.z"),)]
    values, found = under(llama, ids, variants)
    assert found.way == "one by one"
    np.testing.assert_allclose(values, naive(llama, ids, variants), atol=CLOSE)
    for name, value in llama.module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_other_interventions_in_force_are_kept(llama, pair):
    ids, _ = pair(llama)
    variants = [(Scale("L2.mlp_out@-1", 0.5),), (Ablate("L0.z.H1"),)]
    with llama.intervene(Scale("L1.mlp_out", 0.3)):
        values, found = under(llama, ids, variants)
        assert found.way == "one by one"
        expected = naive(llama, ids, variants)
    np.testing.assert_allclose(values, expected, atol=CLOSE)
    with llama.intervene(Edit("model.layers.0.mlp.down_proj.weight", 0.1)):
        values, found = under(llama, ids, variants)
        assert found.way == "fused"
        np.testing.assert_allclose(values, naive(llama, ids, variants), atol=CLOSE)


def test_a_model_that_is_not_what_its_type_says_is_run_through_its_own_blocks(small, pair):
    model = small("llama")
    ids, _ = pair(model)
    own = type(model.blocks[1])

    class Doubling(own):
        def forward(self, hidden_states, **options):
            return 2 * super().forward(hidden_states, **options)

    model.blocks[1].__class__ = Doubling
    variants = [(Ablate("L0.mlp_out@-1"),), (Ablate("L2.z.H1"),)]
    values, found = under(model, ids, variants)
    assert found.way == "own blocks"
    np.testing.assert_allclose(values, naive(model, ids, variants), atol=CLOSE)


def test_a_registered_layout_runs_through_its_own_blocks(llama, pair, monkeypatch):
    ids, source = pair(llama)
    variants = patches(llama, "attn_out", source, [(1, None, 2), (0, None, -1)])
    expected = naive(llama, ids, variants)
    monkeypatch.delitem(architectures._TABLE, "llama")
    with pytest.raises(CapabilityError, match="register_architecture"):
        under(llama, ids, variants)
    architectures.register_architecture(dataclasses.replace(architectures.LLAMA, model_types=("llama",)))
    values, found = under(llama, ids, variants)
    assert found.way == "own blocks"
    np.testing.assert_allclose(values, expected, atol=CLOSE)


def test_a_wrong_layout_is_refused(llama, pair, monkeypatch):
    ids, _ = pair(llama)
    wrong = dataclasses.replace(architectures.LLAMA, final_norm="")
    monkeypatch.setitem(architectures._TABLE, "llama", wrong)
    with pytest.raises(Exception, match="check its entry in register_architecture"):
        under(llama, ids, [(Ablate("L1.z.H1"),)])


# -- refusals --------------------------------------------------------------------------------------------------------


def hooks_of(model):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.module.modules())


@pytest.mark.parametrize("way", ["fused", "own blocks"])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (Ablate("L3.z.H1"), SiteError, "has 3 layers, 0 to 2"),
        (Ablate("L1.z.H9"), SiteError, "has 4 query heads"),
        (Ablate("L1.mlp_out@8"), SelectionError, "position 8 is outside a prompt of 8 tokens"),
        (Patch("L1.mlp_out@-1", np.zeros(7)), InputError, "shape"),
        (Patch("L1.mlp_out@-1", torch.zeros(1, 1, 7)), InputError, "is it from another model"),
        (Patch("L1.z.H1", torch.zeros(1, 3, 8)), InputError, "3 positions does not fit 8"),
        (Patch("L1.scores@2", np.full((1, 4, 1, 8), -np.inf)), InputError, "no key"),
        (Ablate("model.layers.9"), SiteError, "has no site or module"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_stays_behind(llama, pair, change, error, words, way):
    ids, _ = pair(llama)
    before, hooks, kernel = llama.predict(ids), hooks_of(llama), llama.config._attn_implementation
    with pytest.raises(error, match=words) as caught:
        under(llama, ids, [(Ablate("L0.mlp_out"),), (change,)], way)
    assert "\n" not in str(caught.value)
    assert hooks_of(llama) == hooks
    assert llama.config._attn_implementation == kernel
    assert not llama.in_force
    assert llama.frame is None
    np.testing.assert_array_equal(llama.predict(ids), before)


def test_the_last_failing_change_leaves_the_weights_alone(llama, pair):
    ids, _ = pair(llama)
    before = llama.fingerprint()
    with pytest.raises(SiteError):
        under(llama, ids, [(Edit("model.norm.weight", 1.0),), (Edit("model.norm.wait", 1.0),)])
    assert llama.fingerprint() == before


def test_smollm2_every_kind_equals_the_naive_loop(smollm2):
    ids = smollm2.encode("When John and Mary went to the store, John gave a drink to")
    source = smollm2.encode("When John and Mary went to the store, Mary gave a drink to")
    variants = []
    for kind, head, position in (
        ("resid_pre", None, 3),
        ("z", 4, -1),
        ("k", 2, 8),
        ("pattern", 1, -1),
        ("mlp_out", None, None),
    ):
        variants += patches(smollm2, kind, source, [(layer, head, position) for layer in (2, 29)])
    values, found = under(smollm2, ids, variants)
    assert found.way == "fused"
    assert found.drift < CLOSE
    np.testing.assert_allclose(values, naive(smollm2, ids, variants), atol=CLOSE)
