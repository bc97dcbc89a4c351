"""Sweeps: every place of the grid against its own intervention, dimensions, ablations, alignment, pictures, files."""

import numpy as np
import pytest

import explicate as ex
from explicate.core.interventions import Ablate, Patch
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError, SelectionError, SiteError
from explicate.mechanisms import Sweep

TARGET = 11


def score(model, ids, interventions):
    with model.intervene(*interventions):
        return model.predict(ids)[:, TARGET]


def effect(model, ids, *interventions):
    return score(model, ids, interventions) - model.predict(ids)[:, TARGET]


@pytest.mark.parametrize(
    ("kind", "dims"),
    [("resid_pre", ("layer", "position")), ("head_out", ("layer", "head", "position")), ("pattern", None)],
)
def test_a_patch_at_every_place(causal, pair, kind, dims):
    ids, source = pair(causal, tokens=5)
    found = ex.sweep(causal, ids, source, sites=kind, target=TARGET)
    assert found.place_dims == (dims or ("layer", "head", "position"))
    rng = np.random.default_rng(0)
    for _ in range(12):
        place = tuple(int(rng.integers(size)) for size in found.values.shape[1:])
        site = found.site_at(place)
        own = causal.capture(source, [site])[site]
        np.testing.assert_allclose(found.values[(0, *place)], effect(causal, ids, Patch(site, own))[0], atol=1e-4)
    np.testing.assert_allclose(found["base_score"], causal.predict(ids)[:, TARGET], atol=2e-5)
    np.testing.assert_allclose(found["source_score"], causal.predict(source)[:, TARGET], atol=2e-5)


def test_the_last_block_s_stream_at_the_last_position_carries_everything(causal, pair):
    ids, source = pair(causal)
    found = ex.sweep(causal, ids, source, sites="resid_post", positions=-1, target=TARGET)
    assert found.place_dims == ("layer",)
    np.testing.assert_allclose(found.relative()[0, -1], 1.0, atol=1e-3)
    whole = ex.sweep(causal, ids, source, sites="resid_post", positions="all", target=TARGET)
    np.testing.assert_allclose(whole.relative(), 1.0, atol=1e-3)  # invariant 3: everything downstream is restored
    same = ex.sweep(causal, ids, ids, sites="mlp_out", target=TARGET)
    assert np.abs(same.values).max() < 2e-5


def test_zero_mean_and_resampled_ablations(causal, pair):
    ids, source = pair(causal)
    reference = np.concatenate([source, ids[:, ::-1], source[:, ::-1]])
    zero = ex.sweep(causal, ids, sites="attn_out", how="zero", positions="all", target=TARGET)
    np.testing.assert_allclose(zero.values[0, 1], effect(causal, ids, Ablate("L1.attn_out"))[0], atol=1e-4)
    seen = causal.capture(reference, ["L1.mlp_out"])["L1.mlp_out"]
    mean = ex.sweep(causal, ids, reference, sites="mlp_out", how="mean", target=TARGET)
    expected = effect(causal, ids, Patch("L1.mlp_out@3", seen.mean(axis=0)[3]))
    np.testing.assert_allclose(mean.values[0, 1, 3], expected[0], atol=1e-4)
    overall = ex.sweep(
        causal, ids, reference, sites="mlp_out", how="mean", per_position=False, positions=(3, -1), target=TARGET
    )
    expected = effect(causal, ids, Patch("L1.mlp_out@3", seen.mean(axis=(0, 1))))
    np.testing.assert_allclose(overall.values[0, 1, 0], expected[0], atol=1e-4)
    drawn = ex.sweep(causal, ids, reference, sites="mlp_out", how="resample", target=TARGET, seed=4)
    again = ex.sweep(causal, ids, reference, sites="mlp_out", how="resample", target=TARGET, seed=4)
    np.testing.assert_array_equal(drawn.values, again.values)
    choices = [ex.sweep(causal, ids, row[None], sites="mlp_out", target=TARGET).values for row in reference]
    assert min(np.abs(drawn.values - values).max() for values in choices) < 1e-4


def test_head_means_ablate_heads(llama, pair):
    ids, source = pair(llama)
    reference = np.concatenate([source, source[:, ::-1]])
    found = ex.sweep(llama, ids, reference, sites="head_out", how="mean", positions=-1, target=TARGET)
    seen = llama.capture(reference, ["L1.head_out.H2@-1"])["L1.head_out.H2@-1"].mean(axis=0)
    expected = effect(llama, ids, Patch("L1.head_out.H2@-1", seen))
    np.testing.assert_allclose(found.values[0, 1, 2], expected[0], atol=1e-4)
    together = ex.sweep(llama, ids, reference, sites="head_out", how="mean", heads="all", positions=-1, target=TARGET)
    assert together.place_dims == ("layer",)


def test_several_prompts_and_kinds_at_once(llama, pair):
    ids, source = pair(llama)
    prompts, sources = np.concatenate([ids, source]), np.concatenate([source, ids])
    found = ex.sweep(llama, prompts, sources, sites=("attn_out", "mlp_out"), target=TARGET)
    assert found.place_dims == ("part", "layer", "position")
    alone = ex.sweep(llama, source, ids, sites="mlp_out", target=TARGET)
    np.testing.assert_allclose(found.values[1, 1], alone.values[0], atol=2e-5)
    assert found.sel(part="mlp_out", layer=1).values.shape == (2, 1, 1, 8)


