"""Patchscopes against one intervention a state, and where what they must read is known."""

import numpy as np
import pytest

import explicate as ex
from explicate.core.interventions import Ablate, Patch
from explicate.errors import CapabilityError, InputError, SelectionError, TargetError
from explicate.mechanisms.patchscope import Patchscope

SHORT = Patchscope("cat -> cat\n?")


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_every_state_reads_as_the_patched_inspection_prompt(llama, pair, monkeypatch, way):
    if way == "own blocks":
        monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    ids, _ = pair(llama)
    found = SHORT.run(llama, ids, target=7)
    inspected = llama.encode(SHORT.prompt)
    for layer in range(llama.layer_count):
        state = llama.capture(ids, [f"L{layer}.resid_post@-1"])[f"L{layer}.resid_post@-1"]
        with llama.intervene(Patch(f"L{layer}.resid_post@-1", state)), llama.scored_by("probability"):
            expected = llama.predict(inspected)[0, 7]
        assert found["probability"].values[0, layer] == pytest.approx(expected, rel=1e-4)
    with llama.scored_by("probability"):
        base = llama.predict(inspected)[0, 7]
    assert found["base_score"].values[0] == pytest.approx(base, rel=1e-4)
    np.testing.assert_allclose(found["effect"], found["probability"] - base, atol=1e-6)


def test_the_inspection_prompts_own_states_change_nothing(causal):
    found = SHORT.run(causal, SHORT.prompt, target=3)
    np.testing.assert_allclose(found["effect"], 0.0, atol=1e-6)


def test_the_last_layers_state_says_what_the_prompt_itself_says(causal, pair):
    ids = np.concatenate(pair(causal))
    found = SHORT.run(causal, ids)
    with causal.scored_by("probability"):
        expected = causal.predict(ids).max(axis=1)
    np.testing.assert_allclose(found["probability"].values[:, -1], expected, rtol=1e-4)
    assert found.site_at((0,)) == ex.Site("resid_post", 0, None, (-1,))


def test_smollm2_says_a_token_that_its_state_is_about(smollm2):
    found = Patchscope().run(smollm2, ["The capital of France is", "The opposite of hot is"])
    assert found["target_name"].values.tolist() == [" Paris", " cold"]
    share = found["probability"].values
    assert (share[:, :5] < 0.01).all()
    assert (share[:, -1] > 0.3).all()


def test_what_cannot_be_read_is_refused(llama, bert):
    reader = SHORT.reader(llama)
    state, token = np.zeros((1, llama.width)), np.zeros((1, 1), dtype=int)
    with pytest.raises(InputError, match=r"takes \(state, 32\)"):
        reader.probabilities(np.zeros((1, 5)), [0], token)
    with pytest.raises(InputError, match="give one each"):
        reader.probabilities(state, [0, 1], token)
    with pytest.raises(SelectionError, match="layer 9"):
        reader.probabilities(state, [9], token)
    with pytest.raises(InputError, match="no contrast"):
        SHORT.run(llama, "The cat", target=ex.Contrast(1, 2))
    with pytest.raises(TargetError):
        SHORT.run(llama, "The cat", target=10**6)
    with llama.intervene(Ablate("L0.mlp_out")), pytest.raises(InputError, match="leave them first"):
        SHORT.run(llama, "The cat", target=1)
    with pytest.raises(CapabilityError, match="causal"):
        SHORT.run(bert, "The cat")
