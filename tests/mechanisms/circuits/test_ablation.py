"""Circuits kept by themselves, against one plain forward pass each with every other head set to its mean."""

import numpy as np
import pytest
import torch

from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.circuits import KeptHeads, MeanAblation

LAYERS, HEADS, TOKENS = 3, 4, 9
RNG = np.random.Generator(np.random.PCG64(0))


def prompts(model, count=6, seed=0):
    return np.random.default_rng(seed).integers(5, 200, (count, TOKENS))


def plain(model, ids, places, circuit, reference):
    """The definition: a hook on every output projection, all tokens of all prompts."""
    seen = model.capture(reference, [Site("z", layer) for layer in range(LAYERS)])
    hooks = []
    for layer, block in enumerate(model.blocks):
        mean = torch.as_tensor(seen[Site("z", layer)].mean(axis=0))  # head, token, width
        kept = torch.zeros(len(ids), HEADS, TOKENS, dtype=torch.bool)
        for own, head, position in circuit:
            if own == layer:
                kept[np.arange(len(ids)), head, places[position]] = True

        def hook(module, args, kept=kept, mean=mean):
            z = args[0].unflatten(-1, (HEADS, -1)).transpose(1, 2)
            return (z.where(kept[..., None], mean).transpose(1, 2).flatten(2),)

        hooks.append(block.self_attn.o_proj.register_forward_pre_hook(hook))
    try:
        with torch.no_grad():
            return model.module(input_ids=torch.as_tensor(ids)).logits[:, -1].argmax(-1).numpy()
    finally:
        for hook in hooks:
            hook.remove()


def circuits():
    rng = np.random.default_rng(3)
    every = [(i, h, p) for i in range(LAYERS) for h in range(HEADS) for p in ("early", "label", "last")]
    return [set(), set(every), *({s for s in every if rng.random() < share} for share in (0.2, 0.5, 0.8))]


@pytest.fixture
def places():
    return {
        "last": np.full(6, TOKENS - 1),
        "label": np.full(6, TOKENS - 3),
        "early": np.array([0, 1, 2, 3, 4, 5]),
    }


def test_every_circuit_equals_a_plain_pass(causal, places):
    ids, reference = prompts(causal), prompts(causal, 20, seed=1)
    kept = KeptHeads(causal, ids, places, MeanAblation.of(causal, reference))
    found = kept.answers(circuits())
    expected = [plain(causal, ids, places, circuit, reference) for circuit in circuits()]
    np.testing.assert_array_equal(found, expected)
    assert len({tuple(row) for row in found.tolist()}) > 1  # the circuits differ in what they say


def test_the_model_s_own_way_gives_the_same(llama, places, monkeypatch):
    ids, reference = prompts(llama), prompts(llama, 20, seed=1)
    ablation = MeanAblation.of(llama, reference)
    fast = KeptHeads(llama, ids, places, ablation).answers(circuits())
    monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    np.testing.assert_array_equal(KeptHeads(llama, ids, places, ablation).answers(circuits()), fast)


def test_many_circuits_are_cut_into_parts_that_fit(llama, places, monkeypatch):
    ids, reference = prompts(llama), prompts(llama, 20, seed=1)
    kept = KeptHeads(llama, ids, places, MeanAblation.of(llama, reference))
    whole = kept.answers(circuits())
    monkeypatch.setattr("explicate.mechanisms.circuits.ablation.COLUMNS_AT_ONCE", 20)
    np.testing.assert_array_equal(kept.answers(circuits()), whole)
    right = kept.accuracy(circuits(), whole[1])
    assert right[1] == 1.0


def test_means_are_taken_token_by_token(llama):
    reference = prompts(llama, 12)
    found = MeanAblation.of(llama, reference)
    seen = llama.capture(reference, ["L1.z"])["L1.z"]
    np.testing.assert_allclose(found.values[1].numpy(), seen.mean(axis=0), atol=1e-6)
    assert found.tokens == TOKENS


def test_prompts_of_unequal_length_are_refused(llama, places):
    reference = prompts(llama, 12)
    short = reference.copy()
    short[3, -1] = -1
    with pytest.raises(InputError, match="equal length"):
        MeanAblation.of(llama, short)
    ablation = MeanAblation.of(llama, reference)
    with pytest.raises(InputError, match="means are for prompts of 9 tokens"):
        KeptHeads(llama, prompts(llama)[:, :8], places, ablation)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"early": np.full(6, -1)}, "prompt 0 has no position 'early'"),
        ({"early": np.full(6, TOKENS - 1)}, "same token"),
        ({"early": np.zeros(5, dtype=int)}, "5 columns for 6 prompts"),
    ],
)
def test_positions_that_do_not_fit_are_refused(llama, places, change, words):
    ablation = MeanAblation.of(llama, prompts(llama, 12))
    with pytest.raises(InputError, match=words):
        KeptHeads(llama, prompts(llama), {**places, **change}, ablation)


def test_a_position_without_name_and_one_missing_are_refused(llama, places):
    ablation = MeanAblation.of(llama, prompts(llama, 12))
    with pytest.raises(InputError, match="'nowhere' is none of last, label, early"):
        KeptHeads(llama, prompts(llama), places, ablation).answers([{(0, 0, "nowhere")}])
    del places["last"]
    with pytest.raises(InputError, match="must be the last token"):
        KeptHeads(llama, prompts(llama), places, ablation).answers([set()])
