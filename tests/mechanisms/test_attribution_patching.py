"""Attribution patching against slopes by finite differences, against exact linear effects, and against true patches."""

import numpy as np
import pytest

import explicate as ex
from explicate.core.interventions import Steer
from explicate.core.sites import HEADED, LAYERED, Site
from explicate.errors import InputError
from explicate.mechanisms import confirmed, estimate_patches

TARGET = 11
CONTRAST = ex.Contrast("Mary", "John")
PROMPT = "When John and Mary went to the store, John gave a drink to"
CORRUPT = "When John and Mary went to the store, Mary gave a drink to"


@pytest.mark.parametrize("kind", LAYERED)
def test_estimates_are_slopes(causal, pair, kind):
    ids, source = pair(causal, tokens=5)
    estimate = estimate_patches(causal, ids, source, sites=kind, target=TARGET)
    assert estimate.place_dims == (("layer", "head", "position") if kind in HEADED else ("layer", "position"))
    places = [(1, 2, 3), (2, 0, 4)] if kind in HEADED else [(1, 3), (2, 4)]
    step = 1e-2
    for place in places:
        site = estimate.site_at(place)
        change = causal.capture(source, [site])[site] - causal.capture(ids, [site])[site]
        if kind == "scores":  # what the mask hides does not count
            change[..., place[-1] + 1 :] = 0
        ends = []
        for sign in (1, -1):
            with causal.intervene(Steer(site, change, sign * step)):
                ends.append(causal.predict(ids)[0, TARGET])
        slope = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(estimate.values[(0, *place)], slope, rtol=0.03, atol=3e-3, err_msg=str(site))


def test_head_outputs_add_up_to_the_attention_output(llama, pair):
    """A first-order estimate is linear: the heads' estimates sum to that of what they write together."""
    ids, source = pair(llama)
    heads = estimate_patches(llama, ids, source, sites="head_out", target=TARGET)
    whole = estimate_patches(llama, ids, source, sites="attn_out", target=TARGET)
    np.testing.assert_allclose(heads.values.sum(axis=2), whole.values, atol=1e-4)
    together = estimate_patches(llama, ids, source, sites="head_out", heads="all", positions="all", target=TARGET)
    np.testing.assert_allclose(together.values, whole.values.sum(axis=2), atol=1e-4)


def test_a_small_change_is_estimated_exactly(llama, pair):
    """Where source and prompt nearly agree, estimate and true effect agree; what is left is of second order."""
    ids, _ = pair(llama)
    for position in (-1, 2):
        estimate = estimate_patches(llama, ids, ids, sites="mlp_out", positions=position, target=TARGET)
        assert not estimate.values.any()
    assert estimate.provenance.gradients == 1


def test_several_prompts_at_once(llama, pair):
    ids, source = pair(llama)
    short = np.where(np.arange(8) < 6, source, -1)
    both = estimate_patches(
        llama, np.concatenate([ids, short]), source, sites=("attn_out", "mlp_out"), positions=(-1, -2), target=TARGET
    )
    alone = estimate_patches(
        llama, source[:, :6], source, sites=("attn_out", "mlp_out"), positions=(-1, -2), target=TARGET
    )
    np.testing.assert_allclose(both.values[1], alone.values[0], atol=2e-5)
    assert both.place_dims == ("part", "layer", "position")


def test_the_largest_estimates_are_confirmed(llama, pair):
    ids, source = pair(llama)
    estimate = estimate_patches(llama, ids, source, sites="head_out", positions=-1, target=TARGET)
    checked = confirmed(estimate, llama, ids, source, most=5, target=TARGET)
    exact = ex.sweep(llama, ids, source, sites="head_out", positions=-1, target=TARGET)
    assert checked.sites == estimate.strongest(5)
    for i, site in enumerate(checked.sites):
        np.testing.assert_allclose(checked["effect"][i], exact.values[:, site.layer, site.head], atol=1e-4)
        np.testing.assert_allclose(checked["estimate"][i], estimate.values[:, site.layer, site.head])
    pairs = np.corrcoef(checked["effect"][:, 0], checked["estimate"][:, 0])[0, 1]
    assert checked.data.attrs["correlation"] == pytest.approx(pairs)


def test_a_metric_without_slope_and_a_source_of_other_length_are_refused(llama, pair):
    ids, source = pair(llama)
    with pytest.raises(InputError, match="no slope"):
        estimate_patches(llama, ids, source, metric="kl")
    with pytest.raises(InputError, match="do not correspond"):
        estimate_patches(llama, ids, source[:, :5])
    assert not llama.in_force
    assert all(parameter.requires_grad for parameter in llama.module.parameters())


def test_smollm2_heads_are_screened_well(smollm2):
    """At the last position the estimate names the strongest heads of the exact sweep."""
    options = {"sites": "head_out", "positions": -1, "target": CONTRAST}
    estimate = estimate_patches(smollm2, PROMPT, CORRUPT, **options)
    exact = ex.sweep(smollm2, PROMPT, CORRUPT, **options)
    assert np.corrcoef(estimate.values.ravel(), exact.values.ravel())[0, 1] > 0.8
    assert set(exact.strongest(5)) <= set(estimate.strongest(30))
    assert isinstance(exact.strongest(1)[0], Site)