def test_the_model_s_own_blocks_give_the_same(causal, pair, monkeypatch):
    ids, source = pair(causal)
    prompts, sources = np.concatenate([ids, source]), np.concatenate([source, ids[:, ::-1]])
    known = [ex.sweep(causal, prompts, sources, sites=kind, target=TARGET) for kind in ("resid_mid", "v", "head_out")]
    monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    for expected in known:
        found = ex.sweep(causal, prompts, sources, sites=expected.data.attrs["part"], target=TARGET)
        assert (expected.data.attrs["way"], found.data.attrs["way"]) == ("fused", "own blocks")
        np.testing.assert_allclose(found.values, expected.values, atol=1e-4)


def test_prompts_of_several_lengths_from_the_end(llama, pair):
    ids, source = pair(llama)
    short = np.where(np.arange(8) < 6, ids, -1)
    found = ex.sweep(llama, np.concatenate([ids, short]), source, sites="z", positions=(-1, -3), target=TARGET)
    alone = ex.sweep(llama, ids[:, :6], source, sites="z", positions=(-1, -3), target=TARGET)
    np.testing.assert_allclose(found.values[1], alone.values[0], atol=2e-5)
    np.testing.assert_array_equal(found["position"], [-1, -3])


def test_addresses_give_a_circuit(llama, pair):
    ids, source = pair(llama)
    sites = ["L1.head_out.H2@-1", "L0.mlp_out", "L2.k.H0@1"]
    found = ex.sweep(llama, ids, source, sites=sites, target=TARGET)
    assert isinstance(found, ex.Circuit)
    assert [str(site) for site in found.sites] == sites
    for i, site in enumerate(sites):
        own = llama.capture(source, [site])[site]
        np.testing.assert_allclose(found["effect"][i], effect(llama, ids, Patch(site, own)), atol=1e-4)


def test_the_strongest_places(llama, pair):
    ids, source = pair(llama)
    found = ex.sweep(llama, ids, source, sites="head_out", positions=-1, target=TARGET)
    best = found.strongest(2)
    values = np.abs(found.values[0])
    layer, head = np.unravel_index(values.argmax(), values.shape)
    assert best[0] == Site("head_out", int(layer), int(head), (-1,))
    assert all(found.values[0, site.layer, site.head] < 0 for site in found.strongest(3, sign=-1))


def test_provenance_cost_files_and_pictures(llama, pair, tmp_path):
    ids, source = pair(llama)
    found = ex.sweep(llama, ids, source, sites="resid_pre", target=TARGET)
    about = found.provenance
    assert about.method == "sweep"
    assert Sweep.from_parameters({k: v for k, v in about.parameters.items() if k != "source"}) == Sweep()
    assert about.parameters["source"] == source.tolist()
    attrs = found.data.attrs
    assert attrs["changes"] == 24
    assert 2 < attrs["forwards"] < 24
    assert about.evaluations >= attrs["forwards"] - 1e-9
    assert attrs["drift"] < 2e-5
    loaded = ex.load(found.save(tmp_path / "sweep.nc"))
    assert isinstance(loaded, ex.Effects)
    np.testing.assert_array_equal(loaded.values, found.values)
    axes = found.plot()
    np.testing.assert_allclose(axes.images[0].get_array(), found.values[0])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "1", "2"]
    assert axes.get_xticklabels()[1].get_text().endswith("1")
    assert "data:image/png" in found._repr_html_()
    heads = ex.sweep(llama, ids, source, sites=("q", "v"), target=TARGET)
    shown = heads.plot(over="position").images[0].get_array()
    assert shown.shape == (3, 4)
    np.testing.assert_allclose(np.abs(shown), np.abs(heads.values[0]).max(axis=(0, 3)))
    assert "data:image/png" in ex.sweep(llama, ids, source, sites=["L1.z.H1"])._repr_html_()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sites": "residual"}, SiteError, "there are resid_pre, resid_mid"),
        ({"layers": (3,)}, SiteError, "has 3 layers, 0 to 2"),
        ({"sites": "z", "heads": (4,)}, SiteError, "has 4 query heads"),
        ({"positions": 8}, SelectionError, "position 8 is outside a prompt of 8 tokens"),
        ({"positions": "every"}, InputError, "use 'each', 'all' or numbers"),
        ({"sites": ("z", "mlp_out")}, InputError, "sweep them one after the other"),
        ({"layers": ()}, InputError, "at least one"),
        ({"how": "noise"}, InputError, "use one of patch, zero, mean, resample"),
        ({"source": None}, InputError, "give source="),
        ({"sites": "pattern", "how": "mean", "per_position": False}, InputError, "per_position=True"),
    ],
)
def test_what_cannot_be_is_refused(llama, pair, options, error, words):
    ids, source = pair(llama)
    with pytest.raises(error, match=words) as caught:
        ex.sweep(llama, ids, **{"source": source, "target": TARGET, **options})
    assert "\n" not in str(caught.value)


def test_prompts_that_do_not_correspond_are_refused(llama, bert, pair):
    ids, source = pair(llama)
    with pytest.raises(InputError, match="has 8 tokens and its source 6"):
        ex.sweep(llama, ids, source[:, :6], target=TARGET)
    with pytest.raises(InputError, match="5 to 8 tokens, so their positions"):
        ex.sweep(llama, np.concatenate([ids, np.where(np.arange(8) < 5, ids, -1)]), how="zero")
    with pytest.raises(InputError, match="2 sources for 3 prompts"):
        ex.sweep(llama, np.repeat(ids, 3, axis=0), np.repeat(source, 2, axis=0))
    with pytest.raises(InputError, match="reference prompts of equal length"):
        ex.sweep(llama, ids, np.concatenate([ids, np.where(np.arange(8) < 5, ids, -1)]), how="mean")
    with pytest.raises(InputError, match="no reference prompt has the 8 tokens"):
        ex.sweep(llama, ids, source[:, :6], how="resample")
    with pytest.raises(CapabilityError, match="causal language model"):
        ex.sweep(bert, "The cat", "The dog")
