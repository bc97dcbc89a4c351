"""Circuit tests: what is kept and removed by the definition, whole and empty circuits, a planted circuit."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError, SiteError
from explicate.mechanisms import check_circuit, sweep

TARGET = 11
LAYERS, HEADS = 3, 4
EVERY = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]


def patched(model, ids, source, places):
    """The score with (layer, head, position) patched from the source."""
    sites = [Site("z", layer, head, (position,)) for layer, head, position in places]
    seen = model.capture(source, sites)
    with model.intervene(*(Patch(site, seen[site]) for site in sites)):
        return model.predict(ids)[:, TARGET]


def named(heads, position="@-1"):
    return [f"L{layer}.head_out.H{head}{position}" for layer, head in heads]


def test_kept_and_removed_by_the_definition(causal, pair):
    ids, source = pair(causal)
    chosen = [(0, 1), (1, 3), (2, 0)]
    found = check_circuit(causal, named(chosen), ids, source, target=TARGET, controls=2)
    others = [place for place in EVERY if place not in chosen]
    kept = patched(causal, ids, source, [(*place, -1) for place in others])
    removed = patched(causal, ids, source, [(*place, -1) for place in chosen])
    np.testing.assert_allclose(found["kept_score"], kept, atol=1e-4)
    np.testing.assert_allclose(found["removed_score"], removed, atol=1e-4)
    way = found["base_score"] - found["source_score"]
    assert found.data.attrs["sufficiency"] == pytest.approx(float(((kept - found["source_score"]) / way)[0]), abs=1e-3)
    assert found.data.attrs["necessity"] == pytest.approx(float(((found["base_score"] - removed) / way)[0]), abs=1e-3)
    assert found["control_kept_score"].shape == (2, 1)
    alone = patched(causal, ids, source, [(1, 3, -1)]) - found["base_score"].values
    np.testing.assert_allclose(found["effect"][1], alone, atol=1e-4)


def test_everywhere_means_all_positions(llama, pair):
    ids, source = pair(llama)
    chosen = [(0, 1), (1, 3)]
    found = check_circuit(llama, named(chosen), ids, source, target=TARGET, controls=0, everywhere=True)
    places = [(*place, p) for place in EVERY for p in range(8) if not (place in chosen and p == 7)]
    np.testing.assert_allclose(found["kept_score"], patched(llama, ids, source, places), atol=1e-4)
    np.testing.assert_allclose(
        found["removed_score"], patched(llama, ids, source, [(*place, 7) for place in chosen]), atol=1e-4
    )
    whole = check_circuit(llama, named(chosen, ""), ids, source, target=TARGET, controls=0)
    places = [(*place, p) for place in EVERY for p in range(8) if place not in chosen]
    np.testing.assert_allclose(whole["kept_score"], patched(llama, ids, source, places), atol=1e-4)


def test_all_heads_keep_everything(llama, pair):
    ids, source = pair(llama)
    found = check_circuit(llama, named(EVERY), ids, source, target=TARGET, controls=1)
    np.testing.assert_allclose(found["kept_score"], found["base_score"], atol=2e-5)
    assert found.data.attrs["sufficiency"] == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(found["control_removed_score"][0], found["removed_score"], atol=2e-5)


def test_a_planted_circuit_is_sufficient_and_needed_and_random_ones_are_not(small, pair):
    """Two heads write; the prompts agree in the last token, so only through them does the last position differ."""
    model = small("llama")
    ids, source = pair(model)
    source[:, -1] = ids[:, -1]
    planted = [(1, 2), (2, 1)]
    with torch.no_grad():
        for layer, block in enumerate(model.blocks):
            weight = block.self_attn.o_proj.weight
            for head in range(HEADS):
                if (layer, head) not in planted:
                    weight[:, 8 * head : 8 * head + 8] = 0
    strongest = sweep(model, ids, source, sites="head_out", positions=-1, target=TARGET).strongest(2)
    assert {(site.layer, site.head) for site in strongest} == set(planted)
    found = check_circuit(model, strongest, ids, source, target=TARGET, controls=5, seed=1).data.attrs
    assert found["sufficiency"] == pytest.approx(1.0, abs=1e-3)
    assert found["necessity"] == pytest.approx(1.0, abs=1e-3)
    assert found["control_necessity"] < 0.7


@pytest.mark.parametrize(
    ("circuit", "error", "words"),
    [
        ([], InputError, "no heads"),
        (["L1.mlp_out@-1"], SiteError, "no head's output"),
        (["L1.head_out@-1"], SiteError, "no head's output"),
        (["L1.head_out.H9@-1"], SiteError, "has 4 query heads"),
        (["L1.head_out.H1@-1", "L1.head_out.H2@-2"], InputError, "different positions"),
    ],
)
def test_what_is_no_circuit_is_refused(llama, pair, circuit, error, words):
    ids, source = pair(llama)
    with pytest.raises(error, match=words):
        check_circuit(llama, circuit, ids, source, target=TARGET)


def test_prompts_with_the_same_score_are_refused(llama, pair):
    ids, _ = pair(llama)
    with pytest.raises(InputError, match="same score"):
        check_circuit(llama, named([(0, 1)]), ids, ids, target=TARGET)
